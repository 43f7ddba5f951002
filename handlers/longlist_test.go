package handlers_test

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestLongLists: as many serial numbers and keys as an event takes arrive in their longest spelling, and one more gets its sentence at
// its field, with all that was typed still there.
func TestLongLists(t *testing.T) {
	w := newWorld(t)
	p := &player{t: t, world: w, client: w.signIn(t, "operator"), vars: w.vars()}
	send := func(serials, spki int) url.Values {
		p.begin("POST", "/replacement")
		p.form = url.Values{"by": {"list"}, "deadline": {p.vars["tomorrow"]}, "serials": {octets(serials, 21)}, "spki": {octets(spki, 32)}}
		p.send()
		return p.form
	}
	if sent := len(send(10_000, 10_000).Encode()); sent < 2_700_000 {
		t.Errorf("the longest lists have %d bytes only", sent)
	}
	p.check("status", "200")
	p.check("has", "The dry run found no certificate")
	typed := send(10_001, 0).Get("serials")
	p.check("status", "422")
	p.check("has", `id="serials-error"`)
	p.check("has", "These are 10,001, and one event takes 10,000. Divide the list.")
	p.check("has", typed+"</textarea>")
}

// octets is a list of different numbers of so many octets, as tools print them: the first octet 00, colons between all.
func octets(lines, size int) string {
	var list strings.Builder
	for n := range lines {
		number := make([]byte, size)
		binary.BigEndian.PutUint64(number[size-8:], uint64(n+1))
		fmt.Fprintf(&list, "%s,\r\n", strings.ReplaceAll(fmt.Sprintf("% x", number), " ", ":"))
	}
	return list.String()
}
