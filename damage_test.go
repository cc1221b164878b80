package openinference_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// TestDamage damages the request and the response of every golden case at every place:
// it takes the member away, makes it null or something of another type, and cuts the
// body off there. The bytes must pass unchanged, and what is not damaged must still be
// recorded.
func TestDamage(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range goldenCases(t) {
		if c.Span == nil || c.Body == nil || c.isMultipart || len(*c.Body) > 5_000 || len(c.Response.Body) > 8_000 {
			continue // of the big ones there are small ones, too
		}
		if seen[*c.Body+c.Response.Body] {
			continue // the same but for its URL, its context or its variables
		}
		seen[*c.Body+c.Response.Body] = true
		t.Run(c.Name, func(t *testing.T) {
			for k, v := range c.Env {
				t.Setenv(k, v)
			}
			whole := contents(c.run(t))
			request := *c.Body
			for _, d := range damages(request) {
				c.Body = &d.body
				d.check(t, c.run(t), whole)
			}
			c.Body = &request
			response := c.Response.Body
			for _, d := range damages(response) {
				c.Response.Body = d.body
				if d.how == "cut" {
					d.rest = nil // of a response that breaks off nothing is recorded
				}
				d.check(t, c.run(t), whole)
			}
		})
	}
}

// damage is a body in which one place is not what it should be.
type damage struct {
	how  string
	path string
	body string
	rest map[string]bool // texts that stand in parts that are not damaged
}

// check finds the rest among the values that are recorded.
func (d damage) check(t *testing.T, spans []sdktrace.ReadOnlySpan, whole map[string]bool) {
	t.Helper()
	if len(spans) != 1 {
		t.Fatalf("%s %s: got %d spans, want 1", d.how, d.path, len(spans))
	}
	got := contents(spans)
	for text := range d.rest {
		if whole[text] && !got[text] {
			t.Errorf("%s %s: %q is not recorded any more\n%s", d.how, d.path, text, d.body)
		}
	}
}

// contents returns the values of the attributes of messages, prompts, choices and
// embedded texts: those that are a text of the body by themselves.
func contents(spans []sdktrace.ReadOnlySpan) map[string]bool {
	texts := map[string]bool{}
	for _, span := range spans {
		for _, kv := range span.Attributes() {
			key := string(kv.Key)
			if strings.Contains(key, "_messages.") || strings.Contains(key, "llm.prompts") || strings.Contains(key, "llm.choices") || strings.Contains(key, "embedding.text") || strings.Contains(key, "output.images") {
				texts[kv.Value.String()] = true
			}
		}
	}
	return texts
}

// damages returns the damaged forms of a body that is JSON.
func damages(body string) []damage {
	var doc any
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&doc) != nil {
		return nil
	}
	var all []damage
	var visit func(v any, path []string, replace func(any))
	visit = func(v any, path []string, replace func(any)) {
		if len(path) > 0 {
			others := []any{json.Number("7"), "damaged", []any{"x", nil, []any{}}, map[string]any{"x": map[string]any{}}}
			for how, with := range map[string]any{"null": nil, "other": others[len(all)%len(others)]} {
				replace(with)
				all = append(all, newDamage(how, path, doc))
				replace(v)
			}
			const mark = "\x00cut here"
			replace(mark)
			cut, _, _ := strings.Cut(encode(doc), strconv.Quote(mark)[:5])
			replace(v)
			all = append(all, damage{how: "cut", path: strings.Join(path, "."), body: cut})
		}
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				x := v[k]
				visit(x, append(slices.Clip(path), k), func(with any) { v[k] = with })
				delete(v, k)
				all = append(all, newDamage("without", append(slices.Clip(path), k), doc))
				v[k] = x
			}
		case []any:
			for i, x := range v {
				visit(x, append(slices.Clip(path), strconv.Itoa(i)), func(with any) { v[i] = with })
			}
		}
	}
	visit(doc, nil, nil)
	return all
}

// contentKeys are the members whose texts are recorded one by one.
var contentKeys = map[string]bool{"messages": true, "prompt": true, "input": true, "choices": true, "output": true, "data": true}

// newDamage notes the texts of all parts but the damaged one. A part is an item of a
// list at the top, such as a message, or another member there.
func newDamage(how string, path []string, doc any) damage {
	d := damage{how: how, path: strings.Join(path, "."), body: encode(doc), rest: map[string]bool{}}
	top, ok := doc.(map[string]any)
	if !ok {
		return d
	}
	for key, v := range top {
		list, isList := v.([]any)
		switch {
		case !contentKeys[key]:
		case key != path[0]:
			collect(v, d.rest)
		case isList && len(path) > 1:
			for i, item := range list {
				// A list of texts that has something else in it is none.
				if _, isText := item.(string); !isText && strconv.Itoa(i) != path[1] {
					collect(item, d.rest)
				}
			}
		}
	}
	return d
}

func collect(v any, into map[string]bool) {
	switch v := v.(type) {
	case string:
		into[v] = true
	case map[string]any:
		for _, x := range v {
			collect(x, into)
		}
	case []any:
		for _, x := range v {
			collect(x, into)
		}
	}
}

func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprint("encode what was decoded: ", err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
