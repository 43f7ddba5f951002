package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// memory measures the resident set of the portal's own process, with all its neighbours down: after it has become
// quiet, and after one person went through all pages of a list of 10,000 and took it as CSV.
func (b *bench) memory(ctx context.Context) ([]line, error) {
	s, targets, err := b.filled(ctx, "memory", 1, b.size(10_000, 1000))
	if err != nil {
		return nil, err
	}
	portal, err := b.serveBinary(ctx, s)
	if err != nil {
		return nil, err
	}
	defer portal.stop() //nolint:errcheck // the figures are taken
	if err := pause(ctx, 5*time.Second); err != nil {
		return nil, err
	}
	idle, err := resident(portal.pid, "VmRSS")
	if err != nil {
		return nil, err
	}
	pages, err := walk(targets[0])
	if err != nil {
		return nil, err
	}
	listed, err := resident(portal.pid, "VmRSS")
	if err != nil {
		return nil, err
	}
	csv := targets[0]
	csv.url += ".csv"
	if _, _, err := newReader(false).get(csv); err != nil {
		return nil, err
	}
	exported, err := resident(portal.pid, "VmRSS")
	if err != nil {
		return nil, err
	}
	peak, err := resident(portal.pid, "VmHWM")
	b.note("Memory: %s MB after %d pages, %s MB after the CSV as well, %s MB at its peak.", number(listed), pages, number(exported), number(peak))
	return []line{
		{what: "memory, idle", got: idle, unit: " MB", peers: "60–74 MB", limit: "20 MB", aim: 40},
		{what: "memory, after listing 10,000", got: max(listed, exported), unit: " MB", peers: "168–739 MB", limit: "20 MB", aim: 80},
	}, err
}

// resident reads a size of a process in megabytes (proc_pid_status(5)).
func resident(pid int, what string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, what+":"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kb) / 1024, err
		}
	}
	return 0, errors.New("read memory: there is no " + what)
}

var nextLink = regexp.MustCompile(`<a [^>]*rel="next"[^>]*href="([^"]*)"`)

// walk follows a list to its end.
func walk(t target) (pages int, err error) {
	r := newReader(false)
	defer r.client.CloseIdleConnections()
	base, err := url.Parse(t.url)
	if err != nil {
		return 0, err
	}
	for pages = 1; ; pages++ {
		body, _, err := r.get(t)
		if err != nil {
			return pages, err
		}
		link := nextLink.FindSubmatch(body)
		if link == nil {
			return pages, nil
		}
		next, err := base.Parse(strings.ReplaceAll(string(link[1]), "&amp;", "&"))
		if err != nil {
			return pages, err
		}
		t.url = next.String()
	}
}

// program measures the binary: its size, how soon it answers, what script its pages load.
func (b *bench) program(ctx context.Context) ([]line, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	file, err := os.Stat(b.binary)
	if err != nil {
		return nil, err
	}
	s, targets, err := b.filled(ctx, "program", 1, 100)
	if err != nil {
		return nil, err
	}
	again, err := b.starts(ctx, func(int) (settings, error) { return s, nil })
	if err != nil {
		return nil, err
	}
	first, err := b.starts(ctx, func(i int) (settings, error) { return b.lonely(fmt.Sprintf("first-%d", i)) })
	if err != nil {
		return nil, err
	}
	script, err := b.scripts(ctx, s, targets[0])
	return []line{
		{what: "binary", got: float64(file.Size()) / 1e6, unit: " MB", peers: "121–165 MB", limit: "15 MB", aim: 30},
		{what: "start to first page", got: again.ms(0.5), unit: " ms", peers: "34–51 ms", aim: 100},
		{what: "… on the very first start, with migrations", got: first.ms(0.5), unit: " ms"},
		{what: "script on the first page, gzip", got: float64(script) / 1e3, unit: " kB", peers: "229–969 kB", aim: 10},
	}, err
}

// starts starts the binary five times.
func (b *bench) starts(ctx context.Context, with func(i int) (settings, error)) (times, error) {
	var all times
	for i := range 5 {
		s, err := with(i)
		if err != nil {
			return nil, err
		}
		portal, err := b.serveBinary(ctx, s)
		if err != nil {
			return nil, err
		}
		all = append(all, portal.began)
		if err := portal.stop(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

var scriptTag = regexp.MustCompile(`<script[^>]*\bsrc="([^"]*)"`)

// scripts is how many bytes of script a browser loads for the sign-in page and the list together.
func (b *bench) scripts(ctx context.Context, s settings, home target) (int, error) {
	portal, err := b.serveBinary(ctx, s)
	if err != nil {
		return 0, err
	}
	defer portal.stop() //nolint:errcheck // the figure is taken
	signIn, err := plainGet(portal.url + "/signin")
	if err != nil {
		return 0, err
	}
	list, _, err := newReader(false).get(home)
	if err != nil {
		return 0, err
	}
	var seen []string
	total := 0
	for _, tag := range scriptTag.FindAllSubmatch(slices.Concat(signIn, list), -1) {
		if src := string(tag[1]); !slices.Contains(seen, src) {
			seen = append(seen, src)
			body, err := zippedGet(portal.url + src)
			if err != nil {
				return 0, err
			}
			total += len(body)
		}
	}
	if total == 0 {
		return 0, errors.New("the first page has no script")
	}
	return total, nil
}

func plainGet(url string) ([]byte, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func zippedGet(url string) ([]byte, error) {
	r := newReader(true)
	defer r.client.CloseIdleConnections()
	body, _, err := r.get(target{url, &http.Cookie{Name: "none", Value: "none"}})
	if err == nil && !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		err = fmt.Errorf("%s is not compressed", url)
	}
	return body, err
}
