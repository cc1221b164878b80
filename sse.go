package openinference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
)

// stream reads the reply of a server as it arrives: bytes become events, and events
// one object.
type stream struct {
	events events
	fold   fold
	chunks int
}

// fold makes one response object of the events of a stream.
type fold interface {
	// add takes in an event. It reports that the stream is over with it, and the
	// error that the event is.
	add(event value) (over bool, err error)
	// finish returns an error if the stream must not end here.
	finish() error
	// object returns the response as JSON, as far as it has come.
	object() []byte
}

// feed takes the next bytes of the reply, cut anywhere. It reports that the stream
// is over: at its [DONE], at an event that is an error and at one that is not JSON.
func (s *stream) feed(p []byte) (over bool, err error) {
	for data := range s.events.feed(p) {
		if over, err = s.take(data); over {
			return over, err
		}
	}
	return false, nil
}

// finish ends a stream at its end of file. An event that is cut off there is no
// error to go-openai: it is left out.
func (s *stream) finish() error {
	if data := s.events.rest(); valid(data) {
		if over, err := s.take(data); over {
			return err
		}
	}
	return s.fold.finish()
}

func (s *stream) take(data []byte) (over bool, err error) {
	if string(data) == "[DONE]" {
		return true, s.fold.finish()
	}
	if !valid(data) {
		var v json.RawMessage
		return true, json.Unmarshal(data, &v)
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

// object returns what the events add up to, nil if there were none.
func (s *stream) object() []byte { return s.fold.object() }

// beginsStream reports whether a reply that begins with these bytes is a stream of
// events. The Content-Type alone does not tell: there are servers that send a stream
// under another one, and such that send an error as plain JSON in place of a stream.
func beginsStream(contentType string, b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\uFEFF"))
	b = b[skipSpace(b, 0):]
	if len(b) == 0 || b[0] == '{' || b[0] == '[' {
		return false
	}
	if strings.HasPrefix(strings.ToLower(contentType), "text/event-stream") {
		return true
	}
	for _, field := range []string{"data:", "event:", "id:", "retry:", ":"} {
		if bytes.HasPrefix(b, []byte(field)) {
			return true
		}
	}
	return false
}

// events splits an event stream into the data of its events. Lines may end in LF,
// CR or both.
type events struct {
	line []byte // begun in an earlier chunk
	data []byte // of an event that is not complete
}

// feed yields the data that is complete with p. A line that is JSON, or [DONE], is
// yielded at its end, where go-openai takes it, and not only at the empty line that
// ends an event; data of more lines is put together until then.
func (e *events) feed(p []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(p) > 0 {
			n := bytes.IndexByte(p, '\n')
			end := n
			if n < 0 {
				end = len(p)
			}
			if cr := bytes.IndexByte(p[:end], '\r'); cr >= 0 {
				n = cr
			}
			if n < 0 {
				e.line = append(e.line, p...)
				return
			}
			line := p[:n]
			p = p[n+1:]
			if len(e.line) > 0 {
				line = append(e.line, line...)
				e.line = line[:0]
			}
			if data := e.take(line); data != nil && !yield(data) {
				return
			}
		}
	}
}

// take adds a line to the event and returns the event's data if it is complete.
func (e *events) take(line []byte) []byte {
	if len(line) == 0 {
		data := e.data
		e.data = nil
		return data
	}
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return nil
	}
	data = bytes.TrimSpace(data)
	switch {
	case e.data != nil:
		e.data = append(append(e.data, '\n'), data...)
		return nil
	case string(data) == "[DONE]" || valid(data):
		return data
	default:
		e.data = append([]byte{}, data...)
		return nil
	}
}

// rest returns the data of an event that the end of the stream has cut off.
func (e *events) rest() []byte {
	if data := e.take(e.line); data != nil {
		return data
	}
	return e.data
}
