package acme_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

func newClient(c acme.Config) *acme.Client { return acme.New(c) }

func TestProblemCodes(t *testing.T) {
	for _, test := range []struct {
		status int
		kind   string
		want   tenants.Code
	}{
		{429, "rateLimited", tenants.CARateLimited},
		{503, "rateLimited", tenants.CARateLimited},
		{429, "", tenants.CARateLimited},
		{500, "serverInternal", tenants.CASilent},
		{502, "", tenants.CASilent},
		{503, "malformed", tenants.CASilent},
		{408, "", tenants.CASilent},
		{400, "rejectedIdentifier", tenants.CARefuses},
		{400, "unsupportedIdentifier", tenants.CARefuses},
		{403, "caa", tenants.CAAForbids},
		{400, "dns", tenants.ChallengeInvalid},
		{403, "incorrectResponse", tenants.ChallengeInvalid},
		{400, "accountDoesNotExist", tenants.CAAccount},
		{403, "externalAccountRequired", tenants.CAAccount},
		{403, "userActionRequired", tenants.CAAccount},
		{403, "unauthorized", tenants.CAAccount},
		{400, "invalidProfile", tenants.CAProfile},
		{400, "malformed", tenants.CABroken},
		{403, "orderNotReady", tenants.CABroken},
		{400, "somethingNew", tenants.CABroken},
		{404, "", tenants.CABroken},
	} {
		f := newFake(t)
		document, _ := json.Marshal(map[string]any{"type": "urn:ietf:params:acme:error:" + test.kind, "detail": "So it is.", "status": test.status})
		if test.kind == "" {
			document = []byte("<html>\n<h1>No</h1>")
		}
		f.says("/order/1", test.status, string(document))
		p := problem(t, f.calls(f.client(), f.account(t))["/order/1"](t.Context()), test.want)
		if p.Status != test.status || p.Kind() != test.kind || !p.Reached || p.Detail == "" {
			t.Errorf("%d %s: %+v", test.status, test.kind, p)
		}
	}
}

func TestFinalizeUnauthorizedSpeaksOfNames(t *testing.T) {
	f := newFake(t)
	c, a := f.client(), f.account(t)
	refused := `{"type":"urn:ietf:params:acme:error:unauthorized","detail":"Some authorization ran out."}`
	f.says("/finalize/1", 403, refused)
	problem(t, f.calls(c, a)["/finalize/1"](t.Context()), tenants.ChallengeInvalid)

	f.with(t, "/finalize/1", `"status":"valid"`, `"status":"invalid","error":`+refused)
	p := problem(t, f.calls(c, a)["/finalize/1"](t.Context()), tenants.ChallengeInvalid)
	if p.Detail != "Some authorization ran out." {
		t.Error(p)
	}
	f.with(t, "/finalize/1", `"status":"valid"`, `"status":"invalid"`)
	p = problem(t, f.calls(c, a)["/finalize/1"](t.Context()), tenants.CABroken)
	if !strings.HasPrefix(p.Detail, "The order became invalid") {
		t.Error(p)
	}
}

func TestProblemInsideObjects(t *testing.T) {
	f := newFake(t)
	c, a := f.client(), f.account(t)
	f.with(t, "/authz/1", `"status":"pending"`, `"status":"invalid","error":{"type":"urn:ietf:params:acme:error:unauthorized",
		"detail":"Incorrect TXT record \"x\u0000\u001b[31m\nfound\""}`)
	z := must[acme.Authorization](t)(c.Authorization(t.Context(), a, f.URL+"/authz/1"))
	problem(t, z.Challenge.Error, tenants.ChallengeInvalid)

	f.with(t, "/order/1", `"status":"pending"`, `"status":"invalid","error":{"type":"urn:ietf:params:acme:error:compound",
		"detail":"Errors","subproblems":[{"type":"urn:ietf:params:acme:error:caa","detail":"forbidden","identifier":{"type":"dns","value":"a.test"}}]}`)
	o := must[acme.Order](t)(c.Order(t.Context(), a, f.URL+"/order/1"))
	p := problem(t, o.Error, tenants.CAAForbids)
	if o.Status != acme.Invalid || len(p.Subproblems) != 1 || p.Subproblems[0].Name != "a.test" {
		t.Errorf("%+v", o)
	}
}

func TestRetryAfter(t *testing.T) {
	date := "Sun, 22 Nov 2026 10:00:00 GMT"
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "90": 90 * time.Second, "-5": 0, "soon": 0, "1.5": 0,
		"999999999999": 7 * 24 * time.Hour, "99999999999999999999999": 0,
		"Sun, 22 Nov 2026 10:05:00 GMT": 5 * time.Minute, "Sun, 22 Nov 2026 09:00:00 GMT": 0,
		"Fri, 01 Jan 2100 00:00:00 GMT": 7 * 24 * time.Hour,
	} {
		f := newFake(t)
		c, a := f.client(), f.account(t)
		f.says("/order", 429, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"Too many."}`, "Retry-After", value, "Date", date)
		p := problem(t, f.calls(c, a)["/order"](t.Context()), tenants.CARateLimited)
		if p.RetryAfter != want {
			t.Errorf("%q: %s, want %s", value, p.RetryAfter, want)
		}
		f.says("/order/1", 200, manners["/order/1"], "Retry-After", value, "Date", date)
		o := must[acme.Order](t)(c.Order(t.Context(), a, f.URL+"/order/1"))
		if o.RetryAfter != want {
			t.Errorf("order, %q: %s, want %s", value, o.RetryAfter, want)
		}
	}
}

func TestRateLimitedNonceIsRefundable(t *testing.T) {
	f := newFake(t)
	f.says("/nonce", 429, "", "Retry-After", "60")
	p := problem(t, f.calls(f.client(), f.account(t))["/order"](t.Context()), tenants.CARateLimited)
	if p.Reached || p.RetryAfter != time.Minute {
		t.Errorf("%+v", p)
	}
}

const badNonce = `{"type":"urn:ietf:params:acme:error:badNonce","detail":"Bad nonce."}`

func TestBadNonceIsRetriedAtOnce(t *testing.T) {
	f := newFake(t)
	var nonces []string
	f.on("/order", func(w http.ResponseWriter, r *http.Request) {
		nonces = append(nonces, nonceOf(t, r))
		if len(nonces) < 4 {
			w.Header().Set("Replay-Nonce", "fresh"+strings.Repeat("x", len(nonces)))
			w.WriteHeader(400)
			io.WriteString(w, badNonce)
			return
		}
		w.Header().Set("Location", f.URL+"/order/1")
		io.WriteString(w, f.fill(manners["/order"]))
	})
	if err := f.calls(f.client(), f.account(t))["/order"](t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"freshx", "freshxx", "freshxxx"}; !slices.Equal(nonces[1:], want) {
		t.Errorf("the answer's nonce is the one to use: %v", nonces)
	}
}

func nonceOf(t *testing.T, r *http.Request) string {
	var signed struct{ Protected string }
	var header struct{ Nonce string }
	if err := json.NewDecoder(r.Body).Decode(&signed); err != nil {
		t.Error(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(signed.Protected)
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Error(err)
	}
	return header.Nonce
}

func TestBadNonceForEver(t *testing.T) {
	f := newFake(t)
	f.says("/order", 400, badNonce)
	problem(t, f.calls(f.client(), f.account(t))["/order"](t.Context()), tenants.CABroken)
	if n := f.count("/order"); n != 8 {
		t.Errorf("tried %d times", n)
	}
}

func TestNoNonces(t *testing.T) {
	for _, nonce := range []string{"", "not base64url!", strings.Repeat("x", 1000)} {
		f := newFake(t)
		f.says("/nonce", 200, "", "Replay-Nonce", nonce)
		p := problem(t, f.calls(f.client(), f.account(t))["/order"](t.Context()), tenants.CABroken)
		if p.Reached {
			t.Errorf("%q: no order was placed", nonce)
		}
	}
}

func TestNoncesAndDirectoryAreReused(t *testing.T) {
	f := newFake(t)
	c, a := f.client(), f.account(t)
	for range 50 {
		must[acme.Order](t)(c.Order(t.Context(), a, f.URL+"/order/1"))
	}
	if f.count("/nonce") != 1 || f.count("/dir") != 1 || f.count("/order/1") != 50 {
		t.Errorf("asked %v", f.asked)
	}
}

func TestManyAtOnce(t *testing.T) {
	f := newFake(t)
	c, a := f.client(), f.account(t)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				if _, err := c.Order(t.Context(), a, f.URL+"/order/1"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if f.count("/dir") != 1 || f.count("/nonce") > 16 {
		t.Errorf("directory %d, nonces %d", f.count("/dir"), f.count("/nonce"))
	}
}

func TestDirectoryIsReadAgain(t *testing.T) {
	f := newFake(t)
	config, now := f.config(), time.Now()
	config.Now = func() time.Time { return now }
	c := newClient(config)
	meta := must[acme.Meta](t)(c.Meta(t.Context()))
	if !meta.HasARI || meta.EABRequired || meta.CAAIdentities[0] != "ca.test" || meta.Profiles["short"] != "six days" {
		t.Errorf("%+v", meta)
	}
	now = now.Add(59 * time.Minute)
	must[acme.Meta](t)(c.Meta(t.Context()))
	now = now.Add(time.Minute)
	f.with(t, "/dir", `,"renewalInfo":"{{}}/ari"`, "")
	if must[acme.Meta](t)(c.Meta(t.Context())).HasARI || f.count("/dir") != 2 {
		t.Errorf("asked %d times", f.count("/dir"))
	}
	now = now.Add(2 * time.Hour)
	f.says("/dir", 500, "")
	must[acme.Meta](t)(c.Meta(t.Context())) // the old one serves on
	must[acme.Meta](t)(c.Meta(t.Context()))
	if f.count("/dir") != 3 {
		t.Errorf("an outage is asked about once a minute, not %d times", f.count("/dir")-2)
	}
}

func TestDirectoryHeals(t *testing.T) {
	f := newFake(t)
	f.says("/dir", 503, "", "Retry-After", "30")
	c := f.client()
	_, err := c.Meta(t.Context())
	if p := problem(t, err, tenants.CASilent); p.RetryAfter != 30*time.Second {
		t.Error(p)
	}
	f.says("/dir", 200, manners["/dir"])
	must[acme.Meta](t)(c.Meta(t.Context()))
}

func TestUnknownProfileIsNamed(t *testing.T) {
	f := newFake(t)
	_, err := f.client().NewOrder(t.Context(), f.account(t), acme.OrderRequest{Names: order.Names, Profile: "long"})
	p := problem(t, err, tenants.CAProfile)
	if p.Reached || f.count("/order") != 0 || !strings.Contains(p.Detail, `"short"`) {
		t.Errorf("%+v", p)
	}
}

// A renewal does not fail because its predecessor has been replaced or is unknown.
func TestReplacesIsDropped(t *testing.T) {
	f := newFake(t)
	answers := []string{"alreadyReplaced", "malformed", "rateLimited"}
	for i, kind := range answers {
		tries := 0
		f.on("/order", func(w http.ResponseWriter, r *http.Request) {
			if tries++; tries == 1 {
				w.WriteHeader([]int{409, 400, 429}[i])
				io.WriteString(w, `{"type":"urn:ietf:params:acme:error:`+kind+`","detail":"No."}`)
				return
			}
			w.Header().Set("Location", f.URL+"/order/1")
			io.WriteString(w, f.fill(manners["/order"]))
		})
		o, err := f.client().NewOrder(t.Context(), f.account(t), acme.OrderRequest{Names: order.Names, Replaces: "YWI.AQI"})
		if kind == "rateLimited" {
			problem(t, err, tenants.CARateLimited)
		} else if err != nil || o.Replaces != "" || tries != 2 {
			t.Errorf("%s: %v, %+v, %d tries", kind, err, o, tries)
		}
	}
}

// Whoever places the order learns that the next one will be counted.
func TestReplacesIsDroppedAndTheOrderRefused(t *testing.T) {
	f := newFake(t)
	tries := 0
	f.on("/order", func(w http.ResponseWriter, r *http.Request) {
		kind, status := "alreadyReplaced", 409
		if tries++; tries > 1 {
			kind, status = "rateLimited", 429
		}
		w.WriteHeader(status)
		io.WriteString(w, `{"type":"urn:ietf:params:acme:error:`+kind+`","detail":"No."}`)
	})
	for _, want := range []bool{true, false} { // the second time the first answer is the 429
		_, err := f.client().NewOrder(t.Context(), f.account(t), acme.OrderRequest{Names: order.Names, Replaces: "YWI.AQI"})
		if p := problem(t, err, tenants.CARateLimited); p.Unreplaced != want {
			t.Errorf("%d tries: %+v", tries, p)
		}
	}
}

func TestAccountKeys(t *testing.T) {
	f := newFake(t)
	for _, key := range unusableKeys(t) {
		_, err := f.client().Register(t.Context(), key)
		problem(t, err, tenants.CAAccount)
	}
	config := f.config()
	for _, key := range []string{"no/base64url+", "dG9vc2hvcnQ", ""} {
		config.EABKeyID, config.EABKey = "id", tenants.NewSecret([]byte(key))
		_, err := newClient(config).Register(t.Context(), newKey(t))
		if p := problem(t, err, tenants.CAAccount); p.Reached || key != "" && strings.Contains(p.Error(), key) {
			t.Error(p)
		}
	}
	f.with(t, "/account", `"valid"`, `"deactivated"`)
	_, err := f.client().Register(t.Context(), newKey(t))
	problem(t, err, tenants.CAAccount)
}

func TestDeactivateTwice(t *testing.T) {
	f := newFake(t)
	c, a := f.client(), f.account(t)
	refuse := func(w http.ResponseWriter, r *http.Request, status string) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), `"payload":""`) {
			w.WriteHeader(400)
			io.WriteString(w, `{"type":"urn:ietf:params:acme:error:malformed","detail":"No."}`)
			return
		}
		io.WriteString(w, f.fill(strings.Replace(manners["/authz/1"], `"status":"pending"`, `"status":"`+status+`"`, 1)))
	}
	f.on("/authz/1", func(w http.ResponseWriter, r *http.Request) { refuse(w, r, "deactivated") })
	if err := c.Deactivate(t.Context(), a, f.URL+"/authz/1"); err != nil {
		t.Errorf("one that has ended: %v", err)
	}
	f.on("/authz/1", func(w http.ResponseWriter, r *http.Request) { refuse(w, r, "valid") })
	problem(t, c.Deactivate(t.Context(), a, f.URL+"/authz/1"), tenants.CABroken)
	if err := c.Deactivate(t.Context(), a, f.URL+"/authz/forgotten"); err != nil {
		t.Errorf("a forgotten one: %v", err)
	}
}
