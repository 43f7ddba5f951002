package seal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"perennial/store/seal"
	"perennial/tenants"
)

func newKEK(t *testing.T) seal.KEK {
	t.Helper()
	kek, err := seal.OpenFile(filepath.Join(t.TempDir(), "key"), true)
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

func newBox(t *testing.T, kek seal.KEK, tenant tenants.TenantID) (*seal.Box, []byte) {
	t.Helper()
	box, wrapped, err := seal.NewBox(kek, tenant)
	if err != nil {
		t.Fatal(err)
	}
	return box, wrapped
}

func TestBlobsAreBoundToTheirPlace(t *testing.T) {
	kek := newKEK(t)
	box, wrapped := newBox(t, kek, "ten_a")
	place := seal.Place{Table: "versions", ID: "ver_1", Column: "private_key"}
	blob, err := box.Seal(tenants.NewSecret([]byte("secret")), place)
	if err != nil {
		t.Fatal(err)
	}
	again, err := seal.OpenBox(kek, "ten_a", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(blob, place); err != nil || string(got.Reveal()) != "secret" {
		t.Fatalf("opened %q, %v", got.Reveal(), err)
	}
	for _, elsewhere := range []seal.Place{
		{Table: "orders", ID: "ver_1", Column: "private_key"},
		{Table: "versions", ID: "ver_2", Column: "private_key"},
		{Table: "versions", ID: "ver_1", Column: "chain"},
	} {
		if _, err := box.Open(blob, elsewhere); err == nil {
			t.Errorf("opens at %+v", elsewhere)
		}
	}
	other, _ := newBox(t, kek, "ten_b")
	if _, err := other.Open(blob, place); err == nil {
		t.Error("opens for another tenant")
	}
	if _, err := seal.OpenBox(kek, "ten_b", wrapped); err == nil {
		t.Error("a tenant's key opens as another's")
	}
	if _, err := seal.OpenBox(newKEK(t), "ten_a", wrapped); err == nil {
		t.Error("opens with another key-encryption key")
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "perennial.key")
	if _, err := seal.OpenFile(path, false); err == nil || !strings.Contains(err.Error(), "put it back from your backup") {
		t.Fatalf("without a file: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("a file was made")
	}
	first, err := seal.OpenFile(path, true)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	blob, err := first.Encrypt([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := seal.File(path)(true) // an existing file is never replaced
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Decrypt(blob, nil); err != nil {
		t.Fatal("another key on the second start")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.OpenFile(path, true); err == nil || strings.Contains(fmt.Sprint(err), "not a key") {
		t.Errorf("a broken file: %v", err)
	}
}
