package tenants

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleEntry() Entry {
	return Entry{ID: "ent_1", Number: 7, Tenant: "ten_1", At: epoch,
		Actor: Actor{Kind: Person, Name: "ops@acme.example", Issuer: "https://id.example", Subject: "42", Role: Admin,
			Platform: Operator, Address: "192.0.2.1", RequestID: "req_1"},
		Action: DidRegister, Outcome: Done, Object: "dom_1", Subject: "shop.acme.example", Text: "added shop.acme.example.",
		Changes: []Change{{"name", "", "shop"}, {"role", "viewer", "admin"}}}
}

// The bytes are for ever: a change of this value makes every log written before unverifiable.
func TestCanonicalIsFixed(t *testing.T) {
	small := Entry{ID: "ent_1", Number: 1, Tenant: "ten_1", At: time.UnixMicro(2), Action: "a", Changes: []Change{{"f", "", "é"}}}
	want := hex.EncodeToString([]byte("perennial entry v1\n")) +
		"00000005656e745f31" + "0000000000000001" + "0000000574656e5f31" + "0000000000000002" +
		strings.Repeat("00000000", 8) + "0000000161" + strings.Repeat("00000000", 4) +
		"0000000000000001" + "0000000166" + "00000000" + "00000002c3a9"
	if got := hex.EncodeToString(small.Canonical()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Every field is in the encoding, those added later included; only the actor's own tenant is not, since the
// entry's tenant says it.
func TestCanonicalCoversEveryField(t *testing.T) {
	plain := sampleEntry().Canonical()
	visit := func(path string, v reflect.Value, e *Entry) {
		switch x := v.Addr().Interface().(type) {
		case *time.Time:
			*x = x.Add(time.Microsecond)
		default:
			switch v.Kind() {
			case reflect.String:
				v.SetString(v.String() + "x")
			case reflect.Int64:
				v.SetInt(v.Int() + 1)
			}
		}
		if changed := !bytes.Equal(e.Canonical(), plain); changed == (path == "Actor.Tenant") {
			t.Errorf("%s changes the encoding: %v", path, changed)
		}
	}
	for i := range reflect.TypeFor[Entry]().NumField() {
		f := reflect.TypeFor[Entry]().Field(i)
		switch f.Name {
		case "Actor":
			for j := range f.Type.NumField() {
				e := sampleEntry()
				visit("Actor."+f.Type.Field(j).Name, reflect.ValueOf(&e).Elem().Field(i).Field(j), &e)
			}
		case "Changes":
			for j := range reflect.TypeFor[Change]().NumField() {
				e := sampleEntry()
				visit("Changes", reflect.ValueOf(&e).Elem().Field(i).Index(1).Field(j), &e)
			}
		default:
			e := sampleEntry()
			visit(f.Name, reflect.ValueOf(&e).Elem().Field(i), &e)
		}
	}
}

func TestCanonicalIsInjective(t *testing.T) {
	// Text that slides from one field to its neighbour, and counts that look like text, are the classic collisions.
	r := rand.New(rand.NewPCG(3, 4))
	parts := []string{"", "a", "b", "ab", "\x00", "\x00\x00\x00\x01", "a\x00", "\x00\x00\x00\x00"}
	pick := func() string { return parts[r.IntN(len(parts))] }
	seen := map[string]Entry{}
	for range 20000 {
		e := Entry{ID: EntryID(pick()), Number: int64(r.IntN(3)), Tenant: TenantID(pick()), At: time.UnixMicro(int64(r.IntN(3))),
			Actor: Actor{Name: pick(), Address: pick()}, Object: pick(), Subject: pick(), Text: pick()}
		for range r.IntN(3) {
			e.Changes = append(e.Changes, Change{pick(), pick(), pick()})
		}
		if other, ok := seen[string(e.Canonical())]; ok && !reflect.DeepEqual(other, e) {
			t.Fatalf("%+v\n%+v\nshare an encoding", other, e)
		}
		seen[string(e.Canonical())] = e
	}
}

func TestCanonicalIgnoresTheTimeZone(t *testing.T) {
	a, b := sampleEntry(), sampleEntry()
	b.At = b.At.In(time.FixedZone("far", 3*3600))
	if !bytes.Equal(a.Canonical(), b.Canonical()) {
		t.Error("the same instant has two encodings")
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add("a", "b", "c", "ab", "", "c", int64(1), int64(1))
	f.Add("\x00\x00\x00\x01", "", "x", "", "\x00\x00\x00\x01", "x", int64(0), int64(-1))
	f.Fuzz(func(t *testing.T, a1, a2, a3, b1, b2, b3 string, an, bn int64) {
		entry := func(x, y, z string, n int64) Entry {
			return Entry{Subject: x, Text: y, Number: n, Changes: []Change{{x, y, z}, {z, "", x}}}
		}
		a, b := entry(a1, a2, a3, an), entry(b1, b2, b3, bn)
		if same := bytes.Equal(a.Canonical(), b.Canonical()); same != reflect.DeepEqual(a, b) {
			t.Fatalf("%+v and %+v: same bytes %v", a, b, same)
		}
	})
}
