// Command devportal runs the whole world of Perennial in one process on loopback: the portal, an OpenID Provider
// without passwords, an ACME authority (Pebble), an authoritative DNS server that takes signed updates, and a page
// on which the visitor plays the customer's DNS administrator. It is for development and tests only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	_ "time/tzdata"
)

type options struct {
	listen   string
	data     string
	postgres string
	state    string
	bare     bool
	limits   int
	verbose  bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse(args []string, errs io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("devportal", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` of the portal; its neighbours take the next five ports, port 0 takes free ones")
	f.StringVar(&o.data, "data", "", "`folder` to keep data in; without it a temporary one that is removed at the end")
	f.StringVar(&o.postgres, "postgres", "", "postgres:// `URL` to use instead of SQLite")
	f.StringVar(&o.state, "state", "", "`file` to write addresses and people to, as JSON, once everything answers")
	f.BoolVar(&o.bare, "bare", false, "start without the two dozen domains that live here otherwise")
	f.IntVar(&o.limits, "limits", 0, "let the CA enforce the limits of Let's Encrypt, with time `n` times faster; 0 is no limits")
	f.BoolVar(&o.verbose, "v", false, "log everything")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.limits < 0 {
		return o, fmt.Errorf("-limits %d: write how many times faster time runs, such as 1 or 360", o.limits)
	}
	host, _, err := net.SplitHostPort(o.listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return o, fmt.Errorf("-listen %s: this world has no passwords and stays on loopback. Write 127.0.0.1:PORT", o.listen)
	}
	return o, nil
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	o, err := parse(args, errs)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.data == "" {
		if o.data, err = os.MkdirTemp("", "perennial-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.data)
	} else if err := os.MkdirAll(o.data, 0o700); err != nil {
		return err
	}
	return live(ctx, o, out, newLog(o, errs))
}

func newLog(o options, errs io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level}))
}

// live runs the world until ctx ends.
func live(ctx context.Context, o options, out io.Writer, log *slog.Logger) error {
	w, err := begin(context.WithoutCancel(ctx), o, log)
	if err != nil {
		return err
	}
	if err := found(ctx, w.portal.DB); err != nil {
		return errors.Join(err, w.end())
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.portal.Run(running) }()
	kept := make(chan error, 1)
	go func() { kept <- remember(running, w.dns, o.records()) }()
	err = w.announce(running, o, out)
	if err == nil && !o.bare {
		err = w.populate(running)
	}
	if err != nil && ctx.Err() == nil {
		stop()
		return errors.Join(err, <-ended, <-kept, w.end())
	}
	return errors.Join(<-ended, <-kept, w.end())
}
