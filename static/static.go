// Package static holds the style sheet, the script and the fonts, embedded in the binary.
//
// Every file is served under a name that contains the hash of its bytes, so a browser may keep it for ever and a
// new release is a new name.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed perennial.css perennial.js favicon.svg fonts
var files embed.FS

// Prefix is where the handler lives.
const Prefix = "/static/"

// asset is one file, ready to be sent.
type asset struct {
	name   string // as in the repository: "fonts/inter.woff2"
	hashed string // as in pages: "fonts/inter.1f0c….woff2"
	kind   string // content type
	body   []byte
	zipped []byte // nil when gzip does not pay
	etag   string
}

// catalogue is built once and never changed.
var catalogue = sync.OnceValue(load)

type byName struct {
	names  map[string]*asset // by repository name
	hashed map[string]*asset // by hashed name
}

// URL is the address of a file, with the hash of its content in the name. It panics for a file that does not
// exist: names are constants, and every page is rendered by a test.
func URL(name string) string {
	a, ok := catalogue().names[name]
	if !ok {
		panic("static: no file " + name)
	}
	return Prefix + a.hashed
}

// Handler answers GET and HEAD under Prefix. Hashed names may be kept for ever; anything else is not found, so
// that nothing is ever cached under a name whose content can change.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := catalogue().hashed[strings.TrimPrefix(r.URL.Path, Prefix)]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Only GET and HEAD work here.", http.StatusMethodNotAllowed)
		default:
			a.serve(w, r)
		}
	})
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	body, etag := a.body, a.etag
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body, etag = a.zipped, strings.TrimSuffix(a.etag, `"`)+`-gzip"`
		}
	}
	h.Set("ETag", etag)
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		w.Write(body)
	}
}

// load reads the embedded files. Fonts come first: the style sheet names them, so its own bytes, and therefore
// its hash, depend on theirs.
func load() byName {
	c := byName{names: map[string]*asset{}, hashed: map[string]*asset{}}
	for _, name := range list("fonts") {
		c.add(name, read(name))
	}
	for _, name := range []string{"favicon.svg", "perennial.js"} {
		c.add(name, read(name))
	}
	c.add("perennial.css", c.link(read("perennial.css")))
	return c
}

// link puts the hashed font names into the style sheet.
func (c byName) link(css []byte) []byte {
	for name, a := range c.names {
		css = bytes.ReplaceAll(css, []byte("url("+name+")"), []byte("url("+a.hashed+")"))
	}
	return css
}

func (c byName) add(name string, body []byte) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:8])
	ext := path.Ext(name)
	a := &asset{
		name:   name,
		hashed: strings.TrimSuffix(name, ext) + "." + hash + ext,
		kind:   kindOf(ext),
		body:   body,
		zipped: zip(body),
		etag:   `"` + hash + `"`,
	}
	c.names[name], c.hashed[a.hashed] = a, a
}

func kindOf(ext string) string {
	switch ext {
	case ".woff2":
		return "font/woff2"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(ext)
	}
}

// zip compresses at the best level, once; nil when less than a tenth is gained (fonts are compressed already).
func zip(body []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	w.Write(body)
	w.Close()
	if b.Len() > len(body)*9/10 {
		return nil
	}
	return b.Bytes()
}

func read(name string) []byte {
	body, err := files.ReadFile(name)
	if err != nil {
		panic("static: " + err.Error())
	}
	return body
}

func list(dir string) []string {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		panic("static: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, path.Join(dir, e.Name()))
	}
	return names
}
