package handlers

import (
	"net/http"
	"slices"

	"perennial/tenants"
	"perennial/views"
)

// accountKey finds the account that the path names, which must be one at the authority that it names too.
func (s *Site) accountKey(v *visit) (views.AccountKeyPage, error) {
	i, err := s.storedIssuer(v)
	if err != nil {
		return views.AccountKeyPage{}, err
	}
	n := slices.IndexFunc(i.Accounts, func(a views.IssuerAccount) bool { return string(a.ID) == v.Param("account") })
	if n < 0 {
		return views.AccountKeyPage{}, tenants.Errorf(tenants.NotFound, "There is no such account here. Go back to the authority and choose again.")
	}
	return views.AccountKeyPage{Page: s.page(v), Issuer: i, Account: i.Accounts[n]}, nil
}

func (s *Site) confirmKeyChange(v *visit) error {
	p, err := s.accountKey(v)
	if err != nil {
		return err
	}
	return s.render(v, views.ChangeAccountKey(p))
}

// changeAccountKey begins the change. The authority hears of it from the jobs.
func (s *Site) changeAccountKey(v *visit) error {
	p, err := s.accountKey(v)
	if err != nil {
		return err
	}
	err = s.DB.Platform(v.actor).ChangeAccountKey(v.ctx(), p.Account.ID)
	if refused := correctable(err); refused != nil {
		p.Error = refused.Text
		return s.renderStatus(v, http.StatusUnprocessableEntity, views.ChangeAccountKey(p))
	}
	if err != nil {
		return err
	}
	s.leaveNote(v, "keychange")
	return v.goTo(views.IssuerURL(p.ID))
}

func (s *Site) confirmKeyExport(v *visit) error {
	p, err := s.accountKey(v)
	if err != nil {
		return err
	}
	return s.render(v, views.ExportAccountKey(p))
}

// exportAccountKey answers with the key under the passphrase. It is a POST, so that no link, prefetch or history entry can
// ask for it, and the passphrase is in no answer.
func (s *Site) exportAccountKey(v *visit) error {
	p, err := s.accountKey(v)
	if err != nil {
		return err
	}
	pem, err := s.encryptedKey(v, p.Account.ID)
	if refused := correctable(err); refused != nil {
		if p.Errors = refused.Fields; len(p.Errors) == 0 {
			p.Error = refused.Text
		}
		return s.renderStatus(v, http.StatusUnprocessableEntity, views.ExportAccountKey(p))
	}
	if err != nil {
		return err
	}
	return v.send(string(p.Account.ID)+".key.pem", typePEM, pem.Reveal())
}

func (s *Site) encryptedKey(v *visit, id tenants.AccountID) (tenants.Secret, error) {
	if v.FormValue("passphrase") != v.FormValue("again") {
		const text = "The two passphrases differ. Type the same one in both fields."
		return tenants.Secret{}, &tenants.Error{Kind: tenants.Invalid, Text: text, Fields: map[string]string{"again": text}}
	}
	return s.DB.Platform(v.actor).ExportAccountKey(v.ctx(), id, tenants.NewSecret([]byte(v.FormValue("passphrase"))))
}
