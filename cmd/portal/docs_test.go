package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"perennial/tenants"
)

const root = "../.."

// TestOperationsExplainsEveryCode keeps the table of failure codes complete and its "who acts" the same as on pages.
func TestOperationsExplainsEveryCode(t *testing.T) {
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+\\.[a-z_.]+)` \\| [^|]+ \\| ([^|]+) \\|").FindAllStringSubmatch(text(t, "docs/operations.md"), -1) {
		rows[m[1]] = m[2]
	}
	for _, code := range codes(t) {
		who := string(tenants.Explain(tenants.Finding{Code: tenants.Code(code)}).Who)
		if rows[code] != who {
			t.Errorf("docs/operations.md: %s says %q acts, the pages say %q", code, rows[code], who)
		}
		delete(rows, code)
	}
	for code := range rows {
		t.Errorf("docs/operations.md explains %s, which does not exist", code)
	}
}

// codes reads the constants of type Code from the source, since Go cannot list them.
func codes(t *testing.T) (all []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "tenants/finding.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, named := spec.Type.(*ast.Ident); named && kind.Name == "Code" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, value)
		}
		return true
	})
	if len(all) == 0 {
		t.Fatal("tenants/finding.go has no codes")
	}
	return all
}

// TestSchemaNamesEveryTable: a new table needs a line for whoever looks into the database.
func TestSchemaNamesEveryTable(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "store/migrations/*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	var inCode []string
	for _, f := range files {
		sql, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		inCode = append(inCode, firsts(`(?m)^create table (\w+)`, string(sql))...)
	}
	inDocs := firsts("(?m)^\\| `(\\w+)` \\|", text(t, "docs/schema.md"))
	slices.Sort(inCode)
	slices.Sort(inDocs)
	if !slices.Equal(inCode, inDocs) {
		t.Errorf("docs/schema.md names  %v\nthe migrations make    %v", inDocs, inCode)
	}
}

// TestLinks: what our pages of text link to inside the repository exists.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, root+"/README.md", root+"/CONTRIBUTING.md") {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range firsts(`\]\(([^)#]+)`, string(content)) {
			if strings.Contains(link, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), link)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, link)
			}
		}
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// firsts are the first groups of all matches.
func firsts(pattern, s string) (all []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(s, -1) {
		all = append(all, m[1])
	}
	return all
}
