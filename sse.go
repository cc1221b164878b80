package openinference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
)

// stream reads the reply of a server as it arrives: bytes become lines, lines events,
// and events one object.
type stream struct {
	fold   fold
	lines  lines
	data   []byte // of an event whose lines are not JSON by themselves
	chunks int
}

// fold makes one response object of the events of a stream.
type fold interface {
	// repeat takes in an event that differs from the one before in a piece of text only,
	// as most do, and reports false for any other.
	repeat(event []byte) bool
	// add takes in an event. It reports that the stream is over with it, and the
	// error that the event is.
	add(event value) (over bool, err error)
	// finish returns an error if the stream must not end here.
	finish() error
	// object returns the response as JSON, as far as it has come.
	object() value
	// truncated reports whether that is less than has come.
	truncated() bool
}

// feed takes the next bytes of the reply, cut anywhere. It reports that the stream
// is over: at its [DONE], at an event that is an error and at one that is not JSON.
func (s *stream) feed(p []byte) (over bool, err error) {
	for line := range s.lines.feed(p) {
		if over, err = s.take(line); over {
			return over, err
		}
	}
	return false, nil
}

// finish ends a stream at its end of file. An event that is cut off there is no
// error to go-openai: it is left out.
func (s *stream) finish() error {
	over, err := s.take(s.lines.begun)
	if event := string(s.data); !over && valid(event) {
		over, err = s.add(event)
	}
	if over {
		return err
	}
	return s.finishFold()
}

// finishFold ends the fold. What is missing may be what was cut.
func (s *stream) finishFold() error {
	if s.lines.cut {
		return nil
	}
	return s.fold.finish()
}

// take adds a line to the event under way. Data that is JSON, or [DONE], counts at the
// end of its line, as for go-openai; data of several lines at the empty line that ends
// an event.
func (s *stream) take(line []byte) (over bool, err error) {
	if len(line) == 0 {
		event := s.data
		s.data = nil
		if event == nil {
			return false, nil
		}
		return s.add(string(event))
	}
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return false, nil
	}
	data = bytes.TrimSpace(data)
	switch {
	case s.data != nil && len(s.data)+len(data) > maxStream:
		s.lines.cut = true
	case s.data != nil:
		s.data = append(append(s.data, '\n'), data...)
	case s.fold.repeat(data):
		s.chunks++
	case string(data) == "[DONE]":
		return true, s.finishFold()
	default:
		event := string(data)
		if valid(event) {
			return s.add(event)
		}
		s.data = append([]byte{}, event...)
	}
	return false, nil
}

// add adds the data of an event.
func (s *stream) add(data string) (over bool, err error) {
	if !valid(data) {
		if s.lines.cut {
			return false, nil
		}
		var v json.RawMessage
		return true, json.Unmarshal([]byte(data), &v)
	}
	v := parse(data)
	if err := apiError(v); err != nil {
		if v.get("type").exists() {
			return true, err // go-openai's Recv returns it as an event of a response
		}
		return true, fmt.Errorf("error, %w", err) // as its Recv has it
	}
	if over, err = s.fold.add(v); err == nil {
		s.chunks++
	}
	return over, err
}

// object returns what the events add up to, nothing if there were none.
func (s *stream) object() value {
	v := s.fold.object()
	if !s.lines.cut && !s.fold.truncated() {
		return v
	}
	var marked object
	marked.addWithout(v)
	marked.add(Truncated, "true")
	return marked.value()
}

// beginsStream reports whether a reply that begins with these bytes is a stream of
// events. The Content-Type alone does not tell: there are servers that send a stream
// under another one, and such that send an error as plain JSON in place of a stream.
func beginsStream(contentType string, b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\uFEFF"))
	b = bytes.TrimLeft(b, " \n\r\t")
	if len(b) == 0 || b[0] == '{' || b[0] == '[' {
		return false
	}
	if isEventStream(contentType) {
		return true
	}
	for _, field := range []string{"data:", "event:", "id:", "retry:", ":"} {
		if bytes.HasPrefix(b, []byte(field)) {
			return true
		}
	}
	return false
}

func isEventStream(contentType string) bool {
	return strings.HasPrefix(strings.ToLower(contentType), "text/event-stream")
}

// lines splits bytes into lines that end in LF, CR or both. It leaves out those that are
// longer than maxStream.
type lines struct {
	begun   []byte // in an earlier piece
	tooLong bool   // what was begun
	endedCR bool   // the line before, to which an LF may belong
	cut     bool   // something was left out
}

// feed yields the lines that are complete with p. They are valid until the next.
func (l *lines) feed(p []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		lf := -1 // the next one in p
		for start := 0; start < len(p); {
			if lf < start {
				if lf = start + bytes.IndexByte(p[start:], '\n'); lf < start {
					lf = len(p)
				}
			}
			if l.endedCR && lf == start {
				l.endedCR = false
				start++
				continue
			}
			end := lf
			if cr := bytes.IndexByte(p[start:lf], '\r'); cr >= 0 {
				end = start + cr
			}
			line := p[start:end]
			start = end + 1
			if l.tooLong = l.tooLong || len(l.begun)+len(line) > maxStream; l.tooLong {
				l.begun, l.cut = nil, true
			}
			if end == len(p) {
				if !l.tooLong {
					l.begun = append(l.begun, line...)
				}
				l.endedCR = false
				return
			}
			l.endedCR = p[end] == '\r'
			if l.tooLong {
				l.tooLong = false
				continue
			}
			if len(l.begun) > 0 {
				line = append(l.begun, line...)
				l.begun = line[:0]
			}
			if !yield(line) {
				return
			}
		}
	}
}
