package tenants

import (
	"fmt"
	"time"
)

// Subject names the event in a heading and in the audit log, after its authority when it has one: "One key", "Let’s
// Encrypt, profile classic", "200 serial numbers".
func (e MassEvent) Subject(issuer string) string {
	what := some(len(e.SPKI), "key")
	if n := len(e.Serials); n > 0 {
		what = phrase(what, " and ", some(n, "serial number"))
	}
	where := issuer
	if e.Profile != "" {
		where = phrase(where, ", ", "profile "+e.Profile)
	}
	if what = phrase(what, " of ", where); e.Issuer == "" && len(e.SPKI)+len(e.Serials) == 0 {
		return "P" + what[1:]
	}
	return what
}

func some(n int, noun string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "One " + noun
	}
	return counted(n, noun)
}

func phrase(a, between, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + between + b
}

// Started is what the operator did, for the platform's audit log.
func (e MassEvent) Started(c EventCounts) string {
	return fmt.Sprintf("started to replace %s of %s by %s%s.", counted(c.Certificates, "certificate"), counted(c.Tenants, "tenant"),
		minute(e.Deadline), because(e.Why))
}

// Affected is what it means to one tenant that has n of the certificates, for its audit log.
func (e MassEvent) Affected(n int) string {
	return fmt.Sprintf("began to replace %s by %s, as the operator asked%s.", counted(n, "certificate"), minute(e.Deadline), because(e.Why))
}

// Ended is what became of an event of which nothing is left to do: all were replaced, or some left it.
func (e MassEvent) Ended(all, replaced int, at time.Time) string {
	text := fmt.Sprintf("replaced %s of %s", grouped(replaced), counted(all, "certificate"))
	if replaced > 0 {
		text += ", the last on " + minute(at) + ", " + e.margin(at)
	}
	return text + "."
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
