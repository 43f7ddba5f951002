package views

import "perennial/tenants"

// MostIssuers bounds the fields for authorities.
const MostIssuers = 3

// manyIssuers: with one authority there is nothing to choose, unless the policy lists some that are gone.
func (p PolicyPage) manyIssuers() bool { return p.issuersInUse() > 1 || len(p.Saved.Issuers) > 0 }

func (p PolicyPage) issuersInUse() (n int) {
	for _, c := range p.Issuers {
		if !c.Retired {
			n++
		}
	}
	return n
}

func (p PolicyPage) issuerNames() map[tenants.IssuerID]string {
	names := map[tenants.IssuerID]string{}
	for _, c := range p.Issuers {
		names[c.ID] = c.Name
	}
	return names
}

// issuerSelect is one place in the order of preference.
type issuerSelect struct {
	ID, Label string
	Empty     string // the choice of none
	Options   []issuerOption
}

type issuerOption struct {
	ID     tenants.IssuerID
	Word   string
	Chosen bool
}

func (p PolicyPage) issuerFields() (fields []issuerSelect) {
	for n := range max(min(p.issuersInUse(), MostIssuers), len(p.Saved.Issuers), len(p.Typed.Issuers)) {
		f := issuerSelect{ID: tenants.IssuerField(n), Label: "Then", Empty: "no other"}
		if n == 0 {
			f.Label, f.Empty = "First", p.portalsOwn()
		}
		chosen := ""
		if n < len(p.Typed.Issuers) {
			chosen = p.Typed.Issuers[n]
		}
		f.Options = p.issuerOptions(tenants.IssuerID(chosen))
		fields = append(fields, f)
	}
	return fields
}

// issuerOptions are the authorities in use, and a retired one where it is chosen, so that nothing changes unseen.
func (p PolicyPage) issuerOptions(chosen tenants.IssuerID) (options []issuerOption) {
	for _, c := range p.Issuers {
		o := issuerOption{c.ID, c.Name, c.ID == chosen}
		if c.Retired {
			o.Word += " (retired)"
		}
		if o.Chosen || !c.Retired {
			options = append(options, o)
		}
	}
	return options
}

func (p PolicyPage) portalsOwn() string {
	for _, c := range p.Issuers {
		if c.Default {
			return "the portal’s own, now " + c.Name
		}
	}
	return "the portal’s own"
}
