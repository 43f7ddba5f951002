package jobs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"perennial/store"
	"perennial/tenants"
)

// An authority that was retired and added again with another binding opens another account under that one, at once and also in a
// process that knew the old binding. What the old account ordered stays known.
func TestAnotherBinding(t *testing.T) {
	inWorld(t, func(w *world) {
		const directory = "https://other.test/dir"
		other := newFakeCA(w.dns)
		other.url = "https://other.test/acct/1"
		w.others = map[string]*fakeCA{directory: other}
		add := func(keyID string) tenants.IssuerID {
			t.Helper()
			id, err := w.operator().AddIssuer(w.ctx, tenants.IssuerForm{Directory: directory, Name: "Other CA", EABKeyID: keyID,
				EABKey: tenants.NewSecret([]byte(strings.Repeat("QUJD", 12)))}, w.engine.CheckDirectory)
			w.must(err)
			return id
		}
		issuer := add("kid-1")
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{Issuers: []tenants.IssuerID{issuer}}))
		id := w.register(shop)
		first := *w.status(id, tenants.Active).Current

		w.must(w.operator().RetireIssuer(w.ctx, issuer))
		other.url = "https://other.test/acct/2"
		if again := add("kid-2"); again != issuer {
			t.Fatalf("it came back as %s", again)
		}
		w.must(w.scope.RenewNow(w.ctx, id))
		second := w.versions(id, 2, time.Second, time.Minute)[1]
		if !slices.Equal(other.opened, []string{"kid-1", "kid-2"}) {
			t.Errorf("accounts were opened under %v", other.opened)
		}
		if second.IssuerID != issuer || second.Account == first.Account || second.Account == "" {
			t.Errorf("from %s by %s, after %s", second.IssuerID, second.Account, first.Account)
		}
		v := w.issuerView(issuer)
		if v.EABKeyID != "kid-2" || len(v.Accounts) != 2 || v.Accounts[0].ID != second.Account || v.Accounts[1].ID != first.Account || !v.Accounts[0].InUse || v.Accounts[1].InUse ||
			v.Accounts[1].URL != "https://other.test/acct/1" || v.Accounts[0].URL != "https://other.test/acct/2" {
			t.Errorf("accounts: %+v", v.Accounts)
		}
		if all := w.byNumber(id); all[0].Account != first.Account || all[0].Serial != first.Serial {
			t.Errorf("the first version is %+v", all[0])
		}
		w.must(w.operator().RetireIssuer(w.ctx, issuer))
		add("kid-2") // the same: nothing new
		if v := w.issuerView(issuer); len(v.Accounts) != 2 {
			t.Errorf("the same binding gives %d accounts", len(v.Accounts))
		}
	})
}

// Settings with another binding open another account as well; those of a first start with one, or of one without, do not.
func TestAnotherBindingOfTheSettings(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register(shop)
		w.status(id, tenants.Active)
		for i, c := range []struct {
			binding  string
			accounts int
		}{{"kid-1", 1}, {"kid-1", 1}, {"", 1}, {"kid-2", 2}, {"kid-2", 2}, {"kid-3", 3}} {
			w.binding = c.binding
			w.start()
			w.must(w.scope.RenewNow(w.ctx, id))
			w.versions(id, i+2, time.Second, time.Minute)
			home, err := w.db.System().Issuer(w.ctx, w.issuer.Directory)
			w.must(err)
			if n := len(w.issuerView(home.ID).Accounts); n != c.accounts {
				t.Errorf("start %d with %q: %d accounts, want %d", i+1, c.binding, n, c.accounts)
			}
		}
		if !slices.Equal(w.ca.opened, []string{"", "kid-2", "kid-3"}) {
			t.Errorf("accounts were opened under %q", w.ca.opened)
		}
	})
}

func (w *world) issuerView(id tenants.IssuerID) store.IssuerView {
	w.t.Helper()
	v, err := w.operator().Issuer(w.ctx, id)
	w.must(err)
	return v
}
