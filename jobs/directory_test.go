package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"perennial/jobs"
	"perennial/jobs/acme"
	"perennial/tenants"
)

// asked is a CA of which only the directory is asked.
type asked struct {
	jobs.CA
	meta acme.Meta
	err  error
}

func (a asked) Meta(context.Context) (acme.Meta, error) { return a.meta, a.err }

func TestCheckDirectory(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, c := range []struct {
			asked
			field string
			says  string
		}{
			{asked{meta: acme.Meta{CAAIdentities: []string{"ca.test"}, Profiles: map[string]string{"short": "six days"}}}, "", ""},
			{asked{meta: acme.Meta{EABRequired: true}}, "eab_key_id", "Paste the key id"},
			{asked{err: &acme.Problem{Code: tenants.CASilent}}, "directory", "No authority answers there just now."},
			{asked{err: &acme.Problem{Code: tenants.CAUntrusted}}, "directory", "TLS certificate that this portal does not trust."},
			{asked{err: &acme.Problem{Code: tenants.CARateLimited, Status: 429}}, "directory", "The authority takes no requests from here just now"},
			{asked{err: &acme.Problem{Code: tenants.CABroken}}, "directory", "What answers there is no ACME directory."},
		} {
			e := jobs.New(jobs.Config{DB: w.db, Connect: func(tenants.Issuer, tenants.EAB) jobs.CA { return c.asked }})
			read, err := e.CheckDirectory(w.ctx, tenants.Issuer{Name: "CA"}, tenants.EAB{})
			if c.field == "" {
				if err != nil || len(read.CAA) != 1 || read.Profiles["short"] == "" || read.Name != "CA" {
					w.t.Errorf("%+v, %v", read, err)
				}
				continue
			}
			if e, ok := errors.AsType[*tenants.Error](err); !ok || e.Kind != tenants.Invalid || !strings.Contains(e.Fields[c.field], c.says) {
				w.t.Errorf("%+v: %v", c.asked, err)
			}
		}
	})
}
