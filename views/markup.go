package views

import (
	"bytes"
	"context"
	"html"
	"io"
	"strconv"

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

// Render makes markup a component.
func (m *markup) Render(_ context.Context, w io.Writer) error {
	_, err := w.Write(m.Bytes())
	return err
}

// domainRows passes on row by row, so that all of them are made in one small buffer.
func domainRows(p DomainsPage, a axis) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var m markup
		for _, r := range p.Rows {
			m.domainRow(p, r, a)
			if _, err := m.WriteTo(w); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *markup) domainRow(p DomainsPage, r DomainRow, a axis) {
	id := string(r.ID)
	m.raw(`<tr role="row" id="`, id, `"><th scope="row" role="rowheader"><a id="open-`, id, `" href="`)
	m.text(DomainURL(p.Tenant.Slug, r.ID))
	m.raw(`">`)
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
	m.lane(a, a.lane(r, p.Now))
	m.raw(`</td></tr>`)
}

func (m *markup) expiry(p DomainsPage, r DomainRow) {
	if !r.HasVersion {
		m.raw(`<span class="dim">not issued yet</span>`)
		return
	}
	strong, faint := r.expires(p.Now)
	m.raw(`<time datetime="`, machine(r.NotAfter), `">`, strong)
	if faint != "" {
		m.raw(`<span class="y">`, faint, `</span>`)
	}
	m.raw(`</time><small>`, relative(p.Now, r.NotAfter), `</small>`)
}

func (m *markup) ico(name, size string) {
	m.raw(`<svg class="ico" viewBox="0 0 16 16" width="`, size, `" height="`, size, `" aria-hidden="true" focusable="false"><path d="`, icons[name], `"></path></svg>`)
}

func (m *markup) badge(b mood) {
	m.raw(`<span class="badge `, b.Class, `">`)
	m.ico(b.Icon, "16")
	m.text(b.Word)
	m.raw(`</span>`)
}

func (m *markup) lane(a axis, l lane) {
	m.raw(`<svg class="lane `, l.Class, `" width="100%" height="30" aria-hidden="true" focusable="false">`)
	for _, t := range a.Ticks {
		m.raw(`<line class="tickl" x1="`, t.X, `" x2="`, t.X, `" y1="0" y2="100%"></line>`)
	}
	if !l.Empty {
		m.bars(l)
	}
	if a.NowX != "" {
		m.raw(`<line class="now" x1="`, a.NowX, `" x2="`, a.NowX, `" y1="0" y2="100%"></line>`)
	}
	if l.Mark != "" {
		m.raw(`<svg y="50%" overflow="visible" width="100%" height="1"><svg x="`, l.Mark, `" overflow="visible"><path class="mark" d="M0 -5.5L5.5 0L0 5.5L-5.5 0Z"></path></svg></svg>`)
	}
	m.raw(`</svg>`)
}

func (m *markup) bars(l lane) {
	m.raw(`<svg y="50%" overflow="visible" width="100%" height="1">`)
	if l.Life.W != "" {
		m.raw(`<rect class="life" x="`, l.Life.X, `" width="`, l.Life.W, `" y="-5" height="10" rx="2"></rect>`)
	}
	if l.Late.W != "" {
		m.raw(`<rect class="window" x="`, l.Late.X, `" width="`, l.Late.W, `" y="-5" height="10" rx="2"></rect>`)
	}
	if l.End != "" {
		m.raw(`<line class="end" x1="`, l.End, `" x2="`, l.End, `" y1="-8" y2="8"></line>`)
	}
	m.raw(`</svg>`)
}

func laneSVG(a axis, l lane) templ.Component {
	var m markup
	m.lane(a, l)
	return &m
}

func ico(name string) templ.Component {
	var m markup
	m.ico(name, "16")
	return &m
}

func smallIco(name string) templ.Component {
	var m markup
	m.ico(name, "14")
	return &m
}

func badge(b mood) templ.Component {
	var m markup
	m.badge(b)
	return &m
}

// columnChart draws columns. Where they are links the chart is a group of them; otherwise it is hidden, and the
// page says the same in words.
func columnChart(c columns) templ.Component {
	var m markup
	m.raw(`<svg class="chart" width="100%" height="`, strconv.Itoa(c.Height), `" `)
	if c.Links {
		m.raw(`role="group" aria-label="`, html.EscapeString(c.Label), `">`)
	} else {
		m.raw(`aria-hidden="true" focusable="false">`)
	}
	base := strconv.Itoa(c.Base)
	for _, y := range c.Grid {
		m.raw(`<line class="grid" x1="0" x2="100%" y1="`, y, `" y2="`, y, `"></line>`)
	}
	m.raw(`<line class="base" x1="0" x2="100%" y1="`, base, `" y2="`, base, `"></line>`)
	for _, s := range c.Columns {
		m.column(s, base)
		m.columnLabel(s, strconv.Itoa(c.Base+18))
	}
	if c.NowX != "" {
		m.raw(`<line class="now" x1="`, c.NowX, `" x2="`, c.NowX, `" y1="8" y2="`, strconv.Itoa(c.Base+4), `"></line>`)
	}
	m.raw(`</svg>`)
	return &m
}

func (m *markup) column(s column, base string) {
	if s.URL != "" {
		m.raw(`<a id="`, s.ID, `" href="`, html.EscapeString(s.URL), `" aria-label="`, html.EscapeString(s.Name), `"><rect class="hit" x="`, s.X, `" width="`, s.W, `" y="0" height="`, base, `"></rect>`)
	}
	for _, b := range s.Parts {
		m.raw(`<rect class="segm `, b.Class, `" x="`, s.BarX, `" width="`, s.BarW, `" y="`, b.Y, `" height="`, b.H, `"></rect>`)
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
