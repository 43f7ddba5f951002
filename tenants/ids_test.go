package tenants

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var epoch = time.Date(2026, 11, 23, 12, 6, 0, 0, time.UTC)

func TestMakeIDWritesTimeThenRandomness(t *testing.T) {
	random := [10]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for _, c := range []struct {
		at   time.Time
		rand [10]byte
		want DomainID
	}{
		{time.UnixMilli(0), [10]byte{}, "dom_00000000000000000000000000"},
		{time.UnixMilli(0), [10]byte{9: 1}, "dom_00000000000000000000000001"},
		{time.UnixMilli(1), [10]byte{}, "dom_00000000010000000000000000"},
		{time.UnixMilli(1<<48 - 1), random, "dom_7zzzzzzzzzzzzzzzzzzzzzzzzz"},
		{time.UnixMilli(1469918176385), random, "dom_01aryz6s41zzzzzzzzzzzzzzzz"},
	} {
		if got := MakeID[DomainID](c.at, c.rand); got != c.want {
			t.Errorf("MakeID(%d, %x) = %s, want %s", c.at.UnixMilli(), c.rand, got, c.want)
		}
	}
}

func TestIDsSortByBirth(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var ids []OrderID
	for i := range 2000 {
		var random [10]byte
		for j := range random {
			random[j] = byte(r.Uint32())
		}
		ids = append(ids, MakeID[OrderID](epoch.Add(time.Duration(i)*time.Millisecond), random))
	}
	if !slices.IsSorted(ids) {
		t.Error("ids made later do not sort later")
	}
	if len(slices.Compact(ids)) != 2000 {
		t.Error("two ids are equal")
	}
}

func TestIDsSortByRandomnessWithinAMillisecond(t *testing.T) {
	last := MakeID[EntryID](epoch, [10]byte{})
	for i := range 80 {
		var random [10]byte
		random[9-i/8] = 1 << (i % 8)
		if id := MakeID[EntryID](epoch, random); id <= last {
			t.Fatalf("bit %d: %s does not sort after %s", i, id, last)
		} else {
			last = id
		}
	}
}

func TestPrefixesDiffer(t *testing.T) {
	prefixes := []string{
		prefixOf[TenantID](), prefixOf[MemberID](), prefixOf[GroupID](), prefixOf[DomainID](), prefixOf[DelegationID](),
		prefixOf[CertificateID](), prefixOf[VersionID](), prefixOf[OrderID](), prefixOf[ChallengeID](), prefixOf[IssuerID](), prefixOf[AccountID](),
		prefixOf[EntryID](), prefixOf[SessionID](), prefixOf[EventID](),
	}
	slices.Sort(prefixes)
	if n := len(slices.Compact(prefixes)); n != 14 {
		t.Errorf("14 kinds of id have %d prefixes", n)
	}
}

func TestParseID(t *testing.T) {
	good := string(MakeID[DomainID](epoch, [10]byte{1, 2, 3}))
	if id, ok := ParseID[DomainID](good); !ok || string(id) != good {
		t.Errorf("ParseID(%q) = %q, %v", good, id, ok)
	}
	for _, bad := range []string{
		"", "dom", "dom_", strings.TrimPrefix(good, "dom_"), good + "0", good[:len(good)-1], strings.ToUpper(good),
		"crt" + good[3:], " " + good, good + "\n", "dom_" + strings.Repeat("i", 26), "dom_" + strings.Repeat("é", 13),
		"dom_8" + strings.Repeat("0", 25), // more than 128 bits
	} {
		if id, ok := ParseID[DomainID](bad); ok || id != "" {
			t.Errorf("ParseID(%q) = %q, %v, want refused", bad, id, ok)
		}
	}
}
