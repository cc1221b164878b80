package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// render writes the section.
func (s *section) render(page *bytes.Buffer) {
	fmt.Fprintf(page, "\n## %s\n\nSpan `%s`.\n\n| attribute | type | from | hidden by |\n|---|---|---|---|\n", s.suffix, s.name)
	for _, key := range slices.Sorted(maps.Keys(s.rows)) {
		r := s.rows[key]
		name, isText := strings.CutSuffix(key, asText)
		name = "`" + name + "`"
		if isText {
			name += asText
		}
		var from []string
		for _, part := range []string{"request", "form", "response", "stream", "plain text", "URL"} {
			from = append(from, s.from(part, key))
		}
		from = append(from, list("", r.values))
		maps.DeleteFunc(r.partly, func(setting string, _ bool) bool { return r.hides[setting] })
		fmt.Fprintf(page, "| %s | %s | %s | %s |\n", name, strings.Join(slices.Sorted(maps.Keys(r.types)), ", "),
			lines(from...), lines(list("", r.hides), list("*in part* ", r.partly)))
	}
}

// from tells what of a part is in an attribute, "" for nothing.
func (s *section) from(part, key string) string {
	with, without := s.cover(part, key, true), s.cover(part, key, false)
	switch {
	case with[""] || len(with) > 0 && part == "stream" && key == "output.value":
		return "the " + part
	case 0 < len(without) && len(without) < len(with):
		return list(part+" but ", without)
	default:
		return list(part+" ", with)
	}
}

// cover returns the fields of a part that are in an attribute, or those that are not. It
// has an object or a list in place of all of its fields.
func (s *section) cover(part, key string, in bool) set {
	whole := func(at string) bool {
		n := 0
		for f := range s.fields {
			if f.part == part && strings.HasPrefix(f.path+"/", at+"/") {
				if s.rows[key].fields[f] != in {
					return false
				}
				n++
			}
		}
		return n > 1
	}
	covered := set{}
	for f := range s.fields {
		if f.part != part || s.rows[key].fields[f] != in {
			continue
		}
		at := ""
		for at != f.path && !whole(at) {
			step, _, _ := strings.Cut(f.path[len(at)+1:], "/")
			at += "/" + step
		}
		covered[readable(part, at)] = true
	}
	return covered
}

// readable returns /messages/[]/content as messages[].content, and the path of a field of
// an event with the type of that in front.
func readable(part, path string) string {
	path = strings.TrimPrefix(path, "/")
	event, below, inEvent := strings.Cut(path, "/")
	switch {
	case part == "stream" && event == "[]":
		path = below
	case part == "stream" && inEvent:
		path = event + ": " + below
	}
	return strings.NewReplacer("/[]", "[]", "/", ".").Replace(path)
}

// list returns names behind a word, "" if there are none.
func list(word string, names set) string {
	if len(names) == 0 {
		return ""
	}
	return word + "`" + strings.Join(slices.Sorted(maps.Keys(names)), "`, `") + "`"
}

// lines returns those of texts that are not empty, as the lines of a cell.
func lines(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "<br>")
}
