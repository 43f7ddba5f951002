package handlers_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"perennial/cmd/devportal/devidp"
	"perennial/tenants"
)

// TestScripts plays every script of testdata against the real stack: the site, a SQLite database and an OpenID
// Provider. A script is a story about one page or one attack. Its lines:
//
//	as admin                  the following requests come from this person's browser, signed in (nobody: a new browser)
//	GET /path                 sends a request; also HEAD, POST and, after a redirect, FOLLOW
//	> name=value              a form field of the request above; the value (11 MB) is that long
//	> Header: value           a header of the request above
//	CHOOSE ops@acme.example   presses a person's button on the provider's page
//	cookie drop prefix        forgets the cookies whose names begin so; "cookie break" gives them other values
//	provider down             the portal cannot reach the provider; "break nonce", "issuer" or "codes" make it fail
//	                          otherwise, "heal" ends all of it
//	wait 11m                  moves the clock
//	prepare shop.acme.example gives tenant acme a domain with one version: $id, $version
//	renew shop.acme.example 3 gives $id, which has that name, so many more versions
//	account                   opens our account at the authority of the settings, as the jobs do
//	refused                   the authority of the settings puts that account off for three days, as the jobs note it
//	profiles                  reads which profiles the authority of the settings offers, as the jobs do
//	push                      marks the certificates of replacements and ends what is over, as the jobs do
//	flood 70                  repeats the request, 70 times at most, until it is refused
//	status 200                checks the answer; also: location REGEXP, header Name REGEXP, has TEXT, lacks TEXT
//	keep name REGEXP          remembers the first group found in the location or the page, for $name
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, newWorld(t), string(text))
		})
	}
}

// player runs one script.
type player struct {
	t       *testing.T
	world   *world
	client  *http.Client
	known   map[string]*http.Client // browsers by person
	vars    map[string]string
	method  string // of the request being put together; empty when there is none
	target  string
	form    url.Values
	headers http.Header
	answer  *http.Response
	body    string
	line    int
}

func play(t *testing.T, w *world, script string) {
	p := &player{t: t, world: w, known: map[string]*http.Client{}, vars: w.vars()}
	p.client = newBrowser(t)
	for i, line := range strings.Split(script, "\n") {
		p.line = i + 1
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p.step(p.expand(line))
	}
	p.send()
}

func (p *player) fatal(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("line %d: %s\nlast answer: %s\n%s", p.line, fmt.Sprintf(format, args...), p.summary(), p.body)
}

func (p *player) summary() string {
	if p.answer == nil {
		return "none"
	}
	return fmt.Sprintf("%s %s: %s, location %q", p.answer.Request.Method, p.answer.Request.URL, p.answer.Status,
		p.answer.Header.Get("Location"))
}

func (p *player) expand(line string) string {
	return regexp.MustCompile(`\$[a-z]+`).ReplaceAllStringFunc(line, func(name string) string {
		if value, ok := p.vars[name[1:]]; ok {
			return value
		}
		return name
	})
}

func (p *player) step(line string) {
	verb, rest, _ := strings.Cut(line, " ")
	if verb == ">" {
		p.add(rest)
		return
	}
	p.send()
	switch verb {
	case "GET", "HEAD", "POST":
		p.begin(verb, rest)
	case "FOLLOW":
		p.begin("GET", p.location())
	case "CHOOSE":
		p.choose(rest)
	case "as":
		p.become(rest)
	case "cookie":
		p.cookies(strings.Fields(rest))
	case "provider":
		p.provider(rest)
	case "prepare":
		id, version := p.world.issued(p.t, p.world.Acme, rest)
		p.vars["id"], p.vars["version"] = string(id), string(version)
	case "wait":
		p.wait(rest)
	case "renew":
		name, times, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(times)
		for range n {
			p.world.renewed(p.t, tenants.DomainID(p.vars["id"]), name, tenants.LastThird)
		}
	case "account":
		p.world.openAccount(p.t)
	case "refused":
		p.world.refused(p.t)
	case "profiles":
		p.world.readProfiles(p.t)
	case "push":
		if err := p.world.DB.System().PushEvents(p.t.Context()); err != nil {
			p.fatal("%v", err)
		}
	case "keep":
		p.keep(rest)
	case "flood":
		p.flood(rest)
	default:
		p.check(verb, rest)
	}
}

// flood repeats the request, that many times in all at most, until it is refused. Whoever goes on after that may be
// let in once more, since a token comes back each second.
func (p *player) flood(times string) {
	n, err := strconv.Atoi(times)
	if err != nil {
		p.fatal("%v", err)
	}
	for again := *p.answer.Request; n > 1 && p.answer.StatusCode != http.StatusTooManyRequests; n-- {
		p.begin(again.Method, again.URL.String())
		p.send()
	}
}

func (p *player) begin(method, target string) {
	p.method, p.target, p.form, p.headers = method, target, url.Values{}, http.Header{}
}

var headerLine = regexp.MustCompile(`^([A-Z][A-Za-z-]+): (.*)$`)

func (p *player) add(what string) {
	if m := headerLine.FindStringSubmatch(what); m != nil {
		p.headers.Add(m[1], m[2])
		return
	}
	name, value, _ := strings.Cut(what, "=")
	if m := regexp.MustCompile(`^\((\d+) MB\)$`).FindStringSubmatch(value); m != nil {
		size, _ := strconv.Atoi(m[1])
		value = strings.Repeat("x", size<<20)
	}
	p.form.Add(name, value)
}

func (p *player) location() string {
	to, err := p.answer.Location()
	if err != nil {
		p.fatal("no redirect to follow: %v", err)
	}
	return to.String()
}

// send sends the request that was put together, if there is one.
func (p *player) send() {
	if p.method == "" {
		return
	}
	target := p.target
	if strings.HasPrefix(target, "/") {
		target = p.world.url + target
	}
	var body io.Reader
	if p.method == "POST" {
		body = strings.NewReader(p.form.Encode())
		p.headers.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req, err := http.NewRequestWithContext(p.t.Context(), p.method, target, body)
	if err != nil {
		p.fatal("%v", err)
	}
	for name, values := range p.headers {
		req.Header[name] = values
	}
	p.method = ""
	p.do(req)
}

func (p *player) do(req *http.Request) {
	resp, err := p.client.Do(req)
	if err != nil {
		p.fatal("%v", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.fatal("%v", err)
	}
	p.answer, p.body = resp, string(text)
}

func (p *player) choose(email string) {
	id := find(p.t, p.body, `name="id" value="([^"]+)"`)
	person := find(p.t, p.body, `id="`+devidp.ButtonID(email)+`" name="person" value="([^"]+)"`)
	p.begin("POST", p.world.idp.Issuer+"/login")
	p.form.Set("id", id)
	p.form.Set("person", person)
	p.send()
	p.begin("GET", p.location())
	p.send() // the provider's own callback
}

// become takes a person's browser, and signs in with it the first time.
func (p *player) become(person string) {
	if person == "nobody" {
		p.client = newBrowser(p.t)
		return
	}
	if p.known[person] == nil {
		p.known[person] = p.world.signIn(p.t, person)
	}
	p.client = p.known[person]
}

func (p *player) cookies(words []string) {
	u, _ := url.Parse(p.world.url)
	for _, c := range p.client.Jar.Cookies(u) {
		if len(words) > 1 && strings.HasPrefix(c.Name, words[1]) {
			c.Path = "/"
			if c.Value += "x"; words[0] == "drop" {
				c.MaxAge = -1
			}
			p.client.Jar.SetCookies(u, []*http.Cookie{c})
		}
	}
}

func (p *player) provider(what string) {
	var f devidp.Faults
	switch what {
	case "down":
		p.world.down.Store(true)
	case "heal":
		p.world.down.Store(false)
	case "break nonce":
		f.Nonce = "another"
	case "break issuer":
		f.Issuer = "https://evil.example"
	case "break codes":
		f.ForgetCodes = true
	default:
		p.fatal("provider cannot %q", what)
	}
	p.world.idp.Break(f)
}

func (p *player) wait(span string) {
	d, err := time.ParseDuration(span)
	if err != nil {
		p.fatal("%v", err)
	}
	p.world.Clock.Advance(d)
}

func (p *player) keep(rest string) {
	name, pattern, _ := strings.Cut(rest, " ")
	m := regexp.MustCompile(pattern).FindStringSubmatch(p.answer.Header.Get("Location") + "\n" + p.body)
	if len(m) < 2 {
		p.fatal("nothing to keep for %s", pattern)
	}
	p.vars[name] = m[1]
}

func (p *player) check(verb, want string) {
	if p.answer == nil {
		p.fatal("%s before any request", verb)
	}
	switch verb {
	case "status":
		if strconv.Itoa(p.answer.StatusCode) != want {
			p.fatal("status is %d, want %s", p.answer.StatusCode, want)
		}
	case "location":
		p.match("location", p.answer.Header.Get("Location"), want)
	case "header":
		name, pattern, _ := strings.Cut(want, " ")
		p.match(name, strings.Join(p.answer.Header.Values(name), "\n"), pattern)
	case "has", "lacks":
		if strings.Contains(p.body, want) != (verb == "has") {
			p.fatal("page: want %s %q", verb, want)
		}
	default:
		p.fatal("unknown line %q", verb)
	}
}

func (p *player) match(what, got, pattern string) {
	if !regexp.MustCompile(pattern).MatchString(got) {
		p.fatal("%s is %q, want %s", what, got, pattern)
	}
}

func find(t *testing.T, page, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no %s in:\n%s", pattern, page)
	}
	return m[1]
}

// newBrowser keeps cookies and follows no redirect by itself.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
