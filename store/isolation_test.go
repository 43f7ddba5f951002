package store_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"perennial/store"
	"perennial/store/storetest"
	"perennial/tenants"
)

// foreign is what belongs to Acme, for Northwind to reach for.
type foreign struct {
	domain  tenants.DomainID
	version tenants.VersionID
	name    string
}

// reach is how one method of Scope tries to get at another tenant's rows. One that takes an id returns the error it
// met, which must be not found. One that takes none returns all that it was shown, in which nothing of Acme may be.
type reach func(ctx context.Context, s *store.Scope, f foreign) (shown any, err error)

// reaches names every exported method of Scope. A new method fails the test until it is here.
var reaches = map[string]reach{
	"Domain": func(ctx context.Context, s *store.Scope, f foreign) (any, error) { return s.Domain(ctx, f.domain) },
	"CheckNow": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.CheckNow(ctx, f.domain)
	},
	"RenewNow": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.RenewNow(ctx, f.domain)
	},
	"Revoke": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.Revoke(ctx, f.domain, f.version, tenants.RevocationRequest{Way: tenants.RevokeAtOnce, Reason: tenants.RevokeSuperseded}, f.name)
	},
	"RevokeNow": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.RevokeNow(ctx, f.domain, f.version)
	},
	"Versions": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return s.Versions(ctx, f.domain, 0, 20)
	},
	"Version": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return s.Version(ctx, f.domain, f.version)
	},
	"Facts": func(ctx context.Context, s *store.Scope, f foreign) (any, error) { return s.Facts(ctx, f.domain) },
	"SiblingDomain": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return s.SiblingDomain(ctx, f.domain)
	},
	"PreviewSettings": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return s.PreviewSettings(ctx, f.domain, tenants.SettingsForm{KeyType: "P-384", Strategy: "rotate"})
	},
	"SaveSettings": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		e, _, err := s.SaveSettings(ctx, f.domain, tenants.SettingsForm{KeyType: "P-384", Strategy: "rotate"}, "")
		return e, err
	},
	"Pause": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.Pause(ctx, f.domain, tenants.PauseForm{Date: "2030-01-01", Why: "mine now"})
	},
	"Resume": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.Resume(ctx, f.domain)
	},
	"Release": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.Release(ctx, f.domain, f.name)
	},
	"Rehearse": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.Rehearse(ctx, f.domain)
	},
	"Entry": func(ctx context.Context, s *store.Scope, f foreign) (any, error) { return s.Entry(ctx, 8) },
	"DownloadChain": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		_, v, err := s.DownloadChain(ctx, f.version)
		return v, err
	},
	"DownloadKey": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		_, key, err := s.DownloadKey(ctx, f.version)
		return key, err
	},

	"Tenant":   func(ctx context.Context, s *store.Scope, f foreign) (any, error) { return s.Tenant(ctx) },
	"Overview": func(ctx context.Context, s *store.Scope, f foreign) (any, error) { return s.Overview(ctx) },
	"Renewals": func(ctx context.Context, s *store.Scope, f foreign) (any, error) { return s.Renewals(ctx, 90) },
	"Domains": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return s.Domains(ctx, store.DomainFilter{Query: f.name})
	},
	"Entries": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return s.Entries(ctx, store.EntryFilter{Target: string(f.domain)})
	},
	"ExportEntries": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		var all []tenants.Entry
		err := s.ExportEntries(ctx, store.EntryFilter{}, func(e tenants.Entry) error {
			all = append(all, e)
			return nil
		})
		return all, err
	},
	"RegisterDomain": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		_, err := s.RegisterDomain(ctx, f.name, store.RegisterOptions{})
		return err, nil
	},
	"RegisterDomains": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		_, err := s.RegisterDomains(ctx, []string{f.name})
		return err, nil
	},
	"Hours": func(ctx context.Context, s *store.Scope, f foreign) (any, error) { return s.Hours(ctx) },
	"PreviewHours": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return s.PreviewHours(ctx, tenants.Hours{PerDay: 1})
	},
	"SaveHours": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return s.SaveHours(ctx, tenants.Hours{PerDay: 1})
	},
	"PolicyIssuers": func(ctx context.Context, s *store.Scope, f foreign) (any, error) { return s.PolicyIssuers(ctx) },
	"Policy":        func(ctx context.Context, s *store.Scope, f foreign) (any, error) { return s.Policy(ctx) },
	"SavePolicy": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.SavePolicy(ctx, tenants.Policy{RenewDays: 30})
	},
	"Denied": func(ctx context.Context, s *store.Scope, f foreign) (any, error) {
		return nil, s.Denied(ctx, tenants.DownloadKey, "", "")
	},
}

var byID = []string{"Domain", "CheckNow", "RenewNow", "Revoke", "RevokeNow", "Versions", "Version", "Facts", "SiblingDomain", "PreviewSettings", "SaveSettings", "Pause", "Resume", "Release", "Rehearse", "Entry", "DownloadChain", "DownloadKey"}

func TestIsolation(t *testing.T) {
	scope := reflect.TypeFor[*store.Scope]()
	for i := range scope.NumMethod() {
		if reaches[scope.Method(i).Name] == nil {
			t.Errorf("Scope.%s is not tested for isolation", scope.Method(i).Name)
		}
	}
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		f := foreign{domain: s.register(w.Acme, "secret.acme.example"), name: "secret.acme.example"}
		f.version = s.issue(f.domain, 30*24*time.Hour)
		before := s.view(w.Acme, f.domain)
		other := w.Scope(w.Northwind)
		for _, name := range byID {
			_, err := reaches[name](t.Context(), other, f)
			if tenants.KindOf(err) != tenants.NotFound {
				t.Errorf("Scope.%s with another tenant's id: %v", name, err)
			}
		}
		for name, reach := range reaches {
			shown, err := reach(t.Context(), other, f)
			if err != nil && tenants.KindOf(err) != tenants.NotFound {
				t.Errorf("Scope.%s: %v", name, err)
			}
			if leak := leaked(t, w, shown, f); leak != "" && !strings.HasPrefix(name, "Register") {
				t.Errorf("Scope.%s shows %q of another tenant", name, leak)
			}
		}
		if after := s.view(w.Acme, f.domain); !reflect.DeepEqual(before, after) {
			t.Errorf("another tenant changed the domain:\n%+v\n%+v", before, after)
		}
	})
}

// leaked finds traces of Acme in what was shown.
func leaked(t *testing.T, w *storetest.World, shown any, f foreign) string {
	t.Helper()
	b, err := json.Marshal(shown)
	check(t, err)
	for _, trace := range []string{string(f.domain), string(f.version), f.name, string(w.Acme.ID), w.Acme.Name} {
		if strings.Contains(string(b), trace) {
			return trace
		}
	}
	return ""
}

// Whoever is not a member gets in nowhere, and each attempt is an entry.
func TestStrangersAreDenied(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := tell(t, w)
		f := foreign{domain: s.register(w.Acme, "shop.example"), name: "shop.example"}
		f.version = s.issue(f.domain, time.Hour)
		stranger := w.DB.As(tenants.Actor{Kind: tenants.Person, Name: "nobody@example", Tenant: w.Acme.ID})
		for name, reach := range reaches {
			shown, err := reach(t.Context(), stranger, f)
			if e, ok := shown.(error); ok {
				err = e
			}
			if name != "Denied" && tenants.KindOf(err) != tenants.Denied {
				t.Errorf("Scope.%s lets a stranger in: %v", name, err)
			}
		}
		denied := must[store.EntryPage](t)(w.Scope(w.Acme).Entries(s.ctx, store.EntryFilter{Outcome: tenants.Refused}))
		if denied.Total != len(reaches) {
			t.Errorf("%d denied entries for %d attempts", denied.Total, len(reaches))
		}
	})
}
