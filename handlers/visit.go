package handlers

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// visit is one request and what is known of whoever sent it.
type visit struct {
	echo.Context
	route   route
	now     time.Time // the one clock of the answer
	session store.Session
	actor   tenants.Actor  // without a name when nobody is signed in
	tenant  tenants.Tenant // of tenant pages
}

const visitKey = "visit"

func (v *visit) ctx() context.Context { return v.Request().Context() }

func (v *visit) requestID() string { return v.Response().Header().Get(echo.HeaderXRequestID) }

// admit finds out who is here and whether the route is theirs.
func (s *Site) admit(v *visit) error {
	if v.route.door == anybody {
		return nil
	}
	if err := s.identify(v); err != nil {
		return err
	}
	switch v.route.door {
	case member:
		if err := s.enter(v); err != nil {
			return err
		}
	case platform:
		if v.actor.Platform == "" {
			return s.deny(v, cmp.Or(v.route.needs, tenants.ReadTenants))
		}
	}
	if v.route.needs != "" && !v.actor.May(v.route.needs) {
		return s.deny(v, v.route.needs)
	}
	return nil
}

// identify fills the session and the actor in.
func (s *Site) identify(v *visit) error {
	session, err := s.Auth.Session(v.Request())
	if err != nil {
		return err
	}
	v.session, v.actor = session, session.Actor
	v.actor.Platform = session.Platform
	v.actor.Address, v.actor.RequestID = v.RealIP(), v.requestID()
	return nil
}

// enter puts the visit into the tenant that the path names. Members and people with a platform role come in;
// to everybody else the tenant does not exist.
func (s *Site) enter(v *visit) error {
	slug := v.Param("slug")
	for _, m := range v.session.Memberships {
		if m.Tenant.Slug == slug {
			v.tenant, v.actor.Tenant, v.actor.Role = m.Tenant, m.Tenant.ID, m.Role
			return nil
		}
	}
	if v.actor.Platform == "" {
		return s.stranger(v, slug)
	}
	t, err := s.DB.Platform(v.actor).TenantBySlug(v.ctx(), slug)
	if err != nil {
		return err
	}
	v.tenant, v.actor.Tenant = t, t.ID
	return nil
}

// stranger answers somebody who asks for a tenant that is not theirs, without looking whether it exists, and
// leaves a line in their own tenant's audit log.
func (s *Site) stranger(v *visit, slug string) error {
	if len(v.session.Memberships) > 0 {
		own := v.actor
		own.Tenant, own.Role = v.session.Memberships[0].Tenant.ID, v.session.Memberships[0].Role
		text := fmt.Sprintf("tried to open another tenant, %s. Not a member there.", printable(slug))
		if err := s.DB.As(own).Denied(v.ctx(), tenants.ReadDomains, "", text); err != nil {
			return fmt.Errorf("record refused access: %w", err)
		}
	}
	return notHere()
}

// printable is text from a path, short and without surprises, for the audit log.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return -1
	}, s)
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

func notHere() error {
	return tenants.Errorf(tenants.NotFound, "There is nothing at this address. Go back to your domains and choose again.")
}

// deny writes the refused attempt to the audit log and returns the error for the page.
func (s *Site) deny(v *visit, p tenants.Permission) error {
	record := s.DB.Platform(v.actor).Denied
	if v.actor.Tenant != "" {
		record = s.scope(v).Denied
	}
	if err := record(v.ctx(), p, v.Param("id"), s.attempt(v, p)); err != nil {
		return fmt.Errorf("record refused access: %w", err)
	}
	if v.actor.Tenant == "" && v.actor.Platform == "" {
		return tenants.Errorf(tenants.Denied, "Only people with a role on the whole portal may %s. Ask its operator for it.", p)
	}
	return tenants.Errorf(tenants.Denied, "Your role, %s, may not %s. Ask an admin of your tenant for it.", v.actor.RoleName(), p)
}

// attempt is the audit sentence when a domain was concerned; otherwise the store has the words.
func (s *Site) attempt(v *visit, p tenants.Permission) string {
	if v.actor.Tenant == "" {
		return ""
	}
	d, err := s.domainView(v, v.Param("id"))
	if err != nil {
		return ""
	}
	return fmt.Sprintf("tried to %s, %s. The role %s may not.", p, d.Domain.Name, v.actor.RoleName())
}

// scope is the store as this person in this tenant.
func (s *Site) scope(v *visit) *store.Scope { return s.DB.As(v.actor) }

// page is what every signed-in page needs.
func (s *Site) page(v *visit) views.Page {
	note, bad := s.takeNote(v)
	p := views.Page{
		Now: v.now, Theme: themeOf(v.Request()), Actor: v.actor, Tenant: v.tenant,
		Path: v.Request().URL.RequestURI(), Note: note, NoteBad: bad, CanTheme: true, RequestID: v.requestID(),
	}
	for _, m := range v.session.Memberships {
		p.Tenants = append(p.Tenants, views.Membership{Slug: m.Tenant.Slug, Name: m.Tenant.Name, Role: m.Role})
	}
	return p
}

// goTo answers a finished change.
func (v *visit) goTo(path string) error { return v.Redirect(http.StatusSeeOther, path) }

// toSignIn sends somebody to the sign-in page and back here afterwards. A form cannot be sent again for them: they
// come back to the page it was on, and the sign-in page says that nothing was done.
func (s *Site) toSignIn(v *visit) error {
	if s.Auth.HasCookie(v.Request()) {
		v.SetCookie(s.Auth.Forget()) // broken or over: sending it again would not help
	}
	back := v.Request().URL.RequestURI()
	if v.Request().Method == http.MethodPost {
		s.leaveNote(v, "expired")
		back = refererPath(v.Request())
	}
	if back == "/" {
		return v.goTo(views.SignInPath)
	}
	return v.goTo(views.SignInPath + "?return_to=" + url.QueryEscape(back))
}

func refererPath(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host {
		return "/"
	}
	return localPath(u.RequestURI())
}
