package views

import (
	"strings"
	"time"

	"github.com/a-h/templ"

	"perennial/tenants"
)

// mayRevoke reports whether "Revoke" makes sense for a version and is allowed.
func (p DomainPage) mayRevoke(v tenants.Version) bool {
	return v.Revocation.Done.IsZero() && v.NotAfter.After(p.Now) && p.Domain.Status != tenants.Released && p.May(tenants.RevokeCertificate)
}

// olderToRevoke reports whether the table of versions has something to offer: one that was replaced, is still valid, and
// that nobody asked to revoke.
func (p DomainPage) olderToRevoke() bool {
	for _, v := range p.Versions {
		if p.offersRevoke(v) {
			return true
		}
	}
	return false
}

func (p DomainPage) offersRevoke(v tenants.Version) bool {
	return v.ID != p.Current.ID && v.Revocation.Asked.IsZero() && p.mayRevoke(v)
}

func (p DomainPage) revokeURL(v tenants.Version) string {
	return VersionURL(p.Tenant.Slug, p.Domain.ID, v.ID) + "/revoke"
}

// revokingOne is the oldest version that goes at a known time; nil for none.
func (p DomainPage) revokingOne() *tenants.Version {
	var oldest *tenants.Version
	for i, v := range p.Versions { // newest first
		if v.Revoking(p.Now) && !v.Revocation.At.IsZero() && p.Current != nil && v.ID != p.Current.ID {
			oldest = &p.Versions[i]
		}
	}
	return oldest
}

// revokedNow reports whether the current version is revoked, so that none is to be trusted.
func (p DomainPage) revokedNow() bool {
	return p.Current != nil && (!p.Current.Revocation.Done.IsZero() || !p.Certificate.Revoked.IsZero())
}

// replacing reports whether the current version goes, so that what was planned for it does not hold any more.
func (p DomainPage) replacing() bool { return p.revokedNow() || p.Current.Revoking(p.Now) }

// revocationTurn is the first sentence while a version is going; false when none is.
func (p DomainPage) revocationTurn() (turn, bool) {
	next, old := number(p.Current.Number+1), number(p.Current.Number)
	switch {
	case p.revokedNow():
		return turn{"Our turn:", "version " + old + " is revoked, so we are getting version " + next + " now. Put it in place as soon as it is here."}, true
	case p.Current.Revoking(p.Now):
		return turn{"Our turn:", "getting version " + next + ", which takes the place of version " + old + ". Put it in place as soon as it is here."}, true
	}
	if v := p.revokingOne(); v != nil && v.Revocation.At.After(p.Now) {
		return turn{"Your turn:", "put version " + old + " in place. Version " + number(v.Number) + " is revoked " + when(p.Now, v.Revocation.At) + ", or as soon as you say so."}, true
	}
	return turn{}, false
}

// revocationNote is how far the revocation of one version has come.
type revocationNote struct {
	ID, Icon, Class string
	Head, Text      string
	Now             string // label of the button that ends the waiting; empty for none
	AtOnce          string // where it can be revoked without a successor; empty for nowhere
	URL             string
}

// revocations lists what is to be revoked, and the current version when it is.
func (p DomainPage) revocations() []revocationNote {
	var all []revocationNote
	for _, v := range p.Versions {
		if v.Revoking(p.Now) || v.ID == p.Current.ID && !v.Revocation.Done.IsZero() {
			n := p.revocationNote(v)
			n.ID, n.URL = "revocation-"+number(v.Number), p.revokeURL(v)
			all = append(all, n)
		}
	}
	return all
}

func (p DomainPage) revocationNote(v tenants.Version) revocationNote {
	r, old, next := v.Revocation, "version "+number(v.Number), "version "+number(p.successor(v))
	switch {
	case !r.Done.IsZero():
		return revocationNote{Class: "s-failing", Icon: "ban", Head: capital(old) + " is revoked.",
			Text: "Visitors may see an error wherever it is in use. We get " + next + " now; put it in place as soon as it is here."}
	case !r.Finding.OK():
		return p.revocationTrouble(r, old)
	case r.At.IsZero():
		return p.revocationWaits(v, old, next)
	case !r.At.After(p.Now):
		return revocationNote{Class: "s-renewing", Icon: "renew", Head: "We are telling the authority now that " + old + " is revoked."}
	}
	n := revocationNote{Class: "s-waiting", Icon: "clock", Head: capital(old) + " is revoked " + when(p.Now, r.At) + ", " + relative(p.Now, r.At) + ".",
		Text: "Put " + next + " in place before that. Where " + old + " is still in use then, visitors see an error."}
	if p.May(tenants.RevokeCertificate) {
		n.Now = "It is in place, revoke " + old + " now"
	}
	return n
}

// successor is the number of the version that takes the place of v.
func (p DomainPage) successor(v tenants.Version) int {
	if v.ID == p.Current.ID {
		return v.Number + 1
	}
	return p.Current.Number
}

func (p DomainPage) revocationTrouble(r tenants.Revocation, old string) revocationNote {
	e := tenants.Explain(r.Finding)
	n := revocationNote{Class: "s-unknown", Icon: "unknown", Head: capital(old) + " is not revoked yet.",
		Text: e.Happened + ". " + e.Why + " We try again " + relative(p.Now, later(r.Next, p.Now)) + "."}
	if r.Refused() {
		n.Class, n.Icon, n.Text = "s-failing", "warn", e.Happened+". "+e.Why+" "+e.Do
	}
	return n
}

// revocationWaits: nothing is revoked before its successor is there, because that would break the site.
func (p DomainPage) revocationWaits(v tenants.Version, old, next string) revocationNote {
	r := v.Revocation
	if !p.troubled() {
		return revocationNote{Class: "s-renewing", Icon: "clock", Head: "We get " + next + " now, then " + old + " goes.",
			Text: capital(old) + " is revoked " + goesWords(r.Wait, next) + ", or sooner when you say that " + next + " is in place."}
	}
	n := revocationNote{Class: "s-failing", Icon: "warn", Head: capital(old) + " is not revoked yet.",
		Text: "It waits for " + next + ", which does not come: " + lowerFirst(p.explanation().Happened) + "."}
	if r.Reason == tenants.RevokeKeyCompromise {
		n.Text += " Until then, whoever has the key can pretend to be " + p.Domain.Name + "."
	}
	if p.May(tenants.RevokeCertificate) {
		n.AtOnce = p.revokeURL(v) + "?how=" + string(tenants.RevokeAtOnce)
	}
	return n
}

// goesWords is when a version goes after its successor came.
func goesWords(wait time.Duration, next string) string {
	if wait == 0 {
		return "as soon as " + next + " is issued"
	}
	return length(wait) + " after " + next + " is issued"
}

// versionFine is what the table says of a version beside its state.
func (p DomainPage) versionFine(v tenants.Version) string {
	r := v.Revocation
	switch {
	case r.Asked.IsZero():
		return ""
	case !r.Done.IsZero() && r.Reason == "":
		return date(p.Now, r.Done) + ", by the authority"
	case !r.Done.IsZero():
		return date(p.Now, r.Done) + ", " + r.Reason.Words()
	case !v.Revoking(p.Now):
		return "ended before it was revoked"
	case r.At.IsZero():
		return "will be revoked after version " + number(p.successor(v))
	case !r.At.After(p.Now):
		return "is being revoked"
	}
	return "will be revoked " + relative(p.Now, r.At)
}

// explanationURL is where the authority says why it wants a renewal then (RFC 9773, section 4.2). It comes from outside,
// so only what is a secure address becomes a link.
func (p DomainPage) explanationURL() string {
	if u := p.Certificate.ARI.ExplanationURL; strings.HasPrefix(u, "https://") {
		return u
	}
	return ""
}

// revokesCurrent reports whether the version of the form is the one in use.
func (p ConfirmPage) revokesCurrent() bool { return p.Current != nil && p.Version.ID == p.Current.ID }

func (p ConfirmPage) revokeSubject() string {
	s := p.Domain.Name + ", valid until " + stamp(p.Version.NotAfter) + " UTC"
	if !p.revokesCurrent() && p.Current != nil {
		return s + ", replaced by version " + number(p.Current.Number)
	}
	return s
}

// revokeOthers says what becomes of the versions that are not named.
func (p ConfirmPage) revokeOthers() string {
	var same []int
	for _, v := range p.Versions {
		if v.ID != p.Version.ID && v.SPKI == p.Version.SPKI && v.NotAfter.After(p.Now) && v.Revocation.Done.IsZero() {
			same = append(same, v.Number)
		}
	}
	switch {
	case len(same) == 1:
		return "Version " + number(same[0]) + " has the same key and goes too if others may know it."
	case len(same) > 1:
		return plural(len(same), "other version") + " with the same key go too if others may know it."
	case p.revokesCurrent() && p.Version.Number == 2:
		return "Version 1 stays as it is."
	case p.revokesCurrent() && p.Version.Number > 2:
		return "Versions " + number(p.Version.Number-1) + " and older stay as they are."
	}
	if len(p.Versions) == 1 {
		return ""
	}
	return "Other versions stay as they are."
}

// option is one of several to choose from in a form; one that is switched off says why.
type option struct {
	ID, Name, Value, Word, Fine string
	Chosen, Off                 bool
}

func (p ConfirmPage) revokeWays() []option {
	next := "version " + number(p.Version.Number+1)
	all := []option{
		{ID: "how-replace", Value: string(tenants.RevokeAfter), Word: "Replace first, then revoke", Fine: "visitors notice nothing once " + next + " is in place"},
		{ID: "how-now", Value: string(tenants.RevokeAtOnce), Word: "Revoke at once", Fine: "visitors see an error until " + next + " is in place"},
		{ID: "how-already", Value: string(tenants.RevokedByThem), Word: "The authority revoked it already", Fine: "nothing is sent, we get " + next + " now"},
	}
	for i := range all {
		all[i].Name, all[i].Chosen = "how", all[i].Value == p.Revoke.Way
	}
	return all
}

func (p ConfirmPage) revokeReasons() []option {
	var all []option
	for _, r := range tenants.RevocationReasons {
		all = append(all, option{Value: string(r), Word: capital(r.Words()), Chosen: string(r) == p.Revoke.Reason})
	}
	return all
}

func (p ConfirmPage) revokeWaits() []option {
	var all []option
	for _, w := range tenants.RevocationWaits {
		all = append(all, option{Value: w.String(), Word: capital(goesWords(w, "version "+number(p.Version.Number+1))), Chosen: w.String() == p.Revoke.Wait})
	}
	return all
}

// revokeAttrs marks a field of the form as wrong.
func (p ConfirmPage) revokeAttrs(field string) templ.Attributes {
	return invalid(p.Errors[field] != "", "revoke-"+field+"-error")
}

// revokeConfirm is the confirmation of a version's revocation as it is first shown.
func revokeConfirm(p DomainPage, v tenants.Version) ConfirmPage {
	return ConfirmPage{DomainPage: p, Version: v, Revoke: tenants.NewRevocationForm()}
}

func (p ConfirmPage) revokeGroup(field string) templ.Attributes {
	return described(p.Errors[field] != "", "revoke-"+field+"-error")
}
