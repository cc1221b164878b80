// Command attributes writes docs/attributes.md, which says for each endpoint what
// attributes its spans have, which fields they come from, and what hides them. It asks the
// library: it sends the calls of calls.json and of the golden cases through a transport
// again and again, each time with another field replaced, and looks where the replacement
// turns up. Run it in the root of the project.
package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/codes"

	"github.com/go-openinference/openinference"
)

func main() {
	page, err := generate(os.DirFS("."))
	if err == nil {
		err = os.WriteFile("docs/attributes.md", page, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "attributes:", err)
		os.Exit(1)
	}
}

const head = `<!-- Written by go generate from internal/attributes: do not edit. -->

# Attributes

What is in the span of a model call, which fields of the call it comes from, and what hides it. What a span has from its context is in the [README](../README.md).

* N, M and K are indices, from 0.
* A **stream** is put together to the response that it would have been. Its fields are those of its chunks, or of the event before the colon.
* **as text**: where the call is a turn by itself. Inside a turn it is JSON. ~WithIOFormat~ changes that.
* **hidden by**: fields of ~TraceConfig~ that take the attribute away, or put ~__REDACTED__~ in its place; *in part*, that do so with something in it.
`

// generate returns the page for the project in root.
func generate(root fs.FS) ([]byte, error) {
	calls, err := readCalls(root)
	if err != nil {
		return nil, err
	}
	var sections []*section
	seen := set{}
	for _, c := range calls {
		c["URL"] = "https://api.openai.com"
		shape := fmt.Sprint(c["endpoint"], c.fields())
		if seen[shape] {
			continue // there is nothing new in it
		}
		seen[shape] = true
		suffix := strings.TrimPrefix(fmt.Sprint(c["endpoint"]), "/v1")
		i := slices.IndexFunc(sections, func(s *section) bool { return s.suffix == suffix })
		if i < 0 {
			i = len(sections)
			sections = append(sections, &section{suffix: suffix, fields: map[field]bool{}, rows: map[string]*row{}})
		}
		for _, format := range []openinference.IOFormat{openinference.IOJSON, openinference.IOText} {
			if err := sections[i].learn(c, format); err != nil {
				return nil, fmt.Errorf("call of %s: %w", suffix, err)
			}
		}
	}
	var page bytes.Buffer
	page.WriteString(strings.ReplaceAll(head, "~", "`"))
	for _, s := range sections {
		s.render(&page)
	}
	return page.Bytes(), nil
}

type set map[string]bool

// section is what is known of the spans of an endpoint.
type section struct {
	suffix, name string
	fields       map[field]bool // of its calls
	rows         map[string]*row
}

// row is what is known of an attribute.
type row struct {
	types         set
	fields        map[field]bool // that are in it
	values        set            // with no field in them
	hides, partly set            // settings that hide it, or something in it
}

// row returns the row of an attribute, which all items of a list share.
func (s *section) row(key string, value any) *row {
	indices := []string{"N", "M", "K"}
	parts := strings.Split(key, ".")
	for i, part := range parts {
		if _, err := strconv.Atoi(part); err == nil {
			parts[i], indices = indices[0], indices[1:]
		}
	}
	key = strings.Join(parts, ".")
	if s.rows[key] == nil {
		s.rows[key] = &row{set{}, map[field]bool{}, set{}, set{}, set{}}
	}
	s.rows[key].types[fmt.Sprintf("%T", value)] = true
	return s.rows[key]
}

// learn makes a call as it is, with each field replaced, and with each setting.
func (s *section) learn(c call, format openinference.IOFormat) error {
	span, err := c.send(openinference.TraceConfig{}, format)
	if err != nil {
		return err
	}
	if span.Status.Code != codes.Ok {
		return fmt.Errorf("%s: %v", span.Status.Description, c)
	}
	s.name = span.Name
	if err := s.learnFields(c, format, attributesOf(span)); err != nil {
		return err
	}
	return s.learnSettings(c, format, attributesOf(span))
}

// learnFields learns which fields are in which attributes. Before are those of the call as
// it is.
func (s *section) learnFields(c call, format openinference.IOFormat, before map[string]any) error {
	constant := maps.Clone(before)
	for f := range c.fields() {
		s.fields[f] = true
		span, err := c.with(f).send(openinference.TraceConfig{}, format)
		if err != nil {
			return err
		}
		after := attributesOf(span)
		for key, value := range after {
			if isMarked(value) {
				delete(constant, key)
				s.row(key, value).fields[f] = true
			}
		}
		for key, value := range before {
			if f.part == "URL" && after[key] == nil { // llm.provider is known by it
				delete(constant, key)
				s.row(key, value).fields[f] = true
			}
		}
	}
	for key, value := range constant {
		s.row(key, value).values[fmt.Sprint(value)] = true
	}
	return nil
}

// learnSettings learns which settings hide which attributes.
func (s *section) learnSettings(c call, format openinference.IOFormat, before map[string]any) error {
	for setting := range reflect.TypeFor[openinference.TraceConfig]().Fields() {
		var config openinference.TraceConfig
		if v := reflect.ValueOf(&config).Elem().FieldByIndex(setting.Index); v.Kind() == reflect.Bool {
			v.SetBool(true)
		} else {
			v.SetInt(-1) // a length
		}
		span, err := c.send(config, format)
		if err != nil {
			return err
		}
		after := attributesOf(span)
		for key, value := range before {
			switch got := after[key]; {
			case same(got, value):
			case got == nil || got == openinference.Redacted:
				s.row(key, value).hides[setting.Name] = true
			default:
				s.row(key, value).partly[setting.Name] = true
			}
		}
	}
	return nil
}

// same reports whether two values differ in nothing but the spaces of JSON.
func same(a, b any) bool {
	compact := strings.NewReplacer(", ", ",", ": ", ":")
	return compact.Replace(fmt.Sprint(a)) == compact.Replace(fmt.Sprint(b))
}
