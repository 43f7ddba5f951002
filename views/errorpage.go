package views

import (
	"net/http"

	"perennial/tenants"
)

// fault is what an error page says when nobody said it better.
type fault struct{ Title, Text, Action string }

var faults = map[int]fault{
	http.StatusBadRequest:            {"We cannot read that", "The request was not complete. Go back and try it again.", "Back to the beginning"},
	http.StatusUnauthorized:          {"Sign in first", "Your session has ended. Sign in, and you come back to this page.", "Sign in"},
	http.StatusForbidden:             {"Your role does not allow that", "Ask an admin of your tenant, or whoever runs this portal, for another role. This try is in the audit log.", "Back to the beginning"},
	http.StatusNotFound:              {"Nothing here", "There is no such page, or it is not yours. Check the address, or begin with the list.", "Back to the beginning"},
	http.StatusMethodNotAllowed:      {"That does not work here", "This address takes no such request. Begin with the list.", "Back to the beginning"},
	http.StatusConflict:              {"Somebody was faster", "What you saw has changed meanwhile. Look at the page again and then decide.", "Look again"},
	http.StatusRequestEntityTooLarge: {"Too large", "That is more than this page takes. Send less at once.", "Back to the beginning"},
	http.StatusUnprocessableEntity:   {"Something needs a change", "Go back and change what was typed.", "Back to the beginning"},
	http.StatusTooManyRequests:       {"Too much at once", "Wait a minute, then try again.", "Try again"},
	http.StatusServiceUnavailable:    {"Not available just now", "Something we depend on does not answer. Certificates renew all the same; try again in a minute.", "Try again"},
	http.StatusInternalServerError:   {"That was our fault", "Nothing was changed. Try again, and tell whoever runs this portal the request below if it stays so.", "Back to the beginning"},
}

func (p ErrorPage) fault() fault {
	f, ok := faults[p.Status]
	if !ok {
		f = faults[http.StatusInternalServerError]
		if p.Status < http.StatusInternalServerError {
			f = faults[http.StatusBadRequest]
		}
	}
	f.Text = orElse(p.Text, f.Text)
	f.Action = orElse(p.Action, f.Action)
	return f
}

// next is where the one button leads.
func (p ErrorPage) next() string {
	switch {
	case p.URL != "":
		return p.URL
	case p.Retry && p.Path != "":
		return p.Path
	case p.Status == http.StatusUnauthorized:
		return SignInPath
	default:
		return p.Page.home()
	}
}

// look is grey where we could not ask, amber where the role forbids, red where it is ours.
func (p ErrorPage) look() mood {
	switch {
	case p.Status == http.StatusServiceUnavailable:
		return mood{"s-unknown", "unknown", ""}
	case p.Status == http.StatusForbidden || p.Status == http.StatusUnauthorized:
		return mood{"s-waiting", "ban", ""}
	case p.Status >= http.StatusInternalServerError:
		return mood{"s-failing", "warn", ""}
	default:
		return mood{"s-quiet", "find", ""}
	}
}

// signedIn reports whether the frame with navigation can be drawn.
func (p ErrorPage) signedIn() bool {
	return p.Actor.Name != "" && (p.Tenant.Slug != "" || p.May(tenants.ReadTenants) || len(p.Tenants) > 0)
}
