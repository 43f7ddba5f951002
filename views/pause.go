package views

import (
	"time"

	"github.com/a-h/templ"

	"perennial/tenants"
)

// PausePage is the form that pauses renewals. The version is Current.
type PausePage struct {
	ConfirmPage
	Form   tenants.PauseForm // as typed
	Errors map[string]string // field → sentence: until, why
}

// PauseURL is where renewals are paused: GET the form, POST (fields until_date, until_time, why) acts. /resume beside it: POST.
func PauseURL(slug string, id tenants.DomainID) string { return DomainURL(slug, id) + "/pause" }

func (p PausePage) effect() string {
	at := p.Certificate.Plan.At
	if !at.After(p.Now) {
		return "No renewal begins before the pause is over. Afterwards they go on by themselves."
	}
	return "The renewal is planned for " + exact(at, p.near()) + ". A pause that is over before then changes nothing; a longer one moves it behind its end."
}

func (p PausePage) lineWords() string {
	return "At the latest " + exact(p.Current.SafetyLine(), p.near()) + ", the safety line. A pause ends there by itself."
}

func (p PausePage) first() string { return isoDay(p.Now) }
func (p PausePage) last() string  { return isoDay(p.Current.SafetyLine()) }

func (p PausePage) untilAttrs() templ.Attributes {
	if p.Errors["until"] == "" {
		return templ.Attributes{"aria-describedby": "until-help"}
	}
	return invalid(true, "until-error")
}

// pausedUntil is when the pause in force ends; zero when there is none.
func (p DomainPage) pausedUntil() time.Time {
	end, paused := p.Certificate.Paused(p.Current, p.Now)
	if !paused {
		return time.Time{}
	}
	return end
}

func (p DomainPage) paused() bool {
	return !p.pausedUntil().IsZero() && p.Domain.Status != tenants.Released
}

func (p DomainPage) pausedWords() string {
	s := "Paused until " + stamp(p.pausedUntil()) + " UTC by " + p.Certificate.PausedBy
	if p.Certificate.PausedWhy != "" {
		s += ": " + p.Certificate.PausedWhy
	}
	return s + "."
}

// mayPause reports whether a pause makes sense and is allowed. The sentences for all other cases stand where it is asked for.
func (p DomainPage) mayPause() bool {
	facts := tenants.Facts{Domain: p.Domain, Certificate: p.Certificate, Current: p.Current, Order: p.Order}
	return p.May(tenants.PauseRenewals) && facts.MayPause(p.Now) == nil
}

func (p DomainPage) pauseWord() string {
	if p.paused() {
		return "Change the pause"
	}
	return "Pause renewals"
}

// pausedStep is the next step of a paused domain in a list; empty when it is not paused.
func pausedStep(now, until time.Time) string {
	if !until.After(now) {
		return ""
	}
	return "Paused until " + dayOrTime(now, until)
}
