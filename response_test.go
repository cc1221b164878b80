package openinference_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
)

// respond sends a request of the Responses API, reads the reply to its end and returns
// the span.
func respond(t *testing.T, request string, reply goldenResponse, opts ...openinference.Option) sdktrace.ReadOnlySpan {
	t.Helper()
	r := newRecorder()
	opts = append([]openinference.Option{openinference.WithTracerProvider(r.provider)}, opts...)
	client := http.Client{Transport: openinference.NewTransport(&cannedTransport{response: reply}, opts...)}
	resp, err := client.Post("https://api.openai.com/v1/responses", "application/json", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); (err != nil) != (reply.Transport == "abort") {
		t.Fatal(err)
	}
	return r.only(t)
}

// plain is the reply to a request that asks for no stream.
func plain(body string) goldenResponse { return goldenResponse{Status: http.StatusOK, Body: body} }

// streamed is a stream of those events.
func streamed(events ...string) goldenResponse {
	var b strings.Builder
	for _, event := range events {
		b.WriteString("data: " + event + "\n\n")
	}
	return goldenResponse{Status: http.StatusOK, Headers: map[string]string{"content-type": "text/event-stream"}, Body: b.String()}
}

// below returns the attributes of a span whose keys begin with prefix, without it.
func below(span sdktrace.ReadOnlySpan, prefix string) map[string]string {
	got := map[string]string{}
	for _, kv := range span.Attributes() {
		if rest, ok := strings.CutPrefix(string(kv.Key), prefix); ok {
			got[rest] = kv.Value.String()
		}
	}
	return got
}

func TestResponseConversationIsAString(t *testing.T) {
	span := respond(t, `{"input":"Hi","conversation":"conv_2"}`, plain(`{}`))
	wantAttrs(t, span, map[attribute.Key]string{"openai.conversation.id": "conv_2"})
}

// Events of a stream.
const (
	created  = `{"type":"response.created","response":{"id":"resp_1","model":"gpt-4o-2024","status":"in_progress","error":null,"output":[],"usage":null}}`
	added    = `{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}`
	hello    = `{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hello"}`
	toYou    = `{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":" to you"}`
	answered = `"output":[{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello to you."}]}],"usage":{"input_tokens":2,"output_tokens":3,"total_tokens":5}`
)

func TestResponseStreamEnds(t *testing.T) {
	cut := streamed(created, added, hello, toYou)
	aborted := cut
	aborted.Transport = "abort"
	tests := []struct {
		name        string
		reply       goldenResponse
		code        codes.Code
		description string
		text        string // of the first message
		reason      string
	}{
		{"completed", streamed(created, added, hello, `{"type":"response.completed","response":{"id":"resp_1","status":"completed",`+answered+`}}`),
			codes.Ok, "", "Hello to you.", "completed"},
		{"completed, and more", streamed(created, `{"type":"response.completed","response":{"status":"completed",`+answered+`}}`, "[DONE]", "nonsense"),
			codes.Ok, "", "Hello to you.", "completed"},
		{"completed without the output", streamed(created, added, hello, toYou, `{"type":"response.completed","response":{"status":"completed","output":[]}}`),
			codes.Ok, "", "Hello to you", "completed"},
		{"completed without a response", streamed(created, added, hello, `{"type":"response.completed"}`),
			codes.Ok, "", "Hello", ""},
		{"incomplete", streamed(created, added, hello, `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},`+answered+`}}`),
			codes.Ok, "", "Hello to you.", "max_output_tokens"},
		{"failed", streamed(created, added, hello, `{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"The model is overloaded."},"output":[]}}`),
			codes.Error, "The model is overloaded.", "Hello", "failed"},
		{"failed at once", streamed(`{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"No."},` + answered + `}}`),
			codes.Error, "No.", "Hello to you.", "failed"},
		{"failed without a reason", streamed(created, added, hello, `{"type":"response.failed","response":{}}`),
			codes.Error, "the response failed, and does not say why", "Hello", ""},
		{"error event", streamed(created, added, hello, `{"type":"error","code":"server_error","message":"Broken.","param":null,"sequence_number":3}`, toYou),
			codes.Error, "Broken.", "Hello", ""},
		{"error event with an object", streamed(created, added, hello, `{"type":"error","sequence_number":3,"error":{"type":"server_error","code":null,"message":"Broken."}}`),
			codes.Error, "Broken.", "Hello", ""},
		{"error of a gateway", streamed(created, added, hello, `{"error":{"message":"Bad gateway."}}`),
			codes.Error, "error, Bad gateway.", "Hello", ""},
		{"cut", cut, codes.Error, "the stream ended before the response was complete: unexpected EOF", "Hello to you", ""},
		{"done before the result", streamed(created, added, hello, "[DONE]"),
			codes.Error, "the stream ended before the response was complete: unexpected EOF", "Hello", ""},
		{"aborted", aborted, codes.Error, "unexpected EOF", "Hello to you", ""},
		{"not JSON", streamed(created, added, hello, "{nonsense", ""), codes.Error, "invalid character 'n' looking for beginning of object key string", "Hello", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, split := range []int{0, 1, 7} {
				test.reply.WireSplit = split
				span := respond(t, `{"model":"gpt-4o","stream":true,"input":"Say hello."}`, test.reply)
				if got := span.Status(); got.Code != test.code || got.Description != test.description {
					t.Errorf("got status %v %q, want %v %q", got.Code, got.Description, test.code, test.description)
				}
				wantAttrs(t, span, map[attribute.Key]string{
					openinference.OutputValueKey:                                    test.text,
					openinference.LLMFinishReasonKey:                                test.reason,
					"llm.output_messages.0.message.role":                            "assistant",
					"llm.output_messages.0.message.contents.0.message_content.text": test.text,
				})
			}
		})
	}
}

func TestResponseStreamThatIsOnlyAnErrorHasNoFirstToken(t *testing.T) {
	span := respond(t, `{"stream":true}`, streamed(`{"type":"error","code":"server_error","message":"Broken."}`))
	if events := span.Events(); len(events) != 1 || events[0].Name != "exception" {
		t.Errorf("got events %v, want the exception alone", events)
	}
	if v, ok := lookup(span.Attributes(), openinference.OutputValueKey); ok {
		t.Errorf("got output %v, want none", v)
	}
}

func TestResponsePlainStatus(t *testing.T) {
	tests := []struct {
		name, body  string
		code        codes.Code
		description string
		reason      string
	}{
		{"completed", `{"status":"completed",` + answered + `}`, codes.Ok, "", "completed"},
		{"incomplete", `{"status":"incomplete","incomplete_details":{"reason":"content_filter"},` + answered + `}`, codes.Ok, "", "content_filter"},
		{"failed", `{"status":"failed","error":{"code":"server_error","message":"Overloaded."},` + answered + `}`, codes.Error, "Overloaded.", "failed"},
		{"failed without a reason", `{"status":"failed","error":null,` + answered + `}`, codes.Error, "the response failed, and does not say why", "failed"},
		{"queued", `{"status":"queued",` + answered + `}`, codes.Ok, "", ""},
		{"in progress", `{"status":"in_progress",` + answered + `}`, codes.Ok, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := respond(t, `{"model":"gpt-4o","input":"Say hello."}`, plain(test.body))
			if got := span.Status(); got.Code != test.code || got.Description != test.description {
				t.Errorf("got status %v %q, want %v %q", got.Code, got.Description, test.code, test.description)
			}
			// A response that failed has cost tokens all the same.
			wantAttrs(t, span, map[attribute.Key]string{
				openinference.OutputValueKey:             "Hello to you.",
				openinference.LLMTokenCountCompletionKey: "3",
				openinference.LLMFinishReasonKey:         test.reason,
			})
		})
	}
}

// TestResponseStreamCutOff looks at what is kept of each kind of output when a stream
// breaks off in it.
func TestResponseStreamCutOff(t *testing.T) {
	item := func(fields string) string {
		return `{"type":"response.output_item.added","output_index":0,"item":{"status":"in_progress",` + fields + `}}`
	}
	tests := []struct {
		name   string
		events []string
		want   map[string]string
	}{
		{"refusal", []string{
			added,
			`{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"refusal","refusal":""}}`,
			`{"type":"response.refusal.delta","output_index":0,"content_index":0,"delta":"I "}`,
			`{"type":"response.refusal.delta","output_index":0,"content_index":0,"delta":"won't"}`,
		}, map[string]string{
			"0.message.role": "assistant",
			"0.message.contents.0.message_content.type": "text",
			"0.message.contents.0.message_content.text": "I won't",
		}},
		{"parts, the first done", []string{
			added,
			`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"On"}`,
			`{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"One"}`,
			`{"type":"response.content_part.done","output_index":0,"content_index":1,"part":{"type":"output_text","text":"Two"}}`,
			`{"type":"response.output_text.delta","output_index":0,"content_index":2,"delta":"Thr"}`,
		}, map[string]string{
			"0.message.role": "assistant",
			"0.message.contents.0.message_content.type": "text",
			"0.message.contents.0.message_content.text": "One",
			"0.message.contents.1.message_content.type": "text",
			"0.message.contents.1.message_content.text": "Two",
			"0.message.contents.2.message_content.type": "text",
			"0.message.contents.2.message_content.text": "Thr",
		}},
		{"items, the first done", []string{
			item(`"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":""`),
			`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\""}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"{\"a\":1}"}}`,
			`{"type":"response.output_item.added","output_index":1,"item":{"id":"fc_2","type":"function_call","call_id":"call_2","name":"g","arguments":""}}`,
			`{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"b\""}`,
			`{"type":"response.function_call_arguments.delta","output_index":1,"delta":":"}`,
		}, map[string]string{
			"0.message.role":                                      "assistant",
			"0.message.tool_calls.0.tool_call.id":                 "call_1",
			"0.message.tool_calls.0.tool_call.function.name":      "f",
			"0.message.tool_calls.0.tool_call.function.arguments": `{"a":1}`,
			"1.message.role":                                      "assistant",
			"1.message.tool_calls.0.tool_call.id":                 "call_2",
			"1.message.tool_calls.0.tool_call.function.name":      "g",
			"1.message.tool_calls.0.tool_call.function.arguments": `{"b":`,
		}},
		{"custom tool", []string{
			item(`"type":"custom_tool_call","call_id":"call_1","name":"draw","input":""`),
			`{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"cir"}`,
			`{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"cle"}`,
		}, map[string]string{
			"0.message.role":                                      "assistant",
			"0.message.tool_calls.0.tool_call.id":                 "call_1",
			"0.message.tool_calls.0.tool_call.function.name":      "draw",
			"0.message.tool_calls.0.tool_call.function.arguments": `{"input": "circle"}`,
		}},
		{"reasoning", []string{
			item(`"id":"rs_1","type":"reasoning","summary":[]`),
			`{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}`,
			`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"Half a pair: \ud83d"}`,
			`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"\ude00"}`,
			`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"Two"}`,
			`{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"Raw"}`,
		}, map[string]string{
			"0.message.role": "assistant",
			"0.message.contents.0.message_content.type": "reasoning",
			"0.message.contents.0.message_content.id":   "rs_1",
			"0.message.contents.0.message_content.text": "Half a pair: \U0001F600\nTwo\nRaw",
		}},
		{"code interpreter", []string{
			item(`"id":"ci_1","type":"code_interpreter_call","code":""`),
			`{"type":"response.code_interpreter_call_code.delta","output_index":0,"delta":"2*"}`,
			`{"type":"response.code_interpreter_call_code.delta","output_index":0,"delta":"*10"}`,
			`{"type":"response.code_interpreter_call.interpreting","output_index":0}`,
		}, map[string]string{
			"0.message.tool_calls.0.tool_call.function.name":      "code_interpreter_call",
			"0.message.tool_calls.0.tool_call.function.arguments": `{"code": "2**10"}`,
		}},
		{"MCP", []string{
			item(`"id":"mcp_1","type":"mcp_call","name":"depth","arguments":""`),
			`{"type":"response.mcp_call_arguments.delta","output_index":0,"delta":"{}"}`,
			`{"type":"response.mcp_call_arguments.done","output_index":0,"arguments":"{\"unit\":\"m\"}"}`,
		}, map[string]string{
			"0.message.tool_calls.0.tool_call.function.name":      "depth",
			"0.message.tool_calls.0.tool_call.function.arguments": `{"unit":"m"}`,
		}},
		{"deltas of an item that was not announced", []string{hello, toYou}, map[string]string{
			"0.message.contents.0.message_content.type": "text",
			"0.message.contents.0.message_content.text": "Hello to you",
		}},
		{"events without sense", []string{
			added, `[]`, `"x"`, `{"type":7}`, `{"type":"response"}`, `{"type":"response.new.delta","delta":"?"}`,
			`{"type":"response.created","response":"x"}`, `{"type":"response.output_item.done","output_index":0}`,
			`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":7}`,
			`{"type":"response.output_text.done","output_index":0,"content_index":0}`,
			`{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Hello"}`, toYou,
		}, map[string]string{
			"0.message.role": "assistant",
			"0.message.contents.0.message_content.type": "text",
			"0.message.contents.0.message_content.text": "Hello to you",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := respond(t, `{"stream":true}`, streamed(append([]string{created}, test.events...)...), openinference.WithIOFormat(openinference.IOJSON))
			if diff := cmp.Diff(test.want, below(span, "llm.output_messages.")); diff != "" {
				t.Errorf("output messages (-want +got):\n%s", diff)
			}
			wantAttrs(t, span, map[attribute.Key]string{openinference.LLMModelNameKey: "gpt-4o-2024"})
			if output := attr(span, openinference.OutputValueKey); !json.Valid([]byte(output)) {
				t.Errorf("output.value is not JSON: %s", output)
			}
		})
	}
}

// TestResponseItems has the items that no golden case has.
func TestResponseItems(t *testing.T) {
	const call, function = "0.message.tool_calls.0.tool_call.", "0.message.tool_calls.0.tool_call.function."
	part := func(i string) string { return "0.message.contents." + i + ".message_content." }
	tests := []struct {
		name, item string
		in         map[string]string // as an item of the input
		out        map[string]string // as one of the output; nil: the same
	}{
		{"reasoning that is shown", `{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"Hm."}]}`,
			map[string]string{"0.message.role": "assistant", part("0") + "type": "reasoning", part("0") + "id": "rs_1", part("0") + "text": "Hm."}, nil},
		{"files", `{"role":"user","content":[{"type":"input_file","file_id":"file_1","filename":"a.pdf"},{"type":"input_file","file_url":"https://example.org/b.pdf"},{"type":"input_file","filename":"c.pdf","file_data":"data:application/pdf;base64,QUJD"}]}`,
			map[string]string{
				"0.message.role":                     "user",
				part("0") + "type":                   "document",
				part("0") + "document.document.id":   "file_1",
				part("0") + "document.document.name": "a.pdf",
				part("0") + "text":                   "a.pdf",
				part("1") + "type":                   "document",
				part("1") + "document.document.url":  "https://example.org/b.pdf",
				part("1") + "text":                   "https://example.org/b.pdf",
				part("2") + "type":                   "document",
				part("2") + "document.document.name": "c.pdf",
				part("2") + "text":                   "c.pdf",
				part("2") + "document.document.url":  "data:application/pdf;base64,QUJD",
			}, nil},
		{"sound and an image by its id", `{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}},{"type":"input_image","file_id":"file_2"}]}`,
			map[string]string{
				"0.message.role":                    "user",
				part("0") + "type":                  "audio",
				part("0") + "audio.audio.url":       "data:audio/wav;base64,QUJD",
				part("0") + "audio.audio.mime_type": "audio/wav",
				part("1") + "type":                  "image",
				part("1") + "id":                    "file_2",
				part("1") + "text":                  "file_2",
			}, nil},
		{"arguments that are empty", `{"type":"function_call","call_id":"call_1","name":"now","arguments":"{}"}`,
			map[string]string{"0.message.role": "assistant", call + "id": "call_1", function + "name": "now", function + "arguments": "{}"}, nil},
		{"web search", `{"type":"web_search_call","id":"ws_1","action":{"type":"search","query":"tide"}}`,
			map[string]string{"0.message.role": "assistant", call + "id": "ws_1", function + "name": "web_search_call", function + "arguments": `{"type":"search","query":"tide"}`}, nil},
		{"file search", `{"type":"file_search_call","id":"fs_1","queries":["a","b"],"results":[{"text":"found"}]}`,
			map[string]string{
				"0.message.role": "assistant", call + "id": "fs_1", function + "name": "file_search_call", function + "arguments": `{"queries": ["a","b"]}`,
				part("0") + "type": "text", part("0") + "text": `[{"text":"found"}]`,
			}, nil},
		{"MCP call", `{"type":"mcp_call","id":"mcp_1","name":"depth","arguments":"{}","output":"7","error":null}`,
			map[string]string{
				"0.message.role": "assistant", call + "id": "mcp_1", function + "name": "depth", function + "arguments": "{}",
				part("0") + "type": "text", part("0") + "text": "7",
			},
			map[string]string{function + "name": "depth", function + "arguments": "{}", part("0") + "type": "text", part("0") + "text": "7"}},
		{"MCP call that failed", `{"type":"mcp_call","id":"mcp_1","name":"depth","output":null,"error":{"message":"no boat"}}`,
			map[string]string{
				"0.message.role": "assistant", call + "id": "mcp_1", function + "name": "depth",
				part("0") + "type": "text", part("0") + "text": `{"message":"no boat"}`,
			},
			map[string]string{function + "name": "depth", part("0") + "type": "text", part("0") + "text": `{"message":"no boat"}`}},
		{"MCP approval request", `{"type":"mcp_approval_request","id":"mcpr_1","name":"sail","arguments":"{\"to\":\"sea\"}"}`,
			map[string]string{"0.message.role": "assistant", call + "id": "mcpr_1", function + "name": "sail", function + "arguments": `{"to":"sea"}`}, nil},
		{"MCP approval response", `{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":false,"reason":"storm"}`,
			map[string]string{"0.message.role": "tool", "0.message.tool_call_id": "mcpr_1", "0.message.content": `{"approve": false, "reason": "storm"}`}, nil},
		{"code interpreter", `{"type":"code_interpreter_call","id":"ci_1","code":"plot()","outputs":[{"type":"logs","logs":"ok"},{"type":"image","url":"https://example.org/plot.png"}],"error":"late"}`,
			map[string]string{
				"0.message.role": "assistant", call + "id": "ci_1", function + "name": "code_interpreter_call", function + "arguments": `{"code": "plot()"}`,
				part("0") + "type": "text", part("0") + "text": "ok",
				part("1") + "type": "image", part("1") + "image.image.url": "https://example.org/plot.png",
				part("2") + "type": "text", part("2") + "text": "late",
			},
			map[string]string{
				function + "name": "code_interpreter_call", function + "arguments": `{"code": "plot()"}`,
				part("0") + "type": "text", part("0") + "text": "ok",
				part("1") + "type": "image", part("1") + "image.image.url": "https://example.org/plot.png",
				part("2") + "type": "text", part("2") + "text": "late",
			}},
		{"local shell", `{"type":"local_shell_call","id":"lsh_1","call_id":"call_1","action":{"type":"exec","command":["ls"]}}`,
			map[string]string{"0.message.role": "assistant", call + "id": "call_1", function + "name": "local_shell_call", function + "arguments": `{"type":"exec","command":["ls"]}`}, nil},
		{"local shell output", `{"type":"local_shell_call_output","id":"call_1","output":"{\"stdout\":\"a\"}"}`,
			map[string]string{"0.message.role": "tool", "0.message.tool_call_id": "call_1", "0.message.content": `{"stdout":"a"}`}, nil},
		{"shell output", `{"type":"shell_call_output","call_id":"call_1","output":[{"stdout":"a","stderr":"","outcome":{"type":"exit","exit_code":0}}]}`,
			map[string]string{"0.message.role": "tool", "0.message.tool_call_id": "call_1",
				"0.message.content": `[{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]`}, nil},
		{"patch", `{"type":"apply_patch_call","call_id":"call_1","operation":{"type":"delete_file","path":"a"}}`,
			map[string]string{"0.message.role": "assistant", call + "id": "call_1", function + "name": "apply_patch_call", function + "arguments": `{"type":"delete_file","path":"a"}`}, nil},
		{"computer", `{"type":"computer_call","call_id":"call_1","action":{"type":"wait"}}`,
			map[string]string{"0.message.role": "assistant", call + "id": "call_1", function + "name": "computer_call", function + "arguments": `{"type":"wait"}`}, nil},
		{"screenshot", `{"type":"computer_call_output","call_id":"call_1","output":{"type":"computer_screenshot","image_url":"https://example.org/s.png"}}`,
			map[string]string{"0.message.role": "tool", "0.message.tool_call_id": "call_1", part("0") + "type": "image", part("0") + "image.image.url": "https://example.org/s.png"}, nil},
		{"output of text and an image", `{"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"See:"},{"type":"input_image","image_url":"https://example.org/i.png"}]}`,
			map[string]string{"0.message.role": "tool", "0.message.tool_call_id": "call_1", part("0") + "type": "text", part("0") + "text": "See:",
				part("1") + "type": "image", part("1") + "image.image.url": "https://example.org/i.png"}, nil},
		{"generated image", `{"type":"image_generation_call","id":"ig_1","revised_prompt":"A grey gull","output_format":"webp","result":"QUJD"}`,
			map[string]string{"0.message.role": "assistant", part("0") + "type": "text", part("0") + "text": "A grey gull",
				part("1") + "type": "image", part("1") + "image.image.url": "data:image/webp;base64,QUJD"},
			map[string]string{part("0") + "type": "text", part("0") + "text": "A grey gull",
				part("1") + "type": "image", part("1") + "image.image.url": "data:image/webp;base64,QUJD"}},
		{"items that say nothing", `{"type":"compaction","encrypted_content":"x"}`, map[string]string{}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := respond(t, `{"input":[`+test.item+`]}`, plain(`{"output":[`+test.item+`]}`))
			if diff := cmp.Diff(test.in, below(span, "llm.input_messages.")); diff != "" {
				t.Errorf("input messages (-want +got):\n%s", diff)
			}
			if test.out == nil {
				test.out = test.in
			}
			if diff := cmp.Diff(test.out, below(span, "llm.output_messages.")); diff != "" {
				t.Errorf("output messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResponseNumbersMessages(t *testing.T) {
	const items = `[{"type":"item_reference","id":"x"},7,{"role":"user","content":"A"},{"type":"mcp_list_tools"},{"role":"user","content":"B"}]`
	span := respond(t, `{"input":`+items+`,"instructions":"I"}`, plain(`{"output":`+items+`}`))
	wantIn := map[string]string{
		"0.message.role": "system", "0.message.content": "I",
		"1.message.role": "user", "1.message.content": "A",
		"2.message.role": "user", "2.message.content": "B",
	}
	if diff := cmp.Diff(wantIn, below(span, "llm.input_messages.")); diff != "" {
		t.Errorf("input messages without holes (-want +got):\n%s", diff)
	}
	wantOut := map[string]string{
		"2.message.role": "user", "2.message.content": "A",
		"4.message.role": "user", "4.message.content": "B",
	}
	if diff := cmp.Diff(wantOut, below(span, "llm.output_messages.")); diff != "" {
		t.Errorf("output messages by position (-want +got):\n%s", diff)
	}
}

func TestResponseMalformedPartsHideNothing(t *testing.T) {
	const items = `[null,[],{"role":7,"content":{}},{"type":["message"],"content":[null,7,{"type":"input_image"},{"text":"kept"}]},` +
		`{"type":"reasoning","summary":"x"},{"type":"function_call","arguments":{"a":1}},{"type":"function_call_output","output":7},{"role":"user","content":"last"}]`
	span := respond(t, `{"tools":{},"model":7,"prompt":"p","conversation":7,"input":`+items+`}`,
		plain(`{"status":7,"incomplete_details":"x","usage":[],"tools":7,"output":`+items+`}`))
	want := map[string]string{
		"0.message.contents.2.message_content.type": "image",
		"0.message.contents.3.message_content.type": "text",
		"0.message.contents.3.message_content.text": "kept",
		"1.message.role": "assistant",
		"1.message.contents.0.message_content.type": "reasoning",
		"2.message.role": "assistant",
		"2.message.tool_calls.0.tool_call.function.name":      "function_call",
		"2.message.tool_calls.0.tool_call.function.arguments": `{"a":1}`,
		"3.message.role":    "tool",
		"3.message.content": "7",
		"4.message.role":    "user",
		"4.message.content": "last",
	}
	if diff := cmp.Diff(want, below(span, "llm.input_messages.")); diff != "" {
		t.Errorf("input messages (-want +got):\n%s", diff)
	}
	wantAttrs(t, span, map[attribute.Key]string{
		openinference.InputValueKey:             "last",
		"llm.output_messages.7.message.content": "last",
	})
}

func TestResponseImages(t *testing.T) {
	tests := []struct{ name, request, format string }{
		{"of the tool", `{"tools":[{"type":"image_generation","output_format":"webp"}]}`, "webp"},
		{"by default", `{}`, "png"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := respond(t, test.request, plain(`{"output":[{"type":"image_generation_call","result":null},{"type":"image_generation_call","result":"QUJD"},{"type":"image_generation_call","result":"REVG"}]}`))
			want := map[string]string{
				"0.image.url": "data:image/" + test.format + ";base64,QUJD",
				"1.image.url": "data:image/" + test.format + ";base64,REVG",
			}
			if diff := cmp.Diff(want, below(span, "output.images.")); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResponseText(t *testing.T) {
	const message = `{"type":"message","role":"assistant","content":[%]}`
	output := func(parts ...string) string {
		var items []string
		for _, part := range parts {
			items = append(items, strings.Replace(message, "%", part, 1))
		}
		return strings.Join(items, ",")
	}
	tests := []struct{ name, input, wantIn, output, wantOut string }{
		{"a string", `"Hi"`, "Hi", output(`{"type":"output_text","text":"Hello"}`), "Hello"},
		{"the last message of the user", `[{"role":"user","content":"One"},{"role":"user","content":[{"type":"input_text","text":"Two"}]},{"type":"function_call_output","output":"x"}]`, "Two",
			output(`{"type":"output_text","text":"First."}`, `{"type":"output_text","text":"Second."}`), "First.\nSecond."},
		{"a refusal", `"Hi"`, "Hi", output(`{"type":"refusal","refusal":"No."}`), "No."},
		{"calls", `"Hi"`, "Hi", `{"type":"reasoning","summary":[{"text":"Hm."}]},{"type":"function_call","name":"f","arguments":"{}"},{"type":"custom_tool_call","name":"g","input":"x"}`, "f({})\ng({\"input\": \"x\"})"},
		{"an answer and a call", `"Hi"`, "Hi", output(`{"type":"output_text","text":"Wait."}`) + `,{"type":"function_call","name":"f","arguments":"{}"}`, "Wait."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := respond(t, `{"input":`+test.input+`}`, plain(`{"output":[`+test.output+`]}`))
			wantAttrs(t, span, map[attribute.Key]string{
				openinference.InputValueKey:     test.wantIn,
				openinference.InputMIMETypeKey:  "text/plain",
				openinference.OutputValueKey:    test.wantOut,
				openinference.OutputMIMETypeKey: "text/plain",
			})
		})
	}
}

// TestResponseMasks hides what stands in keys that the reference does not have.
func TestResponseMasks(t *testing.T) {
	const image = "data:image/png;base64,czNjcmV0"
	const items = `[{"role":"user","content":[{"type":"input_image","image_url":"` + image + `"}]},` +
		`{"type":"function_call_output","call_id":"c","output":"s3cret"},` +
		`{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"s3cret"},{"type":"input_image","image_url":"` + image + `"}]},` +
		`{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"` + image + `"}},` +
		`{"type":"reasoning","summary":[{"text":"s3cret"}]},` +
		`{"role":"assistant","content":[{"type":"refusal","refusal":"s3cret"}]},` +
		`{"type":"mcp_call","name":"f","output":"s3cret","error":{"message":"s3cret"}},` +
		`{"type":"file_search_call","results":[{"text":"s3cret"}]},` +
		`{"type":"code_interpreter_call","outputs":[{"type":"logs","logs":"s3cret"},{"type":"image","url":"` + image + `"}]},` +
		`{"type":"image_generation_call","revised_prompt":"s3cret","result":"czNjcmV0"},` +
		`{"type":"mcp_approval_response","reason":"s3cret"}]`
	tests := []struct {
		name   string
		config openinference.TraceConfig
		hidden []string // prefixes of the keys that must be without the secret
		gone   string   // the prefix of keys that must not be there
	}{
		{"input text", openinference.TraceConfig{HideInputText: true}, []string{"llm.input_messages."}, ""},
		{"output text", openinference.TraceConfig{HideOutputText: true}, []string{"llm.output_messages."}, ""},
		{"inputs", openinference.TraceConfig{HideInputs: true}, []string{"input.", "llm.invocation_parameters"}, "llm.input_messages."},
		{"outputs", openinference.TraceConfig{HideOutputs: true}, []string{"output."}, "llm.output_messages."},
		{"images", openinference.TraceConfig{HideInputImages: true}, []string{"llm.input_messages.", "input.value"}, ""},
		{"large images", openinference.TraceConfig{Base64ImageMaxLength: -1}, []string{"llm.", "input.value", "output."}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			hidden := "s3cret"
			if strings.Contains(test.name, "images") {
				hidden = "czNjcmV0"
			}
			span := respond(t, `{"instructions":"s3cret","prompt":{"id":"p","variables":{"v":"s3cret"}},"input":`+items+`}`, plain(`{"output":`+items+`}`),
				openinference.WithTraceConfig(test.config), openinference.WithIOFormat(openinference.IOJSON))
			for _, kv := range span.Attributes() {
				key, s := string(kv.Key), kv.Value.String()
				if test.gone != "" && strings.HasPrefix(key, test.gone) {
					t.Errorf("%s is there", key)
				}
				for _, prefix := range test.hidden {
					if strings.HasPrefix(key, prefix) && strings.Contains(s, hidden) {
						t.Errorf("%s is not hidden: %s", key, s)
					}
				}
			}
		})
	}
}
