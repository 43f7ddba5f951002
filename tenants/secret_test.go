package tenants

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretNeverPrints(t *testing.T) {
	const plain = "hunter2!"
	s := NewSecret([]byte(plain))
	type exported struct{ S Secret }
	type hidden struct{ s Secret }
	type deep struct{ m map[string][]hidden }
	values := []any{s, &s, exported{s}, &exported{s}, hidden{s}, &hidden{s}, []Secret{s}, map[string]Secret{"k": s},
		deep{map[string][]hidden{"k": {{s}}}}}
	var out []string
	for _, v := range values {
		for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %b %o %O %c %U %t %e %g %08v %z") {
			out = append(out, fmt.Sprintf(verb, v))
		}
		j, _ := json.Marshal(v)
		x, _ := xml.Marshal(v)
		out = append(out, string(j), string(x), fmt.Sprint(v), fmt.Sprintln(v), logged(v))
	}
	out = append(out, errors.Join(fmt.Errorf("use %v: %w", s, errors.New("no"))).Error(), s.String(), s.GoString())
	for _, o := range out {
		for _, leak := range []string{plain, "104 117 110", "[104,", "68756e74", "68756E74", "0x68", "aHVudGVy", "'h' 'u'", "U+0068", "1101000 1110101"} {
			if strings.Contains(o, leak) {
				t.Errorf("leaks %q: %s", leak, o)
			}
		}
	}
	if got := fmt.Sprintf("%v %d %x", s, s, s); got != "[sealed] [sealed] [sealed]" {
		t.Errorf("prints %s", got)
	}
}

func logged(v any) string {
	var text, lines bytes.Buffer
	slog.New(slog.NewJSONHandler(&lines, nil)).Info("m", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewTextHandler(&text, nil)).With("w", v).Info("m", "v", v)
	return lines.String() + text.String()
}

func TestSecretReveals(t *testing.T) {
	if got := string(NewSecret([]byte("k")).Reveal()); got != "k" {
		t.Errorf("Reveal = %q", got)
	}
	if !(Secret{}).Empty() || !NewSecret(nil).Empty() || NewSecret([]byte{0}).Empty() || (Secret{}).Reveal() != nil {
		t.Error("Empty or Reveal is wrong for nothing")
	}
}
