package tenants

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var reasons = []Reason{FirstIssue, KeyCompromised, WasRevoked, Recalled, OnRequest, SettingsChanged, InMassEvent, Overdue, AgainstPolicy, InWindow, AtThreshold, LastThird}

func TestReasonsAreOneOrTheOther(t *testing.T) {
	seen := map[Reason]bool{}
	for _, r := range reasons {
		if r.Emergency() && r.Spread() || r == "" || seen[r] {
			t.Errorf("%q is an emergency, yet spread, or is there twice", r)
		}
		seen[r] = true
	}
}

// with is f after one change.
func (f RenewalFacts) with(change func(*RenewalFacts)) RenewalFacts {
	change(&f)
	return f
}

// The chain, first to last: all triggers at once, then one fewer each time.
func TestDueKeepsTheOrderOfTheChain(t *testing.T) {
	now := epoch.Add(40 * day)
	f := factsFor(90*day, 1).asking(50*day, 52*day)
	f.Compromised, f.Revoked, f.Asked, f.Changed = now, now, now, now
	f.Event = MassEvent{Since: now, Deadline: now.Add(5 * day)}
	f.KeyType, f.Policy = RSA2048, Policy{KeyTypes: []KeyType{P384}, RenewDays: 20, RenewPart: 0.25}
	f.PolicySince = now.Add(-time.Hour)
	late := now.Add(36 * day)
	for _, c := range []struct {
		want  Reason
		now   time.Time
		leave func(*RenewalFacts)
	}{
		{KeyCompromised, now, func(f *RenewalFacts) { f.Compromised = time.Time{} }},
		{WasRevoked, now, func(f *RenewalFacts) { f.Revoked = time.Time{} }},
		{OnRequest, now, func(f *RenewalFacts) { f.Asked = time.Time{} }},
		{SettingsChanged, now, func(f *RenewalFacts) { f.Changed = time.Time{}; f.PolicySince = now.Add(4 * day) }},
		{InMassEvent, now, func(f *RenewalFacts) { f.PolicySince = now.Add(-time.Hour) }},
		{InMassEvent, late, func(f *RenewalFacts) { f.Event = MassEvent{} }},
		{Overdue, late, func(*RenewalFacts) {}},
		{AgainstPolicy, now, func(f *RenewalFacts) { f.KeyType = P384 }},
		{InWindow, now, func(f *RenewalFacts) { f.ARI = RenewalInfo{} }},
		{AtThreshold, now, func(f *RenewalFacts) { f.Policy.RenewDays = 0 }},
		{LastThird, now, func(f *RenewalFacts) { f.Policy = Policy{} }},
		{LastThird, now, func(*RenewalFacts) {}},
	} {
		if v := Due(f, c.now); v.Reason != c.want {
			t.Errorf("%s comes where %s should: %s", v.Reason, c.want, v.Text)
		}
		c.leave(&f)
	}
}

func TestDueAtOnce(t *testing.T) {
	now := epoch.Add(5 * day)
	then := now.Add(-time.Second)
	for _, c := range []struct {
		facts  RenewalFacts
		reason Reason
		text   string
	}{
		{RenewalFacts{Compromised: then}, KeyCompromised, "The key was reported as compromised on 28 Nov 2026, 12:05 UTC, so we renew at once with a new key, also outside the renewal hours."},
		{RenewalFacts{Compromised: then, Strategy: OwnCSR}, KeyCompromised, "The key was reported as compromised on 28 Nov 2026, 12:05 UTC, so we renew at once with a new CSR, also outside the renewal hours."},
		{RenewalFacts{Revoked: then}, WasRevoked, "We learnt on 28 Nov 2026, 12:05 UTC that the certificate is revoked, so we renew at once, also outside the renewal hours."},
		{RenewalFacts{Changed: then, Change: "key type"}, SettingsChanged, "The key type of this certificate changed on 28 Nov 2026, 12:05 UTC, so we renew at once."},
		{RenewalFacts{Changed: then}, SettingsChanged, "The settings of this certificate changed on "},
	} {
		c.facts.NotBefore, c.facts.NotAfter = epoch, epoch.Add(90*day)
		for _, at := range []time.Time{then, now, now.Add(80 * day), now.Add(100 * day)} {
			v := Due(c.facts, at)
			if v.Reason != c.reason || !v.At.Equal(then) || v.Movable() || !strings.Contains(v.Text, c.text) {
				t.Errorf("%+v, want %s: %q", v, c.reason, c.text)
			}
		}
		if v := Due(c.facts, then.Add(-time.Hour)); v.At.After(then.Add(-time.Hour)) {
			t.Errorf("%s waits for a clock that goes wrong", v.Reason)
		}
	}
}

func TestDueInMassEvent(t *testing.T) {
	now := epoch.Add(10 * day)
	e := MassEvent{Since: now, Deadline: now.Add(6 * day), Why: "wrong CAA checks"}
	f := factsFor(90*day, 1).with(func(f *RenewalFacts) { f.Event = e })
	v := Due(f, now)
	if v.Reason != InMassEvent || !v.Start.Equal(now) || !v.End.Equal(now.Add(5*day)) || !v.NoLater.Equal(e.Deadline) || v.Movable() {
		t.Errorf("%+v", v)
	}
	want := "The operator has it replaced by 9 Dec 2026, 12:06 UTC (wrong CAA checks), and we chose " + f.clock(v.At) + ", also outside the renewal hours."
	if v.Text != want {
		t.Errorf("got %q, want %q", v.Text, want)
	}
	checkVerdict(t, f, v)
	if late := Due(f, now.Add(8*day)); late != v {
		t.Errorf("after the deadline the plan moves to %+v", late)
	}
	f = f.asking(10*day, 10*day+time.Hour)
	if v := Due(f, now); v.Reason != InWindow {
		t.Errorf("the event delays what the CA wants sooner: %+v", v)
	}
	f = f.asking(10*day, 30*day)
	sooner := Due(f.with(func(f *RenewalFacts) { f.Event = MassEvent{} }), now)
	if v := Due(f.with(func(f *RenewalFacts) { f.Event.Deadline = now.Add(60 * day) }), now); v.Reason != InMassEvent || v.At.After(sooner.At) || v.Movable() {
		t.Errorf("renewal hours may move it past the deadline: %+v", v)
	}
	f.Event.SPKI = []string{someSPKI}
	if v := Due(f, now); !strings.Contains(v.Text, "replaced with a new key by") {
		t.Errorf("an event about keys: %q", v.Text)
	}
	f = factsFor(6*day, 1).with(func(f *RenewalFacts) { f.Event = MassEvent{Since: epoch.Add(4 * day), Deadline: epoch.Add(30 * day)} })
	if v := Due(f, epoch.Add(4*day)); v.At.After(v.NoLater) || v.NoLater.After(epoch.Add(5*day)) {
		t.Errorf("the event's deadline is past the end: %+v", v)
	}
}

func TestDueAgainstPolicy(t *testing.T) {
	since := epoch.Add(10 * day)
	onlyP384, rotate := Policy{KeyTypes: []KeyType{P384}}, Policy{MaxKeyDays: 40}
	for _, c := range []struct {
		name       string
		life       time.Duration
		facts      RenewalFacts
		reason     Reason
		start, end time.Duration
		text       string
	}{
		{"type", 90 * day, RenewalFacts{KeyType: RSA2048, Policy: onlyP384, PolicySince: since}, AgainstPolicy, 10 * day, 17 * day,
			"The policy no longer allows RSA-2048 keys, so the window is 3 Dec to 10 Dec 2026, and we chose "},
		{"type, since ever", 90 * day, RenewalFacts{KeyType: P256, Policy: onlyP384}, AgainstPolicy, 0, 7 * day, ""},
		{"type, policy before the version", 90 * day, RenewalFacts{KeyType: P256, Policy: onlyP384, PolicySince: epoch.Add(-day)}, AgainstPolicy, 0, 7 * day, ""},
		{"type, up to the usual window", 90 * day, RenewalFacts{KeyType: P256, Policy: onlyP384, PolicySince: epoch.Add(58 * day)}, AgainstPolicy, 58 * day, 60 * day, ""},
		{"type, the usual window comes first", 90 * day, RenewalFacts{KeyType: P256, Policy: onlyP384, PolicySince: epoch.Add(74*day + 23*time.Hour)}, LastThird, 60 * day, 75 * day, ""},
		{"type, short life", 6 * day, RenewalFacts{KeyType: P256, Policy: onlyP384}, AgainstPolicy, 0, 3 * day, ""},
		{"type allowed", 90 * day, RenewalFacts{KeyType: P384, Policy: onlyP384}, LastThird, 60 * day, 75 * day, ""},
		{"type unknown", 90 * day, RenewalFacts{Policy: onlyP384}, LastThird, 60 * day, 75 * day, ""},
		{"own CSR", 90 * day, RenewalFacts{KeyType: P256, Policy: onlyP384, Strategy: OwnCSR}, LastThird, 60 * day, 75 * day, ""},
		{"age", 90 * day, RenewalFacts{Policy: rotate, KeyCreated: epoch}, AgainstPolicy, 33 * day, 40 * day,
			"The policy allows no key for longer than 40 days, so the window is 26 Dec 2026 to 2 Jan 2027, and we chose "},
		{"age, policy too young", 90 * day, RenewalFacts{Policy: rotate, KeyCreated: epoch.Add(-100 * day), PolicySince: since}, AgainstPolicy, 10 * day, 17 * day, ""},
		{"age of a day", 90 * day, RenewalFacts{Policy: Policy{MaxKeyDays: 1}, KeyCreated: epoch}, AgainstPolicy, 16 * time.Hour, day, "no key for longer than 1 day,"},
		{"age after the end", 90 * day, RenewalFacts{Policy: Policy{MaxKeyDays: 398}, KeyCreated: epoch}, LastThird, 60 * day, 75 * day, ""},
		{"age unknown", 90 * day, RenewalFacts{Policy: rotate}, LastThird, 60 * day, 75 * day, ""},
		{"own CSR grows old", 90 * day, RenewalFacts{Policy: rotate, KeyCreated: epoch, Strategy: OwnCSR}, LastThird, 60 * day, 75 * day, ""},
	} {
		f := c.facts
		f.ID, f.Serial, f.NotBefore, f.NotAfter = "crt_1", "01", epoch, epoch.Add(c.life)
		v := Due(f, epoch)
		if v.Reason != c.reason || !v.Start.Equal(epoch.Add(c.start)) || !v.End.Equal(epoch.Add(c.end)) || !strings.Contains(v.Text, c.text) {
			t.Errorf("%s: %+v, want %s from %v to %v, %q", c.name, v, c.reason, c.start, c.end, c.text)
		}
		checkVerdict(t, f, v)
	}
}

func TestDueByTheRuleOfThePolicy(t *testing.T) {
	const hour = time.Hour
	for _, c := range []struct {
		name       string
		life       time.Duration
		policy     Policy
		reason     Reason
		start, end time.Duration
		text       string
	}{
		{"days", 90 * day, Policy{RenewDays: 30}, AtThreshold, 60 * day, 63*day + 18*hour,
			"The policy renews 30 days before the end, so the window is 22 Jan to 26 Jan 2027, and we chose "},
		{"days past the line", 90 * day, Policy{RenewDays: 10}, AtThreshold, 71*day + 6*hour, 75 * day,
			"The policy renews 10 days before the end, which leaves no room before our safety line, so the window is 2 Feb to 6 Feb 2027, and we chose "},
		{"days at the line", 90 * day, Policy{RenewDays: 15}, AtThreshold, 71*day + 6*hour, 75 * day, "leaves no room"},
		{"days before half", 90 * day, Policy{RenewDays: 60}, AtThreshold, 45 * day, 48*day + 18*hour,
			"The policy renews 60 days before the end, in the first half of the lifetime, which is too early, so the window is"},
		{"days longer than the life", 6 * day, Policy{RenewDays: 30}, AtThreshold, 3 * day, 3*day + 6*hour, "which is too early, so"},
		{"a day of minutes", 3 * time.Minute, Policy{RenewDays: 1}, AtThreshold, 90 * time.Second, 97 * time.Second, "1 day before the end"},
		{"one day of six", 6 * day, Policy{RenewDays: 1}, AtThreshold, 4*day + 18*hour, 5 * day, "leaves no room"},
		{"the default part", 90 * day, Policy{RenewPart: 1.0 / 3}, LastThird, 60 * day, 75 * day, "in the last 33.33% of the lifetime, so the window is 22 Jan to 6 Feb 2027, and we chose "},
		{"half", 90 * day, Policy{RenewPart: 0.5}, LastThird, 45 * day, 60 * day, "in the last 50% of the lifetime"},
		{"a quarter", 90 * day, Policy{RenewPart: 0.25}, LastThird, 67*day + 12*hour, 75 * day, "in the last 25% of the lifetime"},
		{"part past the line", 90 * day, Policy{RenewPart: 0.1}, LastThird, 71*day + 6*hour, 75 * day, "The policy renews in the last 10% of the lifetime, which leaves no room before our safety line, so the window"},
		{"nearly all of it", 90 * day, Policy{RenewPart: 0.99}, LastThird, 9 * day, 24 * day, "in the last 99% of the lifetime, in the first tenth of it, which is too early, so the window"},
		{"nonsense", 90 * day, Policy{RenewPart: 7, RenewDays: -3}, LastThird, 60 * day, 75 * day, "names no window"},
		{"days before part", 90 * day, Policy{RenewPart: 0.5, RenewDays: 30}, AtThreshold, 60 * day, 63*day + 18*hour, ""},
	} {
		f := factsFor(c.life, 1).with(func(f *RenewalFacts) { f.Policy = c.policy })
		v := Due(f, epoch)
		off := func(got time.Time, want time.Duration) bool { return got.Sub(epoch.Add(want)).Abs() > time.Second }
		if v.Reason != c.reason || off(v.Start, c.start) || off(v.End, c.end) || !strings.Contains(v.Text, c.text) || !v.Movable() {
			t.Errorf("%s: %+v, want %s from %v to %v, %q", c.name, v, c.reason, c.start, c.end, c.text)
		}
		checkVerdict(t, f, v)
	}
}

// A sixth of the lifetime is at least a week for 90 days and a day for six, and never grows when the lifetime shrinks.
func TestSafetyLine(t *testing.T) {
	left := func(life time.Duration) time.Duration {
		f := factsFor(life, 1)
		return f.NotAfter.Sub(f.safetyLine())
	}
	for life, least := range map[time.Duration]time.Duration{90 * day: 7 * day, 6 * day: day, 160 * time.Hour: day, 45 * day: 7 * day, 3 * time.Minute: 30 * time.Second} {
		if got := left(life); got < least || got > life/2 {
			t.Errorf("%v before the end of %v", got, life)
		}
	}
	for life := time.Minute; life < 400*day; life += life / 10 {
		if left(life) > left(life+life/10) {
			t.Errorf("a lifetime of %v leaves more time than a longer one", life)
		}
	}
}

func TestMovable(t *testing.T) {
	now := epoch.Add(10 * day)
	over := factsFor(90*day, 1).asking(7*day, 8*day)
	over.ARI.Fetched = now
	if v := Due(over, now); v.Movable() {
		t.Errorf("a window that was over is moved: %+v", v)
	}
	if v := Due(factsFor(90*day, 1).asking(60*day, 62*day), now); !v.Movable() {
		t.Errorf("the CA's window is fixed: %+v", v)
	}
}

func TestNewKey(t *testing.T) {
	reuse := Policy{ReuseKey: true, OwnCSR: true}
	aged := Policy{ReuseKey: true, OwnCSR: true, MaxKeyDays: 90}
	base := RenewalFacts{Policy: reuse, Strategy: ReuseKey, KeyType: P256, KeyWanted: P256, KeyCreated: epoch}
	for _, c := range []struct {
		name   string
		change func(*RenewalFacts)
		at     time.Duration
		want   bool
	}{
		{"reuse", func(*RenewalFacts) {}, 80 * day, false},
		{"rotate", func(f *RenewalFacts) { f.Strategy = RotateKey }, 0, true},
		{"no strategy", func(f *RenewalFacts) { f.Strategy = "" }, 0, true},
		{"reuse forbidden", func(f *RenewalFacts) { f.Policy = Policy{} }, 0, true},
		{"another type wanted", func(f *RenewalFacts) { f.KeyWanted = P384 }, 0, true},
		{"type forbidden", func(f *RenewalFacts) { f.Policy.KeyTypes = []KeyType{P384} }, 0, true},
		{"wish forbidden", func(f *RenewalFacts) { f.Policy.KeyTypes, f.KeyWanted = []KeyType{P256}, P384 }, 0, false},
		{"young", func(f *RenewalFacts) { f.Policy = aged }, 80 * day, false},
		{"nearly old", func(f *RenewalFacts) { f.Policy = aged }, 83 * day, true},
		{"age unknown", func(f *RenewalFacts) { f.Policy, f.KeyCreated = aged, time.Time{} }, 0, true},
		{"key refused", func(f *RenewalFacts) { f.KeyRefused = epoch }, 0, true},
		{"compromised", func(f *RenewalFacts) { f.Compromised = epoch }, 0, true},
		{"event about issuers", func(f *RenewalFacts) { f.Event = MassEvent{Issuer: "iss_1", Deadline: epoch} }, 0, false},
		{"event about keys", func(f *RenewalFacts) { f.Event = MassEvent{SPKI: []string{"00"}, Deadline: epoch} }, 0, true},
		{"own CSR", func(f *RenewalFacts) { f.Strategy, f.KeyWanted = OwnCSR, P384 }, 80 * day, false},
		{"own CSR too old", func(f *RenewalFacts) { f.Strategy, f.Policy = OwnCSR, aged }, 90 * day, true},
		{"own CSR of a forbidden type", func(f *RenewalFacts) { f.Strategy, f.Policy.KeyTypes = OwnCSR, []KeyType{P384} }, 0, true},
		{"own CSR compromised", func(f *RenewalFacts) { f.Strategy, f.Compromised = OwnCSR, epoch }, 0, true},
	} {
		if got := base.with(c.change).NewKey(epoch.Add(c.at)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// anyFacts is a version with any triggers, and an instant to ask at.
func anyFacts(r *rand.Rand) (f RenewalFacts, now time.Time) {
	f = factsFor(lifetimes[r.IntN(len(lifetimes))].life, r.IntN(1000))
	some := func() time.Time { return epoch.Add(time.Duration(r.Int64N(int64(2 * f.lifetime())))) }
	maybe := func(t *time.Time) {
		if r.IntN(8) == 0 {
			*t = some()
		}
	}
	now = some()
	maybe(&f.Compromised)
	maybe(&f.Revoked)
	maybe(&f.Asked)
	maybe(&f.Changed)
	maybe(&f.PolicySince)
	maybe(&f.KeyCreated)
	maybe(&f.PausedUntil)
	if maybe(&f.Event.Since); !f.Event.Since.IsZero() {
		f.Event.Deadline = f.Event.Since.Add(time.Duration(1 + r.Int64N(int64(f.lifetime()))))
	}
	if r.IntN(3) == 0 {
		f = f.asking(time.Duration(r.Int64N(int64(f.lifetime()))), time.Duration(r.Int64N(int64(f.lifetime()))))
		if r.IntN(4) == 0 {
			f.ARI.Fetched = now
		}
	}
	f.Policy, f.KeyType, f.KeyWanted = anyPolicy(r), KeyTypes[r.IntN(len(KeyTypes))], KeyTypes[r.IntN(len(KeyTypes))]
	f.Strategy = []KeyStrategy{RotateKey, ReuseKey, OwnCSR}[r.IntN(3)]
	return f, now
}

func anyPolicy(r *rand.Rand) (p Policy) {
	if r.IntN(2) == 0 {
		p.RenewDays = r.IntN(maxRenewDays)
	}
	if r.IntN(2) == 0 {
		p.RenewPart = r.Float64()
	}
	if r.IntN(2) == 0 {
		p.MaxKeyDays = 1 + r.IntN(200)
	}
	p.KeyTypes = append(p.KeyTypes, KeyTypes[:r.IntN(len(KeyTypes))]...)
	p.ReuseKey = r.IntN(2) == 0
	return p
}

func TestDueHoldsForAnyFacts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[Reason]int{}
	for range 50_000 {
		f, now := anyFacts(r)
		v := Due(f, now)
		seen[v.Reason]++
		switch v.Reason {
		case KeyCompromised, WasRevoked, Recalled, OnRequest, SettingsChanged:
			if v.At.After(now) || v.Movable() {
				t.Fatalf("%+v waits", v)
			}
		default:
			checkVerdict(t, f, v)
		}
		breaks := v.Reason.Emergency() || strings.Contains(v.Text, "asked for a renewal by")
		if breaks != strings.Contains(v.Text, "renewal hours") {
			t.Fatalf("%s does not say whether it keeps the hours: %q", v.Reason, v.Text)
		}
		then := now.Add(f.lifetime() / 7)
		if again := Due(f, then); again != v && !then.After(f.safetyLine()) && !v.At.Equal(now) {
			t.Fatalf("the plan moves from %+v to %+v", v, again)
		}
	}
	for _, reason := range reasons[1:] {
		if seen[reason] < 100 {
			t.Errorf("%s came %d times only", reason, seen[reason])
		}
	}
}

// Whatever the policy, a lineage does not renew what was just issued: a key that is replaced heals what it was replaced for.
func TestDueNeverStorms(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		f, now := anyFacts(r)
		f.Compromised, f.Revoked, f.Asked, f.Changed, f.Event, f.ARI = time.Time{}, time.Time{}, time.Time{}, time.Time{}, MassEvent{}, RenewalInfo{}
		life := f.lifetime()
		least := life / 20
		if age := f.Policy.MaxKeyAge(); age > 0 {
			least = min(least, age/2)
		}
		var times []time.Time
		for i := range 30 {
			if f.NewKey(now) {
				f.KeyCreated, f.KeyType = now, f.Policy.KeyFor(f.KeyWanted)
			}
			f.Serial, f.NotBefore, f.NotAfter = string(rune('a'+i)), now, now.Add(life)
			now = later(now, Due(f, now).At)
			times = append(times, now)
		}
		for i := 2; i < len(times); i++ {
			if i > 2 && times[i].Sub(times[i-2]) < least {
				t.Fatalf("%v of life, %+v, %s: renewed at %v", life, f.Policy, f.Strategy, times[i-2:i+1])
			}
		}
	}
}

// What a certificate needs goes before new names; what somebody wants sooner does not.
func TestWished(t *testing.T) {
	for name, c := range map[string]struct {
		f    func(*RenewalFacts)
		want bool
	}{
		"the last third": {func(*RenewalFacts) {}, false},
		"the authority's window": {func(f *RenewalFacts) {
			f.ARI = RenewalInfo{Start: epoch.Add(30 * day), End: epoch.Add(32 * day), Fetched: epoch}
		}, false},
		"30 days before the end":       {func(f *RenewalFacts) { f.Policy.RenewDays = 30 }, false},
		"45 days before the end":       {func(f *RenewalFacts) { f.Policy.RenewDays = 45 }, true},
		"the last quarter":             {func(f *RenewalFacts) { f.Policy.RenewPart = 0.25 }, false},
		"nearly all of the lifetime":   {func(f *RenewalFacts) { f.Policy.RenewPart = 0.9 }, true},
		"the policy's age of keys":     {func(f *RenewalFacts) { f.KeyCreated, f.Policy.MaxKeyDays = epoch, 1 }, true},
		"a person":                     {func(f *RenewalFacts) { f.Asked = epoch.Add(day) }, true},
		"the key in other hands":       {func(f *RenewalFacts) { f.Compromised = epoch.Add(day) }, false},
		"half of six days":             {func(f *RenewalFacts) { f.NotAfter = epoch.Add(6 * day) }, false},
		"half of six days by a policy": {func(f *RenewalFacts) { f.NotAfter, f.Policy.RenewDays = epoch.Add(6*day), 30 }, false},
	} {
		f := factsFor(90*day, 1).with(c.f)
		due := Due(f, epoch.Add(day))
		if got := due.Reason.Wished(due.Start, f.NotBefore, f.NotAfter); got != c.want {
			t.Errorf("%s (%s from %v): wished is %v", name, due.Reason, due.Start, got)
		}
	}
}
