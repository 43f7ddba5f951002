package main

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test program be the portal when a script calls it, so that scripts run the real main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"portal": main})
}

// TestScripts plays the scripts of testdata, in an empty folder and an empty environment each. Beside testscript's
// own commands there are
//
//	mode FILE 0600         checks who may read a file
//	soon COMMAND ARGS…     runs a command again and again until it succeeds, for 10 seconds
//
// and $ADDRESS is an address that is free to listen on.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("ADDRESS", l.Addr().String())
			return l.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"mode": mode, "soon": soon},
	})
}

func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE 0600")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

func soon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: soon COMMAND ARGS…")
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(10 * time.Second); ; {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		select {
		case <-late:
			ts.Fatalf("%v does not succeed: %v", args, err)
		case <-tick.C:
		}
	}
}
