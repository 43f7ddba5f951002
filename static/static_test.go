package static

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func ask(method, url string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestServe(t *testing.T) {
	kinds := map[string]string{"perennial.css": "text/css", "perennial.js": "text/javascript", "favicon.svg": "image/svg+xml", "fonts/inter.woff2": "font/woff2", "fonts/plex-mono.woff2": "font/woff2"}
	for name, kind := range kinds {
		w := ask("GET", URL(name))
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || w.Body.Len() == 0 {
			t.Errorf("%s: status %d, type %q, %d bytes", name, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
		if !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s may not be kept: %q", name, w.Header().Get("Cache-Control"))
		}
		etag := w.Header().Get("ETag")
		if again := ask("GET", URL(name), "If-None-Match", etag); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s asked again: status %d, %d bytes", name, again.Code, again.Body.Len())
		}
		head := ask("HEAD", URL(name))
		if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != w.Header().Get("Content-Length") {
			t.Errorf("HEAD %s: status %d, %d bytes, length %q", name, head.Code, head.Body.Len(), head.Header().Get("Content-Length"))
		}
	}
}

// TestUnhashed: a name without its hash is never served, or a browser would keep it for ever.
func TestUnhashed(t *testing.T) {
	for _, url := range []string{"/static/perennial.css", "/static/fonts/inter.woff2", "/static/", "/static/../static.go", "/static/fonts"} {
		if w := ask("GET", url); w.Code != http.StatusNotFound {
			t.Errorf("GET %s: status %d, want 404", url, w.Code)
		}
	}
	if w := ask("POST", URL("perennial.css")); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d, want 405", w.Code)
	}
}

func TestZipped(t *testing.T) {
	plain, zipped := ask("GET", URL("perennial.css")), ask("GET", URL("perennial.css"), "Accept-Encoding", "gzip, br")
	if zipped.Header().Get("Content-Encoding") != "gzip" || zipped.Header().Get("ETag") == plain.Header().Get("ETag") {
		t.Fatalf("encoding %q, etags %q and %q", zipped.Header().Get("Content-Encoding"), zipped.Header().Get("ETag"), plain.Header().Get("ETag"))
	}
	r, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil || string(body) != plain.Body.String() {
		t.Errorf("unzipped differs from plain (%v)", err)
	}
	if font := ask("GET", URL("fonts/inter.woff2"), "Accept-Encoding", "gzip"); font.Header().Get("Content-Encoding") != "" {
		t.Error("a font was compressed twice")
	}
}

// TestFonts: every address in the style sheet leads to a file, under its hashed name.
func TestFonts(t *testing.T) {
	css := ask("GET", URL("perennial.css")).Body.String()
	found := regexp.MustCompile(`url\((fonts/[^)]+)\)`).FindAllStringSubmatch(css, -1)
	if len(found) != 2 {
		t.Fatalf("%d fonts in the style sheet, want 2", len(found))
	}
	for _, m := range found {
		if w := ask("GET", Prefix+m[1]); w.Code != 200 {
			t.Errorf("%s: status %d", m[1], w.Code)
		}
	}
}

// TestSmall: the script of the first page stays small, and holds no way to turn text into HTML.
func TestSmall(t *testing.T) {
	if n := ask("GET", URL("perennial.js"), "Accept-Encoding", "gzip").Body.Len(); n > 3<<10 {
		t.Errorf("the script has %d bytes compressed, more than 3 kB", n)
	}
	script := ask("GET", URL("perennial.js")).Body.String()
	for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", "createPolicy", "setHTMLUnsafe"} {
		if strings.Contains(script, sink) {
			t.Errorf("the script uses %s", sink)
		}
	}
}
