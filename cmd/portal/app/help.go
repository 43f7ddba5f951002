package app

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"perennial/tenants"
)

const (
	helpWidth = 80 // columns of a page
	helpLeft  = 30 // a flag this wide has a line of its own
	helpGap   = 4  // between a flag and what it means
)

const about = "Perennial: self-service certificates for custom domains. Every flag is also a variable: --base-url is PERENNIAL_BASE_URL."

// helpText is the page that --help prints about the command so far.
func helpText(l *line) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s\n\n%s\n", usage("portal", l.path), strings.Join(wrap(aboutVerb(l.path), helpWidth), "\n"))
	if l.path == TenantAdd {
		b.WriteString("\nArguments:\n")
		columns(&b, [][2]string{{"<slug>", "Short name that never changes: a–z, 0–9, hyphen."}})
	}
	b.WriteString("\nFlags:\n")
	columns(&b, commonRows(l.own))
	for start := range l.settings {
		if group := l.settings[start].group; start == 0 || l.settings[start-1].group != group {
			b.WriteString("\n" + group + "\n")
			columns(&b, groupRows(l.settings[start:], group))
		}
	}
	writeVerbs(&b, l.path)
	return b.String()
}

func usage(before, path string) string {
	words := append(strings.Fields(before), strings.Fields(path)...)
	switch {
	case path == TenantAdd:
		words = append(words, "<slug>")
	case len(following(path)) > 0:
		words = append(words, "<command>")
	}
	return strings.Join(append(words, "[flags]"), " ")
}

func aboutVerb(path string) string {
	for _, v := range verbs {
		if v.path == path {
			return v.help
		}
	}
	return about
}

// commonRows are the flags that are no settings.
func commonRows(own []*option) [][2]string {
	rows := [][2]string{{"-h, --help", helpOfHelp}}
	if len(own) > 0 {
		rows = append(rows, [2]string{})
	}
	for _, o := range own {
		rows = append(rows, [2]string{"    " + o.form(), o.help})
	}
	return rows
}

// groupRows are the settings at the start of all that belong to group.
func groupRows(all []*option, group string) (rows [][2]string) {
	for _, o := range all {
		if o.group != group {
			break
		}
		rows = append(rows, [2]string{o.form(), o.help})
	}
	return rows
}

// form is how a flag is written, with its default if it has one.
func (o *option) form() string {
	_, isText := o.target.(*string)
	switch {
	case o.IsBoolFlag():
		return "--" + o.name
	case o.preset != "" && isText:
		return "--" + o.name + "=" + strconv.Quote(o.preset)
	case o.preset != "":
		return "--" + o.name + "=" + o.preset
	}
	return "--" + o.name + "=" + o.kind()
}

// kind stands for the value of a flag without a default.
func (o *option) kind() string {
	switch o.target.(type) {
	case *string:
		return "STRING"
	case *tenants.Secret:
		return "SECRET"
	case *tenants.Limit:
		return "LIMIT"
	case *[]tenants.Group:
		return "GROUP=ROLE"
	}
	return strings.ToUpper(o.name) + ",..."
}

// writeVerbs lists the commands that begin with path.
func writeVerbs(b *strings.Builder, path string) {
	if len(following(path)) == 0 {
		return
	}
	b.WriteString("\nCommands:")
	for _, v := range verbs {
		if _, yes := below(path, v.path); yes && len(following(v.path)) == 0 {
			fmt.Fprintf(b, "\n  %s\n    %s\n", usage("", v.path), v.help)
		}
	}
	if path == "" {
		b.WriteString("\nRun \"portal <command> --help\" for more information on a command.\n")
	}
}

// columns writes rows of two columns, the second wrapped.
func columns(b *strings.Builder, rows [][2]string) {
	left := 0
	for _, r := range rows {
		if len(r[0]) < helpLeft {
			left = max(left, len(r[0]))
		}
	}
	for _, r := range rows {
		lines := wrap(r[1], helpWidth-2-left-helpGap)
		if len(r[0]) >= helpLeft {
			fmt.Fprintf(b, "  %s\n", r[0])
			r[0] = ""
		}
		for i, text := range lines {
			if i > 0 {
				r[0] = ""
			}
			b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s%*s%s", left, r[0], helpGap, "", text), " ") + "\n")
		}
	}
}

// wrap breaks text into lines of at most width letters where its words allow it.
func wrap(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
