package tenants

import (
	"strings"
	"testing"
)

// TestStandingCausesHaveWords: what the operator reads of many certificates holds no gaps and no single name.
func TestStandingCausesHaveWords(t *testing.T) {
	for _, c := range append(codes(t), "", "from.the.future") {
		e := c.Standing()
		for _, text := range []string{e.Short, e.Happened, e.Why, e.Do, string(e.Who), c.ForOperator()} {
			if text == "" || strings.ContainsAny(text, "{}|") {
				t.Errorf("%q: %q", c, text)
			}
		}
		if _, ok := repairs[c]; c != "from.the.future" && ok != (e.Who == OperatorDo) {
			t.Errorf("%q is for %s to repair, and the operator's sentence is there: %v", c, e.Who, ok)
		}
	}
	if got := DelegationMissing.Standing().Short; got != "DNS record was removed" {
		t.Errorf("a certificate that was issued has lost its record: %q", got)
	}
	if Code("").Known() || Code("from.the.future").Known() || !CASilent.Known() || Code("dns.delegation.missing/removed").Known() {
		t.Error("known codes")
	}
}
