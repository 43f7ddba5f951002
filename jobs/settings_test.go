package jobs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

const aDay = 24 * time.Hour

// ownCSR is a CSR for a key that only the customer has.
func (w *world) ownCSR(name string) string {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	w.must(err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	w.must(err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// choose saves settings as the page does.
func (w *world) choose(id tenants.DomainID, form tenants.SettingsForm) tenants.SettingsEffect {
	w.t.Helper()
	e, err := w.scope.PreviewSettings(w.ctx, id, form)
	w.must(err)
	_, saved, err := w.scope.SaveSettings(w.ctx, id, form, e.Token)
	w.must(err)
	if !saved {
		w.t.Fatalf("not saved: %+v", e)
	}
	return e
}

// versions lets time pass until there are so many, oldest first.
func (w *world) versions(id tenants.DomainID, n int, step, limit time.Duration) []tenants.Version {
	w.t.Helper()
	w.until(step, limit, func() bool { return len(w.view(id).Versions) == n })
	return w.byNumber(id)
}

// byNumber lists the versions of a domain's certificate, the first one first.
func (w *world) byNumber(id tenants.DomainID) []tenants.Version {
	w.t.Helper()
	all := w.view(id).Versions
	sorted := make([]tenants.Version, len(all))
	for _, v := range all {
		sorted[v.Number-1] = v
	}
	return sorted
}

func (w *world) key(v tenants.Version) string {
	w.t.Helper()
	_, key, err := w.scope.DownloadKey(w.ctx, v.ID)
	w.must(err)
	return string(key.Reveal())
}

// A key serves version after version until the policy's longest use of it is near; then another takes its place.
func TestStoryReuse(t *testing.T) {
	inWorld(t, func(w *world) {
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{ReuseKey: true, MaxKeyDays: 150}))
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		w.choose(id, tenants.SettingsForm{KeyType: "P-256", Strategy: "reuse"})
		w.untilDue(300*aDay, func() bool { return len(w.view(id).Versions) == 4 }) // in steps, a key would serve a step longer
		all := w.byNumber(id)
		keys := map[string]int{}
		for _, v := range all {
			keys[v.SPKI]++
			if age := v.Issued.Sub(v.KeyCreated); age > 150*aDay {
				t.Errorf("version %d was issued for a key of %v", v.Number, age)
			}
			if end := w.view(id).Certificate; v.ID == end.Current && w.key(v) == "" {
				t.Error("a reused key cannot be downloaded")
			}
		}
		if all[0].SPKI != all[1].SPKI || len(keys) < 2 || len(keys) == 4 {
			t.Errorf("%d keys for 4 versions: %v", len(keys), keys)
		}
		for i, v := range all[1:] {
			if used := v.Issued.Sub(all[i].KeyCreated); v.SPKI != all[i].SPKI && used > 150*aDay {
				t.Errorf("the key of version %d was in use for %v", i+1, used)
			}
		}
	})
}

// An authority that blocks a key which is used again costs one order: the next one has a new key, by itself, and that one
// is used again.
func TestReusedKeyIsBlocked(t *testing.T) {
	for _, kind := range []string{"badPublicKey", "badCSR"} {
		t.Run(kind, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{ReuseKey: true}))
				id := w.register(shop)
				first := *w.status(id, tenants.Active).Current
				w.choose(id, tenants.SettingsForm{KeyType: "P-256", Strategy: "reuse"})
				w.ca.blocked = map[string]*acme.Problem{first.SPKI: {Code: tenants.CABroken, Status: 400, Reached: true,
					Type: "urn:ietf:params:acme:error:" + kind, Detail: "public key is forbidden"}}
				w.must(w.scope.RenewNow(w.ctx, id))
				w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Finding.Code == tenants.CARefusesKey })
				if v := w.view(id); v.Domain.Status != tenants.Active {
					t.Errorf("%s although nobody has to act", v.Domain.Status)
				}
				second := w.versions(id, 2, time.Second, 2*time.Minute)[1]
				if second.SPKI == first.SPKI || len(w.ca.orders) != 3 {
					t.Errorf("%d orders, the same key: %v", len(w.ca.orders), second.SPKI == first.SPKI)
				}
				w.must(w.scope.RenewNow(w.ctx, id))
				if third := w.versions(id, 3, time.Second, time.Minute)[2]; third.SPKI != second.SPKI {
					t.Error("the new key is not used again")
				}
				if v := w.status(id, tenants.Active); !v.Domain.Finding.OK() || len(w.ca.orders) != 4 {
					t.Errorf("%d orders, finding %+v", len(w.ca.orders), v.Domain.Finding)
				}
			})
		})
	}
}

// The customer's own CSR serves until its key grows too old. That is said when the renewal is planned, long before it is
// due; after the safety line it is a failure; and another CSR heals it at once.
func TestStoryOwnCSR(t *testing.T) {
	inWorld(t, func(w *world) {
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{OwnCSR: true, MaxKeyDays: 120}))
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		csr := w.ownCSR("shop.acme.example")
		if e := w.choose(id, tenants.SettingsForm{Strategy: "csr", CSR: csr}); !e.Renew {
			t.Fatalf("effect: %+v", e)
		}
		all := w.versions(id, 2, time.Minute, time.Hour)
		if !all[1].OwnKey || all[1].Reason != tenants.SettingsChanged || all[1].KeyType != tenants.P384 {
			t.Errorf("version 2: %+v", all[1])
		}
		if v := w.view(id); !v.Domain.Finding.OK() {
			t.Errorf("finding %+v although the key lasts", v.Domain.Finding)
		}
		all = w.versions(id, 3, 6*time.Hour, 80*aDay)
		if all[2].SPKI != all[1].SPKI || !all[2].KeyCreated.Equal(all[1].KeyCreated) {
			t.Error("version 3 is for another key")
		}
		w.turn()
		v := w.view(id)
		if v.Domain.Finding.Code != tenants.KeyNeeded || v.Domain.Status != tenants.Active {
			t.Errorf("%s, finding %+v, right after a version whose key will be too old", v.Domain.Status, v.Domain.Finding)
		}
		line := v.Current.SafetyLine()
		for time.Now().Before(line.Add(time.Minute)) {
			w.turn()
			if v = w.view(id); time.Now().Before(line) && v.Domain.Status != tenants.Active {
				t.Fatalf("%s at %v, before the safety line %v", v.Domain.Status, time.Now(), line)
			}
			w.sleep(v)
		}
		if v = w.status(id, tenants.Failing); v.Domain.Since.Sub(line) > time.Minute || v.Domain.Finding.Code != tenants.KeyNeeded {
			t.Errorf("failing since %v, the line was %v, finding %+v", v.Domain.Since, line, v.Domain.Finding)
		}
		if _, err := w.scope.PreviewSettings(w.ctx, id, tenants.SettingsForm{Strategy: "csr", CSR: csr}); tenants.KindOf(err) != tenants.Invalid {
			t.Errorf("the old CSR once more: %v", err)
		}
		w.choose(id, tenants.SettingsForm{Strategy: "csr", CSR: w.ownCSR("shop.acme.example")})
		w.versions(id, 4, time.Minute, time.Hour)
		if v = w.status(id, tenants.Active); !v.Domain.Finding.OK() || v.Current.SPKI == all[2].SPKI {
			t.Errorf("finding %+v", v.Domain.Finding)
		}
		w.settled(id, 4)
	})
}

// A policy that forbids own CSRs asks for another choice; nothing is ordered with a key that nobody expects.
func TestStoryOwnCSRForbidden(t *testing.T) {
	inWorld(t, func(w *world) {
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{OwnCSR: true}))
		id := w.register("shop.acme.example")
		w.choose(id, tenants.SettingsForm{Strategy: "csr", CSR: w.ownCSR("shop.acme.example")})
		if v := w.status(id, tenants.Active); !v.Current.OwnKey || v.Current.Number != 1 {
			t.Errorf("version: %+v", v.Current)
		}
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{}))
		w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Finding.Code == tenants.KeyNeeded })
		w.until(6*time.Hour, 76*aDay, func() bool { return w.view(id).Domain.Status == tenants.Failing })
		if len(w.ca.orders) != 1 {
			t.Errorf("%d orders", len(w.ca.orders))
		}
		w.choose(id, tenants.SettingsForm{Strategy: "rotate", KeyType: "P-256"})
		w.versions(id, 2, time.Minute, time.Hour)
		if v := w.status(id, tenants.Active); v.Current.OwnKey || v.Current.KeyType != tenants.P256 {
			t.Errorf("version: %+v", v.Current)
		}
	})
}

// The customer's own key is reported: no order goes out with it, the customer is asked for another CSR, and that one is
// ordered with at once. Then the old version goes.
func TestStoryLeakedOwnKey(t *testing.T) {
	inWorld(t, func(w *world) {
		w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{OwnCSR: true}))
		id := w.register(shop)
		csr := w.ownCSR(shop)
		w.choose(id, tenants.SettingsForm{Strategy: "csr", CSR: csr})
		w.status(id, tenants.Active)
		w.settled(id, 1)
		w.revoke(id, leaked)
		w.until(time.Second, time.Minute, func() bool { return w.view(id).Domain.Finding.Code == tenants.KeyNeeded })
		time.Sleep(3 * time.Hour)
		w.turn()
		v := w.view(id)
		if e := tenants.Explain(v.Domain.Finding); e.Who != tenants.Customer || !strings.Contains(e.Why, "was reported") || v.Domain.Status != tenants.Failing {
			t.Errorf("the page of a domain that is %s says: %+v", v.Domain.Status, e)
		}
		if len(w.ca.orders) != 1 || len(w.ca.revoked) != 0 || !v.Versions[0].Revocation.At.IsZero() {
			t.Fatalf("%d orders, revoked %v while the key has no successor", len(w.ca.orders), w.ca.revoked)
		}
		if _, err := w.scope.PreviewSettings(w.ctx, id, tenants.SettingsForm{Strategy: "csr", CSR: csr}); tenants.KindOf(err) != tenants.Invalid {
			t.Errorf("the CSR with the reported key once more: %v", err)
		}
		w.choose(id, tenants.SettingsForm{Strategy: "csr", CSR: w.ownCSR(shop)})
		all := w.versions(id, 2, time.Second, time.Minute)
		if all[1].SPKI == all[0].SPKI || !all[1].OwnKey || w.gone(id) {
			t.Errorf("version 2: %+v, the first one is revoked: %v", all[1], w.gone(id))
		}
		w.until(time.Minute, 25*time.Hour, func() bool { return w.gone(id) })
		if r := w.ca.revoked["2"]; len(w.ca.revoked) != 1 || r.reason != 1 {
			t.Errorf("revoked: %v", w.ca.revoked)
		}
		w.settled(id, 2)
		if v := w.status(id, tenants.Active); !v.Domain.Finding.OK() {
			t.Errorf("finding %+v", v.Domain.Finding)
		}
	})
}

func TestKeyTypeChange(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		w.choose(id, tenants.SettingsForm{KeyType: "P-384", Strategy: "rotate"})
		v := w.versions(id, 2, time.Second, time.Minute)[1]
		if v.KeyType != tenants.P384 || v.Reason != tenants.SettingsChanged {
			t.Errorf("version 2: %+v", v)
		}
		w.until(6*time.Hour, 20*aDay, func() bool { return time.Since(v.Issued) > 15*aDay })
		w.settled(id, 2)
	})
}

// Whatever call fails while the customer's CSR or a reused key is ordered with, in whichever way: one order, one version,
// the same key.
func TestStrategiesSurviveEveryFault(t *testing.T) {
	for _, strategy := range []tenants.KeyStrategy{tenants.ReuseKey, tenants.OwnCSR} {
		for _, call := range []string{"newOrder", "authorization", "present", "answer", "finalize", "certificate", "remove"} {
			for _, how := range []mode{errBefore, errAfter, killBefore, killAfter} {
				t.Run(string(strategy)+"/"+call+"/"+string(how), func(t *testing.T) {
					inWorld(t, func(w *world) {
						w.must(w.scope.SavePolicy(w.ctx, tenants.Policy{OwnCSR: true, ReuseKey: true}))
						id := w.register("shop.acme.example")
						form := tenants.SettingsForm{Strategy: string(strategy), KeyType: "P-256"}
						if strategy == tenants.OwnCSR {
							form.CSR = w.ownCSR("shop.acme.example")
						}
						w.choose(id, form)
						w.status(id, tenants.Active)
						w.settled(id, 1)
						plan := map[string]mode{call: how}
						w.ca.arm(plan)
						w.dns.arm(plan)
						w.must(w.scope.RenewNow(w.ctx, id))
						all := w.versions(id, 2, time.Second, time.Hour)
						w.settled(id, 2)
						if all[0].SPKI != all[1].SPKI || all[1].OwnKey != (strategy == tenants.OwnCSR) {
							t.Errorf("version 2 has another key: %+v", all[1])
						}
						if strategy == tenants.ReuseKey && (w.key(all[0]) != w.key(all[1]) || w.key(all[0]) == "") {
							t.Error("the key is lost")
						}
					})
				})
			}
		}
	}
}

func (w *world) pause(id tenants.DomainID, until time.Time) error {
	return w.scope.Pause(w.ctx, id, tenants.PauseForm{Date: until.UTC().Format(time.DateOnly), Time: until.UTC().Format("15:04"), Why: "the shop freezes"})
}

// A pause over the planned instant moves the renewal behind it, before the safety line. Many that were paused until the same
// minute do not come in that minute.
func TestStoryPause(t *testing.T) {
	inWorld(t, func(w *world) {
		ids := []tenants.DomainID{w.register("a.acme.example"), w.register("b.acme.example"), w.register("c.acme.example")}
		var until time.Time
		for _, id := range ids {
			v := w.status(id, tenants.Active)
			until = v.Current.SafetyLine().Add(-4 * aDay).Truncate(time.Minute)
			w.must(w.pause(id, until))
			w.turn()
			plan := w.view(id).Certificate.Plan
			if plan.At.Before(until) || plan.At.After(plan.NoLater) || !strings.Contains(plan.Text, "ops@acme paused renewals until") {
				t.Errorf("plan: %+v", plan)
			}
		}
		w.until(time.Hour, 80*aDay, func() bool {
			return len(w.view(ids[0]).Versions)+len(w.view(ids[1]).Versions)+len(w.view(ids[2]).Versions) == 6
		})
		times := map[time.Time]bool{}
		for _, id := range ids {
			v := w.view(id).Versions
			if at := v[0].Issued; at.Before(until) || at.After(v[1].SafetyLine()) {
				t.Errorf("renewed at %v, paused until %v", at, until)
			}
			times[v[0].Issued.Truncate(time.Hour)] = true
		}
		if len(times) == 1 {
			t.Error("all were renewed in the hour in which the pause ended")
		}
	})
}

// A pause until the safety line ends there by itself: the renewal is not late.
func TestStoryPauseUntilTheSafetyLine(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		v := w.status(id, tenants.Active)
		line := v.Current.SafetyLine().Truncate(time.Minute)
		if err := w.pause(id, line.Add(time.Hour)); tenants.KindOf(err) != tenants.Invalid {
			t.Fatalf("a pause past the safety line: %v", err)
		}
		w.must(w.pause(id, line))
		for len(w.view(id).Versions) == 1 {
			if w.turn(); time.Since(line) > time.Hour {
				t.Fatalf("not renewed: %+v", w.view(id).Certificate.Plan)
			}
			w.sleep(w.view(id))
		}
		if at := w.view(id).Current.Issued; at.Before(line) {
			t.Errorf("renewed at %v in a pause until %v", at, line)
		}
	})
}

// Whoever asks, resumes or changes what is ordered is not held back.
func TestWhatAPauseDoesNotHoldBack(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.register("shop.acme.example")
		w.status(id, tenants.Active)
		planned := w.view(id).Certificate.Plan
		w.must(w.pause(id, planned.NoLater.Add(-aDay)))
		w.must(w.scope.RenewNow(w.ctx, id))
		w.versions(id, 2, time.Second, time.Minute)
		if e := w.choose(id, tenants.SettingsForm{KeyType: "P-384", Strategy: "rotate"}); !strings.Contains(e.Text, "The pause does not hold it up") {
			t.Errorf("effect: %q", e.Text)
		}
		w.versions(id, 3, time.Second, time.Minute)
		w.must(w.scope.Resume(w.ctx, id))
		w.turn()
		if v := w.view(id); strings.Contains(v.Certificate.Plan.Text, "paused") || !v.Certificate.PausedUntil.IsZero() {
			t.Errorf("after resuming: %+v", v.Certificate)
		}
		w.settled(id, 3)
	})
}
