package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

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

// verbs are the commands, and the words that lead to some of them, with what --help says about each.
var verbs = []struct{ path, help string }{
	{Serve, "Run the portal."},
	{Migrate, "Bring the database up to date and stop."},
	{"admin", "Work on the database directly."},
	{"admin tenant", "Tenants."},
	{TenantAdd, "Add a tenant."},
	{TenantList, "List the tenants."},
	{Version, "Print the version."},
	{Healthcheck, "Ask the running portal whether it is well; for containers."},
}

// below is what of a command comes after path, and whether anything does.
func below(path, command string) (string, bool) {
	if path == "" {
		return command, true
	}
	return strings.CutPrefix(command, path+" ")
}

// following are the words that may come after path; none if path is a whole command.
func following(path string) []string {
	var all []string
	for _, v := range verbs {
		if rest, yes := below(path, v.path); yes && !strings.Contains(rest, " ") {
			all = append(all, rest)
		}
	}
	return all
}

// Parse reads the command line and the environment. An error is either about the command line itself or a Faults
// that names everything that is wrong with the settings the command needs. Only --help writes to out.
func Parse(args []string, env func(string) (string, bool), out io.Writer) (Command, Config, error) {
	l := newLine()
	if err := l.read(args); err != nil {
		return Command{}, Config{}, fmt.Errorf("%w. See portal --help", err)
	}
	if l.help {
		_, err := io.WriteString(out, helpText(l))
		return Command{Name: Help}, Config{}, err
	}
	l.environment(env)
	l.config.BaseURL = strings.TrimSuffix(l.config.BaseURL, "/")
	return l.command(), l.config, l.relevant().and(l.config.check(l.path)).err()
}

// Default is the configuration that nothing was set in.
func Default() Config { return newLine().config }

const helpOfHelp = "Show context-sensitive help."

// line is the command line while it is read.
type line struct {
	flags    *flag.FlagSet // what may be given so far; a command adds its own
	settings []*option
	own      []*option // flags of the command alone
	config   Config
	faults   Faults
	help     bool

	path       string // words of the command so far
	slugs      []string
	tenantName string
	groups     []tenants.Group
}

func newLine() *line {
	l := &line{flags: flag.NewFlagSet("portal", flag.ContinueOnError)}
	l.flags.BoolVar(&l.help, "help", false, helpOfHelp)
	l.settings = options(&l.config, &l.faults)
	l.accept(l.settings)
	return l
}

func (l *line) accept(more []*option) {
	for _, o := range more {
		l.flags.Var(o, o.name, o.help)
	}
}

// read does what flag.FlagSet.Parse does, except that flags may stand anywhere among the words and that a forgotten
// value is noticed: Parse would take the next flag for it.
func (l *line) read(args []string) error {
	for literal := false; len(args) > 0; {
		var err error
		arg := args[0]
		args = args[1:]
		switch {
		case literal || arg == "-" || !strings.HasPrefix(arg, "-"):
			err = l.word(arg)
		case arg == "--":
			literal = true
		default:
			args, err = l.flag(arg, args)
		}
		if err != nil {
			return err
		}
	}
	return l.incomplete()
}

// flag reads one flag and returns the arguments after it and its value.
func (l *line) flag(arg string, rest []string) ([]string, error) {
	arg, value, given := strings.Cut(arg, "=")
	name := strings.TrimPrefix(arg, "--")
	if arg == "-h" {
		name = "help"
	}
	f := l.flags.Lookup(name)
	if f == nil {
		return nil, fmt.Errorf("unknown flag %s%s", arg, didYouMean(arg, l.flagNames()))
	}
	if isSwitch(f) {
		value = truth(value, given)
	} else if !given {
		if len(rest) == 0 || strings.HasPrefix(rest[0], "-") && rest[0] != "-" {
			return nil, fmt.Errorf("%s: expected a value; one that begins with a hyphen is written %[1]s=VALUE", arg)
		}
		value, rest = rest[0], rest[1:]
	}
	if err := l.flags.Set(name, value); err != nil {
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	return rest, nil
}

func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// truth is the value of a switch; on a command line people also write yes and no.
func truth(value string, given bool) string {
	switch {
	case !given || value == "yes":
		return "true"
	case value == "no":
		return "false"
	}
	return value
}

func (l *line) flagNames() []string {
	var all []string
	l.flags.VisitAll(func(f *flag.Flag) { all = append(all, "--"+f.Name) })
	return all
}

// word takes the next word: of a command, or the slug.
func (l *line) word(w string) error {
	next := following(l.path)
	switch {
	case slices.Contains(next, w):
		l.path = strings.TrimPrefix(l.path+" "+w, " ")
		if l.path == TenantAdd {
			l.addFlags()
		}
	case l.path == TenantAdd && len(l.slugs) == 0:
		l.slugs = []string{w}
	default:
		return fmt.Errorf("unexpected argument %s%s", w, didYouMean(w, next))
	}
	return nil
}

// addFlags lets the flags be given that only TenantAdd has.
func (l *line) addFlags() {
	l.own = []*option{
		{name: "name", help: "Name on pages.", target: &l.tenantName, faults: &l.faults},
		{name: "group", help: "OIDC group and its role: GROUP=viewer, auditor, editor, approver or admin. May be given more than once.", target: &l.groups, faults: &l.faults},
	}
	l.accept(l.own)
}

// incomplete says what is missing at the end of the line, unless only help was asked for.
func (l *line) incomplete() error {
	next := following(l.path)
	switch {
	case l.help:
		return nil
	case l.path == TenantAdd && len(l.slugs) == 0:
		return errors.New(`expected "<slug>"`)
	case len(next) > 0:
		return fmt.Errorf("expected %s", oneOf(next))
	}
	return nil
}

// environment reads the settings that no flag gave.
func (l *line) environment(env func(string) (string, bool)) {
	given := map[string]bool{}
	l.flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, o := range l.settings {
		if !given[o.name] {
			o.fromEnvironment(env)
		}
	}
}

// onData is what the commands that work on the database alone read.
var onData = []string{"database", "key-file", "log-format", "log-level"}

// relevant are the faults that keep the command from its work: those of flags, which somebody typed for it, and those of
// variables that it reads.
func (l *line) relevant() Faults {
	var reads []string
	switch l.path {
	case Serve:
		return l.faults
	case Migrate, TenantAdd, TenantList:
		reads = onData
	case Healthcheck:
		reads = []string{"listen"}
	}
	l.flags.Visit(func(f *flag.Flag) { reads = append(reads, f.Name) })
	return slices.DeleteFunc(slices.Clone(l.faults), func(f Fault) bool { return !slices.Contains(reads, f.Setting) })
}

func (l *line) command() Command {
	if l.path != TenantAdd {
		return Command{Name: l.path}
	}
	slug := l.slugs[0]
	if l.tenantName == "" {
		l.tenantName = slug
	}
	return Command{Name: TenantAdd, Slug: slug, TenantName: l.tenantName, Groups: l.groups}
}

// didYouMean names the known words that a wrong one is close to.
func didYouMean(word string, known []string) string {
	near := slices.DeleteFunc(slices.Clone(known), func(k string) bool {
		return !strings.HasPrefix(k, word) && distance(k, word) > 2
	})
	if word == "" || len(near) == 0 {
		return ""
	}
	return ", did you mean " + oneOf(near) + "?"
}

func oneOf(words []string) string {
	if len(words) == 1 {
		return fmt.Sprintf("%q", words[0])
	}
	return `one of "` + strings.Join(words, `", "`) + `"`
}

// distance is how many letters must be added, removed or replaced to make b from a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // from what of a was seen to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		replaced := row[0]
		row[0] = i + 1
		for j := range len(b) {
			if a[i] != b[j] {
				replaced++
			}
			replaced, row[j+1] = row[j+1], min(replaced, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
