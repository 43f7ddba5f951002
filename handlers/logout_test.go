package handlers_test

import (
	"net/http"
	"testing"
)

// TestBackChannelLogout ends somebody at the provider: the portal hears of it and their next page is the sign-in
// page. Somebody else, and somebody with another session, stay.
func TestBackChannelLogout(t *testing.T) {
	w := newWorld(t)
	admin, again, viewer := w.signIn(t, "admin"), w.signIn(t, "admin"), w.signIn(t, "viewer")
	sessions := w.idp.Sessions(people["admin"])
	if len(sessions) != 2 {
		t.Fatalf("%d sessions at the provider, want 2", len(sessions))
	}
	if err := w.idp.SignOutEverywhere(t.Context(), sessions[1]); err != nil { // the older one
		t.Fatal(err)
	}
	for _, c := range []struct {
		who  string
		c    *http.Client
		want int
	}{{"ended", admin, http.StatusSeeOther}, {"the same person elsewhere", again, http.StatusOK}, {"somebody else", viewer,
		http.StatusOK}} {
		resp, err := c.c.Get(w.url + "/t/acme/domains")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", c.who, resp.Status, c.want)
		}
	}
}

// TestForeignLogoutToken: a token that the provider made for another client ends nothing here.
func TestForeignLogoutToken(t *testing.T) {
	w := newWorld(t)
	admin := w.signIn(t, "admin")
	token, err := w.idp.LogoutToken("another-client", "", w.idp.Sessions(people["admin"])[0])
	if err != nil {
		t.Fatal(err)
	}
	p := &player{t: t, world: w, client: newBrowser(t), vars: w.vars()}
	p.begin("POST", "/backchannel-logout")
	p.form.Set("logout_token", token)
	p.send()
	p.check("status", "400")
	p.client = admin
	p.begin("GET", "/t/acme/domains")
	p.send()
	p.check("status", "200")
}
