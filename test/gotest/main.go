// Command gotest runs go test with its own arguments and prints what a person wants to see: each package's closing
// line, the output of failed tests, and every skipped test with its reason. With CI=true a skipped test fails the
// run, so that nothing hides.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(2)
	}
	r := newReport(os.Stdout)
	readErr := r.read(out)
	waitErr := cmd.Wait()
	if ok := r.verdict(os.Getenv("CI") == "true"); !ok || readErr != nil || waitErr != nil {
		os.Exit(1)
	}
}

// event is one line of go test -json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output
	Test       string
	Output     string
}

type report struct {
	out     io.Writer
	held    map[string][]string // output of tests that still run, by package and test
	failed  int
	skipped []string
}

func newReport(out io.Writer) *report { return &report{out: out, held: map[string][]string{}} }

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		fmt.Fprint(r.out, line) // not from test2json: somebody should see it
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output(e, key)
	case "pass":
		delete(r.held, key)
	case "skip":
		r.skip(e, key)
	case "fail":
		r.failed++
		r.release(key)
	}
}

// output passes a package's own lines on at once, except the bare word that its ok line repeats.
func (r *report) output(e event, key string) {
	if e.Test != "" {
		r.held[key] = append(r.held[key], e.Output)
		return
	}
	if e.Output != "PASS\n" && !strings.HasPrefix(e.Output, "?") {
		fmt.Fprint(r.out, e.Output)
	}
}

func (r *report) skip(e event, key string) {
	if e.Test == "" {
		return // a package without tests
	}
	reason := strings.Join(r.held[key], "")
	delete(r.held, key)
	r.skipped = append(r.skipped, fmt.Sprintf("SKIPPED %s\n%s", key, reason))
}

// release prints what a failed test said. A test that the process died in is released with its package.
func (r *report) release(key string) {
	for k, said := range r.held {
		if k == key || strings.HasSuffix(key, " ") && strings.HasPrefix(k, key) {
			fmt.Fprint(r.out, strings.Join(said, ""))
			delete(r.held, k)
		}
	}
}

// verdict closes the report: true when nothing failed and, in CI, nothing was skipped.
func (r *report) verdict(ci bool) bool {
	for _, s := range r.skipped {
		fmt.Fprint(r.out, s)
	}
	if n := len(r.skipped); n > 0 && ci {
		fmt.Fprintf(r.out, "FAIL: %d skipped, and with CI=true nothing may skip\n", n)
		return false
	}
	return r.failed == 0
}
