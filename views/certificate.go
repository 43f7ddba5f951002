package views

import (
	"crypto/x509"
	"encoding/pem"
	"time"

	"perennial/tenants"
)

// certificateTurn is the first sentence of a working certificate.
func (p DomainPage) certificateTurn() turn {
	switch {
	case p.Domain.Status == tenants.Failing || p.Domain.Status == tenants.Expired:
		return turn{"", p.explanation().Happened + "."}
	}
	if t, going := p.revocationTurn(); going {
		return t
	}
	switch {
	case p.ordering() || p.Domain.Status == tenants.Renewing:
		return turn{"Our turn:", "renewing now. Version " + number(p.Current.Number) + " stays valid meanwhile, there is nothing for you to do."}
	}
	if p.lacksKey() {
		return turn{"Your turn:", lowerFirst(tenants.Explain(p.Domain.Finding).Do) + " Version " + number(p.Current.Number) + " stays valid meanwhile."}
	}
	t := turn{"Nothing for you to do.", "It renews by itself"}
	if at := p.Certificate.Plan.At; at.After(p.Now) {
		t.Text += " " + when(p.Now, at) + ", " + roughly(at, p.Current.NotAfter) + " before it expires"
	}
	t.Text += "."
	if _, waits := p.trouble(); waits {
		t.Text += " " + p.explanation().Happened + "; that heals by itself."
	}
	return t
}

// near reports whether the certificate lives so short that seconds count.
func (p DomainPage) near() bool { return p.Current.Lifetime() < day1 }

// previous is the version before the current one, nil for the first.
func (p DomainPage) previous() *tenants.Version {
	for i, v := range p.Versions {
		if v.Number < p.Current.Number {
			return &p.Versions[i]
		}
	}
	return nil
}

// picture is the last two versions above each other.
type picture struct {
	axis
	Height, Bottom int // of the picture; of its lines
	Top            int // y where the current version's block begins

	Prev, PrevEnd, PrevDay string
	PrevLife               bar

	Label, Start string
	Life         bar
	Window       bar
	Safe, End    string
	Mark         string
	MarkY        int
	RenewX       string
	RenewWords   string
	RenewY       int
	SafeWords    string
	EndWords     string
}

func (p DomainPage) picture() picture {
	v := p.Current
	life := v.Lifetime()
	from := v.NotBefore.Add(-life / 6)
	to := later(v.NotAfter, p.Now).Add(life / 13)
	a := pictureAxis(from, to, p.Now, 6)
	pic := picture{axis: a, Start: a.at(v.NotBefore), Label: "Version " + number(v.Number), Life: a.bar(v.NotBefore, v.NotAfter), End: a.at(v.NotAfter)}
	pic.EndWords = "expires " + markDay(v.NotAfter, life)
	if prev := p.previous(); prev != nil {
		pic.Top = 38
		end, words := prev.NotAfter, markDay(prev.NotAfter, life)
		if r := prev.Revocation; !r.Done.IsZero() {
			end, words = r.Done, "revoked "+markDay(r.Done, life)
		}
		pic.Prev, pic.PrevLife = "Version "+number(prev.Number), a.bar(prev.NotBefore, end)
		if a.holds(end) {
			pic.PrevEnd, pic.PrevDay = a.at(end), words
		}
	}
	pic.Bottom = pic.Top + 74
	pic.Height = pic.Bottom + 22
	return p.withPlan(pic, to.Sub(from))
}

// withPlan adds window, instant and safety line. Words that would run into each other give way: the safety
// line's first, since it stands as text below, then the renewal's moves to a line of its own.
func (p DomainPage) withPlan(pic picture, span time.Duration) picture {
	plan, life := p.Certificate.Plan, p.Current.Lifetime()
	if plan.At.IsZero() || p.ordering() || p.replacing() || p.Current.NotAfter.Before(p.Now) {
		return pic
	}
	if !plan.Start.IsZero() {
		pic.Window = pic.bar(plan.Start, plan.End)
	}
	pic.Safe, pic.Mark, pic.MarkY = pic.at(plan.NoLater), pic.at(plan.At), pic.Top+52
	pic.RenewX, pic.RenewWords, pic.RenewY = pic.Mark, "renews "+markDay(plan.At, life), pic.Bottom+13
	gap := p.Current.NotAfter.Sub(plan.At)
	if gap < span/4 {
		pic.RenewY += 16
		pic.Height += 16
	} else if plan.NoLater.Sub(plan.At) > span/6 && p.Current.NotAfter.Sub(plan.NoLater) > span/8 {
		pic.SafeWords = "no later than " + markDay(plan.NoLater, life)
	}
	return pic
}

// chainLink is one certificate of the chain, leaf first.
type chainLink struct {
	Name  string
	Until string
}

// chain reads the names from the PEM. What cannot be read is left out: the version was checked when it was kept.
func (p DomainPage) chain() []chainLink {
	links := []chainLink{}
	rest := []byte(p.Current.Chain)
	for len(links) < 8 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		l := chainLink{Name: orElse(c.Subject.CommonName, p.Domain.Name)}
		if len(links) > 0 {
			l.Until = "until " + day(c.NotAfter)
			if l.Name == p.Domain.Name {
				l.Name = c.Subject.String()
			}
		}
		links = append(links, l)
		if len(rest) == 0 || c.Issuer.String() == c.Subject.String() {
			break
		}
	}
	return links
}

// root is who signed the last certificate that is sent; clients know it already.
func (p DomainPage) root() string {
	rest, last := []byte(p.Current.Chain), ""
	for range 8 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return last
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			last = c.Issuer.CommonName
			if c.Issuer.String() == c.Subject.String() {
				last = ""
			}
		}
	}
	return last
}

func (p VersionsPage) lede() string {
	return "All versions of the certificate for " + p.Domain.Name + ". Version " + number(p.Current.Number) + " is the current one."
}

// footWords says which of how many versions the page lists. Numbers have no gaps.
func (p VersionsPage) footWords() string {
	s := "Newest first, times in UTC."
	if n := len(p.Versions); n > 0 && n < p.Current.Number {
		s = "Versions " + number(p.Versions[n-1].Number) + " to " + number(p.Versions[0].Number) + ". " + s
	}
	return s
}

// older is the number below which the next page begins; 0 when this is the last one.
func (p VersionsPage) older() int {
	if n := len(p.Versions); n > 0 && p.Versions[n-1].Number > 1 {
		return p.Versions[n-1].Number
	}
	return 0
}

// versionMood is what has become of a version.
func (p DomainPage) versionMood(v tenants.Version) mood {
	switch {
	case !v.Revocation.Done.IsZero() && v.ID == p.Current.ID:
		return mood{"s-failing", "ban", "Revoked"}
	case !v.Revocation.Done.IsZero():
		return mood{"s-quiet", "ban", "Revoked"}
	case v.ID == p.Current.ID && v.NotAfter.After(p.Now):
		return mood{"s-active", "check", "Current"}
	case !v.NotAfter.After(p.Now):
		return mood{"s-quiet", "box", "Ended"}
	default:
		return mood{"s-quiet", "box", "Replaced"}
	}
}

// nextWords is the rail's "next step".
func (p DomainPage) nextWords() string {
	at := p.Certificate.Plan.At
	switch {
	case p.ordering():
		return p.logSay() + "."
	case p.Domain.Status == tenants.Failing || p.Domain.Status == tenants.Expired:
		return p.explanation().Do
	case p.lacksKey():
		e := tenants.Explain(p.Domain.Finding)
		return e.Happened + ". " + e.Why
	case at.IsZero():
		return "We are planning the next renewal."
	case !at.After(p.Now):
		return "We order the next version now."
	case p.revokedNow():
		return "We order version " + number(p.Current.Number+1) + ", with a new key. Put it in place as soon as it is here."
	default:
		return "We order version " + number(p.Current.Number+1) + " " + relative(p.Now, at) + ", " + p.nextKeyWords() + ". The DNS record stays as it is."
	}
}

// issuedWords is who issued the current version and when.
func (p DomainPage) issuedWords() string {
	return "by " + orElse(p.Issuer.Name, p.Current.Issuer) + ", " + today(p.Now, p.Current.Issued) + " UTC"
}

// versionDay is a date in the table of versions; short lives need the time too.
func (p DomainPage) versionDay(t time.Time) string {
	if p.near() {
		return shortDay(t) + ", " + clock(t)
	}
	return day(t)
}
