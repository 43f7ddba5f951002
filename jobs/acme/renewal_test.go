package acme_test

import (
	"testing"
	"time"

	"perennial/tenants"

	"perennial/jobs/acme"
)

func TestRenewalInfo(t *testing.T) {
	f := newFake(t)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	config := f.config()
	config.Now = func() time.Time { return now }
	for retry, next := range map[string]time.Duration{
		"": 6 * time.Hour, "3600": time.Hour, "1": time.Minute, "86400": 12 * time.Hour, "9999999": 12 * time.Hour, "nonsense": 6 * time.Hour,
	} {
		f.says("/ari/YWI.AQI", 200, `{"suggestedWindow":{"start":"2026-11-22T01:00:00+01:00","end":"2026-11-23T00:00:00Z"},
			"explanationURL":"https://ca.test/why"}`, "Retry-After", retry)
		got := must[tenants.RenewalInfo](t)(newClient(config).RenewalInfo(t.Context(), "YWI.AQI"))
		want := tenants.RenewalInfo{
			Start: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
			ExplanationURL: "https://ca.test/why", Fetched: now, Next: now.Add(next),
		}
		if got != want {
			t.Errorf("Retry-After %q: %+v", retry, got)
		}
	}
}

func TestRenewalInfoExplanationIsALinkOrNothing(t *testing.T) {
	f := newFake(t)
	for _, bad := range []string{"javascript:alert(1)", "/local", "data:text/html,x", ""} {
		f.says("/ari/YWI.AQI", 200, `{"suggestedWindow":{"start":"2026-11-22T00:00:00Z","end":"2026-11-23T00:00:00Z"},
			"explanationURL":"`+bad+`"}`)
		if got := must[tenants.RenewalInfo](t)(f.client().RenewalInfo(t.Context(), "YWI.AQI")); got.ExplanationURL != "" {
			t.Error(got)
		}
	}
}

func TestNoRenewalInfo(t *testing.T) {
	f := newFake(t)
	c := f.client()
	got := must[tenants.RenewalInfo](t)(c.RenewalInfo(t.Context(), ""))
	if !got.Start.IsZero() || got.Next.Sub(got.Fetched) != 12*time.Hour {
		t.Errorf("a certificate without an id: %+v", got)
	}
	for _, bad := range []string{"../order", "a?b", "a b"} {
		_, err := c.RenewalInfo(t.Context(), bad)
		problem(t, err, tenants.CABroken)
	}
	f.with(t, "/dir", `,"renewalInfo":"{{}}/ari"`, "")
	got = must[tenants.RenewalInfo](t)(f.client().RenewalInfo(t.Context(), "YWI.AQI"))
	if !got.Start.IsZero() || f.count("/ari/YWI.AQI") != 0 {
		t.Errorf("an authority without ARI: %+v", got)
	}
}

func TestFindOrder(t *testing.T) {
	f := newFake(t)
	c, a := f.client(), f.account(t)
	pending := manners["/order/1"]
	expires := func(at string) string { return `{"expires":"` + at + `",` + pending[1:] }
	f.says("/orders", 200, `{"orders":["{{}}/order/1","{{}}/order/2"]}`, "Link", `<{{}}/dir>;rel="index", </orders2>; rel="next"`)
	f.says("/orders2", 200, `{"orders":["{{}}/order/3","{{}}/order/4","{{}}/order/5","{{}}/order/6"]}`)
	f.says("/order/1", 200, pending)
	f.says("/order/2", 200, expires("2026-11-30T00:00:00Z"))
	f.with(t, "/finalize/1", "valid", "processing")
	f.says("/order/3", 200, expires("2026-11-01T00:00:00Z"))
	f.says("/order/4", 200, `{"status":"invalid",`+pending[len(`{"status":"pending",`):])
	f.says("/order/5", 200, `{"status":"pending","identifiers":[{"type":"dns","value":"a.test"},{"type":"dns","value":"b.test"}],
		"authorizations":["{{}}/authz/1"],"finalize":"{{}}/finalize/1"}`)
	// 6 is gone, 5 is for more names, 4 has ended, 3 had expired; 2 is newer than 1.
	since := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	o, found, err := c.FindOrder(t.Context(), a, acme.LostOrder{Names: []string{"A.test"}, Since: since})
	if err != nil || !found || o.URL != f.URL+"/order/2" || f.count("/order/1") != 0 {
		t.Errorf("%+v, %v, %v", o, found, err)
	}
	if _, found, err = c.FindOrder(t.Context(), a, acme.LostOrder{Names: []string{"c.test"}, Since: since}); err != nil || found {
		t.Errorf("for another name: %v, %v", found, err)
	}
}

func TestFindOrderWithoutAList(t *testing.T) {
	f := newFake(t)
	f.says("/account", 200, `{"status":"valid"}`)
	_, found, err := f.client().FindOrder(t.Context(), f.account(t), acme.LostOrder{Names: order.Names})
	if found || err != nil {
		t.Error(found, err)
	}
}

// An authority that names a list but has none must not keep us from placing orders.
func TestFindOrderWithALyingAccount(t *testing.T) {
	for path, statuses := range map[string][]int{"/orders": {404, 405, 501}, "/account": {404, 405}} {
		for _, status := range statuses {
			f := newFake(t)
			f.says(path, status, "")
			_, found, err := f.client().FindOrder(t.Context(), f.account(t), acme.LostOrder{Names: order.Names})
			if found || err != nil {
				t.Error(path, status, found, err)
			}
		}
	}
	f := newFake(t)
	f.says("/orders", 500, "")
	_, _, err := f.client().FindOrder(t.Context(), f.account(t), acme.LostOrder{Names: order.Names})
	problem(t, err, tenants.CASilent)
}

func TestFindOrderInACircle(t *testing.T) {
	f := newFake(t)
	f.says("/orders", 200, `{"orders":[]}`, "Link", `</orders>;rel=next`)
	_, found, err := f.client().FindOrder(t.Context(), f.account(t), acme.LostOrder{Names: order.Names})
	if found || err != nil || f.count("/orders") != 1 {
		t.Error(found, err, f.count("/orders"))
	}
}
