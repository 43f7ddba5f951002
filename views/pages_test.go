package views

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"perennial/static"
)

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatalf("render: %v", err)
	}
	return b.String()
}

// TestPages holds every page in every state against the rules of the house. With PERENNIAL_GALLERY=dir the pages
// are also written there, beside the static files, to be looked at.
func TestPages(t *testing.T) {
	dir := os.Getenv("PERENNIAL_GALLERY")
	for name, c := range gallery() {
		t.Run(name, func(t *testing.T) {
			page := render(t, c)
			root, err := html.Parse(strings.NewReader(page))
			if err != nil {
				t.Fatalf("parse: %v", err)
			}
			checkPage(t, root)
			if dir != "" {
				keep(t, dir, name+".html", page)
			}
		})
	}
	if dir != "" {
		keepStatic(t, dir)
	}
}

func keep(t *testing.T, dir, name, page string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// keepStatic asks the handler for what the pages and the style sheet name.
func keepStatic(t *testing.T, dir string) {
	t.Helper()
	css := ask(t, static.URL("perennial.css"))
	fonts := regexp.MustCompile(`url\((fonts/[^)]+)\)`).FindAllStringSubmatch(css, -1)
	for _, name := range []string{"perennial.css", "perennial.js", "favicon.svg"} {
		keep(t, dir, static.URL(name), ask(t, static.URL(name)))
	}
	for _, m := range fonts {
		keep(t, dir, static.Prefix+m[1], ask(t, static.Prefix+m[1]))
	}
}

func ask(t *testing.T, url string) string {
	t.Helper()
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, httptest.NewRequest("GET", url, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: status %d", url, w.Code)
	}
	return w.Body.String()
}

// seenOn is what checkPage gathers while it walks.
type seenOn struct {
	h1, main int
	ids      map[string]int
	labels   map[string]bool
	fields   []*html.Node
	refs     map[string]string // id → who refers to it
}

func checkPage(t *testing.T, root *html.Node) {
	t.Helper()
	s := seenOn{ids: map[string]int{}, labels: map[string]bool{}, refs: map[string]string{}}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			s.element(t, n)
		}
		if n.Type == html.TextNode && n.Parent.Data != "pre" && n.Parent.Data != "code" {
			checkWords(t, n.Data)
		}
	}
	if s.h1 != 1 || s.main != 1 {
		t.Errorf("%d h1 and %d main, want one of each", s.h1, s.main)
	}
	for id, n := range s.ids {
		if n > 1 {
			t.Errorf("id %q stands %d times", id, n)
		}
	}
	for id, who := range s.refs {
		if s.ids[id] == 0 {
			t.Errorf("%s refers to %q, which is not on the page", who, id)
		}
	}
	for _, f := range s.fields {
		if !s.labels[attr(f, "id")] && attr(f, "aria-label") == "" {
			t.Errorf("field %q has no label", attr(f, "name"))
		}
	}
}

func (s *seenOn) element(t *testing.T, n *html.Node) {
	t.Helper()
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			t.Errorf("<%s> has the inline attribute %s", n.Data, a.Key)
		}
		switch a.Key {
		case "id":
			s.ids[a.Val]++
		case "aria-labelledby", "aria-describedby":
			s.refs[a.Val] = "<" + n.Data + ">"
		case "data-copy":
			s.refs[strings.TrimPrefix(a.Val, "#")] = "a copy button"
		case "data-dialog":
			s.refs[a.Val] = "a dialog link"
		}
	}
	switch n.Data {
	case "h1":
		s.h1++
	case "main":
		s.main++
	case "style":
		t.Error("there is a <style> element")
	case "script":
		if attr(n, "src") == "" {
			t.Error("there is an inline script")
		}
	case "label":
		s.labels[attr(n, "for")] = true
	case "input", "select", "textarea":
		if attr(n, "type") != "hidden" {
			s.fields = append(s.fields, n)
		}
	}
	s.interactive(t, n)
}

// interactive: a test or a script finds everything that can be clicked by its id.
func (s *seenOn) interactive(t *testing.T, n *html.Node) {
	t.Helper()
	switch n.Data {
	case "a", "button", "input", "select", "dialog":
		if attr(n, "id") == "" && attr(n, "type") != "hidden" && !has(n, "hidden") {
			t.Errorf("<%s> %q has no id", n.Data, attr(n, "href")+attr(n, "name"))
		}
	case "summary":
		if attr(n, "id") == "" && attr(n.Parent, "id") == "" {
			t.Error("<summary> and its details have no id")
		}
	}
	if n.Data == "a" && (attr(n, "href") == "" || attr(n, "href") == "#") {
		t.Errorf("link %q leads nowhere", attr(n, "id"))
	}
}

var never = regexp.MustCompile(`(?i)\b(pending|oops|successfully|please|provision|artefact|invalid)\b|!`)

func checkWords(t *testing.T, text string) {
	t.Helper()
	if word := never.FindString(text); word != "" && !strings.Contains(text, "<!") {
		t.Errorf("%q contains %q, which pages never say", strings.TrimSpace(text), word)
	}
	for _, broken := range []string{"%!", "NaN", "0001", "<nil>", "  , ", " ."} {
		if strings.Contains(text, broken) {
			t.Errorf("%q contains %q", strings.TrimSpace(text), broken)
		}
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// TestUneasySpread: hours that not every renewal fits into are shown in amber, others in green.
func TestUneasySpread(t *testing.T) {
	for name, want := range map[string]string{"renewals-effect": `class="note s-active" id="effect"`, "renewals-uneasy": `class="note s-waiting" id="effect"`} {
		if html := render(t, gallery()[name]); !strings.Contains(html, want) {
			t.Errorf("%s does not hold %s", name, want)
		}
	}
}
