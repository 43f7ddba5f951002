package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"perennial/store"
	"perennial/tenants"
	"perennial/views"
)

// issuers lists the authorities, in the order of preference.
func (s *Site) issuers(v *visit) error { return s.renderIssuers(v, http.StatusOK, "") }

func (s *Site) renderIssuers(v *visit, status int, wrong string) error {
	list, err := s.DB.Platform(v.actor).Issuers(v.ctx())
	if err != nil {
		return err
	}
	return s.renderStatus(v, status, views.Issuers(views.IssuersPage{Page: s.page(v), Rows: rows(list, issuerShown), Error: wrong}))
}

// orderIssuers moves one authority up or down in the order that its sender saw.
func (s *Site) orderIssuers(v *visit) error {
	up, down := v.FormValue("up"), v.FormValue("down")
	ids := rows(v.Request().PostForm["issuer"], func(id string) tenants.IssuerID { return tenants.IssuerID(id) })
	swap(ids, slices.Index(ids, tenants.IssuerID(up))-1)
	swap(ids, slices.Index(ids, tenants.IssuerID(down)))
	err := s.DB.Platform(v.actor).SaveIssuerOrder(v.ctx(), ids)
	if refused := correctable(err); refused != nil {
		return s.renderIssuers(v, http.StatusUnprocessableEntity, refused.Text)
	}
	if err != nil {
		return err
	}
	s.leaveNote(v, "order")
	return v.goTo(views.IssuersPath)
}

// swap changes the places of the n-th and the one after it, if there are two such.
func swap(ids []tenants.IssuerID, n int) {
	if n >= 0 && n+1 < len(ids) {
		ids[n], ids[n+1] = ids[n+1], ids[n]
	}
}

func (s *Site) newIssuer(v *visit) error {
	return s.render(v, views.AddIssuer(views.IssuerFormPage{Page: s.page(v)}))
}

// addIssuer keeps what was typed over a refusal, but for the HMAC key, which is never sent back.
func (s *Site) addIssuer(v *visit) error {
	f := tenants.IssuerForm{Directory: v.FormValue("directory"), Name: v.FormValue("name"), EABKeyID: v.FormValue("eab_key_id"),
		EABKey: tenants.NewSecret([]byte(v.FormValue("eab_key")))}
	id, err := s.DB.Platform(v.actor).AddIssuer(v.ctx(), f, s.CheckDirectory)
	if refused := correctable(err); refused != nil {
		p := views.IssuerFormPage{Page: s.page(v), Directory: f.Directory, Name: f.Name, EABKeyID: f.EABKeyID, Errors: refused.Fields}
		if len(p.Errors) == 0 {
			p.Error = refused.Text
		}
		return s.renderStatus(v, http.StatusUnprocessableEntity, views.AddIssuer(p))
	}
	if err != nil {
		return err
	}
	s.leaveNote(v, "issueradded")
	return v.goTo(views.IssuerURL(id))
}

// correctable is the refusal of a form that its sender can correct; nil for every other error.
func correctable(err error) *tenants.Error {
	refused, ok := errors.AsType[*tenants.Error](err)
	if !ok || refused.Kind != tenants.Invalid && refused.Kind != tenants.Conflict {
		return nil
	}
	return refused
}

func (s *Site) issuer(v *visit) error {
	i, err := s.storedIssuer(v)
	if err != nil {
		return err
	}
	return s.render(v, views.IssuerDetail(views.IssuerPage{Page: s.page(v), Issuer: i}))
}

func (s *Site) storedIssuer(v *visit) (views.Issuer, error) {
	id, ok := tenants.ParseID[tenants.IssuerID](v.Param("id"))
	if !ok {
		return views.Issuer{}, tenants.Errorf(tenants.NotFound, "There is no such authority. Go back to the list and choose again.")
	}
	i, err := s.DB.Platform(v.actor).Issuer(v.ctx(), id)
	return issuerShown(i), err
}

// saveLimits makes what was typed the operator's own limits.
func (s *Site) saveLimits(v *visit) error {
	i, err := s.storedIssuer(v)
	if err != nil {
		return err
	}
	p := views.IssuerPage{Issuer: i}
	var in []store.OverrideInput
	for n := 1; n <= len(tenants.IssuerLimits) && v.FormValue("limit"+strconv.Itoa(n)) != ""; n++ {
		row := store.OverrideInput{Limit: v.FormValue("limit" + strconv.Itoa(n)), Count: v.FormValue("count" + strconv.Itoa(n)),
			Per: v.FormValue("per" + strconv.Itoa(n))}
		in, p.Typed = append(in, row), append(p.Typed, views.LimitField{Count: row.Count, Per: row.Per})
	}
	return s.issuerSaved(v, p, "limits", s.DB.Platform(v.actor).SaveOverrides(v.ctx(), i.ID, in))
}

// askAgain opens a limit that the authority shut.
func (s *Site) askAgain(v *visit) error {
	i, err := s.storedIssuer(v)
	if err != nil {
		return err
	}
	note := "again"
	err = s.DB.Platform(v.actor).AskAgain(v.ctx(), i.ID, tenants.Charge{Limit: tenants.LimitName(v.FormValue("limit")), Key: v.FormValue("bucket")})
	if correctable(err) != nil {
		note, err = "notshut", nil
	}
	return s.issuerSaved(v, views.IssuerPage{Issuer: i}, note, err)
}

// saveAccounts says over how many accounts new orders are spread.
func (s *Site) saveAccounts(v *visit) error {
	i, err := s.storedIssuer(v)
	if err != nil {
		return err
	}
	p := views.IssuerPage{Issuer: i, Accounts: v.FormValue("accounts")}
	return s.issuerSaved(v, p, "accounts", s.DB.Platform(v.actor).SaveAccounts(v.ctx(), i.ID, p.Accounts))
}

// issuerSaved ends a form of the page: with a note, or with the page as it was typed.
func (s *Site) issuerSaved(v *visit, p views.IssuerPage, note string, err error) error {
	if refused := correctable(err); refused != nil && len(refused.Fields) > 0 {
		p.Page, p.Errors = s.page(v), refused.Fields
		return s.renderStatus(v, http.StatusUnprocessableEntity, views.IssuerDetail(p))
	}
	if err != nil {
		return err
	}
	s.leaveNote(v, note)
	return v.goTo(views.IssuerURL(p.ID))
}

func (s *Site) confirmRetire(v *visit) error { return s.renderRetire(v, http.StatusOK, "") }

func (s *Site) renderRetire(v *visit, status int, wrong string) error {
	i, err := s.storedIssuer(v)
	if err != nil {
		return err
	}
	return s.renderStatus(v, status, views.RetireIssuer(views.RetirePage{Page: s.page(v), Issuer: i, Typed: v.FormValue("name"), Error: wrong}))
}

// retireIssuer takes the name as proof that the right one is meant.
func (s *Site) retireIssuer(v *visit) error {
	i, err := s.storedIssuer(v)
	if err != nil {
		return err
	}
	if strings.TrimSpace(v.FormValue("name")) != i.Name {
		return s.renderRetire(v, http.StatusUnprocessableEntity, fmt.Sprintf("That is not the name. Type %s.", i.Name))
	}
	err = s.DB.Platform(v.actor).RetireIssuer(v.ctx(), i.ID)
	if refused := correctable(err); refused != nil {
		return s.renderRetire(v, http.StatusUnprocessableEntity, refused.Text)
	}
	if err != nil {
		return err
	}
	s.leaveNote(v, "retired")
	return v.goTo(views.IssuersPath)
}

func issuerShown(i store.IssuerView) views.Issuer {
	shown := views.Issuer{ID: i.Issuer.ID, Name: i.Issuer.Name, Directory: i.Issuer.Directory, Default: i.Default, Retired: i.Retired,
		EABKeyID: i.EABKeyID, Created: i.Created, Accounts: rows(i.Accounts, issuerAccount), Limits: rows(i.Limits, issuerLimit),
		Domains: i.Domains}
	if i.Health != nil {
		shown.Asked, shown.Answers, shown.Since = true, i.Health.OK, i.Health.Since
	}
	return shown
}

func issuerAccount(a store.AccountView) views.IssuerAccount {
	shown := views.IssuerAccount{ID: a.ID, Shard: a.Shard, URL: a.URL, KeyType: a.KeyType, Changing: a.Changing, Tries: a.Tries,
		InUse: a.InUse, Orders: views.BudgetLine{Counted: true}}
	if a.Orders != nil {
		shown.Orders = budget(*a.Orders)
	}
	return shown
}

func issuerLimit(l store.LimitView) views.IssuerLimit {
	shown := views.IssuerLimit{BudgetLine: budget(l.BudgetLine), Configured: l.Source == store.LimitConfigured}
	if l.Override != nil {
		shown.Ours, shown.By, shown.At = true, l.Override.By, l.Override.At
	}
	return shown
}
