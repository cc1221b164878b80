package openinference_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// constant is an exported constant as the source declares it.
type constant struct {
	typ   string // "attribute.Key", "Kind", or "" if untyped
	value string
	doc   string // the comment above it, or after it on its line
}

// constants returns the exported string constants of a Go file of the package
// by name.
func constants(t *testing.T, file string) map[string]constant {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]constant{}
	for _, decl := range f.Decls {
		block, ok := decl.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		for _, spec := range block.Specs {
			spec := spec.(*ast.ValueSpec)
			for i, name := range spec.Names {
				if !name.IsExported() || i >= len(spec.Values) {
					continue
				}
				c := constant{typ: typeName(spec.Type), doc: spec.Doc.Text() + spec.Comment.Text()}
				value := spec.Values[i]
				if call, ok := value.(*ast.CallExpr); ok {
					c.typ, value = typeName(call.Fun), call.Args[0]
				}
				if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					c.value, err = strconv.Unquote(literal.Value)
					if err != nil {
						t.Fatal(err)
					}
					found[name.Name] = c
				}
			}
		}
	}
	return found
}

// typeName returns the name of a type as it is written, "" for none.
func typeName(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.Ident:
		return expr.Name
	case *ast.SelectorExpr:
		return typeName(expr.X) + "." + expr.Sel.Name
	}
	return ""
}

// semconvLine is a line of testdata/golden/semconv.txt: Python's name of a
// constant, and its key or value.
type semconvLine struct{ name, value string }

// semconvSections returns the lines of testdata/golden/semconv.txt by section.
func semconvSections(t *testing.T) map[string][]semconvLine {
	t.Helper()
	text, err := os.ReadFile("testdata/golden/semconv.txt")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string][]semconvLine{}
	var section string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			section = heading
		} else if name, value, ok := strings.Cut(line, "\t"); ok {
			sections[section] = append(sections[section], semconvLine{name, value})
		}
	}
	return sections
}

// keyName derives the name of a key's constant: its path in Go's spelling.
func keyName(key string) string {
	words := strings.FieldsFunc(key, func(r rune) bool { return r == '.' || r == '_' })
	for i, word := range words {
		switch word {
		case "id", "url", "llm", "mime", "json":
			words[i] = strings.ToUpper(word)
		case "openinference":
			words[i] = "OpenInference"
		default:
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "") + "Key"
}

func TestSemconvHasEveryKey(t *testing.T) {
	want := map[string]string{}
	for section, lines := range semconvSections(t) {
		if strings.HasSuffix(section, " (values)") {
			continue
		}
		for _, line := range lines {
			name := keyName(line.value)
			if other, ok := want[name]; ok && other != line.value {
				t.Errorf("keys %q and %q share the name %s", other, line.value, name)
			}
			want[name] = line.value
		}
	}
	got := map[string]string{}
	for name, c := range constants(t, "semconv.go") {
		if c.typ == "attribute.Key" {
			got[name] = c.value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys of the conventions (-want +got):\n%s", diff)
	}
}

func TestSemconvHasEveryValue(t *testing.T) {
	prefixes := map[string]string{
		"OpenInferenceSpanKindValues":         "Kind",
		"OpenInferenceAnnotatorKindValues":    "AnnotatorKind",
		"OpenInferenceMimeTypeValues":         "MIMEType",
		"OpenInferenceLLMSystemValues":        "System",
		"OpenInferenceLLMProviderValues":      "Provider",
		"OpenInferenceDecisionSystemValues":   "DecisionSystem",
		"OpenInferenceDecisionProviderValues": "DecisionProvider",
	}
	// Python's names are upper case, so how Go spells a brand is left open.
	want := map[string]string{}
	for section, lines := range semconvSections(t) {
		section, ok := strings.CutSuffix(section, " (values)")
		if !ok {
			continue
		}
		prefix, ok := prefixes[section]
		if !ok {
			t.Errorf("section %q has no prefix for its constants", section)
		}
		for _, line := range lines {
			want[strings.ToUpper(prefix+line.name)] = line.value
		}
	}
	got := map[string]string{}
	for name, c := range constants(t, "semconv.go") {
		if c.typ == "" {
			got[strings.ToUpper(name)] = c.value
		}
	}
	for name, c := range constants(t, "spans.go") {
		if c.typ == "Kind" {
			got[strings.ToUpper(name)] = c.value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values of the conventions (-want +got):\n%s", diff)
	}
}

func TestSemconvIsDocumented(t *testing.T) {
	all := constants(t, "semconv.go")
	maps.Copy(all, constants(t, "spans.go"))
	for name, c := range all {
		if !strings.HasPrefix(c.doc, name+" ") {
			t.Errorf("%s: got doc %q, want one that starts with its name", name, c.doc)
		}
	}
}
