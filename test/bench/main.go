// Command bench measures what the project promises about speed and memory and prints one table. It never fails
// because something is slow: a busy machine is no fault of the program. It fails when a row could not be measured.
//
// Nothing leaves this machine. The authority and DNS of the development world run inside this process; pages and
// memory are measured on the portal's own binary, built the way it is released.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"

	_ "time/tzdata"

	"perennial/store/storetest"
)

// bench is one run of this program.
type bench struct {
	quick    bool
	full     bool
	inside   bool
	dir      string
	errs     io.Writer
	notes    []string // printed below the table
	binary   string   // of the portal, once built
	postgres *storetest.Server
}

// experiments are what can be measured, in the order of the table.
var experiments = []struct {
	name string
	run  func(*bench, context.Context) ([]line, error)
}{
	{"issuance", (*bench).issuance},
	{"renewals", (*bench).renewals},
	{"distance", (*bench).distance},
	{"rows", (*bench).rows},
	{"latency", (*bench).latency},
	{"list", (*bench).list},
	{"growth", (*bench).growth},
	{"claim", (*bench).claim},
	{"spread", (*bench).spread},
	{"memory", (*bench).memory},
	{"program", (*bench).program},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	b := &bench{errs: errs}
	var only, cpu string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.BoolVar(&b.quick, "quick", false, "small sizes: shows that every row works, the figures mean little")
	f.BoolVar(&b.full, "full", false, "10,000 renewals instead of 1,000, beside the authority and away from it, which takes half an hour more")
	f.BoolVar(&b.inside, "inside", false, "serve pages inside this process instead of by the binary, so that -cpuprofile sees them")
	f.StringVar(&only, "only", "", "measure only these `rows`, separated by commas: "+strings.Join(names(), ", "))
	f.StringVar(&cpu, "cpuprofile", "", "write a CPU profile of this process to `file`")
	if err := f.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "perennial-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if cpu != "" {
		end, err := profile(cpu)
		if err != nil {
			return err
		}
		defer end()
	}
	return b.measure(ctx, chosen, out)
}

func names() (all []string) {
	for _, e := range experiments {
		all = append(all, e.name)
	}
	return all
}

func choose(only string) ([]string, error) {
	if only == "" {
		return names(), nil
	}
	chosen := strings.Split(only, ",")
	for _, name := range chosen {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("there is no row %q; choose among %s", name, strings.Join(names(), ", "))
		}
	}
	return chosen, nil
}

func profile(path string) (end func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}

// measure runs the chosen experiments and prints the table, with whatever could be measured.
func (b *bench) measure(ctx context.Context, chosen []string, out io.Writer) error {
	var lines []line
	var faults []error
	for _, e := range experiments {
		if !slices.Contains(chosen, e.name) || ctx.Err() != nil {
			continue
		}
		b.say("measuring %s …", e.name)
		got, err := e.run(b, ctx)
		lines = append(lines, got...)
		if err != nil {
			faults = append(faults, fmt.Errorf("measure %s: %w", e.name, err))
		}
	}
	printTable(out, b.machine(), lines, b.notes)
	return errors.Join(append(faults, ctx.Err())...)
}

// say tells whoever waits how far it is.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.errs, format+"\n", args...) }

// note adds a line below the table.
func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// size is n, or the smaller quick.
func (b *bench) size(n, quick int) int {
	if b.quick {
		return quick
	}
	return n
}
