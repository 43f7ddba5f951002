package views

import (
	"bytes"
	"context"
	"html"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/a-h/templ"
)

// The rows of the domain list and the columns of the charts are written by hand and not by a template: they are
// most of the largest page, and inside a template each value costs several allocations, ten times what it costs
// here.

// markup is HTML in the making.
type markup struct{ bytes.Buffer }

// raw takes text of ours: tags, class names, percentages, identifiers.
func (m *markup) raw(parts ...string) {
	for _, s := range parts {
		m.WriteString(s)
	}
}

// text takes anything and escapes it.
func (m *markup) text(s string) { m.WriteString(html.EscapeString(s)) }

// spare is markup to be used again: a buffer that grows costs more than what is written to it.
var spare = sync.Pool{New: func() any { return new(markup) }}

// drawn makes a component of what draw writes.
func drawn(draw func(*markup)) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		m := spare.Get().(*markup)
		defer spare.Put(m)
		m.Reset()
		draw(m)
		_, err := m.WriteTo(w)
		return err
	})
}

func domainRows(p DomainsPage, a axis) templ.Component {
	return drawn(func(m *markup) {
		g, list := a.guides(), html.EscapeString(DomainURL(p.Tenant.Slug, ""))
		for _, r := range p.Rows {
			m.domainRow(p, r, list, a, g)
		}
	})
}

// domainRow writes one row; list is what its address begins with.
func (m *markup) domainRow(p DomainsPage, r DomainRow, list string, a axis, g guides) {
	id := string(r.ID)
	m.raw(`<tr role="row" id="`, id, `"><th scope="row" role="rowheader"><a id="open-`, id, `" href="`, list, id, `">`)
	m.text(r.Name)
	m.raw(`</a><small>`)
	m.text(r.fine())
	m.raw(`</small></th><td role="cell">`)
	m.badge(moodOf(r.Status, r.HasVersion))
	m.raw(`</td><td role="cell">`)
	m.text(r.nextStep(p.Now))
	m.raw(`</td><td role="cell">`)
	m.expiry(p, r)
	m.raw(`</td><td role="cell" class="tl">`)
	m.lane(g, a.lane(r, p.Now))
	m.raw(`</td></tr>`)
}

func (m *markup) expiry(p DomainsPage, r DomainRow) {
	if !r.HasVersion {
		m.raw(`<span class="dim">not issued yet</span>`)
		return
	}
	strong, faint := r.expires(p.Now)
	m.raw(`<time datetime="`)
	m.Write(r.NotAfter.UTC().AppendFormat(m.AvailableBuffer(), time.RFC3339))
	m.raw(`">`, strong)
	if faint != "" {
		m.raw(`<span class="y">`, faint, `</span>`)
	}
	m.raw(`</time><small>`, relative(p.Now, r.NotAfter), `</small>`)
}

func (m *markup) ico(name, size string) {
	m.raw(`<svg class="ico" viewBox="0 0 16 16" width="`, size, `" height="`, size, `" aria-hidden="true" focusable="false"><path d="`, icons[name], `"/></svg>`)
}

func (m *markup) badge(b mood) {
	m.raw(`<span class="badge `, b.Class, `">`)
	m.ico(b.Icon, "16")
	m.text(b.Word)
	m.raw(`</span>`)
}

// guides are the lines that every lane of an axis has: made once, since a list has many lanes.
type guides struct{ ticks, now string }

func (a axis) guides() (g guides) {
	for _, t := range a.Ticks {
		g.ticks += upright("tickl", t.X)
	}
	if a.NowX != "" {
		g.now = upright("now", a.NowX)
	}
	return g
}

func upright(class, x string) string {
	return `<line class="` + class + `" x1="` + x + `" x2="` + x + `" y2="100%"/>`
}

func (m *markup) lane(g guides, l lane) {
	m.raw(`<svg class="lane `, l.Class, `" width="100%" height="30" aria-hidden="true" focusable="false">`, g.ticks)
	if !l.Empty {
		m.bars(l)
	}
	m.raw(g.now)
	if l.Mark != "" {
		m.raw(`<svg x="`, l.Mark, `" y="50%" overflow="visible"><path class="mark" d="M0 -5.5L5.5 0L0 5.5L-5.5 0Z"/></svg>`)
	}
	m.raw(`</svg>`)
}

func (m *markup) bars(l lane) {
	m.raw(`<svg y="50%" overflow="visible">`)
	if l.Life.W != "" {
		m.raw(`<rect class="life" x="`, l.Life.X, `" width="`, l.Life.W, `" y="-5" height="10" rx="2"/>`)
	}
	if l.Late.W != "" {
		m.raw(`<rect class="window" x="`, l.Late.X, `" width="`, l.Late.W, `" y="-5" height="10" rx="2"/>`)
	}
	if l.End != "" {
		m.raw(`<line class="end" x1="`, l.End, `" x2="`, l.End, `" y1="-8" y2="8"/>`)
	}
	m.raw(`</svg>`)
}

func laneSVG(a axis, l lane) templ.Component {
	return drawn(func(m *markup) { m.lane(a.guides(), l) })
}

func ico(name string) templ.Component {
	return drawn(func(m *markup) { m.ico(name, "16") })
}

func smallIco(name string) templ.Component {
	return drawn(func(m *markup) { m.ico(name, "14") })
}

func badge(b mood) templ.Component {
	return drawn(func(m *markup) { m.badge(b) })
}

// columnChart draws columns. Where they are links the chart is a group of them; otherwise it is hidden, and the
// page says the same in words.
func columnChart(c columns) templ.Component {
	return drawn(func(m *markup) { m.chart(c) })
}

func (m *markup) chart(c columns) {
	m.raw(`<svg class="chart" width="100%" height="`, strconv.Itoa(c.Height), `" `)
	if c.Links {
		m.raw(`role="group" aria-label="`, html.EscapeString(c.Label), `">`)
	} else {
		m.raw(`aria-hidden="true" focusable="false">`)
	}
	base := strconv.Itoa(c.Base)
	for _, b := range c.Bands {
		m.raw(`<rect class="rest" x="`, b.X, `" width="`, b.W, `" y="8" height="`, strconv.Itoa(c.Base-8), `"/>`)
		m.raw(`<text x="`, b.Middle, `" y="`, strconv.Itoa(c.Base-10), `" text-anchor="middle">`, b.Word, `</text>`)
	}
	for _, y := range c.Grid {
		m.raw(`<line class="grid" x2="100%" y1="`, y, `" y2="`, y, `"/>`)
	}
	m.raw(`<line class="base" x2="100%" y1="`, base, `" y2="`, base, `"/>`)
	if y := c.Limit.Y; y != "" { // below the columns, so that it does not cross their counts
		m.raw(`<line class="limit" x2="100%" y1="`, y, `" y2="`, y, `"/>`)
	}
	for _, s := range c.Columns {
		m.column(s, base)
		m.columnLabel(s, strconv.Itoa(c.Base+18))
	}
	if l := c.Limit; l.Y != "" {
		m.raw(`<text class="lim" x="100%" y="`, l.WordsY, `" text-anchor="end">`, l.Words, `</text>`)
	}
	if c.NowX != "" {
		m.raw(`<line class="now" x1="`, c.NowX, `" x2="`, c.NowX, `" y1="8" y2="`, strconv.Itoa(c.Base+4), `"/>`)
	}
	m.raw(`</svg>`)
}

func (m *markup) column(s column, base string) {
	if s.URL != "" {
		m.raw(`<a id="`, s.ID, `" href="`, html.EscapeString(s.URL), `" aria-label="`, html.EscapeString(s.Name), `"><rect class="hit" x="`, s.X, `" width="`, s.W, `" y="0" height="`, base, `"/>`)
	}
	for _, b := range s.Parts {
		m.raw(`<rect class="segm `, b.Class, `" x="`, s.BarX, `" width="`, s.BarW, `" y="`, b.Y, `" height="`, b.H, `"/>`)
	}
	if s.Count != "" {
		m.raw(`<text class="n" x="`, s.Middle, `" y="`, s.CountY, `" text-anchor="middle">`, s.Count, `</text>`)
	}
	if s.URL != "" {
		m.raw(`</a>`)
	}
}

// columnLabel stands in the middle under its column, or begins at its left edge where columns are narrow.
func (m *markup) columnLabel(s column, y string) {
	if s.Label == "" {
		return
	}
	class, x, anchor := "", s.Middle, "middle"
	switch {
	case s.Alt:
		class = "alt"
	case s.Now:
		class = "now"
	}
	if s.FromLeft {
		x, anchor = s.BarX, "start"
	}
	m.raw(`<text class="`, class, `" x="`, x, `" y="`, y, `" text-anchor="`, anchor, `">`, s.Label, `</text>`)
}
