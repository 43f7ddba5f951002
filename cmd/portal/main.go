// Command portal is Perennial: self-service certificates for custom domains.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	_ "time/tzdata"

	"perennial/cmd/portal/app"
	"perennial/store"
	"perennial/tenants"
)

func main() {
	debug.SetGCPercent(200) // half as many collections, which make the slow pages slow, for some megabytes
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, say(err))
		os.Exit(1)
	}
}

// say is what a person at a terminal reads: a sentence that was made for people stands alone.
func say(err error) string {
	if e, ok := errors.AsType[*tenants.Error](err); ok && e.Err == nil && e.Kind != tenants.Internal {
		return e.Text
	}
	return err.Error()
}

// run is the program without its process: everything it needs comes in as an argument.
func run(ctx context.Context, args []string, env func(string) (string, bool), out, errs io.Writer) error {
	cmd, config, err := app.Parse(args, env, out)
	if err != nil {
		return err
	}
	switch cmd.Name {
	case app.Serve:
		return serve(ctx, config, errs)
	case app.Migrate:
		return withStore(ctx, config, errs, func(*store.DB) error {
			_, err := fmt.Fprintln(out, "The database is up to date.")
			return err
		})
	case app.TenantAdd:
		return withStore(ctx, config, errs, func(db *store.DB) error { return addTenant(ctx, db, cmd, out) })
	case app.TenantList:
		return withStore(ctx, config, errs, func(db *store.DB) error { return listTenants(ctx, db, out) })
	case app.Version:
		_, err := fmt.Fprintln(out, app.Build)
		return err
	case app.Healthcheck:
		return healthcheck(ctx, config)
	}
	return nil // help was printed
}

func serve(ctx context.Context, c app.Config, errs io.Writer) error {
	portal, err := app.Open(ctx, c, app.NewLog(c, errs))
	if err != nil {
		return err
	}
	return errors.Join(portal.Run(ctx), portal.Close())
}

func withStore(ctx context.Context, c app.Config, errs io.Writer, do func(*store.DB) error) error {
	db, err := app.OpenStore(ctx, c, app.NewLog(c, errs))
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

func addTenant(ctx context.Context, db *store.DB, cmd app.Command, out io.Writer) error {
	in := store.TenantInput{Name: cmd.TenantName, Slug: cmd.Slug}
	for _, g := range cmd.Groups {
		in.Groups = append(in.Groups, store.GroupInput{Claim: g.Claim, Role: g.Role})
	}
	id, err := db.System().AddTenant(ctx, in)
	if err == nil {
		_, err = fmt.Fprintf(out, "Added %s (%s), %s.\n", in.Name, in.Slug, id)
	}
	return err
}

func listTenants(ctx context.Context, db *store.DB, out io.Writer) error {
	all, err := db.System().Tenants(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		_, err = fmt.Fprintln(out, "There are no tenants yet. Add one with: portal admin tenant add SLUG --name NAME --group GROUP=admin")
	}
	for _, t := range all {
		if _, err := fmt.Fprintf(out, "%s\t%s\t%s\n", t.Slug, t.Name, t.ID); err != nil {
			return err
		}
	}
	return err
}

// healthcheck asks the portal that runs with the same settings whether it is ready; containers call it.
func healthcheck(ctx context.Context, c app.Config) error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the portal is not ready: %s", resp.Status)
	}
	return nil
}
