package tenants

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"
)

// revokingAt is a certified domain whose version before the current one is to be revoked at that time.
func revokingAt(at time.Time) Facts {
	f := certifiedAt(24 * time.Hour)
	f.Revoking = []Version{{ID: "ver_0", Number: 1, NotAfter: noon.Add(24 * time.Hour),
		Revocation: Revocation{Asked: noon.Add(-time.Hour), Reason: RevokeKeyCompromise, At: at}}}
	return f
}

func TestNextRevokes(t *testing.T) {
	refusal := Finding{Code: RevocationRefused}
	for _, c := range []struct {
		name  string
		facts func() Facts
		act   Act
		at    time.Time // of a wait
	}{
		{"it is time", func() Facts { return revokingAt(noon) }, ActRevoke, time.Time{}},
		{"an order is open", func() Facts { f := revokingAt(noon); f.Order = &Order{State: Proving}; return f }, ActRevoke, time.Time{}},
		{"its time will come", func() Facts { return revokingAt(noon.Add(time.Minute)) }, ActWait, noon.Add(time.Minute)},
		{"the next version is awaited, and an order is open", func() Facts {
			f := revokingAt(time.Time{})
			f.Order = &Order{State: Proving}
			return f
		}, ActAdvance, time.Time{}},
		{"a try failed", func() Facts {
			f := revokingAt(noon.Add(-time.Hour))
			f.Revoking[0].Revocation.Next = noon.Add(time.Second)
			return f
		}, ActWait, noon.Add(time.Second)},
		{"a try failed, and a renewal is due", func() Facts {
			f := revokingAt(noon.Add(-time.Hour))
			f.Revoking[0].Revocation.Next = noon.Add(time.Hour)
			f.Certificate.RenewNow = noon
			return f
		}, ActPlan, time.Time{}},
		{"it ended by itself", func() Facts { f := revokingAt(noon); f.Revoking[0].NotAfter = noon; return f }, ActWait, noon.Add(-10 * time.Second).Add(12 * time.Hour)},
		{"given up while it waits", func() Facts { f := revokingAt(time.Time{}); f.Releasing = true; return f }, ActRevoke, time.Time{}},
		{"given up, a try failed", func() Facts {
			f := revokingAt(noon)
			f.Releasing, f.Revoking[0].Revocation.Next = true, noon.Add(time.Second)
			return f
		}, ActWait, noon.Add(time.Second)},
		{"given up, a try failed, our records are in DNS", func() Facts {
			f := revokingAt(noon)
			f.Releasing, f.Revoking[0].Revocation.Next = true, noon.Add(time.Second)
			f.Leftover = []Challenge{{Presented: noon}}
			return f
		}, ActClean, time.Time{}},
		{"given up, and the authority refuses", func() Facts {
			f := revokingAt(noon)
			f.Releasing, f.Revoking[0].Revocation.Finding = true, refusal
			return f
		}, ActRelease, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			step := Next(c.facts(), noon)
			if step.Act != c.act || !step.At.Equal(c.at) {
				t.Errorf("%s at %v, want %s at %v", step.Act, step.At, c.act, c.at)
			}
			if step.Act == ActRevoke && step.Version != "ver_0" {
				t.Errorf("version %q", step.Version)
			}
		})
	}
}

func TestRevocationForm(t *testing.T) {
	good, err := NewRevocationForm().Request()
	if want := (RevocationRequest{RevokeAfter, RevokeKeyCompromise, 24 * time.Hour}); err != nil || good != want {
		t.Errorf("%+v, %v", good, err)
	}
	for _, c := range []struct {
		form   RevocationForm
		fields []string
	}{
		{RevocationForm{}, []string{"how", "reason"}},
		{RevocationForm{Way: "replace", Reason: "caCompromise", Wait: "8760h"}, []string{"reason", "wait"}},
		{RevocationForm{Way: "replace", Reason: "superseded", Wait: "-1h"}, []string{"wait"}},
		{RevocationForm{Way: "now", Reason: "affiliationChanged"}, []string{"reason"}},
		{RevocationForm{Way: "now", Reason: "superseded"}, nil},
		{RevocationForm{Way: "already"}, nil},
	} {
		_, err := c.form.Request()
		var got []string
		if e, ok := errors.AsType[*Error](err); ok {
			got = slices.Sorted(maps.Keys(e.Fields))
		}
		if !slices.Equal(got, c.fields) {
			t.Errorf("%+v: wrong are %v, want %v", c.form, got, c.fields)
		}
	}
}

func TestRevocationIsNeverPutOff(t *testing.T) {
	after := RevocationRequest{Way: RevokeAfter, Reason: RevokeSuperseded, Wait: time.Hour}
	was := func(at time.Time) Version { return Version{Revocation: Revocation{At: at}} }
	for _, c := range []struct {
		name    string
		request RevocationRequest
		before  Version
		current bool
		want    time.Time
	}{
		{"the next version comes first", after, Version{}, true, time.Time{}},
		{"there is a next version", after, Version{}, false, noon.Add(time.Hour)},
		{"at once", RevocationRequest{Way: RevokeAtOnce}, Version{}, true, noon},
		{"later than before", after, was(noon.Add(time.Minute)), false, noon.Add(time.Minute)},
		{"sooner than before", after, was(noon.Add(2 * time.Hour)), false, noon.Add(time.Hour)},
		{"it was due", after, was(noon.Add(-time.Hour)), true, noon.Add(-time.Hour)},
	} {
		if got := c.request.Plan(c.before, c.current, "ann", noon).At; !got.Equal(c.want) {
			t.Errorf("%s: at %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRetryRevocation(t *testing.T) {
	silent, refused := Finding{Code: CASilent}, Finding{Code: RevocationRefused}
	if got := RetryRevocation(1, silent, "x"); got > 2*time.Second {
		t.Errorf("first pause while the CA is silent: %v", got)
	}
	if got := RetryRevocation(50, silent, "x"); got > 12*time.Minute {
		t.Errorf("longest pause while the CA is silent: %v", got)
	}
	if got := RetryRevocation(9, refused, "x"); got < 24*time.Hour {
		t.Errorf("longest pause after a refusal: %v", got)
	}
}

func TestRevokedIsNotActive(t *testing.T) {
	f := certifiedAt(24 * time.Hour)
	f.Certificate.Revoked = noon
	if got := StatusAfter(f, Finding{}, noon); got != Renewing {
		t.Errorf("a revoked version without its successor is %s", got)
	}
	if got := StatusAfter(f, Finding{Code: CASilent}, noon); got != Failing {
		t.Errorf("a revoked version whose successor does not come is %s", got)
	}
}
