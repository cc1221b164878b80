package openinference_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
)

func TestTraceConfigFromEnv(t *testing.T) {
	on := openinference.TraceConfig{HideInputs: true}
	tests := []struct {
		name, value string
		want        openinference.TraceConfig
		reported    bool
	}{
		{"OPENINFERENCE_HIDE_INPUTS", "", openinference.TraceConfig{}, false},
		{"OPENINFERENCE_HIDE_INPUTS", "true", on, false},
		{"OPENINFERENCE_HIDE_INPUTS", "TRUE", on, false},
		{"OPENINFERENCE_HIDE_INPUTS", "tRuE", on, false},
		{"OPENINFERENCE_HIDE_INPUTS", "1", on, false},
		{"OPENINFERENCE_HIDE_INPUTS", "Yes", on, false},
		{"OPENINFERENCE_HIDE_INPUTS", "on", on, false},
		{"OPENINFERENCE_HIDE_INPUTS", "0", openinference.TraceConfig{}, false},
		{"OPENINFERENCE_HIDE_INPUTS", "OFF", openinference.TraceConfig{}, false},
		{"OPENINFERENCE_HIDE_INPUTS", "no", openinference.TraceConfig{}, false},
		{"OPENINFERENCE_HIDE_INPUTS", "ture", on, true}, // fails closed
		{"OPENINFERENCE_HIDE_EMBEDDING_VECTORS", "true", openinference.TraceConfig{HideEmbeddingsVectors: true}, false},
		{"OPENINFERENCE_BASE64_IMAGE_MAX_LENGTH", "100", openinference.TraceConfig{Base64ImageMaxLength: 100}, false},
		{"OPENINFERENCE_BASE64_IMAGE_MAX_LENGTH", "0", openinference.TraceConfig{Base64ImageMaxLength: -1}, false},
		{"OPENINFERENCE_BASE64_IMAGE_MAX_LENGTH", "many", openinference.TraceConfig{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			errs := handled(t)
			t.Setenv(tt.name, tt.value)
			if got := openinference.TraceConfigFromEnv(); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got := errs(); (len(got) == 1 && strings.Contains(got[0].Error(), tt.name)) != tt.reported {
				t.Errorf("got reports %v, want one that names the variable: %v", got, tt.reported)
			}
		})
	}
}

// exchange sends one request through a transport and returns its span.
func exchange(t *testing.T, request, reply string, opts ...openinference.Option) sdktrace.ReadOnlySpan {
	t.Helper()
	r := newRecorder()
	base := &cannedTransport{response: goldenResponse{Status: http.StatusOK, Body: reply}}
	transport := openinference.NewTransport(base, append(opts, openinference.WithTracerProvider(r.provider))...)
	req, err := http.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return r.only(t)
}

// TestTextValuesAreMessageText: what IOText records is hidden with the messages that
// it is taken from.
func TestTextValuesAreMessageText(t *testing.T) {
	for _, c := range []openinference.TraceConfig{
		{HideInputText: true, HideOutputText: true},
		{HideInputMessages: true, HideOutputMessages: true},
		{HideInputs: true, HideOutputs: true},
	} {
		span := exchange(t, `{"messages":[{"role":"user","content":"secret"}]}`, `{"choices":[{"message":{"content":"secret"}}]}`,
			openinference.WithIOFormat(openinference.IOText), openinference.WithTraceConfig(c))
		for _, kv := range span.Attributes() {
			if strings.Contains(kv.Value.String(), "secret") {
				t.Errorf("%+v: %s = %s", c, kv.Key, kv.Value.String())
			}
		}
		wantAttrs(t, span, map[attribute.Key]string{
			openinference.InputValueKey:  openinference.Redacted,
			openinference.OutputValueKey: openinference.Redacted,
		})
	}
}

// TestExtrasAreMasked hides what this library records beyond the reference.
func TestExtrasAreMasked(t *testing.T) {
	const request = `{"messages":[
		{"role":"assistant","refusal":"secret","reasoning_content":"secret"},
		{"role":"assistant","content":[{"type":"refusal","refusal":"secret"}]},
		{"role":"user","content":[{"type":"file","file":{"filename":"f","file_data":"data:text/plain;base64,secret"}},{"type":"input_audio","input_audio":{"data":"secret","format":"wav"}}]}],
		"functions":[{"name":"secret"}],"prediction":{"type":"content","content":"secret"}}`
	const reply = `{"choices":[{"index":0,"message":{"refusal":"secret","reasoning":"secret","audio":{"transcript":"secret"}}}]}`
	tests := []struct {
		name   string
		config openinference.TraceConfig
		clean  []attribute.Key // prefixes below which the secret must not be
	}{
		{"text", openinference.TraceConfig{HideInputText: true, HideOutputText: true}, []attribute.Key{
			"llm.input_messages.0", "llm.input_messages.1", "llm.output_messages"}},
		{"all", openinference.TraceConfig{HideInputs: true, HideOutputs: true}, []attribute.Key{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			span := exchange(t, request, reply, openinference.WithTraceConfig(tt.config), openinference.WithIOFormat(openinference.IOJSON))
			for _, kv := range span.Attributes() {
				for _, prefix := range tt.clean {
					if strings.HasPrefix(string(kv.Key), string(prefix)) && strings.Contains(kv.Value.String(), "secret") {
						t.Errorf("%s = %s", kv.Key, kv.Value.String())
					}
				}
			}
		})
	}
}

// TestBase64Limit covers every place and spelling in which base64 comes.
func TestBase64Limit(t *testing.T) {
	long := strings.Repeat("QUJD", 30)
	const limit = 100
	tests := []struct{ name, part string }{
		{"data URL", `{"type":"image_url","image_url":{"url":"data:image/png;base64,` + long + `"}}`},
		{"as a string", `{"type":"image_url","image_url":"data:image/png;base64,` + long + `"}`},
		{"escaped", `{"type":"image_url","image_url":{"url":"data:image\/png;\u0062ase64,` + long + `"}}`},
		{"audio", `{"type":"input_audio","input_audio":{"data":"` + long + `","format":"wav"}}`},
		{"file", `{"type":"file","file":{"file_data":"` + long + `"}}`},
		{"file as data URL", `{"type":"file","file":{"file_data":"data:application/pdf;base64,` + long + `"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := `{"messages":[{"role":"user","content":[` + tt.part + `,{"type":"text","text":"after"}]}]}`
			span := exchange(t, request, `{"choices":[]}`, openinference.WithIOFormat(openinference.IOJSON),
				openinference.WithTraceConfig(openinference.TraceConfig{Base64ImageMaxLength: limit}))
			for _, kv := range span.Attributes() {
				if strings.Contains(kv.Value.String(), long) {
					t.Errorf("%s = %s", kv.Key, kv.Value.String())
				}
			}
			wantAttrs(t, span, map[attribute.Key]string{"llm.input_messages.0.message.contents.1.message_content.text": "after"})
			if got := attr(span, openinference.InputValueKey); !strings.Contains(got, openinference.Redacted) || !strings.Contains(got, "after") {
				t.Errorf("got input.value %s, want the rest and %s", got, openinference.Redacted)
			}
			kept := exchange(t, request, `{"choices":[]}`, openinference.WithIOFormat(openinference.IOJSON), openinference.WithTraceConfig(openinference.TraceConfig{}))
			if got := attr(kept, openinference.InputValueKey); !strings.Contains(got, long) {
				t.Errorf("got input.value %s, want all of it: it is under the default limit", got)
			}
		})
	}
}

// TestEverythingSetOnASpanIsMasked sets attributes in each way that there is.
func TestEverythingSetOnASpanIsMasked(t *testing.T) {
	r := newRecorder()
	tracer := newTracer(r, openinference.WithTraceConfig(openinference.TraceConfig{HideInputs: true, HideOutputs: true}))
	secret := func(key attribute.Key) attribute.KeyValue { return key.String("secret") }
	ctx, span := tracer.Start(context.Background(), "step", openinference.KindChain, trace.WithAttributes(secret(openinference.InputValueKey)))
	span.SetOutput("secret")
	trace.SpanFromContext(ctx).SetAttributes(secret("llm.input_messages.0.message.content"))
	trace.SpanFromContext(ctx).AddEvent("e", trace.WithAttributes(secret(openinference.InputValueKey)))
	span.End()
	got := r.only(t)
	attrs := got.Attributes()
	for _, e := range got.Events() {
		attrs = append(attrs, e.Attributes...)
	}
	for _, kv := range attrs {
		if strings.Contains(kv.Value.String(), "secret") {
			t.Errorf("%s = %s", kv.Key, kv.Value.String())
		}
	}
	wantAttrs(t, got, map[attribute.Key]string{openinference.InputValueKey: openinference.Redacted, openinference.OutputValueKey: openinference.Redacted})
}

// TestManualValuesWithoutATypeAreText: they fail closed.
func TestManualValuesWithoutATypeAreText(t *testing.T) {
	r := newRecorder()
	_, span := newTracer(r, openinference.WithTraceConfig(openinference.TraceConfig{HideInputText: true})).Start(context.Background(), "step", openinference.KindChain)
	span.SetAttributes(openinference.InputValueKey.String("secret"))
	span.End()
	wantAttrs(t, r.only(t), map[attribute.Key]string{openinference.InputValueKey: openinference.Redacted})
}
