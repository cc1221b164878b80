package openinference

import (
	"strings"
	"unicode/utf8"
)

// What there is to record is up to a server, and to whoever writes the prompts. These
// limits bound what it costs to record it; the client gets all of it just the same.
const (
	maxBody       = 64 << 20 // bytes that are kept of a request, and of a reply that is no stream
	maxStream     = 16 << 20 // bytes of an event of a stream, and of what its events add up to
	maxBranches   = 256      // members of an object, or items of a list, that the events of a stream add up to
	maxUsage      = 64 << 10 // bytes of the chunk that [WithStreamUsage] takes out of a stream
	maxValue      = 4 << 20  // bytes of a text or a vector in a span; OTLP servers refuse messages that are longer
	maxAttributes = 10_000   // of one body: as many as the providers of package export keep
	maxFields     = 1_000    // of a form
)

// Truncated marks what is in a span only in part, as it was too long. It is the end of a
// text that was cut, stands in place of a vector, and is a member of output.value where
// the stream of an answer had more than is kept.
const Truncated = "__TRUNCATED__"

// recordable returns s as it may stand in a span: one byte that is not UTF-8 makes an
// exporter lose the whole batch, and so does a text that is too long for a server.
func recordable(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) > maxValue {
		end := maxValue - len(Truncated)
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end] + Truncated
	}
	return s
}

// appendFound appends to what is found in a body, as long as that is not too much.
func appendFound[S ~[]E, E any](s S, found E) S {
	if len(s) >= maxAttributes {
		return s
	}
	return append(s, found)
}
