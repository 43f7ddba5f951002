package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"perennial/cmd/devportal/devca"
)

// TestLive holds the CA and DNS at each step of an order, so that every live state of the page can be read at leisure,
// and then leaves the certificate alone until it has renewed itself. The window is never reloaded.
func TestLive(t *testing.T) {
	t.Parallel()
	axe := axeSource(t)
	p := newParts(t, setup{profiles: map[string]time.Duration{"brief": 40 * time.Second}})
	b, second := newTab(t), newTab(t)
	p.start()
	for _, one := range []*tab{b, second} {
		one.signIn(p.url(), "ops@acme.example")
		one.sees("Which name needs a certificate?")
	}
	second.accessible(axe, func() { second.goTo(p.url() + "/t/acme/domains") })

	b.write("name1", "live.acme.example")
	b.click("submit-names")
	b.arrives("/t/acme/domains/dom_")
	b.sees("Your turn:", "not there yet")
	domain := value[string](b, `location.href`)
	value[bool](b, `(window.untouched = true)`)

	order := p.calls.hold(devca.NewOrder, false)
	must(t, p.dns.Set(b.element("record-name"), "CNAME", b.element("record-target")))
	b.shows("Order placed", 0)
	order.wait(t)
	second.accessible(axe, func() { second.goTo(domain); second.sees("Now: Order placed") })
	answer := p.calls.hold(devca.Challenge, false)
	order.release()
	b.shows("Challenge record written", 1)
	answer.wait(t)
	poll := p.calls.hold(devca.Authorization, false)
	answer.release()
	b.shows("Authority validates", 2)
	poll.wait(t)
	finalize := p.calls.hold(devca.Finalize, false)
	poll.release()
	b.shows("Certificate issued", 3)
	finalize.wait(t)
	finalize.release()
	b.sees("Nothing for you to do.", "Version 1")
	if said := b.element("announce"); !strings.HasPrefix(said, "Nothing for you to do.") {
		t.Errorf("the last announcement is %q", said)
	}

	eventually(t, time.Minute, "version 2 stands on the page by itself", func() error {
		text, err := b.text()
		if err == nil && !strings.Contains(text, "Version 2") {
			err = errors.New(text)
		}
		return err
	})
	if !value[bool](b, `window.untouched === true`) {
		t.Error("the page was reloaded on the way")
	}
	b.sees("Nothing for you to do.")
	b.quiet()
	p.sayOutages(t, second, axe, domain)
}

// shows waits until the page shows a step as the one that runs, after so many that are done.
func (b *tab) shows(step string, done int) {
	b.t.Helper()
	b.sees("Now: "+step, fmt.Sprintf("%d of 4 steps done", done))
	if said := b.element("announce"); done > 0 && said != "Now: "+step {
		b.t.Errorf("announced is %q, want %q", said, "Now: "+step)
	}
}

// sayOutages takes the provider and the CA away: the pages that say so are as accessible as all others.
func (p *parts) sayOutages(t *testing.T, b *tab, axe, domain string) {
	t.Helper()
	p.ca.BreakAll(devca.Fault{Drop: true})
	must(t, p.idp.Close())
	home := p.url() + "/t/acme/domains"
	b.goTo(home)
	eventually(t, time.Minute, "the home page says what cannot be reached", func() error {
		b.goTo(home)
		text, err := b.text()
		if err == nil && !strings.Contains(text, "We cannot ask Example CA") {
			err = errors.New(text)
		}
		return err
	})
	b.accessible(axe, func() { b.goTo(home) })
	b.accessible(axe, func() { b.goTo(domain) })
	nobody := newTab(t)
	nobody.accessible(axe, func() { nobody.goTo(p.url() + "/signin"); nobody.sees("does not answer") })
}
