package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a Postgres server that lives as long as the test program.
type cluster struct {
	dir  string
	n    atomic.Int64
	life io.Closer // the keeper's input; collected as garbage it would end the server
}

// errMissing says that Postgres is not installed.
var errMissing = errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")

const template = "perennial_template"

// Postgres is the address of a new, empty database on the test program's cluster, for tests that migrate it themselves.
func Postgres(t testing.TB) (dsn string) {
	t.Helper()
	return theCluster(t).create(t, "template0")
}

func theCluster(t testing.TB) *cluster {
	t.Helper()
	c, err := startOnce()
	switch {
	case errors.Is(err, errMissing) && os.Getenv("CI") != "true":
		t.Skipf("NOT TESTED ON POSTGRES: %v", err)
	case err != nil:
		t.Fatalf("start postgres: %v", err)
	}
	return c
}

// database makes a furnished database and removes it after the test.
func (c *cluster) database(t testing.TB) (dsn string) { return c.create(t, template) }

func (c *cluster) create(t testing.TB, from string) (dsn string) {
	t.Helper()
	name := fmt.Sprintf("test_%d", c.n.Add(1))
	if err := c.exec(fmt.Sprintf("create database %s template %s", name, from)); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() {
		if err := c.exec("drop database " + name + " with (force)"); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	return c.dsn(name)
}

// dsn reaches a database over the cluster's socket: no port that somebody else could have.
func (c *cluster) dsn(name string) string {
	return "postgres://perennial@/" + name + "?host=" + url.QueryEscape(c.dir)
}

// exec runs one statement in the maintenance database. Creating from a template wants it unused, so one at a time.
func (c *cluster) exec(text string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.dsn("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, text)
	return errors.Join(err, conn.Close(ctx))
}

// startOnce makes the cluster when the first test asks for it.
var startOnce = sync.OnceValues(func() (*cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "perennial-pg-") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	if err := c.start(bin); err != nil {
		return nil, err
	}
	if err := c.exec("create database " + template); err != nil {
		return nil, err
	}
	return c, furnish(c.dsn(template))
})

// programs finds the newest installed server.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errMissing
}

func major(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0 for an odd name
	return n
}

func (c *cluster) start(bin string) error {
	run, err := c.runAs()
	if err != nil {
		return err
	}
	data := filepath.Join(c.dir, "data")
	initdb := slices.Concat(run, []string{filepath.Join(bin, "initdb"), "-D", data, "-U", "perennial", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"})
	if out, err := exec.Command(initdb[0], initdb[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	server := slices.Concat(run, []string{filepath.Join(bin, "postgres"), "-D", data, "-k", c.dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=200"})
	if err := c.launch(server); err != nil {
		return err
	}
	return c.await()
}

// runAs is what a command begins with so that it does not run as root, which Postgres refuses.
func (c *cluster) runAs() ([]string, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.Atoi(who.Uid)
	gid, err2 := strconv.Atoi(who.Gid)
	if err := errors.Join(err1, err2, os.Chown(c.dir, uid, gid)); err != nil {
		return nil, err
	}
	return []string{"setpriv", "--reuid=" + who.Uid, "--regid=" + who.Gid, "--clear-groups"}, nil
}

// keeper stops the server and removes its folder when its input ends: when the test program is gone, however it went.
const keeper = `dir=$1; shift; "$@" >"$dir/log" 2>&1 & pid=$!; cat >/dev/null; kill -QUIT $pid; wait $pid; rm -rf "$dir"`

func (c *cluster) launch(server []string) error {
	cmd := exec.Command("sh", append([]string{"-c", keeper, "keeper", c.dir}, server...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt from the keyboard is not for it
	var err error
	if c.life, err = cmd.StdinPipe(); err != nil {
		return err
	}
	return cmd.Start()
}

func (c *cluster) await() error {
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if err = c.exec("select 1"); err == nil {
			return nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return fmt.Errorf("the server does not answer: %w", err)
}
