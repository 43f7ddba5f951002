package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"perennial/tenants"
)

// Commands of the portal, as a Command names them.
const (
	Serve       = "serve"
	Migrate     = "migrate"
	TenantAdd   = "admin tenant add"
	TenantList  = "admin tenant list"
	Version     = "version"
	Healthcheck = "healthcheck"
	Help        = "help" // --help was given and answered
)

// Command is what the command line asks for.
type Command struct {
	Name string
	Slug string // TenantAdd: the new tenant's short name
	// TenantAdd: its name on pages; the slug if none was given.
	TenantName string
	Groups     []tenants.Group // TenantAdd: without ids
}

// unchecked is Config without its methods: kong would call Validate by itself, whatever the command needs.
type unchecked Config

// grammar is the command line as kong reads it.
type grammar struct {
	Settings unchecked `embed:""`

	Serve   struct{} `cmd:"" help:"Run the portal."`
	Migrate struct{} `cmd:"" help:"Bring the database up to date and stop."`
	Admin   struct {
		Tenant struct {
			Add struct {
				Slug  string          `arg:"" help:"Short name that never changes: a–z, 0–9, hyphen."`
				Name  string          `help:"Name on pages."`
				Group []tenants.Group `sep:"none" help:"OIDC group and its role: GROUP=viewer, auditor, editor, approver or admin. May be given more than once." placeholder:"GROUP=ROLE"`
			} `cmd:"" help:"Add a tenant."`
			List struct{} `cmd:"" help:"List the tenants."`
		} `cmd:"" help:"Tenants."`
	} `cmd:"" help:"Work on the database directly."`
	Version     struct{} `cmd:"" help:"Print the version."`
	Healthcheck struct{} `cmd:"" help:"Ask the running portal whether it is well; for containers."`
}

// Parse reads the command line and the environment. An error is either about the command line itself or a Faults
// that names everything that is wrong with the settings the command needs. Only --help writes to out.
func Parse(args []string, env func(string) (string, bool), out io.Writer) (Command, Config, error) {
	var g grammar
	p := reader{env: env}
	helped := false
	k, err := kong.New(&g, append(p.options(), kong.Name("portal"),
		kong.Description("Perennial: self-service certificates for custom domains. Every flag is also a variable: --base-url is PERENNIAL_BASE_URL."),
		kong.Writers(out, out), kong.Exit(func(int) { helped = true }))...)
	if err != nil {
		return Command{}, Config{}, fmt.Errorf("build command line: %w", err)
	}
	ctx, err := k.Parse(args)
	switch {
	case helped:
		return Command{Name: Help}, Config{}, nil
	case err != nil:
		return Command{}, Config{}, fmt.Errorf("%w. See portal --help", err)
	}
	c := Config(g.Settings)
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	cmd := commandOf(ctx.Command(), &g)
	return cmd, c, p.faults.and(c.check(cmd.Name)).err()
}

// Default is the configuration that nothing was set in.
func Default() Config {
	var c unchecked
	p := reader{env: func(string) (string, bool) { return "", false }}
	if err := kong.ApplyDefaults(&c, p.options()...); err != nil {
		panic(err) // a default in Config's tags that its own type refuses: every test fails with it
	}
	return Config(c)
}

func commandOf(path string, g *grammar) Command {
	add := g.Admin.Tenant.Add
	if name := strings.TrimSuffix(path, " <slug>"); name != TenantAdd {
		return Command{Name: name}
	}
	if add.Name == "" {
		add.Name = add.Slug
	}
	return Command{Name: TenantAdd, Slug: add.Slug, TenantName: add.Name, Groups: add.Group}
}

// reader turns what was typed into values. A value that cannot be read becomes a fault instead of ending the
// parse, so that the next one is looked at too.
type reader struct {
	env    func(string) (string, bool)
	faults Faults
}

func (p *reader) options() []kong.Option {
	return []kong.Option{
		kong.Resolvers(kong.ResolverFunc(p.resolve)),
		kong.PostBuild(describe),
		read(p, parseCount), read(p, parseDuration), read(p, parseLevel), read(p, parseLimit), read(p, parseGroup), read(p, parseSecret),
		readList(p, parsePrefix), readList(p, parseText),
	}
}

// describe gives every setting its manual.
func describe(k *kong.Kong) error {
	for _, f := range k.Model.Flags {
		if text := manual(f.Name); text != "" {
			f.Help = text
		}
	}
	return nil
}

// read makes kong read values of type T with parse, whose second result is the fault in words, empty for none.
func read[T any](p *reader, parse func(string) (T, string)) kong.Option {
	return kong.TypeMapper(reflect.TypeFor[T](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return err
		}
		v, wrong := parse(text)
		if wrong != "" {
			p.faults.add(ctx.Value.Name, "%s", wrong)
			return nil
		}
		target.Set(reflect.ValueOf(v))
		return nil
	}))
}

// readList is read for values separated by commas; a flag given again adds to them.
func readList[T any](p *reader, parse func(string) (T, string)) kong.Option {
	return kong.TypeMapper(reflect.TypeFor[[]T](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return err
		}
		for item := range strings.SplitSeq(text, ",") {
			item = strings.TrimSpace(item)
			if item == "" {
				continue
			}
			v, wrong := parse(item)
			if wrong != "" {
				p.faults.add(ctx.Value.Name, "%s", wrong)
				continue
			}
			target.Set(reflect.Append(target, reflect.ValueOf(v)))
		}
		return nil
	}))
}

// resolve finds the value of a setting that no flag gave. An empty variable counts as absent.
func (p *reader) resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if manual(flag.Name) == "" {
		return nil, nil // a flag of one command, not a setting
	}
	value, set := p.env(Variable(flag.Name))
	set = set && value != ""
	if flag.Target.Type() == reflect.TypeFor[tenants.Secret]() {
		return p.secret(flag.Name, value, set), nil
	}
	if !set {
		return nil, nil
	}
	if flag.IsBool() {
		b, err := strconv.ParseBool(value)
		if err != nil {
			p.faults.add(flag.Name, "%q is neither yes nor no. Write true or false.", value)
			return nil, nil
		}
		return b, nil
	}
	return value, nil
}

// secret is the value itself or the content of the file that the _FILE variable names; nil if neither is set.
func (p *reader) secret(setting, value string, set bool) any {
	path, fromFile := p.env(Variable(setting) + "_FILE")
	switch fromFile = fromFile && path != ""; {
	case set && fromFile:
		p.faults.add(setting, "It is set twice, as %[1]s and as %[1]s_FILE. Remove one of them.", Variable(setting))
		return value
	case fromFile:
		text, err := os.ReadFile(path)
		if err != nil {
			p.faults.add(setting, "The file that %s_FILE names cannot be read (%v). Name a file that the portal may read.", Variable(setting), err)
			return nil
		}
		return strings.TrimRight(string(text), "\r\n")
	case set:
		return value
	}
	return nil
}

// Variable is the environment variable of a setting.
func Variable(setting string) string {
	return "PERENNIAL_" + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

func parseText(s string) (string, string) { return s, "" }

func parseSecret(s string) (tenants.Secret, string) { return tenants.NewSecret([]byte(s)), "" }

func parseCount(s string) (int, string) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Sprintf("%q is not a number. Write digits only, such as 32.", s)
	}
	return n, ""
}

func parseDuration(s string) (time.Duration, string) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Sprintf("%q is not a length of time. Write a number and a unit, such as 500ms, 1s or 2m.", s)
	}
	return d, ""
}

func parseLevel(s string) (slog.Level, string) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(s)); err != nil {
		return 0, fmt.Sprintf("%q is not a level. Write debug, info, warn or error.", s)
	}
	return l, ""
}

func parseLimit(s string) (tenants.Limit, string) {
	count, per, _ := strings.Cut(s, "/")
	n, err1 := strconv.Atoi(count)
	d, err2 := time.ParseDuration(per)
	if errors.Join(err1, err2) != nil || n < 1 || d <= 0 {
		return tenants.Limit{}, fmt.Sprintf("%q is not a limit. Write a count, a slash and a length of time, such as 300/3h.", s)
	}
	return tenants.Limit{Count: n, Per: d}, ""
}

// parsePrefix also takes a single address.
func parsePrefix(s string) (netip.Prefix, string) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), ""
	}
	n, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Sprintf("%q is not a network. Write an address such as 10.0.0.7 or a network such as 10.0.0.0/8.", s)
	}
	return n.Masked(), ""
}

// parseGroup splits at the last equals sign, since directory names such as cn=admins,ou=it hold some themselves.
func parseGroup(s string) (tenants.Group, string) {
	at := strings.LastIndex(s, "=")
	if at < 1 || !slices.Contains(tenants.Roles, tenants.Role(s[at+1:])) {
		return tenants.Group{}, fmt.Sprintf("%q is not a group and its role. Write GROUP=ROLE with one of the roles viewer, auditor, editor, approver, admin.", s)
	}
	return tenants.Group{Claim: s[:at], Role: tenants.Role(s[at+1:])}, ""
}
