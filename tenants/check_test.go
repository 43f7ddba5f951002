package tenants

import "testing"

// Answers tells looks apart that saw another thing, and only those.
func TestAnswers(t *testing.T) {
	look := func() Check {
		return Check{At: noon, Zone: "acme.example",
			Delegation: []Asked{{Server: "ns1", Got: "a.dcv.example", Result: Right}, {Server: "ns2", Got: "a.dcv.example", Result: Right}},
			CAA:        []AskedCAA{{Name: "shop.acme.example"}, {Name: "acme.example", Records: []CAA{{Tag: "issue", Value: "ca.example"}, {Tag: "iodef", Value: "mailto:x@acme.example"}}}}}
	}
	before := look().Answers()
	if before == "" {
		t.Fatal("a whole look has no answers")
	}
	tests := []struct {
		name   string
		change func(*Check)
		want   string // same, other or none
	}{
		{"later, another server, another order", func(c *Check) {
			c.At, c.Delegation[0].Server = noon.AddDate(0, 0, 1), "ns9"
			r := c.CAA[1].Records
			r[0], r[1] = r[1], r[0]
		}, "same"},
		{"one server fewer", func(c *Check) { c.Delegation = c.Delegation[:1] }, "same"},
		{"another target", func(c *Check) { c.Delegation[1] = Asked{"ns2", "b.dcv.example", Differs} }, "other"},
		{"removed", func(c *Check) { c.Delegation[0] = Asked{"ns1", "NXDOMAIN", Missing} }, "other"},
		{"another CAA record", func(c *Check) { c.CAA[1].Records[0].Value = "other.example" }, "other"},
		{"a CAA record below", func(c *Check) { c.CAA[0].Records = []CAA{{Tag: "issue", Value: "ca.example"}} }, "other"},
		{"a server is silent", func(c *Check) { c.Delegation[0] = Asked{"ns1", "no answer", Silent} }, "none"},
		{"CAA fails", func(c *Check) { c.CAA[0].Failed = "SERVFAIL" }, "none"},
		{"our own servers are silent", func(c *Check) { c.Blind = true }, "none"},
		{"nobody was asked", func(c *Check) { c.Delegation = nil }, "none"},
	}
	for _, test := range tests {
		c := look()
		test.change(&c)
		got := "other"
		switch c.Answers() {
		case before:
			got = "same"
		case "":
			got = "none"
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
