package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// line is one figure of the table.
type line struct {
	what  string
	got   float64
	unit  string
	peers string  // what other products take, measured once on a machine like this one
	limit string  // what cannot be beaten
	aim   float64 // zero: for information only
	least bool    // the aim is a floor instead of a ceiling
}

func (l line) measured() string { return number(l.got) + l.unit }

func (l line) target() string {
	switch {
	case l.aim == 0:
		return ""
	case l.least:
		return "≥ " + number(l.aim) + l.unit
	}
	return "≤ " + number(l.aim) + l.unit
}

// verdict says whether the aim is met, and if not, by which factor it is missed.
func (l line) verdict() string {
	miss := l.got / l.aim
	if l.least {
		miss = l.aim / l.got
	}
	switch {
	case l.aim == 0:
		return ""
	case miss < 1.005: // what the table shows is the same number
		return "met"
	}
	return "missed × " + number(miss)
}

// number has about three significant digits and no exponent.
func number(x float64) string {
	switch {
	case x == float64(int64(x)) && x < 1e6, x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

func printTable(out io.Writer, title string, lines []line, notes []string) {
	cells := [][]string{{"what", "measured", "peers", "limit", "aim", "verdict"}}
	for _, l := range lines {
		cells = append(cells, []string{l.what, l.measured(), dash(l.peers), dash(l.limit), dash(l.target()), dash(l.verdict())})
	}
	fmt.Fprintf(out, "\n%s\n\n", title)
	widths := widthsOf(cells)
	for i, row := range cells {
		fmt.Fprintln(out, joined(row, widths, " "))
		if i == 0 {
			fmt.Fprintln(out, joined(make([]string, len(row)), widths, "-"))
		}
	}
	for _, n := range notes {
		fmt.Fprintf(out, "\n%s", n)
	}
	fmt.Fprintln(out)
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func widthsOf(cells [][]string) []int {
	widths := make([]int, len(cells[0]))
	for _, row := range cells {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// joined is one row in the syntax of Markdown, so that it can be pasted as it is.
func joined(row []string, widths []int, fill string) string {
	var s strings.Builder
	for i, cell := range row {
		pad := strings.Repeat(fill, widths[i]-utf8.RuneCountInString(cell))
		s.WriteString("|" + fill + cell + pad + fill)
	}
	return s.String() + "|"
}

// machine says what the figures were taken on.
func (b *bench) machine() string {
	size := ""
	if b.quick {
		size = " Quick sizes: the figures mean little."
	}
	return fmt.Sprintf("%s, %d cores (%s), %s/%s, %s.%s", time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(),
		processor(), runtime.GOOS, runtime.GOARCH, runtime.Version(), size)
}

// processor is its name where the system tells.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere than on Linux it stays unknown
	for l := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// times are durations of the same thing.
type times []time.Duration

// ms is the q-quantile in milliseconds, by nearest rank.
func (t times) ms(q float64) float64 {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	rank := min(int(q*float64(len(sorted))), len(sorted)-1)
	return float64(sorted[rank].Microseconds()) / 1000
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
