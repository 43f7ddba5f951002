package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"perennial/cmd/devportal/devidp"
)

// patience bounds everything that a page is waited for.
const patience = 20 * time.Second

// chromium is one browser for the whole test program. Everybody gets a profile of their own in it.
var chromium struct {
	once  sync.Once
	ctx   context.Context
	close func()
	err   error
}

var errNoChromium = errors.New("the browser Chromium is not installed (Debian: apt-get install chromium)")

func openBrowser() {
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		chromium.err = errNoChromium
		return
	}
	dir, err := os.MkdirTemp("", "perennial-chromium-")
	if err != nil {
		chromium.err = err
		return
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck, chromedp.UserDataDir(dir), chromedp.WindowSize(1440, 1000)}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage",
		"disable-backgrounding-occluded-windows", "disable-renderer-backgrounding", "hide-scrollbars"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	chromium.ctx = ctx
	chromium.close = func() {
		cancel()
		stopAllocator()
		os.RemoveAll(dir)
	}
	chromium.err = chromedp.Do(ctx)
}

func closeBrowser() {
	if chromium.close != nil {
		chromium.close()
	}
}

// tab is one window of one person. It remembers every complaint of the browser: exceptions, warnings and errors on
// the console, and violations of the content security policy.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         *sync.Mutex
	complaints *[]string
}

// newTab opens a window with a profile of its own.
func newTab(t *testing.T) *tab {
	t.Helper()
	chromium.once.Do(openBrowser)
	if errors.Is(chromium.err, errNoChromium) {
		missing(t, chromium.err.Error())
	}
	must(t, chromium.err)
	b := &tab{t: t, mu: &sync.Mutex{}, complaints: &[]string{}}
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
	t.Cleanup(cancel)
	b.ctx = ctx
	b.do("open a window", chromedp.EmulateViewport(1440, 1000))
	return b
}

// in is the same window in a subtest.
func (b *tab) in(t *testing.T) *tab {
	same := *b
	same.t = t
	return &same
}

func (b *tab) hear(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		b.complain("exception: " + ev.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning || ev.Type == runtime.ConsoleAPICalledTypeAssert {
			b.complain(fmt.Sprintf("console.%s", ev.Type))
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			b.complain(fmt.Sprintf("%s: %s %s", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL))
		}
	}
}

func (b *tab) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*b.complaints = append(*b.complaints, text)
}

// quiet fails the test when the browser had anything to complain about, except that pages which are meant to say
// what is wrong do so with a status such as 422.
func (b *tab) quiet(excused ...string) {
	b.t.Helper()
	b.mu.Lock()
	all := *b.complaints
	*b.complaints = nil
	b.mu.Unlock()
	for _, text := range all {
		if !containsAny(text, excused) {
			b.t.Errorf("the browser complains at %s: %s", b.path(), text)
		}
	}
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// do runs actions in a bounded time.
func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	// The first run opens the tab, which lives as long as the context of that run: so no time limit there.
	must(b.t, chromedp.Do(b.ctx))
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s at %s: %v", what, b.path(), err)
	}
}

func (b *tab) goTo(url string) {
	b.t.Helper()
	b.do("go to "+url, chromedp.Navigate(url))
}

func (b *tab) click(id string) {
	b.t.Helper()
	b.do("click "+id, chromedp.Click(chromedp.ID(id), chromedp.NodeVisible))
}

// write types into a field, over what it holds.
func (b *tab) write(id, text string) {
	b.t.Helper()
	b.do("type into "+id, chromedp.WaitVisible(chromedp.ID(id)))
	value[string](b, fmt.Sprintf(`(document.getElementById(%q).value = '')`, id))
	b.do("type into "+id, chromedp.SendKeys(chromedp.ID(id), text))
	if got := value[string](b, fmt.Sprintf(`document.getElementById(%q).value`, id)); got != text {
		b.t.Fatalf("%s holds %q, want %q", id, got, text)
	}
}

// choose picks an option of a list.
func (b *tab) choose(id, option string) {
	b.t.Helper()
	got := value[string](b, fmt.Sprintf(`(() => { const list = document.getElementById(%q); list.value = %q; return list.value })()`, id, option))
	if got != option {
		b.t.Fatalf("%s offers no %s", id, option)
	}
}

// ask evaluates an expression in the page. While a page is being left there is nobody to ask.
func ask[T any](b *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

func value[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := ask[T](b, expression)
	if err != nil {
		b.t.Fatalf("evaluate %.200s at %s: %v", expression, b.path(), err)
	}
	return v
}

// text is what a person reads on the page.
func (b *tab) text() (string, error) {
	s, err := ask[string](b, `document.body.innerText`)
	return strings.Join(strings.Fields(s), " "), err
}

// element is the text of one element.
func (b *tab) element(id string) string {
	b.t.Helper()
	return value[string](b, fmt.Sprintf(`document.getElementById(%q)?.textContent.trim() ?? ''`, id))
}

// has reports whether an element exists.
func (b *tab) has(id string) bool {
	b.t.Helper()
	return value[bool](b, fmt.Sprintf(`document.getElementById(%q) !== null`, id))
}

func (b *tab) path() string {
	path, err := ask[string](b, `location.pathname + location.search`)
	if err != nil {
		return "an unknown page"
	}
	return path
}

// sees waits until the page says all of it.
func (b *tab) sees(all ...string) {
	b.t.Helper()
	for _, want := range all {
		eventually(b.t, patience, fmt.Sprintf("the page says %q", want), func() error {
			text, err := b.text()
			if err == nil && !strings.Contains(text, want) {
				err = fmt.Errorf("%s says: %s", b.path(), text)
			}
			return err
		})
	}
}

// arrives waits until the window is at a path that begins so and the page is there.
func (b *tab) arrives(prefix string) {
	b.t.Helper()
	b.awaitPath(prefix, ".startsWith(%q)")
}

// lands is arrives for a path that the page before began with too.
func (b *tab) lands(path string) {
	b.t.Helper()
	b.awaitPath(path, " === %q")
}

func (b *tab) awaitPath(path, test string) {
	b.t.Helper()
	question := `document.readyState === 'complete' && (location.pathname + location.search)` + fmt.Sprintf(test, path)
	eventually(b.t, patience, "the window is at "+path, func() error {
		there, err := ask[bool](b, question)
		if err == nil && !there {
			err = errors.New("it is at " + b.path())
		}
		return err
	})
}

// signIn goes through the provider's page by hand.
func (b *tab) signIn(portal, email string) {
	b.t.Helper()
	b.goTo(portal + "/signin")
	b.write("email", email)
	b.click("continue")
	b.arrives("/login")
	b.click(devidp.ButtonID(email))
	eventually(b.t, patience, email+" is signed in", func() error {
		there, err := ask[bool](b, fmt.Sprintf(`location.origin === %q && document.getElementById('main') !== null && document.readyState === 'complete'`, portal))
		if err == nil && !there {
			err = errors.New("still at " + b.path())
		}
		return err
	})
}

// device is what the page is shown on.
func (b *tab) device(width int64, scheme string) {
	b.t.Helper()
	b.do("set the screen", chromedp.EmulateViewport(width, 1000), call(emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}))
}

// downloadsTo keeps what the person downloads.
func (b *tab) downloadsTo(dir string) {
	b.t.Helper()
	id := chromedp.FromContext(b.ctx).BrowserContextID
	_, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior,
		browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: id, DownloadPath: dir})
	must(b.t, err)
}

// call makes an action of a command.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}
