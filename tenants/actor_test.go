package tenants

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

var permissions = []Permission{ReadDomains, AddDomain, CheckDomain, RenewCertificate, RevokeCertificate, ChangeCertificate, PauseRenewals, ReleaseDomain,
	DownloadCertificate, DownloadKey, ChangeHours, ChangePolicy, ReadAudit, ReadTenants, ManageTenants, ManageIssuers, ReplaceMany}

// TestPermissions is the golden table: who may do what. Changing it is a decision about security.
func TestPermissions(t *testing.T) {
	table := `
		role              read add check renew revoke change pause release cert key hours policy audit tenants manage issuers replace
		viewer            x    .   .     .     .      .      .     .       x    .   .     .      .     .       .      .       .
		auditor           x    .   .     .     .      .      .     .       x    .   .     .      x     .       .      .       .
		editor            x    x   x     x     x      x      x     x       x    .   .     .      .     .       .      .       .
		approver          x    x   x     x     x      x      x     x       x    .   .     .      .     .       .      .       .
		admin             x    x   x     x     x      x      x     x       x    x   x     x      x     .       .      .       .
		platform-operator x    .   x     .     .      .      .     .       x    .   .     .      x     x       x      x       x
		platform-auditor  x    .   .     .     .      .      .     .       x    .   .     .      x     x       .      .       .
		nobody            .    .   .     .     .      .      .     .       .    .   .     .      .     .       .      .       .
		nonsense          .    .   .     .     .      .      .     .       .    .   .     .      .     .       .      .       .
		system            x    x   x     x     x      x      x     x       x    .   x     x      x     x       x      x       x`
	for _, line := range strings.Split(strings.TrimSpace(table), "\n")[1:] {
		cells := strings.Fields(line)
		actor := actorNamed(cells[0])
		for i, p := range permissions {
			if got, want := actor.May(p), cells[i+1] == "x"; got != want {
				t.Errorf("%s may %s: %v, want %v", cells[0], p, got, want)
			}
		}
	}
}

func actorNamed(s string) Actor {
	switch {
	case s == "system":
		return System("ten_1")
	case s == "nobody":
		return Actor{Kind: Person}
	case strings.HasPrefix(s, "platform-"):
		return Actor{Kind: Person, Platform: PlatformRole(strings.TrimPrefix(s, "platform-"))}
	}
	return Actor{Kind: Person, Role: Role(s)}
}

func TestRolesAddUp(t *testing.T) {
	both := Actor{Kind: Person, Role: Admin, Platform: PlatformAuditor}
	for _, p := range permissions {
		want := Actor{Role: Admin}.May(p) || Actor{Platform: PlatformAuditor}.May(p)
		if both.May(p) != want {
			t.Errorf("a person with two roles may %s: %v, want %v", p, !want, want)
		}
	}
}

func TestOnlyPermissionsOfTheTableAreGranted(t *testing.T) {
	for _, p := range slices.Concat(slices.Concat(slices.Collect(maps.Values(roleMay))...), slices.Concat(slices.Collect(maps.Values(platformMay))...)) {
		if !slices.Contains(permissions, p) {
			t.Errorf("%q is granted, and the golden table does not know it", p)
		}
	}
	for role := range roleMay {
		if !slices.Contains(Roles, role) {
			t.Errorf("role %s is not in Roles", role)
		}
	}
	if (Actor{Role: Admin}).May("") {
		t.Error("the empty permission is granted")
	}
}

func TestRoleName(t *testing.T) {
	for want, a := range map[string]Actor{
		"auditor": {Role: Auditor}, "platform operator": {Platform: Operator}, "none": {}, "admin": {Role: Admin, Platform: Operator},
	} {
		if got := a.RoleName(); got != want {
			t.Errorf("RoleName of %+v = %q, want %q", a, got, want)
		}
	}
}
