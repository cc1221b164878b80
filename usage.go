package openinference

import (
	"bytes"
	"io"
	"net/http"
)

// askForUsage returns the body of a request for a stream with
// stream_options.include_usage set to true; nil if the caller has set it, to true or
// to false, or asks for no stream, or it is not JSON: there may be more than was kept.
func askForUsage(body string) string {
	v := parse(body)
	options := v.get("stream_options")
	if !valid(body) || v.get("stream") != "true" || options.exists() && !options.isObject() || options.get("include_usage") != "" {
		return ""
	}
	var asking, request object
	asking.addWithout(options)
	asking.add("include_usage", "true")
	request.addWithout(v, "stream_options")
	request.add("stream_options", asking.value())
	return string(request.value())
}

// usageFilter takes out of a stream the chunk that the server sends because
// include_usage was added. It hands on all other lines as they came.
type usageFilter struct {
	io.ReadCloser
	line    []byte // not yet complete
	long    bool   // it is too long to be that chunk, and what came of it has been handed on
	ready   []byte // to be read
	dropped bool   // the line before, and the empty line behind it goes too
	err     error
}

func withoutUsage(resp *http.Response) io.ReadCloser {
	resp.ContentLength = -1
	resp.Header.Del("Content-Length")
	return &usageFilter{ReadCloser: resp.Body}
}

func (f *usageFilter) Read(p []byte) (int, error) {
	for len(f.ready) == 0 && f.err == nil && len(p) > 0 {
		var n int
		n, f.err = f.ReadCloser.Read(p)
		f.filter(p[:n])
		if f.err != nil {
			f.ready = append(f.ready, f.line...)
		}
	}
	n := copy(p, f.ready)
	if f.ready = f.ready[n:]; len(f.ready) > 0 {
		return n, nil
	}
	return n, f.err
}

// filter moves the lines that are complete with p to ready.
func (f *usageFilter) filter(p []byte) {
	f.ready = f.ready[:0]
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n') + 1
		complete := n > 0
		if !complete {
			n = len(p)
		}
		f.line = append(f.line, p[:n]...)
		p = p[n:]
		switch {
		case f.long || len(f.line) > maxUsage:
			f.long, f.dropped = !complete, false
		case complete:
			line := bytes.TrimSpace(f.line)
			f.dropped = isUsageChunk(line) || f.dropped && len(line) == 0
		default:
			return
		}
		if !f.dropped {
			f.ready = append(f.ready, f.line...)
		}
		f.line = f.line[:0]
	}
}

// isUsageChunk reports whether a line is a chunk with token counts and no choices.
func isUsageChunk(line []byte) bool {
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok || !bytes.Contains(data, []byte(`"usage"`)) {
		return false
	}
	v := parse(string(data))
	choices := v.get("choices")
	if !choices.isArray() || !v.get("usage").isObject() {
		return false
	}
	for range choices.items() {
		return false
	}
	return true
}
