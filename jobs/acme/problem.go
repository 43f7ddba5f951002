package acme

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-acme/lego/v4/acme"

	"perennial/tenants"
)

// Problem is the authority's refusal (RFC 7807, RFC 8555 section 6.7), its silence, or an answer of its that we
// refuse.
type Problem struct {
	Code        tenants.Code
	Type        string        // "urn:ietf:params:acme:error:rateLimited"; empty without a problem document
	Detail      string        // the authority's or our own words; at most 1,000 printable characters
	Status      int           // HTTP status; zero when there was no answer, or the problem came inside an object
	RetryAfter  time.Duration // zero: the authority named no time; at most 7 days
	Reached     bool          // the authority may have got the request; false: nothing happened there
	Unreplaced  bool          // of NewOrder: the order named nothing any more that it replaces, which was refused before
	Subproblems []Subproblem  // which names, and why (RFC 8555, section 6.7.1)
}

// Subproblem is the part of a Problem that concerns one name.
type Subproblem struct{ Name, Type, Detail string }

const errorNamespace = "urn:ietf:params:acme:error:"

// Kind is Type without the ACME namespace: "orderNotReady", "accountDoesNotExist" …
func (p *Problem) Kind() string { return strings.TrimPrefix(p.Type, errorNamespace) }

func (p *Problem) Error() string {
	text := string(p.Code) + ":"
	if p.Status != 0 {
		text += " " + strconv.Itoa(p.Status)
	}
	if p.Type != "" {
		text += " " + p.Kind()
	}
	text = strings.TrimSuffix(text, ":") + ": " + p.Detail
	for _, s := range p.Subproblems {
		text += fmt.Sprintf("; %s: %s", s.Name, s.Detail)
	}
	if p.RetryAfter > 0 {
		text += fmt.Sprintf(" (retry after %s)", p.RetryAfter)
	}
	return text
}

func (p *Problem) reached(reached bool) *Problem {
	p.Reached = reached
	return p
}

// brokenf is an answer that breaks the protocol or our bounds.
func brokenf(format string, args ...any) *Problem {
	return &Problem{Code: tenants.CABroken, Detail: clean(fmt.Sprintf(format, args...), 300)}
}

// codes sorts the error types of RFC 8555, section 6.7 and its successors. What is absent breaks the protocol,
// except by its status; see codeOf.
var codes = map[string]tenants.Code{
	"rateLimited":             tenants.CARateLimited,
	"serverInternal":          tenants.CASilent,
	"rejectedIdentifier":      tenants.CARefuses,
	"unsupportedIdentifier":   tenants.CARefuses,
	"caa":                     tenants.CAAForbids,
	"dns":                     tenants.ChallengeInvalid,
	"incorrectResponse":       tenants.ChallengeInvalid,
	"connection":              tenants.ChallengeInvalid,
	"tls":                     tenants.ChallengeInvalid,
	"unauthorized":            tenants.ChallengeInvalid,
	"accountDoesNotExist":     tenants.CAAccount,
	"externalAccountRequired": tenants.CAAccount,
	"userActionRequired":      tenants.CAAccount,
	"invalidContact":          tenants.CAAccount,
	"unsupportedContact":      tenants.CAAccount,
	"invalidProfile":          tenants.CAProfile,
}

func codeOf(p *Problem) tenants.Code {
	if p.Status == http.StatusTooManyRequests {
		return tenants.CARateLimited
	}
	if code, ok := codes[p.Kind()]; ok {
		return code
	}
	for _, s := range p.Subproblems { // the type of the whole is then "compound" or "malformed"
		if code, ok := codes[strings.TrimPrefix(s.Type, errorNamespace)]; ok {
			return code
		}
	}
	if p.Status >= 500 || p.Status == http.StatusRequestTimeout {
		return tenants.CASilent
	}
	return tenants.CABroken
}

// problemOf is a problem inside an order or a challenge; nil when there is none.
func problemOf(d *acme.ProblemDetails) *Problem {
	if d == nil {
		return nil
	}
	p := &Problem{Type: clean(d.Type, 200), Detail: clean(d.Detail, 1000), Reached: true}
	for _, s := range d.SubProblems[:min(len(d.SubProblems), maxNames)] {
		p.Subproblems = append(p.Subproblems, Subproblem{
			Name: clean(s.Identifier.Value, 255), Type: clean(s.Type, 200), Detail: clean(s.Detail, 500)})
	}
	p.Code = codeOf(p)
	return p
}

// problemOfAnswer is an answer with an error status, with or without a problem document.
func problemOfAnswer(answer *http.Response, body []byte, now time.Time) *Problem {
	var d acme.ProblemDetails
	if err := json.Unmarshal(body, &d); err != nil || d.Type+d.Detail == "" {
		d = acme.ProblemDetails{Detail: http.StatusText(answer.StatusCode) + " " + clean(string(body), 200)}
	}
	p := problemOf(&d)
	p.Status = answer.StatusCode
	p.RetryAfter = retryAfter(answer.Header, now)
	p.Code = codeOf(p)
	// In a challenge "unauthorized" means that the record was not the right one. As the answer to a request it
	// speaks of the account: deactivated, or not the owner. Finalize says it of the names; see [Client.Finalize].
	if p.Kind() == "unauthorized" {
		p.Code = tenants.CAAccount
	}
	return p
}

// MaxRetryAfter is how long an authority can put us off at most, whatever it says.
const MaxRetryAfter = 7 * 24 * time.Hour

// retryAfter reads Retry-After (RFC 9110, section 10.2.3), given in seconds or as a date; zero when it is
// absent, past or nonsense. Dates are measured against the authority's own clock when it tells its time.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(MaxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(0, at.Sub(now)), MaxRetryAfter)
}

// clean makes foreign text fit to be stored and shown: valid, printable, on one line, at most limit characters.
func clean(s string, limit int) string {
	s = s[:min(len(s), 4*limit)]
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return s
}
