// Package e2e tests whole programs: the development world in a browser, and the product's binary killed at every
// step of an order. It has no code of its own beside its tests.
package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programs are the binaries under test; TestMain builds them.
var programs struct{ devportal, portal string }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "perennial-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+"/", "perennial/cmd/devportal", "perennial/cmd/portal")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	programs.devportal, programs.portal = filepath.Join(dir, "devportal"), filepath.Join(dir, "portal")
	defer closeBrowser()
	return m.Run()
}

// child is a program that runs beside the test.
type child struct {
	cmd   *exec.Cmd
	log   *journal
	ended chan struct{} // closed when err is known
	err   error
}

// journal is what a program wrote.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// launch starts a program. What it writes is shown when the test fails, and it never outlives the test.
func launch(t *testing.T, env []string, program string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(program, args...), log: &journal{}, ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.Env = env
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(program), tail(c.log.String()))
		}
	})
	return c
}

// tail is the end of a long text.
func tail(s string) string {
	const most = 12_000
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}

// kill is kill -9, and waits until the process is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may be gone already
	<-c.ended
}

// stop asks the program to end, as a service manager does, and returns how long that took.
func (c *child) stop(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stop: %v", err)
	}
	select {
	case <-c.ended:
		if c.err != nil {
			t.Errorf("the program ended with %v", c.err)
		}
	case <-time.After(15 * time.Second):
		t.Errorf("the program did not end within 15 seconds of SIGTERM")
		c.kill()
	}
	return time.Since(began)
}

func (c *child) gone() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// world is the development world in a process of its own.
type world struct {
	*child
	state
}

// state is what the world says of itself, as far as tests need it.
type state struct {
	Portal         string   `json:"portal"`
	Provider       string   `json:"provider"`
	CustomerDNS    string   `json:"customer_dns"`
	DelegationZone string   `json:"delegation_zone"`
	CustomerZones  []string `json:"customer_zones"`
	People         []struct{ Email, Tenant, Role string }
}

// startWorld starts the development world on free ports and waits until everything in it answers.
func startWorld(t *testing.T, args ...string) *world {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "state.json")
	args = append([]string{"-listen", "127.0.0.1:0", "-data", filepath.Join(dir, "data"), "-state", file}, args...)
	w := &world{child: launch(t, os.Environ(), programs.devportal, args...)}
	var text []byte
	eventually(t, time.Minute, "the world writes its state file", func() error {
		if w.gone() {
			t.Fatalf("the world ended: %v", w.err)
		}
		var err error
		text, err = os.ReadFile(file)
		return err
	})
	if err := json.Unmarshal(text, &w.state); err != nil {
		t.Fatalf("read the world's state: %v\n%s", err, text)
	}
	return w
}

// eventually asks again and again until the answer is no error. It is for what another process does in its own time.
func eventually(t *testing.T, within time.Duration, what string, ask func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(within)
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-late:
			t.Fatalf("waited %v until %s: %v", within, what, err)
		case <-t.Context().Done():
			t.Fatalf("until %s: %v", what, err)
		case <-tick.C:
		}
	}
}

// missing skips a test that needs a program which is not installed. In CI nothing may skip.
func missing(t *testing.T, text string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip("NOT TESTED: " + text)
}

// read is the body of a successful answer.
func read(resp *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return "", err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return string(body), fmt.Errorf("%s %s: %s\n%s", resp.Request.Method, resp.Request.URL.Path, resp.Status, words(string(body)))
	}
	return string(body), nil
}

// words is a page without its tags, for messages.
func words(page string) string {
	var b strings.Builder
	depth := 0
	for _, r := range page {
		switch r {
		case '<':
			depth++
			b.WriteByte(' ')
		case '>':
			depth--
		default:
			if depth == 0 {
				b.WriteRune(r)
			}
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
