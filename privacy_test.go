package openinference_test

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

//go:generate go test -run ^TestPrivacy$ -update .

var update = flag.Bool("update", false, "write the files in docs and testdata that tests compare with")

// switches are the variables that hide something, without their prefix, and what they
// are set to.
var switches = []struct{ name, value string }{
	{"HIDE_INPUTS", "true"},
	{"HIDE_INPUT_MESSAGES", "true"},
	{"HIDE_INPUT_TEXT", "true"},
	{"HIDE_INPUT_IMAGES", "true"},
	{"HIDE_PROMPTS", "true"},
	{"HIDE_EMBEDDINGS_TEXT", "true"},
	{"HIDE_LLM_TOOLS", "true"},
	{"HIDE_LLM_INVOCATION_PARAMETERS", "true"},
	{"HIDE_OUTPUTS", "true"},
	{"HIDE_OUTPUT_MESSAGES", "true"},
	{"HIDE_OUTPUT_TEXT", "true"},
	{"HIDE_CHOICES", "true"},
	{"HIDE_EMBEDDINGS_VECTORS", "true"},
	{"BASE64_IMAGE_MAX_LENGTH", "0"},
}

// canary stands wherever there is content of the kind that is looked at. It reads as
// text, as a name and as base64.
const canary = "Canary7Q"

// escaped are other spellings of a body that has the canary in it.
var escaped = strings.NewReplacer("Canary", `\u0043anary`, "data:", `data\u003a`, "image/", `image\/`)

// exchanged is what a call sends and gets. What is left out is that of a chat completion
// that succeeds.
type exchanged struct {
	path, contentType, request string
	status                     int
	reply                      string
}

func chat(messages string) exchanged {
	return exchanged{request: `{"model":"m","messages":[` + messages + `]}`}
}

func chatReply(message string) exchanged {
	return exchanged{reply: `{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant",` + message + `}}]}`}
}

func chatStream(delta string) exchanged {
	return exchanged{reply: `data: {"choices":[{"index":0,"delta":{"role":"assistant",` + delta + "}}]}\n\ndata: [DONE]\n\n"}
}

func responseInput(item string) exchanged {
	return exchanged{path: "/v1/responses", request: `{"model":"m","input":[` + item + `]}`}
}

func responseOutput(item string) exchanged {
	return exchanged{path: "/v1/responses", request: `{"model":"m","input":"hi"}`, reply: `{"id":"resp_1","status":"completed","output":[` + item + `]}`}
}

// contentKinds has calls with the canary in all places in which there can be content of a
// kind, and the switches that must hide each of them everywhere.
var contentKinds = []struct {
	kind     string
	hiddenBy []string
	calls    []exchanged
}{
	{"text of messages, instructions of a chat", []string{"HIDE_INPUTS"}, []exchanged{
		chat(`{"role":"system","content":"Canary7Q"}`),
		chat(`{"role":"user","content":"Canary7Q"}`),
		chat(`{"role":"user","content":[{"type":"text","text":"Canary7Q"}]}`),
		chat(`{"role":"user","content":["Canary7Q"]}`),
		chat(`{"role":"user","content":{"odd":"Canary7Q"}}`),
		{path: "/v1/responses", request: `{"input":"Canary7Q"}`},
		responseInput(`{"role":"user","content":"Canary7Q"}`),
		responseInput(`{"role":"user","content":[{"type":"input_text","text":"Canary7Q"}]}`),
	}},
	{"names in messages", []string{"HIDE_INPUTS"}, []exchanged{chat(`{"role":"user","name":"Canary7Q","content":"hi"}`)}},
	{"tool calls of earlier turns: names and arguments", []string{"HIDE_INPUTS"}, []exchanged{
		chat(`{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"Canary7Q","arguments":"{\"city\":\"Canary7Q\"}"}}]}`),
		chat(`{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"f","input":"Canary7Q"}}]}`),
		chat(`{"role":"assistant","function_call":{"name":"f","arguments":"{\"city\":\"Canary7Q\"}"}}`),
		responseInput(`{"type":"function_call","call_id":"c","name":"f","arguments":"{\"city\":\"Canary7Q\"}"}`),
		responseInput(`{"type":"web_search_call","id":"ws","action":{"query":"Canary7Q"}}`),
	}},
	{"results of tools", []string{"HIDE_INPUTS"}, []exchanged{
		chat(`{"role":"tool","tool_call_id":"c","content":"Canary7Q"}`),
		chat(`{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"Canary7Q"}]}`),
		responseInput(`{"type":"function_call_output","call_id":"c","output":"Canary7Q"}`),
		responseInput(`{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"Canary7Q"}]}`),
		responseInput(`{"type":"mcp_call","id":"m","name":"f","output":"Canary7Q"}`),
	}},
	{"refusals and reasoning of earlier turns", []string{"HIDE_INPUTS"}, []exchanged{
		chat(`{"role":"assistant","refusal":"Canary7Q"}`),
		chat(`{"role":"assistant","content":[{"type":"refusal","refusal":"Canary7Q"}]}`),
		chat(`{"role":"assistant","reasoning_content":"Canary7Q"}`),
		responseInput(`{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"Canary7Q"}]}`),
	}},
	{"images that are sent, in base64", []string{"HIDE_INPUTS", "HIDE_INPUT_IMAGES", "BASE64_IMAGE_MAX_LENGTH"}, []exchanged{
		chat(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,Canary7Q"}}]}`),
		chat(`{"role":"user","content":[{"type":"image_url","image_url":"data:image/png;base64,Canary7Q"}]}`),
		chat(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"DATA:image/png;BASE64,Canary7Q"}}]}`),
		responseInput(`{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,Canary7Q"}]}`),
		responseInput(`{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,Canary7Q"}}`),
		responseInput(`{"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"data:image/png;base64,Canary7Q"}]}`),
		responseInput(`{"type":"image_generation_call","id":"ig","result":"Canary7Q"}`),
		{path: "/v1/responses", request: `{"input":"hi","tools":[{"type":"image_generation","input_image_mask":{"image_url":"data:image/png;base64,Canary7Q"}}]}`},
		{path: "/v1/images/edits", request: `{"prompt":"hi","images":[{"image_url":"data:image/png;base64,Canary7Q"}]}`},
		{path: "/v1/images/edits", contentType: formType, request: form("prompt", "hi", "image/a.png", string(must(base64.StdEncoding.DecodeString(canary))))},
	}},
	{"addresses of images that are sent", []string{"HIDE_INPUTS", "HIDE_INPUT_IMAGES"}, []exchanged{
		chat(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/Canary7Q.png"}}]}`),
		chat(`{"role":"user","content":[{"type":"image_url","image_url" "https://example.com/Canary7Q.png"}]}`), // malformed
		responseInput(`{"role":"user","content":[{"type":"input_image","image_url":"https://example.com/Canary7Q.png"}]}`),
		{path: "/v1/images/edits", request: `{"prompt":"hi","images":[{"image_url":"https://example.com/Canary7Q.png"}],"mask":{"image_url":"https://example.com/Canary7Q.png"}}`},
	}},
	{"sounds in messages", []string{"HIDE_INPUTS", "BASE64_IMAGE_MAX_LENGTH"}, []exchanged{
		chat(`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"Canary7Q","format":"wav"}}]}`),
	}},
	{"files in messages", []string{"HIDE_INPUTS", "BASE64_IMAGE_MAX_LENGTH"}, []exchanged{
		chat(`{"role":"user","content":[{"type":"file","file":{"filename":"f","file_data":"Canary7Q"}}]}`),
		chat(`{"role":"user","content":[{"type":"file","file":{"filename":"f","file_data":"data:application/pdf;base64,Canary7Q"}}]}`),
		responseInput(`{"role":"user","content":[{"type":"input_file","filename":"f","file_data":"data:application/pdf;base64,Canary7Q"}]}`),
	}},
	{"names of files in messages", []string{"HIDE_INPUTS"}, []exchanged{
		chat(`{"role":"user","content":[{"type":"file","file":{"filename":"Canary7Q.pdf","file_id":"file-1"}}]}`),
	}},
	{"recordings that are transcribed", nil, []exchanged{
		{path: "/v1/audio/transcriptions", contentType: formType, request: form("model", "m", "file/Canary7Q.wav", "RIFF Canary7Q")},
	}},
	{"samples of voices, for a transcription", []string{"HIDE_INPUTS", "BASE64_IMAGE_MAX_LENGTH"}, []exchanged{
		{path: "/v1/audio/transcriptions", contentType: formType, request: form("model", "m", "known_speaker_references[]", "data:audio/wav;base64,Canary7Q")},
	}},
	{"instructions of a response, variables of its prompt", []string{"HIDE_INPUTS"}, []exchanged{
		{path: "/v1/responses", request: `{"input":"hi","instructions":"Canary7Q"}`},
		{path: "/v1/responses", request: `{"input":"hi","instructions":"Canary7Q"}`, reply: `{"instructions":"Canary7Q","output":[]}`},
		{path: "/v1/responses", request: `{"prompt":{"id":"p","variables":{"city":"Canary7Q"}}}`, reply: `{"prompt":{"id":"p","variables":{"city":"Canary7Q"}},"output":[]}`},
	}},
	{"prompts, texts to speak, texts to moderate", []string{"HIDE_INPUTS"}, []exchanged{
		{path: "/v1/completions", request: `{"prompt":"Canary7Q"}`},
		{path: "/v1/completions", request: `{"prompt":["a","Canary7Q"],"suffix":"Canary7Q"}`},
		{path: "/v1/images/generations", request: `{"prompt":"Canary7Q"}`},
		{path: "/v1/images/edits", contentType: formType, request: form("prompt", "Canary7Q", "image/a.png", "x")},
		{path: "/v1/audio/transcriptions", contentType: formType, request: form("prompt", "Canary7Q", "file/a.wav", "RIFF")},
		{path: "/v1/audio/speech", request: `{"input":"Canary7Q","instructions":"Canary7Q"}`},
		{path: "/v1/moderations", request: `{"input":["Canary7Q"]}`},
	}},
	{"predictions, documents to answer from", []string{"HIDE_INPUTS"}, []exchanged{
		{request: `{"messages":[],"prediction":{"type":"content","content":"Canary7Q"}}`},
		{request: `{"messages":[],"documents":[{"text":"Canary7Q"}]}`},
	}},
	{"texts that are embedded", []string{"HIDE_INPUTS"}, []exchanged{
		{path: "/v1/embeddings", request: `{"input":"Canary7Q"}`},
		{path: "/v1/embeddings", request: `{"input":["a","Canary7Q"]}`},
	}},
	{"definitions of tools", []string{"HIDE_INPUTS"}, []exchanged{
		{request: `{"messages":[],"tools":[{"type":"function","function":{"name":"f","description":"Canary7Q"}}]}`},
		{request: `{"messages":[],"functions":[{"name":"f","description":"Canary7Q"}]}`},
		{path: "/v1/responses", request: `{"input":"hi","tools":[{"type":"function","name":"f","description":"Canary7Q"}]}`},
	}},
	{"definitions of tools that a response repeats", []string{"HIDE_OUTPUTS"}, []exchanged{
		{path: "/v1/responses", request: `{"input":"hi"}`, reply: `{"tools":[{"type":"function","name":"f","description":"Canary7Q"}],"output":[]}`},
	}},
	{"metadata, user, formats and other parameters of a request", nil, []exchanged{
		{request: `{"messages":[],"metadata":{"ticket":"Canary7Q"}}`},
		{request: `{"messages":[],"user":"Canary7Q"}`},
		{request: `{"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"description":"Canary7Q"}}}}`},
		{path: "/v1/responses", request: `{"input":"hi","metadata":{"ticket":"Canary7Q"}}`},
		{path: "/v1/embeddings", request: `{"input":"hi","user":"Canary7Q"}`},
	}},
	{"text of answers", []string{"HIDE_OUTPUTS"}, []exchanged{
		chatReply(`"content":"Canary7Q"`),
		chatStream(`"content":"Canary7Q"`),
		responseOutput(`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Canary7Q"}]}`),
		{path: "/v1/responses", reply: `data: {"type":"response.output_text.delta","output_index":0,"delta":"Canary7Q"}` + "\n\n"},
	}},
	{"refusals and reasoning in answers", []string{"HIDE_OUTPUTS"}, []exchanged{
		chatReply(`"refusal":"Canary7Q"`),
		chatStream(`"refusal":"Canary7Q"`),
		chatReply(`"reasoning":"Canary7Q"`),
		chatStream(`"reasoning_content":"Canary7Q"`),
		responseOutput(`{"type":"reasoning","summary":[{"type":"summary_text","text":"Canary7Q"}]}`),
	}},
	{"tool calls in answers: names and arguments", []string{"HIDE_OUTPUTS"}, []exchanged{
		chatReply(`"tool_calls":[{"id":"c","type":"function","function":{"name":"Canary7Q","arguments":"{\"city\":\"Canary7Q\"}"}}]`),
		chatStream(`"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"city\":\"Canary7Q\"}"}}]`),
		chatReply(`"function_call":{"name":"f","arguments":"{\"city\":\"Canary7Q\"}"}`),
		responseOutput(`{"type":"function_call","call_id":"c","name":"f","arguments":"{\"city\":\"Canary7Q\"}"}`),
	}},
	{"results of tools that the server runs", []string{"HIDE_OUTPUTS"}, []exchanged{
		responseOutput(`{"type":"mcp_call","id":"m","name":"f","output":"Canary7Q"}`),
		responseOutput(`{"type":"code_interpreter_call","id":"ci","code":"1","outputs":[{"type":"logs","logs":"Canary7Q"}]}`),
	}},
	{"sources of answers", []string{"HIDE_OUTPUTS"}, []exchanged{
		chatReply(`"content":"hi","annotations":[{"type":"url_citation","url_citation":{"url":"https://example.com/Canary7Q","title":"Canary7Q"}}]`),
	}},
	{"spoken answers: the sound", []string{"HIDE_OUTPUTS", "BASE64_IMAGE_MAX_LENGTH"}, []exchanged{
		chatReply(`"audio":{"id":"a","data":"Canary7Q","transcript":"hi"}`),
		chatStream(`"audio":{"id":"a","data":"Canary7Q","transcript":"hi"}`),
	}},
	{"spoken answers: the text", []string{"HIDE_OUTPUTS"}, []exchanged{
		chatReply(`"audio":{"id":"a","data":"AA==","transcript":"Canary7Q"}`),
	}},
	{"speech that is made", nil, []exchanged{{path: "/v1/audio/speech", request: `{"input":"hi"}`, reply: "ID3 Canary7Q"}}},
	{"transcripts", []string{"HIDE_OUTPUTS"}, []exchanged{
		{path: "/v1/audio/transcriptions", contentType: formType, request: form("model", "m"), reply: `{"text":"Canary7Q"}`},
		{path: "/v1/audio/transcriptions", contentType: formType, request: form("response_format", "text"), reply: `Canary7Q`},
	}},
	{"images that are made, in base64", []string{"HIDE_OUTPUTS", "BASE64_IMAGE_MAX_LENGTH"}, []exchanged{
		{path: "/v1/images/generations", request: `{"prompt":"hi"}`, reply: `{"data":[{"b64_json":"Canary7Q"}]}`},
		{path: "/v1/images/generations", request: `{"prompt":"hi"}`, reply: `data: {"type":"image_generation.completed","b64_json":"Canary7Q"}` + "\n\n"},
		responseOutput(`{"type":"image_generation_call","id":"ig","result":"Canary7Q"}`),
	}},
	{"addresses of images that are made, rewritten prompts", []string{"HIDE_OUTPUTS"}, []exchanged{
		{path: "/v1/images/generations", request: `{"prompt":"hi"}`, reply: `{"data":[{"url":"https://example.com/Canary7Q.png","revised_prompt":"Canary7Q"}]}`},
		responseOutput(`{"type":"image_generation_call","id":"ig","revised_prompt":"Canary7Q"}`),
	}},
	{"answers of legacy completions", []string{"HIDE_OUTPUTS"}, []exchanged{
		{path: "/v1/completions", request: `{"prompt":"hi"}`, reply: `{"choices":[{"index":0,"text":"Canary7Q"}]}`},
	}},
	{"vectors", []string{"HIDE_OUTPUTS"}, []exchanged{
		{path: "/v1/embeddings", request: `{"input":"hi"}`, reply: `{"data":[{"index":0,"embedding":[0.7654321]}]}`},
	}},
	{"verdicts of moderations", []string{"HIDE_OUTPUTS"}, []exchanged{
		{path: "/v1/moderations", request: `{"input":"hi"}`, reply: `{"results":[{"categories":{"Canary7Q":true}}]}`},
	}},
	{"text of errors, which may repeat what was asked", nil, []exchanged{
		{status: http.StatusBadRequest, reply: `{"error":{"message":"invalid: Canary7Q"}}`},
		{status: http.StatusBadGateway, reply: `<html>Canary7Q</html>`},
		{reply: `{"error":{"message":"invalid: Canary7Q"}}`},
		{reply: `data: {"error":{"message":"invalid: Canary7Q"}}` + "\n\n"},
	}},
}

// canaries are what is looked for. A vector can have only a number.
var canaries = regexp.MustCompile(canary + `|0\.7654321`)

// exported returns all texts that an exporter sends of a span, by where they stand.
func exported(span sdktrace.ReadOnlySpan) map[string]string {
	all := map[string]string{"name": span.Name(), "status": span.Status().Description, "tracestate": span.SpanContext().TraceState().String()}
	for _, kv := range span.Attributes() {
		all[string(kv.Key)] = kv.Value.String()
	}
	for _, event := range span.Events() {
		for _, kv := range event.Attributes {
			all[event.Name+" event, "+string(kv.Key)] = kv.Value.String()
		}
	}
	for _, link := range span.Links() {
		all["link"] += fmt.Sprint(link.Attributes)
	}
	for _, kv := range span.Resource().Attributes() {
		all["resource "+string(kv.Key)] = kv.Value.String()
	}
	return all
}

var indexInKey = regexp.MustCompile(`\.\d+\.`)

// span makes a call and returns its span.
func (e exchanged) span(t *testing.T, opts ...openinference.Option) sdktrace.ReadOnlySpan {
	t.Helper()
	r := newRecorder(unlimited)
	reply := goldenResponse{Status: http.StatusOK, Body: e.reply}
	if e.status != 0 {
		reply.Status = e.status
	}
	if e.reply == "" {
		reply.Body = "{}"
	}
	transport := openinference.NewTransport(&cannedTransport{response: reply}, append(opts, openinference.WithTracerProvider(r.provider))...)
	path, request := "/v1/chat/completions", `{"model":"m","messages":[]}`
	if e.path != "" {
		path = e.path
	}
	if e.request != "" {
		request = e.request
	}
	req := must(http.NewRequest(http.MethodPost, origin+path, strings.NewReader(request)))
	req.Header.Set("Content-Type", e.contentType)
	resp := must(transport.RoundTrip(req))
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return r.only(t)
}

// leaks returns the places in the span of a call where the canary stands, under the
// variables as they are.
func (e exchanged) leaks(t *testing.T, format openinference.IOFormat) (places []string) {
	t.Helper()
	for place, text := range exported(e.span(t, openinference.WithIOFormat(format))) {
		// JSON may stand in JSON.
		if text = strings.NewReplacer(`\u0043`, "C", `\/`, "/").Replace(text); canaries.MatchString(text) {
			places = append(places, indexInKey.ReplaceAllString(place, ".N."))
		}
		if canaries.MatchString(place) {
			t.Errorf("the canary is in the name of an attribute: %s", place)
		}
	}
	return places
}

// TestPrivacy plants a canary in each kind of content and looks for it in what is
// exported, with one switch after the other. docs/privacy.md says what it finds.
func TestPrivacy(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Content | is recorded in | gone by | gone in part by, and still in |\n|---|---|---|---|\n")
	for _, k := range contentKinds {
		t.Run(k.kind, func(t *testing.T) {
			find := func(variables ...string) []string { // with their values
				for pair := range slices.Chunk(variables, 2) {
					t.Setenv("OPENINFERENCE_"+pair[0], pair[1])
					defer t.Setenv("OPENINFERENCE_"+pair[0], "")
				}
				var places []string
				for _, call := range k.calls {
					for _, format := range []openinference.IOFormat{openinference.IOJSON, openinference.IOText} {
						places = append(places, call.leaks(t, format)...)
						if call.contentType == "" {
							call := call
							call.request, call.reply = escaped.Replace(call.request), escaped.Replace(call.reply)
							places = append(places, call.leaks(t, format)...)
						}
					}
				}
				slices.Sort(places)
				return slices.Compact(places)
			}
			recorded := find()
			var gone, part []string
			for _, s := range switches {
				left := find(s.name, s.value)
				switch {
				case len(recorded) == 0 || slices.Equal(left, recorded):
				case len(left) == 0:
					gone = append(gone, s.name)
				default:
					part = append(part, "`"+s.name+"`: "+code(left))
				}
				if slices.Contains(k.hiddenBy, s.name) && len(left) > 0 {
					t.Errorf("%s leaves it in %v", s.name, left)
				}
			}
			if len(recorded) == 0 && len(k.hiddenBy) > 0 {
				t.Error("it is not recorded: there is nothing to hide")
			}
			left := find("HIDE_INPUTS", "1", "HIDE_OUTPUTS", "1", "HIDE_LLM_INVOCATION_PARAMETERS", "1")
			if isError := slices.Contains(recorded, "status"); !isError && len(left) > 0 {
				t.Errorf("three switches together leave it in %v", left)
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", k.kind, orNothing(code(recorded)), orNothing(code(gone)), strings.Join(part, "<br>"))
		})
	}
	const file, begin, end = "docs/privacy.md", "<!-- go generate writes this table. -->\n", "<!-- The table ends here. -->\n"
	page := string(must(os.ReadFile(file)))
	before, rest, ok := strings.Cut(page, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	want := before + begin + "\n" + table.String() + "\n" + end + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if page != want {
		t.Errorf("%s is not what the library does; run go generate. The table is:\n%s", file, table.String())
	}
}

// code returns names as code.
func code(names []string) string {
	var quoted []string
	for _, name := range names {
		quoted = append(quoted, "`"+name+"`")
	}
	return strings.Join(quoted, ", ")
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// modelCalls are the ends of the paths of the calls that are traced, and their spans.
var modelCalls = []struct{ path, span string }{
	{"/chat/completions", "ChatCompletion"},
	{"/responses", "Response"},
	{"/completions", "Completion"},
	{"/embeddings", "CreateEmbeddings"},
	{"/images/generations", "ImagesResponse"},
	{"/images/edits", "ImagesResponse"},
	{"/images/variations", "ImagesResponse"},
	{"/audio/transcriptions", "Transcription"},
	{"/audio/translations", "Translation"},
	{"/audio/speech", "Speech"},
	{"/moderations", "ModerationCreateResponse"},
}

// modelCall returns the index of the call with that path, -1 if there is none.
func modelCall(path string) int {
	return slices.IndexFunc(modelCalls, func(call struct{ path, span string }) bool {
		return strings.HasSuffix(path, call.path) || strings.HasSuffix(path, call.path+"/")
	})
}

// configOf returns the TraceConfig whose switches are the bits of a number.
func configOf(on uint16, limit int) (c openinference.TraceConfig) {
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Bool {
			f.SetBool(on>>i&1 == 1)
		}
	}
	c.Base64ImageMaxLength = limit
	return c
}

// namesOfModels are what no switch hides.
var namesOfModels = []attribute.Key{
	openinference.LLMModelNameKey, openinference.LLMRequestModelNameKey, openinference.LLMResponseModelNameKey, openinference.EmbeddingModelNameKey,
}

var dataURL = regexp.MustCompile(`^data:[^,]*;base64,`)

// FuzzMask makes any call under any TraceConfig. One that has further switches on records
// nothing that the other does not, no data URL is over the limit, and three switches
// together leave the canary only in the name of the model.
func FuzzMask(f *testing.F) {
	for i, k := range contentKinds {
		for _, call := range k.calls {
			f.Add(uint8(max(0, modelCall(call.path))), call.contentType != "", call.request, call.reply, uint16(0), uint16(1)<<(i%len(switches)), 5, i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, path uint8, isForm bool, request, reply string, on, more uint16, limit int, text bool) {
		reported := handled(t)
		call := exchanged{path: "/v1" + modelCalls[int(path)%len(modelCalls)].path, request: request, reply: reply}
		if isForm {
			call.contentType = formType
		}
		format := openinference.IOJSON
		if text {
			format = openinference.IOText
		}
		under := func(c openinference.TraceConfig) sdktrace.ReadOnlySpan {
			return call.span(t, openinference.WithIOFormat(format), openinference.WithTraceConfig(c))
		}
		less, hides := under(configOf(on, limit)), configOf(on|more, limit)
		checkProportion(t, less, len(request)+len(reply))
		for _, kv := range under(hides).Attributes() {
			got := kv.Value.String()
			switch before, ok := lookup(less.Attributes(), kv.Key); {
			case !ok:
				t.Errorf("%+v: %s = %q, which is not there with less hidden", hides, kv.Key, got)
			case got != before.String() && !strings.Contains(got, openinference.Redacted) && !strings.HasSuffix(string(kv.Key), ".invocation_parameters"):
				t.Errorf("%+v: %s = %q, which is %q with less hidden", hides, kv.Key, got, before.String())
			case limit != 0 && utf8.RuneCountInString(got) > limit && dataURL.MatchString(got) && strings.HasSuffix(string(kv.Key), ".url"):
				t.Errorf("%+v: %s = %q, over the limit", hides, kv.Key, got)
			}
		}
		hides.HideInputs, hides.HideOutputs, hides.HideLLMInvocationParameters = true, true, true
		for _, kv := range under(hides).Attributes() {
			if canaries.MatchString(string(kv.Key)+kv.Value.String()) && !slices.Contains(namesOfModels, kv.Key) {
				t.Errorf("%+v: %s = %s", hides, kv.Key, kv.Value.String())
			}
		}
		if errs := reported(); len(errs) > 0 {
			t.Errorf("got reports %v, want none", errs)
		}
	})
}

// FuzzURL calls any URL. Its path decides what the span is, if there is one; its host, in
// any case of letters and with or without a port, who the provider is. The span has of the
// URL only scheme, host and path, as they are. A key in a header, a query, a password or a
// fragment is nowhere, even if the server or the transport repeats it in its error.
func FuzzURL(f *testing.F) {
	for _, rest := range []string{
		"api.openai.com/v1/chat/completions", "x.openai.azure.com/openai/deployments/a%2Fb/chat/completions?api-version=1", "eu-aiplatform.googleapis.com:443/v1/responses/",
		"[::1]:8080/completions#a", "user:pass@h/v1/embeddings?a=b;c", "API.GROQ.COM/openai/v1/audio/speech", "h/v1/images/edits?%zz", "h/chat/completions/x", "h//v1/moderations?", "notapi.openai.com/é/responses",
	} {
		f.Add(rest, "sk-0123456789")
		f.Add(rest, "a/b+c==")
	}
	f.Fuzz(func(t *testing.T, rest, key string) {
		u, err := url.Parse("https://" + rest)
		if err != nil || u.Host == "" || canaries.MatchString(rest) || !keyText.MatchString(key) {
			return
		}
		key = canary + key + canary
		span := callURL(t, u, key, nil)
		i := modelCall(u.Path)
		if i < 0 || span == nil {
			if i >= 0 || span != nil {
				t.Errorf("%s: got span %v, want one: %v", u, span, i >= 0)
			}
			return
		}
		if got, want := span.Name(), modelCalls[i].span; got != want {
			t.Errorf("%s: got span %s, want %s", u, got, want)
		}
		if full := attr(span, "url.full"); full != "" {
			got, err := url.Parse(full)
			if err != nil || got.Scheme != u.Scheme || got.Host != u.Host || got.EscapedPath() != u.EscapedPath() || got.User != nil || strings.ContainsAny(full, "?#") {
				t.Errorf("%s: got url.full %s (%v)", u, full, err)
			}
			if got := attr(span, "url.path"); got != u.EscapedPath() {
				t.Errorf("%s: got url.path %s", u, got)
			}
		}
		company := attr(span, openinference.LLMProviderKey)
		others := map[string]string{}
		if hostName.MatchString(u.Hostname()) {
			others[strings.ToUpper(u.Host)] = company
			others[u.Hostname()+".example.org"] = ""
			if company != "" {
				others["below."+u.Hostname()+":1"] = company
			}
		}
		for host, want := range others {
			other := *u
			other.Host = host
			if got := attr(callURL(t, &other, key, nil), openinference.LLMProviderKey); got != want {
				t.Errorf("%s: got provider %q, want %q", host, got, want)
			}
		}
		callURL(t, u, key, errors.New("no connection"))
	})
}

// What a key and a name of a host may be made of.
var (
	keyText  = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]*$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)
)

// callURL calls u with a key, which stands in all places for one and in the error of the
// server or of the transport, whose cause is given. It returns the span, nil if there is
// none. The key must not be in it.
func callURL(t *testing.T, u *url.URL, key string, cause error) sdktrace.ReadOnlySpan {
	t.Helper()
	r := newRecorder()
	target := *u
	target.User = url.UserPassword(key, key)
	target.RawQuery += "&key=" + url.QueryEscape(key)
	if cause != nil {
		target.RawQuery += "&short=" + canary
	}
	target.Fragment = key
	req := &http.Request{Method: http.MethodPost, URL: &target, Header: http.Header{"Authorization": {"Bearer " + key[:16]}, "Api-Key": {key}}}
	resp, err := openinference.NewTransport(roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		if cause != nil {
			return nil, &url.Error{Op: "Post", URL: req.URL.String(), Err: fmt.Errorf("%w for %s", cause, key)}
		}
		return &http.Response{StatusCode: http.StatusUnauthorized, Body: io.NopCloser(strings.NewReader("refused: " + key + " " + req.URL.RequestURI()))}, nil
	}), openinference.WithTracerProvider(r.provider)).RoundTrip(req)
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	var span sdktrace.ReadOnlySpan
	for _, span = range r.Ended() {
		for place, text := range exported(span) {
			if strings.Contains(text, canary) {
				t.Errorf("%s: %s", place, text)
			}
		}
	}
	return span
}

// TestSecretsAreNowhere calls with a key in each place in which APIs take one, and has
// the server, and the network, repeat it in their errors.
func TestSecretsAreNowhere(t *testing.T) {
	const key = "sk-Canary7Q-0123456789abcdef"
	header := func(name, value string) func(*http.Request) {
		return func(req *http.Request) { req.Header.Set(name, value) }
	}
	query := func(req *http.Request) { req.URL.RawQuery = "api-version=1&key=" + key + "&odd=\"%22" }
	keys := map[string]func(*http.Request){
		"Authorization":  header("Authorization", "Bearer "+key),
		"without Bearer": header("Authorization", key),
		"api-key":        header("Api-Key", key),
		"x-api-key":      header("X-Api-Key", key),
		"query":          query,
		"password":       func(req *http.Request) { req.URL.User = url.UserPassword("user", key) },
	}
	repeating := func(status int, format string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, format, key+" "+r.URL.RawQuery)
		}
	}
	replies := map[string]http.HandlerFunc{
		"success":       mocks.Chat("hi"),
		"JSON":          repeating(http.StatusUnauthorized, `{"error":{"message":"Incorrect API key provided: %s"}}`),
		"HTML":          repeating(http.StatusForbidden, "<html>%s</html>"),
		"200":           repeating(http.StatusOK, `{"error":{"message":"Incorrect API key provided: %s"}}`),
		"event":         repeating(http.StatusOK, "data: {\"error\":{\"message\":\"%s\"}}\n\n"),
		"no connection": nil,
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/?token="+key, http.StatusTemporaryRedirect)
		},
	}
	for where, set := range keys {
		for how, reply := range replies {
			t.Run(where+", "+how, func(t *testing.T) {
				reported := handled(t)
				r := newRecorder()
				srv := mocks.NewServer(reply)
				t.Cleanup(srv.Close)
				if reply == nil {
					srv.Close()
				}
				req := must(http.NewRequest(http.MethodPost, srv.URL+"/v1/chat/completions", strings.NewReader(`{"messages":[]}`)))
				set(req)
				// What is above the http.Client sees its errors, which have the URL in them.
				transport := openinference.NewTransport(roundTripperFunc(http.DefaultClient.Do), openinference.WithTracerProvider(r.provider))
				if resp, err := transport.RoundTrip(req); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				for place, text := range exported(r.only(t)) {
					if strings.Contains(text, canary) {
						t.Errorf("%s: %s", place, text)
					}
				}
				if errs := reported(); len(errs) > 0 {
					t.Errorf("got reports %v, want none", errs)
				}
			})
		}
	}
}

// TestErrorsOfOtherRequestsHaveNoQuery: a step that fails as a request of its own has.
func TestErrorsOfOtherRequestsHaveNoQuery(t *testing.T) {
	r := newRecorder()
	_, err := http.Get("http://127.0.0.1:1/weather?key=Canary7Q")
	if err == nil {
		t.Fatal("the request succeeded")
	}
	err = fmt.Errorf("weather: %w", err)
	_, got := openinference.Call(context.Background(), newTracer(r), "weather", openinference.KindTool, "Oslo",
		func(context.Context, string) (string, error) { return "", err })
	if got != err {
		t.Errorf("got error %v, want the same", got)
	}
	span := r.only(t)
	for place, text := range exported(span) {
		if strings.Contains(text, canary) {
			t.Errorf("%s: %s", place, text)
		}
	}
	if got := span.Status().Description; !strings.HasPrefix(got, `weather: Get "http://127.0.0.1:1/weather": `) {
		t.Errorf("got status %q, want the rest of the error", got)
	}
}
