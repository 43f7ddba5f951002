package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"perennial/tenants"
)

// option is a flag: a setting, which is a field of Config, or a flag of one command.
type option struct {
	name, help    string
	group, preset string // of a setting, as Config's tags say
	target        any    // pointer to where the value goes
	faults        *Faults
}

// options are the settings of c in the order of its fields; c then holds their defaults. Only fields are reflected
// on: looking up methods by name would make the linker keep every method of every library.
func options(c *Config, faults *Faults) []*option {
	var all []*option
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		name := tag.Get("name")
		o := &option{name, manual(name), tag.Get("group"), tag.Get("default"), v.Field(i).Addr().Interface(), faults}
		if o.preset != "" {
			o.read(o.preset)
		}
		all = append(all, o)
	}
	if len(*faults) > 0 {
		panic(*faults) // a default in Config's tags that its own type refuses: every test fails with it
	}
	return all
}

// Set is what the flag package calls. It never fails: a value that cannot be read becomes a fault instead of ending
// the parse, so that the next one is looked at too.
func (o *option) Set(text string) error {
	o.read(text)
	return nil
}

// String stays empty, since --help knows the default from the tag and a value may be secret.
func (o *option) String() string { return "" }

// IsBoolFlag tells a flag that may stand without a value.
func (o *option) IsBoolFlag() bool {
	_, yes := o.target.(*bool)
	return yes
}

// read knows every type that a setting has. A list's flag that is given again adds to it; no list has a default.
func (o *option) read(text string) {
	switch p := o.target.(type) {
	case *string:
		*p = text
	case *bool:
		put(o, p, text, parseSwitch)
	case *int:
		put(o, p, text, parseCount)
	case *time.Duration:
		put(o, p, text, parseDuration)
	case *slog.Level:
		put(o, p, text, parseLevel)
	case *tenants.Limit:
		put(o, p, text, parseLimit)
	case *tenants.Secret:
		put(o, p, text, parseSecret)
	case *[]netip.Prefix:
		putList(o, p, text, parsePrefix)
	case *[]string:
		putList(o, p, text, parseText)
	case *[]tenants.Group: // one at a time, since directory names hold commas
		putItem(o, p, text, parseGroup)
	default:
		panic(fmt.Sprintf("no way to read a %T, as --%s needs it", p, o.name))
	}
}

// put reads a value with parse, whose second result is the fault in words, empty for none. It tells whether it could.
func put[T any](o *option, target *T, text string, parse func(string) (T, string)) bool {
	v, wrong := parse(text)
	if wrong != "" {
		o.faults.add(o.name, "%s", wrong)
		return false
	}
	*target = v
	return true
}

// putItem is put for one more item of a list.
func putItem[T any](o *option, list *[]T, text string, parse func(string) (T, string)) {
	var item T
	if put(o, &item, text, parse) {
		*list = append(*list, item)
	}
}

// putList is put for items separated by commas.
func putList[T any](o *option, list *[]T, text string, parse func(string) (T, string)) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			putItem(o, list, item, parse)
		}
	}
}

// fromEnvironment reads a setting that no flag gave. An empty variable counts as absent.
func (o *option) fromEnvironment(env func(string) (string, bool)) {
	value, set := env(Variable(o.name))
	set = set && value != ""
	if _, secret := o.target.(*tenants.Secret); secret {
		value, set = o.fromFile(env, value, set)
	}
	if set {
		o.read(value)
	}
}

// fromFile is a secret itself or the content of the file that its _FILE variable names.
func (o *option) fromFile(env func(string) (string, bool), value string, set bool) (string, bool) {
	path, named := env(Variable(o.name) + "_FILE")
	switch named = named && path != ""; {
	case set && named:
		o.faults.add(o.name, "It is set twice, as %[1]s and as %[1]s_FILE. Remove one of them.", Variable(o.name))
	case named:
		text, err := os.ReadFile(path)
		if err != nil {
			o.faults.add(o.name, "The file that %s_FILE names cannot be read (%v). Name a file that the portal may read.", Variable(o.name), err)
		}
		return strings.TrimRight(string(text), "\r\n"), err == nil
	}
	return value, set
}

// Variable is the environment variable of a setting.
func Variable(setting string) string {
	return "PERENNIAL_" + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

func parseText(s string) (string, string) { return s, "" }

func parseSwitch(s string) (bool, string) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Sprintf("%q is neither yes nor no. Write true or false.", s)
	}
	return b, ""
}

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
	count, per, both := strings.Cut(s, "/")
	if !both {
		return tenants.Limit{}, fmt.Sprintf("%q is not a limit. Write a count, a slash and a length of time, such as 300/3h.", s)
	}
	_, limit, err := tenants.ParseLimit(string(tenants.OrdersPerAccount), count, per)
	if e, wrong := errors.AsType[*tenants.Error](err); wrong {
		return limit, strings.TrimSpace(e.Fields["count"] + " " + e.Fields["per"])
	}
	return limit, ""
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
