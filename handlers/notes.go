package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"perennial/views"
)

// A note says on the next page what was just done. The cookie carries only a word of this table, and perhaps a number, never text, so
// nobody can put words on our pages.
var notes = map[string]struct {
	text string
	bad  bool
}{
	"added":          {"The names are added. Each waits for its DNS record.", false},
	"checking":       {"We are asking DNS now. The page shows the answer in a moment.", false},
	"renewing":       {"A new version is ordered. The current one stays valid meanwhile.", false},
	"revoke-replace": {"The next version is ordered. The old one is revoked after that.", false},
	"revoke-now":     {"The authority is told now. The next version is ordered meanwhile.", false},
	"revoke-already": {"The next version is ordered. Put it in place as soon as it is here.", false},
	"revoke-inplace": {"The authority is told now.", false},
	"released":       {"The domain is given up. Its record can go from DNS.", false},
	"tenant":         {"The tenant is saved. People get their roles at their next page.", false},
	"tenantadded":    {"The tenant is added. Its people can sign in now.", false},
	"hours":          {"The renewal hours are used now.", false},
	"policy":         {"The policy is used now. Certificates that it no longer allows renew within a week.", false},
	"replacing":      {"The replacement has begun. Stop it at any time.", false},
	"stopped":        {"The replacement is stopped. What was replaced stays replaced.", false},
	"changed":        {"The settings are saved. The next version is ordered with them.", false},
	"paused":         {"The renewals are paused. They go on by themselves when the pause is over.", false},
	"resumed":        {"The renewals go on.", false},
	"issueradded":    {"The authority is added. No certificate comes from it before a policy names it.", false},
	"limits":         {"The limits count now.", false},
	"again":          {"Orders go to the authority again. If it refuses one, we wait as long as it says.", false},
	"notshut":        {"The authority does not put us off there any more, so there is nothing to ask again.", true},
	"accounts":       {"New orders are spread over that many accounts now.", false},
	"order":          {"The authorities stand in the new order.", false},
	"keychange":      {"The new key is on its way to the authority. Until it has agreed, the old one works.", false},
	"retired":        {"The authority is retired. It gets no new orders.", false},
	"rehearsing":     {"The dry run has begun. The page shows how far it is.", false},
	"signedout":      {"", false}, // the sign-in page has its own words
	"expired":        {"You were signed out meanwhile, so nothing was done. Sign in and send it again.", true},
}

const (
	noteCookie  = "perennial_note"
	themeCookie = "perennial_theme"
)

func (s *Site) leaveNote(v *visit, word string) {
	v.SetCookie(s.cookie(noteCookie, word, 60))
}

func (s *Site) takeNote(v *visit) (text string, bad bool) {
	c, err := v.Request().Cookie(noteCookie)
	if err != nil {
		return "", false
	}
	v.SetCookie(s.cookie(noteCookie, "", -1))
	word, moved, counted := strings.Cut(c.Value, ".")
	n := notes[word]
	if counted {
		n.text += movedWords(moved)
	}
	return n.text, n.bad
}

// hoursNote is the word for hours that are used now, with how many renewals they moved.
func hoursNote(moved int) string { return "hours." + strconv.Itoa(moved) }

func movedWords(count string) string {
	switch n, err := strconv.Atoi(count); {
	case err != nil || n < 0:
		return ""
	case n == 0:
		return " No renewal moved."
	case n == 1:
		return " 1 renewal moved."
	default:
		return fmt.Sprintf(" %d renewals moved.", n)
	}
}

// cookie is for what is no secret: a note, a theme.
func (s *Site) cookie(name, value string, seconds int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true,
		Secure: strings.HasPrefix(s.BaseURL, "https:"), SameSite: http.SameSiteLaxMode}
}

func themeOf(r *http.Request) string {
	c, err := r.Cookie(themeCookie)
	if err != nil || c.Value != "light" && c.Value != "dark" {
		return ""
	}
	return c.Value
}

// theme keeps the choice between light and dark for a year, or forgets it.
func (s *Site) theme(v *visit) error {
	life := 365 * 24 * 3600
	choice := v.FormValue("theme")
	if choice != "light" && choice != "dark" {
		choice, life = "", -1
	}
	v.SetCookie(s.cookie(themeCookie, choice, life))
	return v.goTo(localBack(v.FormValue("back")))
}

func localBack(typed string) string {
	if typed == views.SignInPath {
		return typed
	}
	return localPath(typed)
}
