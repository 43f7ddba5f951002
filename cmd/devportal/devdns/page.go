package devdns

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/miekg/dns"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS []byte

const (
	maxForm  = 64 << 10
	maxShown = 500 // rows of one page; a filter finds the rest
	pageCSP  = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

type page struct {
	server *Server
	html   *template.Template
}

// Page is the web page on which a visitor plays the customer's DNS administrator: the zones, the records of one, a
// form to add and a button to delete. The operator's delegation zone is shown but not changed. Scripts may post zone,
// type, name and value to /add and /delete.
func Page(s *Server) http.Handler {
	p := &page{server: s, html: template.Must(template.New("page").Funcs(template.FuncMap{"lower": strings.ToLower}).Parse(pageHTML))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show)
	mux.HandleFunc("GET /page.css", p.css)
	mux.HandleFunc("POST /add", p.add)
	mux.HandleFunc("POST /delete", p.remove)
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pageCSP)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		guarded.ServeHTTP(w, r)
	})
}

// view is everything the template shows.
type view struct {
	Zones   []zoneLink
	Zone    string
	Fixed   bool // the zone is not the customer's
	Filter  string
	Rows    []row
	Total   int
	Form    form
	Targets []string // zones a record may be added to
	Types   []string
	Notice  string
	Server  string
}

type zoneLink struct {
	Apex    string
	Fixed   bool
	Current bool
	Records int
}

type row struct {
	Record
	ID    string
	Fixed bool // kept by the server: the zone's own name servers
}

// form is what was typed, and what is wrong with it, per field.
type form struct {
	Zone, Type, Name, Value string
	Errors                  map[string]string
}

// Wrong lists the labels of the fields with an error, in the order in which they stand.
func (f form) Wrong() []string {
	return slices.DeleteFunc([]string{"Zone", "Type", "Name", "Value"}, func(label string) bool { return f.Errors[strings.ToLower(label)] == "" })
}

func (p *page) css(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(pageCSS)
}

func (p *page) show(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	zones := p.server.Zones()
	apex := q.Get("zone")
	if apex == "" && len(zones) > 0 {
		apex = zones[0].Apex
	}
	if p.zone(apex) == nil {
		http.Error(w, "This server does not host that zone. Go back to the first page.", http.StatusNotFound)
		return
	}
	v := p.view(apex, q.Get("q"), form{Zone: apex, Type: "CNAME"})
	switch q.Get("done") {
	case "add":
		v.Notice = "Record added. Every question gets it from now on."
	case "delete":
		v.Notice = "Record deleted. No answer holds it from now on."
	}
	p.render(w, http.StatusOK, v)
}

func (p *page) view(apex, filter string, f form) view {
	v := view{Zone: apex, Filter: filter, Form: f, Types: types[:len(types)-1], Server: p.server.Addr}
	for _, z := range p.server.Zones() {
		current := z.Apex == apex
		v.Zones = append(v.Zones, zoneLink{z.Apex, z.Delegation, current, len(p.server.List(z.Apex))})
		v.Fixed = v.Fixed || current && z.Delegation
		if !z.Delegation {
			v.Targets = append(v.Targets, z.Apex)
		}
	}
	for _, rec := range p.server.List(apex) {
		if !strings.Contains(strings.ToLower(rec.Name+" "+rec.Type+" "+rec.Value), strings.ToLower(strings.TrimSpace(filter))) {
			continue
		}
		if v.Total++; v.Total <= maxShown {
			v.Rows = append(v.Rows, row{rec, rec.id(), v.Fixed || p.kept(apex, rec)})
		}
	}
	return v
}

// kept reports whether a record belongs to the zone's own name servers, without which nothing answers.
func (p *page) kept(apex string, rec Record) bool {
	z := p.zone(apex)
	if rec.Type == "NS" {
		return rec.Name == apex
	}
	return (rec.Type == "A" || rec.Type == "AAAA") && slices.Contains(z.NS, rec.Name)
}

func (p *page) zone(apex string) *Zone {
	zones := p.server.Zones()
	if i := slices.IndexFunc(zones, func(z Zone) bool { return z.Apex == apex }); i >= 0 {
		return &zones[i]
	}
	return nil
}

// id names a record for links and buttons; it stays the same as long as the record does.
func (r Record) id() string {
	sum := sha256.Sum256([]byte(r.Name + " " + r.Type + " " + r.Value))
	return "r" + hex.EncodeToString(sum[:6])
}

func (p *page) add(w http.ResponseWriter, r *http.Request) {
	f, ok := readForm(w, r)
	if !ok {
		return
	}
	rec := p.check(&f)
	if len(f.Errors) == 0 {
		if err := p.server.Add(rec.Name, rec.Type, f.Value); err != nil {
			f.Errors["name"] = sentence(err)
		}
	}
	if len(f.Errors) > 0 {
		v := p.view(f.Zone, "", f)
		p.render(w, http.StatusUnprocessableEntity, v)
		return
	}
	p.back(w, r, p.home(rec.Name), "add", rec.id())
}

func (p *page) remove(w http.ResponseWriter, r *http.Request) {
	f, ok := readForm(w, r)
	if !ok {
		return
	}
	rec := p.check(&f)
	if len(f.Errors) == 0 && p.kept(p.home(rec.Name), rec) {
		f.Errors["name"] = "The zone's own name servers stay. Delete another record."
	}
	if len(f.Errors) == 0 {
		if err := p.server.Delete(rec.Name, rec.Type, f.Value); err != nil {
			f.Errors["name"] = sentence(err)
		}
	}
	if len(f.Errors) > 0 {
		p.render(w, http.StatusUnprocessableEntity, p.view(f.Zone, "", f))
		return
	}
	p.back(w, r, p.home(rec.Name), "delete", "")
}

func readForm(w http.ResponseWriter, r *http.Request) (form, bool) {
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "The form could not be read. Go back and send less text.", status)
		return form{}, false
	}
	get := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	return form{get("zone"), cmp.Or(strings.ToUpper(get("type")), "CNAME"), get("name"), get("value"), map[string]string{}}, true
}

// check turns what was typed into a record, or says at each field what is wrong. A zone that is not the customer's
// is replaced by one that is, so that the form can be shown again.
func (p *page) check(f *form) Record {
	z := p.zone(f.Zone)
	if z == nil || z.Delegation {
		f.Errors["zone"] = "This zone is not one of yours. Choose a zone from the list."
		f.Zone = p.first()
	}
	if !slices.Contains(types[:len(types)-1], f.Type) {
		f.Errors["type"] = fmt.Sprintf("%s records cannot be edited here. Choose a type from the list.", f.Type)
	}
	owner, err := p.owner(f.Zone, f.Name)
	if err != nil {
		f.Errors["name"] = sentence(err)
	}
	if f.Errors["type"] != "" {
		return Record{}
	}
	rr, err := parseRR(owner, f.Type, f.Value, dns.CanonicalName(f.Zone))
	if err != nil {
		f.Errors["value"] = sentence(err)
		return Record{}
	}
	return Record{trim(owner), f.Type, value(rr), recordTTL}
}

// owner reads a name as people write it: nothing or @ is the top of the zone, a name that ends in one of the zones
// is whole, whichever zone was chosen, and anything else lies in the chosen zone.
func (p *page) owner(apex, typed string) (string, error) {
	if typed == "" || typed == "@" {
		return dns.CanonicalName(apex), nil
	}
	name := dns.CanonicalName(typed)
	whole := p.zone(p.home(name))
	switch {
	case whole != nil && whole.Delegation:
		return "", fmt.Errorf("%s lies in the portal's own zone, which only the portal writes. Use a name in one of your zones", trim(name))
	case whole != nil:
		return name, checkName(name)
	case strings.HasSuffix(typed, "."):
		return "", fmt.Errorf("%s lies in none of your zones. Leave out the dot at the end to add it below %s", trim(name), apex)
	}
	name = dns.CanonicalName(typed + "." + apex)
	return name, checkName(name)
}

// home is the zone that holds a name, empty if none does.
func (p *page) home(name string) string {
	p.server.mu.RLock()
	defer p.server.mu.RUnlock()
	if z := p.server.find(dns.CanonicalName(name)); z != nil {
		return z.Apex
	}
	return ""
}

func (p *page) first() string {
	for _, z := range p.server.Zones() {
		if !z.Delegation {
			return z.Apex
		}
	}
	return ""
}

func (p *page) back(w http.ResponseWriter, r *http.Request, apex, done, anchor string) {
	target := url.URL{Path: "/", RawQuery: url.Values{"zone": {apex}, "done": {done}}.Encode(), Fragment: anchor}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

func (p *page) render(w http.ResponseWriter, status int, v view) {
	var out strings.Builder
	if err := p.html.Execute(&out, v); err != nil {
		p.server.log.Error("dns page not drawn", "err", err)
		http.Error(w, "The page could not be drawn. Load it again.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, out.String())
}

// sentence writes an error the way a page speaks.
func sentence(err error) string {
	text := err.Error()
	first, size := utf8.DecodeRuneInString(text)
	if word, _, _ := strings.Cut(text, " "); !strings.ContainsAny(word, "._") {
		text = string(unicode.ToUpper(first)) + text[size:]
	}
	return strings.TrimSuffix(text, ".") + "."
}
