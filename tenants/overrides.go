package tenants

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What an operator may set a limit to. A token then takes at least a microsecond, which the ledger's instants resolve.
const (
	maxCount  = 1_000_000
	minPeriod = time.Second
	maxPeriod = 5 * 365 * 24 * time.Hour
)

const exampleDirectory = "https://acme-v02.api.letsencrypt.org/directory"

// ParseLimit reads an operator's own value of a limit, such as a granted increase: "orders", "1500", "3h". Periods are
// whole days (7d) or hours, minutes and seconds (3h, 1h30m). Every error is an *Error of kind Invalid with sentences
// for the fields limit, count and per.
func ParseLimit(name, count, per string) (LimitName, Limit, error) {
	name, count, per = strings.TrimSpace(name), strings.TrimSpace(count), strings.TrimSpace(per)
	wrong := map[string]string{"limit": wrongLimit(LimitName(name)), "count": wrongCount(count), "per": wrongPeriod(per)}
	if err := refuse("This limit was not taken.", wrong); err != nil {
		return "", Limit{}, err
	}
	n, _ := strconv.Atoi(count) // wrongCount and wrongPeriod saw them succeed
	d, _ := parsePeriod(per)
	return LimitName(name), Limit{Count: n, Per: d}, nil
}

func wrongLimit(name LimitName) string {
	if slices.Contains(IssuerLimits, name) {
		return ""
	}
	var known []string
	for _, n := range IssuerLimits {
		known = append(known, string(n))
	}
	last := len(known) - 1
	return fmt.Sprintf("%s is not a limit we know. Choose %s or %s.", quoted(string(name)), strings.Join(known[:last], ", "), known[last])
}

func wrongCount(text string) string {
	switch n, err := strconv.Atoi(text); {
	case text == "":
		return "There is no count here. Type how many the authority allows, as in 300."
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return fmt.Sprintf("%s is not a whole number. Type how many the authority allows, as in 300.", quoted(text))
	case n <= 0:
		return "With a limit of none nothing would ever be issued. Type 1 or more, or take the limit away to have none."
	case n > maxCount:
		return "This is more than any authority allows. Type 1000000 or less, or take the limit away to have none."
	}
	return ""
}

func wrongPeriod(text string) string {
	const example = "Type a number and a unit, as in 3h or 7d."
	switch d, err := parsePeriod(text); {
	case text == "":
		return "There is no period here. " + example
	case err != nil:
		return fmt.Sprintf("%s is not a length of time. %s", quoted(text), example)
	case d < minPeriod:
		return "The period is too short. Type 1s or more, as in 3h or 7d."
	case d > maxPeriod:
		return fmt.Sprintf("The period is too long. Type %dd or less, as in 3h or 7d.", maxPeriod/(24*time.Hour))
	}
	return ""
}

// IssuerForm is what an operator types to add an authority.
type IssuerForm struct {
	Directory string // URL, RFC 8555, section 7.1.1
	Name      string // as pages show it; empty for the known name, or the host
	EABKeyID  string // external account binding (RFC 8555, section 7.3.4)
	EABKey    Secret // its HMAC key, base64url text as the authority gives it
}

// ParseIssuer reads an authority with what is known of it filled in. Every error is an *Error of kind Invalid with
// sentences for the fields directory, eab_key_id and eab_key; none of them repeats the key.
func ParseIssuer(f IssuerForm) (Issuer, error) {
	f.Directory, f.EABKeyID = strings.TrimSpace(f.Directory), strings.TrimSpace(f.EABKeyID)
	wrong := map[string]string{"directory": wrongDirectory(f.Directory), "eab_key_id": f.wrongKeyID(), "eab_key": f.wrongKey()}
	if err := refuse("This authority was not added.", wrong); err != nil {
		return Issuer{}, err
	}
	i := NewIssuer(canonical(f.Directory))
	if name := strings.TrimSpace(f.Name); name != "" {
		i.Name = show(name)
	}
	return i, nil
}

// canonical is a directory in the one spelling of its host by which it is known again: two spellings would be two issuers,
// each with the whole budget.
func canonical(directory string) string {
	u, err := url.Parse(directory)
	if err != nil {
		return directory
	}
	u.Host = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(u.Host), ":443"), ".")
	return u.String()
}

// wrongDirectory never repeats a user name or password of the URL.
func wrongDirectory(text string) string {
	const what = "An ACME directory is an https address such as " + exampleDirectory + "."
	switch u, err := url.Parse(text); {
	case text == "":
		return what + " Type the one that the authority publishes."
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return what + " This is no web address. Type the whole of it, with https:// in front."
	case u.Scheme == "http":
		return what + " This one is plain http, so anybody on the way could answer. Type the authority's https address."
	case u.User != nil:
		return what + " This one holds a user name. Leave out what stands before the @."
	case u.Fragment != "":
		return what + " This one has a # in it. Leave that and what follows out."
	}
	return ""
}

func (f IssuerForm) wrongKeyID() string {
	p := ProfileOf(f.Directory)
	switch {
	case f.EABKeyID != "":
		return ""
	case p.EAB.Required:
		return BindingMissing(p.Name)
	case !f.EABKey.Empty():
		return "An HMAC key needs the key id that came with it. Paste both, or neither."
	}
	return ""
}

// BindingMissing is the sentence at the field eab_key_id when an authority wants an external account binding and there is none.
func BindingMissing(issuer string) string {
	return fmt.Sprintf("%s opens accounts only for its customers. Paste the key id of the external account binding that it gave you.", issuer)
}

func (f IssuerForm) wrongKey() string {
	switch {
	case !f.EABKey.Empty():
		return wrongHMAC(strings.TrimSpace(string(f.EABKey.Reveal())))
	case f.EABKeyID != "" || ProfileOf(f.Directory).EAB.Required:
		return "The HMAC key is missing. Paste the one that came with the key id."
	}
	return ""
}

// wrongHMAC looks at a key without ever repeating a part of it. Padding is ignored, as everywhere the key is used.
func wrongHMAC(key string) string {
	const paste = "Paste the HMAC key exactly as the authority shows it: one word of letters, digits, - and _."
	key = strings.TrimRight(key, "=")
	raw, err := base64.RawURLEncoding.DecodeString(key)
	switch {
	case strings.ContainsAny(key, " \t\r\n"):
		return "The key has a space or a line break inside. " + paste
	case strings.ContainsAny(key, "+/"):
		return "The key is base64, with + or / in it, but ACME takes base64url. Write - for each + and _ for each /, or paste the base64url form."
	case strings.Contains(key, "="):
		return "The key has = inside, so more than the key was pasted. " + paste
	case len(key)%4 == 1:
		return "The key has one character too few or too many. " + paste
	case err != nil:
		return "The key is not base64url. " + paste
	case len(raw) < sha256.Size: // RFC 7518, section 3.2
		return fmt.Sprintf("The key is shorter than %d bytes, so a part of it is missing. %s", sha256.Size, paste)
	}
	return ""
}

// refuse is an error with the fields in which something is wrong, nil when there is none.
func refuse(text string, wrong map[string]string) error {
	fields := map[string]string{}
	for field, sentence := range wrong {
		if sentence != "" {
			fields[field] = sentence
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Text: text + " See what is said beside each field.", Fields: fields}
}

// quoted shows what was typed, or that nothing was.
func quoted(typed string) string {
	if typed == "" {
		return "An empty field"
	}
	return "“" + show(typed) + "”"
}
