package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"perennial/tenants"
)

// Fault is one thing that is wrong with the settings.
type Fault struct {
	Setting string // name of its flag, without hyphens in front
	Text    string // sentences: what is wrong and what to write instead
}

func (f Fault) String() string {
	if manual(f.Setting) == "" { // a flag of one command, which no variable sets
		return fmt.Sprintf("--%s: %s", f.Setting, f.Text)
	}
	return fmt.Sprintf("--%s (%s): %s", f.Setting, Variable(f.Setting), f.Text)
}

// Faults is everything that is wrong with the settings at once.
type Faults []Fault

func (f Faults) Error() string {
	var b strings.Builder
	if len(f) == 1 {
		b.WriteString("one setting needs attention:")
	} else {
		fmt.Fprintf(&b, "%d settings need attention:", len(f))
	}
	for _, one := range f {
		b.WriteString("\n  " + one.String())
	}
	return b.String()
}

func (f *Faults) add(setting, format string, args ...any) {
	*f = append(*f, Fault{setting, fmt.Sprintf(format, args...)})
}

// addFields adds what an error says of a form's fields, for the settings that stand for them.
func (f *Faults) addFields(err error, settings map[string]string) {
	e, ok := errors.AsType[*tenants.Error](err)
	if !ok {
		return
	}
	for _, field := range slices.Sorted(maps.Keys(settings)) {
		if text := e.Fields[field]; text != "" {
			f.add(settings[field], "%s", text)
		}
	}
}

// and adds more, except about settings that could not even be read: those hold their default.
func (f Faults) and(more Faults) Faults {
	all := slices.Clone(f)
	for _, m := range more {
		if !slices.ContainsFunc(f, func(known Fault) bool { return known.Setting == m.Setting }) {
			all = append(all, m)
		}
	}
	return all
}

// err is nil when nothing is wrong.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}
