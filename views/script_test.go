package views

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"perennial/static"
)

// policy is the one that the portal sends; the script has to live with it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// theatre is a portal of one page, which a test can exchange.
type theatre struct {
	*httptest.Server
	mu      sync.Mutex
	page    templ.Component
	changed chan struct{}
	over    chan struct{}
}

func newTheatre(t *testing.T, first templ.Component) *theatre {
	s := &theatre{page: first, changed: make(chan struct{}, 8), over: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle(static.Prefix, static.Handler())
	mux.HandleFunc("/t/acme/events", s.events)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := s.page.Render(r.Context(), w); err != nil {
			t.Error(err)
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		close(s.over) // open streams end, or Close would wait for them
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *theatre) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-s.over:
			return
		case <-s.changed:
			fmt.Fprint(w, "data: changed\n\n")
			w.(http.Flusher).Flush()
		}
	}
}

// show exchanges the page and says so to whoever looks.
func (s *theatre) show(page templ.Component) {
	s.mu.Lock()
	s.page = page
	s.mu.Unlock()
	s.changed <- struct{}{}
}

// browser is one tab.
type browser struct {
	*testing.T
	ctx context.Context
}

// openBrowser starts Chromium, or skips loudly where there is none; in CI that is a failure.
func openBrowser(t *testing.T) browser {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing, and CI must not skip: install the package chromium")
		}
		t.Skip("SKIPPED: chromium is missing, so the script was not tested. Install the package chromium")
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Headless,
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true))
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	b := browser{t, ctx}
	b.do(chromedp.Navigate("about:blank")) // the first run carries no time limit, or the browser would die with it
	return b
}

func (b browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// until waits for an expression to become true.
func (b browser) until(expression string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression)); err != nil {
		page, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector('main').innerText.slice(0, 400) + ' | ' + document.activeElement.outerHTML.slice(0, 120)`))
		b.Fatalf("%s never became true: %v\n%s", expression, err, page)
	}
}

func (b browser) goTo(url string) { b.Helper(); b.do(chromedp.Navigate(url)) }

// grumbles gathers everything that the page complains of: violated policies first of all.
func (b browser) grumbles() func() string {
	var mu sync.Mutex
	var said []string
	go func() {
		for e, err := range chromedp.Events(b.ctx, runtime.ExceptionThrown) {
			if err != nil {
				return
			}
			mu.Lock()
			said = append(said, e.ExceptionDetails.Text)
			mu.Unlock()
		}
	}()
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(said, "\n")
	}
}

const watchPolicy = `window.violated = []; document.addEventListener('securitypolicyviolation', e => violated.push(e.violatedDirective)); true`

// TestLivePage follows a new domain from the record to the certificate without a reload, under the real policy.
func TestLivePage(t *testing.T) {
	b := openBrowser(t)
	complaints := b.grumbles()
	s := newTheatre(t, DomainWaiting(newDomain("shop.acme.example", "")))
	b.goTo(s.URL + "/t/acme/domains/x")
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](watchPolicy)); err != nil {
		t.Fatal(err)
	}
	b.until(`document.querySelector('main').dataset.live.startsWith('/t/acme/events?domain=dom_')`)
	b.do(chromedp.Focus(chromedp.ID("check-now")))

	right := newDomain("shop.acme.example", "dns.delegation.missing", asked("NXDOMAIN", "missing")...)
	s.show(DomainWaiting(right))
	b.until(`document.querySelector('table.see') !== null`)
	b.until(`document.activeElement.id === 'check-now'`)

	s.show(Domain(issuingDomain()))
	b.until(`document.querySelector('h2#h-live') !== null`)
	b.until(`document.getElementById('announce').textContent.startsWith('Now: Authority')`)
	b.do(chromedp.Click(chromedp.ID("technical-open")))
	b.until(`document.getElementById('technical').open`)
	slow := issuingDomain()
	slow.Now = slow.Now.Add(time.Second)
	s.show(Domain(slow))
	b.until(`document.querySelector('.prog').textContent.includes('32 s')`)
	b.until(`document.getElementById('technical').open`)

	done := certified()
	s.show(Domain(done))
	b.until(`document.querySelector('h1').textContent === 'checkout.acme.example' && document.title.startsWith('checkout.acme.example')`)
	b.until(`document.querySelector('main').dataset.live === undefined`)
	b.until(`violated.length === 0`)
	if text := complaints(); text != "" {
		t.Errorf("the page threw: %s", text)
	}
}

// TestDialog opens a confirmation over the page, keeps with Escape and gives the focus back.
func TestDialog(t *testing.T) {
	b := openBrowser(t)
	s := newTheatre(t, Domain(certified()))
	b.goTo(s.URL + "/t/acme/domains/x")
	for link, dialog := range map[string]string{"renew-now": "renew-dialog", "download-key": "key-dialog", "release": "release-dialog"} {
		b.do(chromedp.Click(chromedp.ID(link)))
		b.until(`document.getElementById('` + dialog + `').matches(':modal')`)
		b.do(chromedp.KeyEvent(kb.Escape))
		b.until(`!document.getElementById('` + dialog + `').open && document.activeElement.id === '` + link + `'`)
	}
	b.do(chromedp.Click(chromedp.ID("renew-now")))
	b.until(`document.getElementById('renew-dialog').open`)
	b.do(chromedp.Click(chromedp.ID("keep-plan")))
	b.until(`!document.getElementById('renew-dialog').open && location.pathname === '/t/acme/domains/x'`)
}

// TestCopy announces what happened, whether or not the browser lets a page write to the clipboard.
func TestCopy(t *testing.T) {
	b := openBrowser(t)
	s := newTheatre(t, Domain(newDomain("shop.acme.example", "")))
	b.goTo(s.URL + "/t/acme/domains/x")
	b.do(chromedp.Click(chromedp.ID("copy-target")))
	b.until(`document.getElementById('announce').textContent !== ''`)
	b.until(`['Copied', 'Selected. Press Control and C to copy.'].includes(document.getElementById('announce').textContent)`)
}

// TestMenus close by Escape, with the focus back on what opened them, and by a click beside them.
func TestMenus(t *testing.T) {
	b := openBrowser(t)
	s := newTheatre(t, Domain(certified()))
	b.goTo(s.URL + "/t/acme/domains/x")
	b.do(chromedp.Click(chromedp.ID("user-menu")))
	b.until(`document.querySelector('details.user').open`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.querySelector('details.user').open && document.activeElement.id === 'user-menu'`)
	b.do(chromedp.Click(chromedp.ID("tenant-menu")))
	b.until(`document.querySelector('details.tenant').open`)
	b.do(chromedp.Click(chromedp.CSS("h1")))
	b.until(`!document.querySelector('details.tenant').open`)
}

// broad are the pages whose content could be too wide: each layout once, and the longest content.
var broad = []string{"domains", "domains-minutes", "degraded", "empty", "add-errors", "waiting", "issuing", "certificate", "longest", "failure", "failure-differs", "renewals-90", "renewals-effect", "renewals-errors", "audit", "entry", "tenants", "tenant-errors", "error-403", "confirm-release", "signin-silent"}

// TestNoSidewaysScroll: no page is wider than its window, from the narrowest phone on.
func TestNoSidewaysScroll(t *testing.T) {
	b := openBrowser(t)
	s := newTheatre(t, nil)
	pages := gallery()
	for _, name := range broad {
		s.mu.Lock()
		s.page = pages[name]
		s.mu.Unlock()
		b.goTo(s.URL + "/")
		for _, width := range []int64{320, 820, 1180} {
			b.do(chromedp.EmulateViewport(width, 900))
			wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.scrollingElement.scrollWidth`))
			if err != nil {
				t.Fatal(err)
			}
			if wide > int(width) {
				t.Errorf("%s at %d px scrolls sideways to %d", name, width, wide)
			}
		}
	}
}

// TestVersionsFit: the table of versions has room for the act of each, beside the rail or without it.
func TestVersionsFit(t *testing.T) {
	b := openBrowser(t)
	s := newTheatre(t, nil)
	for name, page := range map[string]templ.Component{"certificate": Domain(certified()), "minutes": Domain(shortLived()), "versions": Versions(VersionsPage{DomainPage: certified()})} {
		s.mu.Lock()
		s.page = page
		s.mu.Unlock()
		b.goTo(s.URL + "/")
		b.until(`document.querySelector('.versions td a[id^=revoke-]') !== null`)
		for _, width := range []int64{900, 1160, 1200} {
			b.do(chromedp.EmulateViewport(width, 900))
			over, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`(s => s.scrollWidth - s.clientWidth)(document.querySelector('.scroll:has(.versions)'))`))
			if err != nil {
				t.Fatal(err)
			}
			if over > 0 {
				t.Errorf("%s at %d px: the table is %d px wider than its panel", name, width, over)
			}
		}
	}
}

// TestWithoutScript: buttons that only work with script are not shown without it.
func TestWithoutScript(t *testing.T) {
	b := openBrowser(t)
	s := newTheatre(t, Domain(newDomain("shop.acme.example", "")))
	off := chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
	b.do(off, chromedp.Navigate(s.URL+"/"))
	shown, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`getComputedStyle(document.getElementById('copy-target')).display`))
	if err != nil {
		t.Fatal(err)
	}
	if shown != "none" {
		t.Errorf("the copy button is shown (%s) although it cannot work", shown)
	}
}
