package tenants

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// issuersJSON holds every dated fact about authorities and DNS providers. A fact that changes is changed there, with
// the day on which it was read again; where a source gives no number there is none, only a note.
//
//go:embed issuers.json
var issuersJSON []byte

// published is the content of issuers.json. A file that breaks a rule of readPublished cannot be started with.
var published = func() catalogue {
	c, err := readPublished(issuersJSON)
	if err != nil {
		panic(err)
	}
	return c
}()

// catalogue is a file of profiles.
type catalogue struct {
	Issuers []Profile
	DNS     []DNSProfile
}

// The file as it is written: a period is "3h" or "7d" there.
type (
	issuersFile struct {
		Issuers []profileText `json:"issuers"`
		DNS     []dnsText     `json:"dns"`
	}
	profileText struct {
		Name        string     `json:"name"`
		Directories []string   `json:"directories"`
		Staging     string     `json:"staging"`
		About       Fact       `json:"about"`
		EAB         Binding    `json:"eab"`
		Replacing   Exemption  `json:"replacing"`
		SameSet     Exemption  `json:"same_set"`
		Limits      []ruleText `json:"limits"`
		Notes       []Fact     `json:"notes"`
	}
	dnsText struct {
		Provider string     `json:"provider"`
		Limits   []ruleText `json:"limits"`
		Notes    []Fact     `json:"notes"`
	}
	ruleText struct {
		Limit LimitName `json:"limit"`
		Count int       `json:"count"`
		Per   string    `json:"per"`
		Key   KeyKind   `json:"key"`
		Fact
	}
)

// UnmarshalJSON reads a day as in "2026-11-22".
func (d *Day) UnmarshalJSON(text []byte) (err error) {
	d.Time, err = time.Parse(`"`+time.DateOnly+`"`, string(text))
	return err
}

// readPublished reads a file of profiles. It refuses unknown fields, facts without source or day, limits without count
// or period, and names and hosts that stand twice.
func readPublished(text []byte) (c catalogue, err error) {
	var file issuersFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return c, fmt.Errorf("read issuers: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return c, fmt.Errorf("read issuers: something follows the end")
	}
	seen := map[string]bool{}
	for _, t := range file.Issuers {
		p, err := t.profile(seen)
		if err != nil {
			return c, fmt.Errorf("read issuer %q: %w", t.Name, err)
		}
		c.Issuers = append(c.Issuers, p)
	}
	for _, t := range file.DNS {
		p, err := t.profile(seen)
		if err != nil {
			return c, fmt.Errorf("read DNS provider %q: %w", t.Provider, err)
		}
		c.DNS = append(c.DNS, p)
	}
	return c, nil
}

func (t profileText) profile(seen map[string]bool) (p Profile, err error) {
	if err = t.check(seen); err != nil {
		return p, err
	}
	p = Profile{Name: t.Name, Directories: t.Directories, Staging: t.Staging, About: t.About, EAB: t.EAB,
		Replacing: t.Replacing, SameSet: t.SameSet, Notes: t.Notes}
	p.Rules, err = rules(t.Limits, IssuerLimits)
	return p, err
}

// check marks the name and the host as seen.
func (t profileText) check(seen map[string]bool) error {
	if t.Name == "" || len(t.Directories) == 0 {
		return fmt.Errorf("a name or a directory is missing")
	}
	host := hostname(t.Directories[0])
	if seen[t.Name] || seen[host] {
		return fmt.Errorf("the name or its host stands twice")
	}
	seen[t.Name], seen[host] = true, true
	for _, directory := range append(slices.Clone(t.Directories), t.Staging) {
		if directory != "" && !isSecure(directory) {
			return fmt.Errorf("directory %q is not an https URL", directory)
		}
	}
	for _, directory := range t.Directories {
		if hostname(directory) != host {
			return fmt.Errorf("directory %q is on another host", directory)
		}
	}
	for _, name := range slices.Concat(t.Replacing.From, t.SameSet.From) {
		if !slices.Contains(IssuerLimits, name) {
			return fmt.Errorf("exemption from the unknown limit %q", name)
		}
	}
	return checkFacts(append(slices.Clone(t.Notes), t.About, t.EAB.Fact, t.Replacing.Fact, t.SameSet.Fact)...)
}

func (t dnsText) profile(seen map[string]bool) (p DNSProfile, err error) {
	if t.Provider == "" || seen["dns "+t.Provider] {
		return p, fmt.Errorf("the name is missing or stands twice")
	}
	seen["dns "+t.Provider] = true
	p = DNSProfile{Provider: t.Provider, Notes: t.Notes}
	if err = checkFacts(t.Notes...); err != nil {
		return p, err
	}
	p.Rules, err = rules(t.Limits, []LimitName{DNSRequests})
	return p, err
}

// rules reads limits, of which each of the known ones may stand once.
func rules(texts []ruleText, known []LimitName) (all []Rule, err error) {
	seen := map[LimitName]bool{}
	for _, t := range texts {
		per, err := parsePeriod(t.Per)
		switch {
		case err != nil:
			return nil, fmt.Errorf("limit %q: %w", t.Limit, err)
		case !slices.Contains(known, t.Limit) || seen[t.Limit]:
			return nil, fmt.Errorf("limit %q is unknown or stands twice", t.Limit)
		case t.Count <= 0 || per <= 0:
			return nil, fmt.Errorf("limit %q has no count or no period", t.Limit)
		case !slices.Contains(keyKinds, t.Key):
			return nil, fmt.Errorf("limit %q counts by %q, which is no kind of key", t.Limit, t.Key)
		}
		if err := checkFacts(t.Fact); err != nil {
			return nil, fmt.Errorf("limit %q: %w", t.Limit, err)
		}
		seen[t.Limit] = true
		all = append(all, Rule{Name: t.Limit, Allows: Limit{t.Count, per}, Key: t.Key, Fact: t.Fact})
	}
	return all, nil
}

func checkFacts(facts ...Fact) error {
	for _, f := range facts {
		if !isSecure(f.Source) || f.Read.IsZero() || f.Says == "" {
			return fmt.Errorf("a fact needs a source, the day it was read and what it says: %+v", f)
		}
		if f.Edition.After(f.Read.Time) {
			return fmt.Errorf("read before its edition: %+v", f)
		}
	}
	return nil
}

// isSecure reports whether text is an https URL with a host.
func isSecure(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Hostname() != ""
}

// parsePeriod reads a period: whole days as in "7d", or what time.ParseDuration takes, as in "3h".
func parsePeriod(text string) (time.Duration, error) {
	days, whole := strings.CutSuffix(text, "d")
	if !whole {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16) // 179 years, which a Duration holds
	return time.Duration(n) * 24 * time.Hour, err
}
