package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"perennial/cmd/devportal/devidp"
)

// visitor is a person with a browser that knows no JavaScript: pages, links and forms.
type visitor struct {
	t      *testing.T
	client *http.Client
	portal string
	home   string // their tenant's pages: /t/acme
}

// signIn takes a person through the provider's page.
func signIn(t *testing.T, portal, email string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	v := &visitor{t: t, client: &http.Client{Jar: jar, Timeout: 25 * time.Second}, portal: portal}
	resp, err := v.client.PostForm(portal+"/signin", url.Values{"email": {email}})
	page, err := read(resp, err)
	must(t, err)
	id := first(page, `name="id" value="([^"]+)"`)
	person := first(page, `id="`+devidp.ButtonID(email)+`" name="person" value="([^"]+)"`)
	if id == "" || person == "" {
		t.Fatalf("%s is not on the provider's page:\n%s", email, words(page))
	}
	resp, err = v.client.PostForm(resp.Request.URL.Scheme+"://"+resp.Request.URL.Host+"/login", url.Values{"id": {id}, "person": {person}})
	_, err = read(resp, err)
	must(t, err)
	v.home = first(resp.Request.URL.Path, `^(/t/[^/]+)`)
	return v
}

// in is the same person in a subtest.
func (v *visitor) in(t *testing.T) *visitor {
	same := *v
	same.t = t
	return &same
}

// first is the first group of a pattern.
func first(text, pattern string) string {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

// page reads a page of the portal.
func (v *visitor) page(path string) string {
	v.t.Helper()
	page, err := v.try(path)
	must(v.t, err)
	return page
}

func (v *visitor) try(path string) (string, error) { return read(v.client.Get(v.portal + path)) }

// send submits a form and follows where it leads.
func (v *visitor) send(path string, form url.Values) (page, at string) {
	v.t.Helper()
	resp, err := v.client.PostForm(v.portal+path, form)
	page, err = read(resp, err)
	must(v.t, err)
	return page, resp.Request.URL.Path
}

// add registers a name and returns the domain's path and the CNAME record that the page asks for.
func (v *visitor) add(name string) (path, record, target string) {
	v.t.Helper()
	page, at := v.send(v.home+"/domains", url.Values{"name1": {name}})
	record, target = recordOn(page)
	if record == "" || target == "" {
		v.t.Fatalf("the page of %s asks for no record:\n%s", name, words(page))
	}
	return at, record, target
}

// addOnceFree registers a name that somebody has just given up. It is free when its authorizations are gone.
func (v *visitor) addOnceFree(name string) (path, record, target string) {
	v.t.Helper()
	eventually(v.t, patience, name+" is free again", func() error {
		resp, err := v.client.PostForm(v.portal+v.home+"/domains", url.Values{"name1": {name}})
		page, err := read(resp, err)
		if err == nil {
			path = resp.Request.URL.Path
			record, target = recordOn(page)
		}
		return err
	})
	return path, record, target
}

// recordOn is the CNAME record that a page asks for.
func recordOn(page string) (name, target string) {
	return first(page, `id="record-name">([^<]+)<`), first(page, `id="record-target">([^<]+)<`)
}

func (v *visitor) check(domain string) {
	v.t.Helper()
	v.send(domain+"/check", nil)
}

// awaitVersion waits until a domain's page shows a version of its certificate.
func (v *visitor) awaitVersion(domain string, number int, within time.Duration) {
	v.t.Helper()
	want := fmt.Sprintf("Version %d ", number)
	eventually(v.t, within, "the page shows "+want, func() error {
		page, err := v.try(domain + "/certificate")
		if err != nil {
			return err
		}
		if text := words(page); !strings.Contains(text, want) {
			return errors.New(text)
		}
		return nil
	})
}
