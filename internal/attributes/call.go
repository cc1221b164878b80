package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/go-openinference/openinference"
)

// call is a model call by its parts. These are the URL, and the endpoint below it; a request
// in JSON, or a form, in which @ begins a file; and a response in JSON, or a stream, which is
// a list of events in JSON, or a plain text.
type call map[string]any

// field is where in a part of a call a value stands, such as /messages/[]/content.
type field struct{ part, path string }

// readCalls returns the calls of calls.json, and of the golden cases those that succeed and
// have a request and a response in JSON.
func readCalls(root fs.FS) (calls []call, err error) {
	if err := readJSON(root, "internal/attributes/calls.json", &calls); err != nil {
		return nil, err
	}
	files, err := fs.Glob(root, "testdata/golden/cases/*.json")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		var golden struct {
			Endpoint string
			Request  map[string]any
			Response struct{ Body string }
			Span     struct {
				Status string `json:"status_code"`
			}
		}
		if err := readJSON(root, file, &golden); err != nil {
			return nil, err
		}
		var response any
		isJSON := golden.Request["multipart"] == nil && json.Unmarshal([]byte(golden.Response.Body), &response) == nil
		if isJSON && golden.Span.Status == "OK" {
			calls = append(calls, call{"endpoint": golden.Endpoint, "request": golden.Request, "response": response})
		}
	}
	return calls, nil
}

func readJSON(root fs.FS, name string, v any) error {
	b, err := fs.ReadFile(root, name)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// fields returns the fields of the call. Those of all items of a list are one.
func (c call) fields() map[field]bool {
	fields := map[field]bool{}
	for part, v := range c {
		edit(v, "", func(path string, v any) any {
			if v != nil {
				fields[field{part, path}] = true
			}
			return v
		})
	}
	delete(fields, field{"endpoint", ""})
	return fields
}

// What a field is replaced with: a number, or a text or a file with that number three times
// in it if it is read as a vector.
const (
	markedNumber = 48271
	markedFile   = "\x00\x8f\x3cG\x00\x8f\x3cG\x00\x8f\x3cG"
)

var markedText = base64.StdEncoding.EncodeToString([]byte(markedFile))

// with returns the call with a field replaced.
func (c call) with(f field) call {
	marked := maps.Clone(c)
	marked[f.part] = edit(c[f.part], "", func(path string, v any) any {
		text, _ := v.(string)
		_, isNumber := v.(float64)
		switch {
		case path != f.path || v == nil:
			return v
		case isNumber:
			return markedNumber
		case f.part == "form" && strings.HasPrefix(text, "@"):
			return "@" + markedFile
		case f.part == "URL":
			return "https://" + markedText + "/" + markedText
		}
		return markedText
	})
	return marked
}

// edit returns v with each value that is neither an object nor a list as leaf returns it.
func edit(v any, path string, leaf func(path string, v any) any) any {
	switch v := v.(type) {
	case map[string]any:
		edited := map[string]any{}
		for key, member := range v {
			edited[key] = edit(member, path+"/"+key, leaf)
		}
		return edited
	case []any:
		edited := []any{}
		for _, item := range v {
			step := "/[]"
			if event, _ := item.(map[string]any); path == "" && event["type"] != nil {
				step = fmt.Sprint("/", event["type"])
			}
			edited = append(edited, edit(item, path+step, leaf))
		}
		return edited
	}
	return leaf(path, v)
}

// send makes the call through a transport and returns its span.
func (c call) send(config openinference.TraceConfig, format openinference.IOFormat) (span tracetest.SpanStub, err error) {
	body, contentType := c.body()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, fmt.Sprint(c["URL"], c["endpoint"]), body)
	if err != nil {
		return span, err
	}
	req.Header.Set("Content-Type", contentType)
	exporter := tracetest.NewInMemoryExporter()
	limits := sdktrace.NewSpanLimits()
	limits.AttributeCountLimit = -1
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithRawSpanLimits(limits))
	resp, err := openinference.NewTransport(c, openinference.WithTracerProvider(provider),
		openinference.WithTraceConfig(config), openinference.WithIOFormat(format)).RoundTrip(req)
	if err != nil {
		return span, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return span, err
	}
	spans := exporter.GetSpans()
	if len(spans) != 1 {
		return span, fmt.Errorf("%d spans", len(spans))
	}
	return spans[0], nil
}

// body returns the body of the request, and its type.
func (c call) body() (body *bytes.Buffer, contentType string) {
	form, ok := c["form"].(map[string]any)
	if !ok {
		return bytes.NewBuffer(encode(c["request"])), "application/json"
	}
	body = new(bytes.Buffer) // which takes whatever is written
	w := multipart.NewWriter(body)
	defer w.Close()
	for _, name := range slices.Sorted(maps.Keys(form)) {
		text := fmt.Sprint(form[name])
		if data, ok := strings.CutPrefix(text, "@"); ok {
			part, _ := w.CreateFormFile(name, "file")
			_, _ = io.WriteString(part, data)
		} else {
			_ = w.WriteField(name, text)
		}
	}
	return body, w.FormDataContentType()
}

// RoundTrip answers with the reply of the call.
func (c call) RoundTrip(req *http.Request) (*http.Response, error) {
	reply := fmt.Append(nil, c["plain text"])
	if c["response"] != nil {
		reply = encode(c["response"])
	}
	if events, ok := c["stream"].([]any); ok {
		reply = nil
		for _, event := range events {
			reply = fmt.Appendf(reply, "data: %s\n\n", encode(event))
		}
		reply = append(reply, "data: [DONE]\n\n"...)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(reply)), Request: req}, nil
}

// encode returns what came from JSON as JSON, which cannot fail.
func encode(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

// asText is behind the keys of an input and an output that are text.
const asText = " as text"

// attributesOf returns the attributes of a span by their keys.
func attributesOf(span tracetest.SpanStub) map[string]any {
	attributes := map[string]any{}
	for _, kv := range span.Attributes {
		attributes[string(kv.Key)] = kv.Value.AsInterface()
	}
	for _, key := range []string{"input", "output"} {
		if attributes[key+".mime_type"] == openinference.MIMETypeText {
			attributes[key+".value"+asText] = attributes[key+".value"]
			delete(attributes, key+".value")
		}
	}
	return attributes
}

// isMarked reports whether what replaced a field is in a value.
func isMarked(value any) bool {
	s := fmt.Sprint(value)
	return strings.Contains(s, markedText) || strings.Contains(s, fmt.Sprint(markedNumber))
}
