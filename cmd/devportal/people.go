package main

import (
	"context"
	"strings"

	"perennial/cmd/devportal/devidp"
	"perennial/store"
	"perennial/tenants"
)

const (
	operatorGroup = "portal-operators"
	auditorGroup  = "portal-auditors"
)

// person is somebody the visitor can be.
type person struct {
	email, name string
	tenant      string // slug, empty for the platform
	role        string
	group       string
}

var people = []person{
	{"ops@acme.example", "Olivia Park", "acme", "admin", "acme-ops"},
	{"web@acme.example", "Wanda Eriksen", "acme", "editor", "acme-web"},
	{"lead@acme.example", "Leo Brandt", "acme", "approver", "acme-leads"},
	{"security@acme.example", "Sefa Adeyemi", "acme", "auditor", "acme-security"},
	{"guest@acme.example", "Gus Moreau", "acme", "viewer", "acme-everybody"},
	{"it@northwind.example", "Ines Takeda", "northwind", "admin", "northwind-it"},
	{"web@northwind.example", "Noah Lindqvist", "northwind", "viewer", "northwind-web"},
	{"operator@portal.example", "Oskar Weiss", "", "operator", operatorGroup},
	{"audit@portal.example", "Ada Nwosu", "", "auditor", auditorGroup},
	{"stranger@elsewhere.example", "Sam Stranger", "", "", "elsewhere"},
}

// houses are the two tenants, by slug.
var houses = map[string]string{"acme": "Acme Retail", "northwind": "Northwind"}

func identities() []devidp.Person {
	var out []devidp.Person
	for _, p := range people {
		about := "Belongs to no tenant"
		switch {
		case p.tenant != "":
			about = title(p.role) + " of " + houses[p.tenant]
		case p.role != "":
			about = title(p.role) + " of the platform"
		}
		out = append(out, devidp.Person{Email: p.email, Name: p.name, Groups: []string{p.group}, About: about})
	}
	return out
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

func statePeople() []statePerson {
	var out []statePerson
	for _, p := range people {
		out = append(out, statePerson{p.email, houses[p.tenant], p.role})
	}
	return out
}

// found makes the two tenants, unless they are there from an earlier run.
func found(ctx context.Context, db *store.DB) error {
	there, err := db.System().Tenants(ctx)
	if err != nil || len(there) > 0 {
		return err
	}
	for _, slug := range []string{"acme", "northwind"} {
		in := store.TenantInput{Name: houses[slug], Slug: slug}
		for _, p := range people {
			if p.tenant == slug {
				in.Groups = append(in.Groups, store.GroupInput{Claim: p.group, Role: tenants.Role(p.role)})
			}
		}
		if _, err := db.System().AddTenant(ctx, in); err != nil {
			return err
		}
	}
	return nil
}
