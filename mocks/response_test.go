package mocks_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-openinference/openinference/mocks"
	"github.com/google/go-cmp/cmp"
	"github.com/sashabaranov/go-openai"
)

// askResponses returns a request of six words.
func askResponses() openai.CreateResponseRequest {
	return openai.CreateResponseRequest{
		Model:              openai.GPT4o,
		Instructions:       "Be brief.",
		PreviousResponseID: "resp_1",
		Input: []any{
			openai.ResponseInputMessage{Role: "user", Content: []any{openai.ResponseInputText{Type: "input_text", Text: "Say hello."}}},
			openai.ResponseFunctionCallOutput{Type: "function_call_output", CallID: "call_1", Output: "to me"},
		},
	}
}

// responseEvents returns the events of a stream, which must end in EOF.
func responseEvents(t *testing.T, client *openai.Client) []openai.ResponseStreamEvent {
	t.Helper()
	stream, err := client.CreateResponseStream(t.Context(), askResponses())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var events []openai.ResponseStreamEvent
	for {
		event, err := stream.Recv()
		if err == io.EOF {
			return events
		}
		if err != nil {
			t.Fatalf("recv: %v", err)
		}
		events = append(events, event)
	}
}

func TestResponse(t *testing.T) {
	_, client := newServer(t, mocks.Response("Hello to you."))
	resp, err := client.CreateResponse(t.Context(), askResponses())
	if err != nil {
		t.Fatal(err)
	}
	again, err := client.CreateResponse(t.Context(), openai.CreateResponseRequest{Input: "Say hello."})
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.GetOutputText(); got != "Hello to you." {
		t.Errorf("got text %q", got)
	}
	if !strings.HasPrefix(resp.ID, "resp_") || resp.ID == again.ID {
		t.Errorf("got ids %q and %q, want two that start with resp_", resp.ID, again.ID)
	}
	if resp.Object != "response" || resp.Model != openai.GPT4o || resp.Status != openai.ResponseStatusCompleted {
		t.Errorf("got %+v, want a completed response of the request's model", resp)
	}
	if resp.PreviousResponseID != "resp_1" || resp.Instructions != "Be brief." {
		t.Errorf("got %+v, want the request's instructions and previous response", resp)
	}
	for _, test := range []struct {
		usage *openai.ResponseUsage
		want  [3]int
	}{
		{resp.Usage, [3]int{6, 3, 9}},
		{again.Usage, [3]int{2, 3, 5}},
	} {
		if got := [3]int{test.usage.InputTokens, test.usage.OutputTokens, test.usage.TotalTokens}; got != test.want {
			t.Errorf("got input, output and total tokens %v, want %v", got, test.want)
		}
	}
}

func TestResponseStreams(t *testing.T) {
	_, client := newServer(t, mocks.Response("Hello to you."))
	events := responseEvents(t, client)
	var kinds []string
	var text string
	for i, event := range events {
		kinds = append(kinds, string(event.Type))
		text += event.Delta
		if event.SequenceNumber != i {
			t.Errorf("got sequence number %d for event %d", event.SequenceNumber, i)
		}
	}
	want := []string{
		"response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
		"response.output_text.delta", "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
		"response.content_part.done", "response.output_item.done", "response.completed",
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	if text != "Hello to you." {
		t.Errorf("got deltas of %q", text)
	}
	first, last := events[0].Response, events[len(events)-1].Response
	if first.Status != openai.ResponseStatusInProgress || first.Usage != nil || len(first.Output) != 0 {
		t.Errorf("got %+v first, want a response in progress", first)
	}
	if last.GetOutputText() != text || last.Usage == nil || last.ID != first.ID {
		t.Errorf("got %+v last, want the whole response of that id", last)
	}
	if item := events[9].Item; item.ID != events[4].ItemID || item.Content[0].Text != text {
		t.Errorf("got item %+v, want the one that the deltas were for", item)
	}
}

func TestResponseStreamNamesItsEvents(t *testing.T) {
	srv, _ := newServer(t, mocks.Response("Hello."))
	resp, err := http.Post(srv.URL+"/v1/responses", "application/json", strings.NewReader(`{"stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	events := strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n")
	if last := events[len(events)-1]; !strings.HasPrefix(last, "event: response.completed\ndata: {") {
		t.Errorf("got %q last, want the event response.completed", last)
	}
}

func TestResponseToolCall(t *testing.T) {
	const arguments = `{"city":"Oslo"}`
	_, client := newServer(t, mocks.ResponseToolCall("get_weather", arguments))
	resp, err := client.CreateResponse(t.Context(), askResponses())
	if err != nil {
		t.Fatal(err)
	}
	call, _ := resp.Output[0].(map[string]any)
	if call["type"] != "function_call" || call["name"] != "get_weather" || call["arguments"] != arguments {
		t.Errorf("got %v, want a call of get_weather", call)
	}

	var deltas int
	var joined string
	events := responseEvents(t, client)
	for _, event := range events {
		if event.Type == openai.ResponseStreamEventFunctionArgumentsDelta {
			deltas++
			joined += event.Delta
		}
	}
	if deltas < 2 || joined != arguments {
		t.Errorf("got arguments %q in %d fragments, want %q in several", joined, deltas, arguments)
	}
	opened, done := events[2].Item, events[len(events)-2].Item
	if opened.Arguments != "" || done.Arguments != arguments || opened.CallID != done.CallID || done.CallID == call["call_id"] {
		t.Errorf("got items %+v and %+v, want one call with an id of its own", opened, done)
	}
}
