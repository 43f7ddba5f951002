package views

import "time"

// ghost is one pale row of the first run's picture.
type ghost struct{ name, life, mark string }

var ghosts = []ghost{{"13%", "62%", "42%"}, {"17%", "74%", "51%"}, {"11%", "48%", "33%"}, {"15%", "86%", "60%"}, {"12%", "80%", "55%"}}

func (o Outage) heading() string {
	switch o.What {
	case "provider":
		return "We cannot reach the sign-in at " + o.Name
	case "dns":
		return "We cannot write our zone " + o.Name
	default:
		return "We cannot ask " + o.Name
	}
}

func (o Outage) since(now time.Time) string {
	s := "since " + o.began(now) + ", " + took(now.Sub(o.Since)) + "."
	if o.NextTry.After(now) {
		s += " Next try at " + minute(o.NextTry) + "."
	}
	return s
}

// effect is the second half of the first sentence: does anything expire because of it.
func (o Outage) effect(now time.Time) string {
	switch {
	case o.What == "provider":
		return "Whoever is signed in stays signed in. Nobody new can come in until it answers."
	case o.Needed.After(now):
		return "Nothing expires because of this: the first renewal that needs it has time until " + date(now, o.Needed) + "."
	default:
		return "Certificates that are valid stay valid. We try again by ourselves."
	}
}

func (o Outage) works() string {
	switch o.What {
	case "provider":
		return "All certificates, renewals, DNS checks and this page."
	case "dns":
		return "All certificates, checks of your DNS records, downloads."
	default:
		return "All certificates, DNS checks, downloads."
	}
}

func (o Outage) waits() string {
	switch {
	case o.What == "provider":
		return "New sign-ins."
	case o.Waits == 0:
		return "No renewal waits for it just now."
	case o.Waits == 1:
		return "1 domain. It starts by itself."
	default:
		return number(o.Waits) + " domains. They start by themselves, soonest expiry first."
	}
}

func (o Outage) unknown() string {
	switch o.What {
	case "provider":
		return "Whether a group was taken away from somebody since."
	case "dns":
		return "Whether the last challenge record is written."
	default:
		return "When it wants the next renewals. We keep its last answer."
	}
}

// provider is the outage of the sign-in, if there is one.
func provider(list []Outage) Outage {
	for _, o := range list {
		if o.What == "provider" {
			return o
		}
	}
	return Outage{}
}

func (o Outage) began(now time.Time) string {
	if sameDay(now, o.Since) {
		return minute(o.Since) + " UTC"
	}
	return shortDay(o.Since) + ", " + minute(o.Since) + " UTC"
}

// either is the sign-in's outage in one line below another.
func (o Outage) either(now time.Time) string {
	return "The sign-in cannot be reached either: " + o.Name + " is silent since " + o.began(now) + ". You stay signed in, nobody new can come in."
}
