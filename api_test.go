package openinference_test

import (
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:generate go test -run ^TestAPI$ -update .

// TestAPI compares what the packages export with testdata/api.txt, so that no change of
// it goes unnoticed: the next version's number depends on it.
func TestAPI(t *testing.T) {
	var got strings.Builder
	for _, dir := range packages(t) {
		fset := token.NewFileSet()
		p := parsePackage(t, fset, dir)
		got.WriteString("package " + p.Name + "\n")
		for _, decl := range declarations(p) {
			var text strings.Builder
			if err := format.Node(&text, fset, decl); err != nil {
				t.Fatal(err)
			}
			// Where a comment was is an empty line.
			got.WriteString("\n" + strings.ReplaceAll(text.String(), "\n\n", "\n") + "\n")
		}
		got.WriteString("\n")
	}
	const file = "testdata/api.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the exported API has changed; if that is meant, run go generate and say so in CHANGELOG.md (-want +got):\n%s", diff)
	}
}

// packages are the directories of the packages that can be imported: those at the top and
// one below.
func packages(t *testing.T) []string {
	t.Helper()
	dirs := []string{"."}
	files, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), "go.mod")); err == nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		dirs = append(dirs, filepath.Dir(file))
	}
	return slices.Compact(dirs)
}

// parsePackage returns what the package in dir exports.
func parsePackage(t *testing.T, fset *token.FileSet, dir string) *doc.Package {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(fset, files, dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// declarations are those of a package in the order of go doc.
func declarations(p *doc.Package) (decls []ast.Decl) {
	values := func(list []*doc.Value) {
		for _, v := range list {
			decls = append(decls, v.Decl)
		}
	}
	funcs := func(list []*doc.Func) {
		for _, f := range list {
			decls = append(decls, f.Decl)
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs(p.Funcs)
	for _, t := range p.Types {
		decls = append(decls, t.Decl)
		values(t.Consts)
		values(t.Vars)
		funcs(t.Funcs)
		funcs(t.Methods)
	}
	return decls
}
