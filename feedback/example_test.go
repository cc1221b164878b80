package feedback_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/feedback"
)

// A user has clicked on a thumb below an answer.
func ExampleClient_Send() {
	phoenix := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s %s\n", r.URL, body)
		fmt.Fprint(w, `{"data":[{"id":"1"}]}`)
	}))
	defer phoenix.Close()

	// Inside the turn: openinference.NearestSpanContext(ctx), to be kept with the answer.
	turn := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})

	client, err := feedback.NewClient(feedback.WithEndpoint(phoenix.URL))
	if err != nil {
		log.Fatal(err)
	}
	err = client.Send(context.Background(),
		feedback.OnTrace(turn, feedback.Annotation{Name: "thumb", Label: "up", Score: new(1.0)}))
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// /v1/trace_annotations?sync=true {"data":[{"trace_id":"01000000000000000000000000000000","name":"thumb","annotator_kind":"HUMAN","result":{"label":"up","score":1},"identifier":""}]}
}

// The users, those who are served worst first.
func ExampleSessions() {
	phoenix := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":{"owner":{"page":{"edges":[
			{"node":{"sessionId":"chat-1","userId":"ada","summaries":[{"name":"helpfulness","meanScore":0.9,"scoreCount":1}]}},
			{"node":{"sessionId":"chat-2","userId":"bob","summaries":[{"name":"helpfulness","meanScore":0.2,"scoreCount":1}]}},
			{"node":{"sessionId":"chat-3","userId":"ada","summaries":[{"name":"helpfulness","meanScore":0.7,"scoreCount":1}]}}
		]}}}}`)
	}))
	defer phoenix.Close()

	client, err := feedback.NewClient(feedback.WithEndpoint(phoenix.URL))
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := client.Sessions(context.Background(), "chatbot")
	if err != nil {
		log.Fatal(err)
	}
	worst := make(map[string]float64)
	for _, s := range sessions {
		score, ok := s.Scores["helpfulness"]
		if before, seen := worst[s.User]; ok && (!seen || score < before) {
			worst[s.User] = score
		}
	}
	worstFirst := func(a, b string) int { return cmp.Compare(worst[a], worst[b]) }
	for _, user := range slices.SortedFunc(maps.Keys(worst), worstFirst) {
		fmt.Println(user, worst[user])
	}
	// Output:
	// bob 0.2
	// ada 0.7
}

// A program judges the answer while the span of the turn is open.
func ExampleAnnotate() {
	exporter := tracetest.NewInMemoryExporter()
	tracer := openinference.NewTracer(openinference.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))))

	_, span := tracer.Start(context.Background(), "Turn", openinference.KindChain)
	err := feedback.Annotate(span, feedback.OnSpan(span.SpanContext(),
		feedback.Annotation{Name: "valid JSON", Label: "no", Score: new(0.0), Kind: feedback.Code}))
	span.End()
	if err != nil {
		log.Fatal(err)
	}

	for _, kv := range exporter.GetSpans()[0].Attributes {
		fmt.Printf("%s: %v\n", kv.Key, kv.Value.AsInterface())
	}
	// Output:
	// openinference.span.kind: CHAIN
	// annotations.0.annotation.name: valid JSON
	// annotations.0.annotation.score: 0
	// annotations.0.annotation.label: no
	// annotations.0.annotation.annotator_kind: CODE
}

// A session is judged when it is over, for a backend other than Phoenix.
func ExampleRecord() {
	exporter := tracetest.NewInMemoryExporter()
	tracer := openinference.NewTracer(openinference.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))))

	err := feedback.Record(context.Background(), tracer,
		feedback.OnSession("chat-42", feedback.Annotation{Name: "resolved", Label: "yes", Kind: feedback.LLM}))
	if err != nil {
		log.Fatal(err)
	}

	for _, kv := range exporter.GetSpans()[0].Attributes {
		fmt.Printf("%s: %v\n", kv.Key, kv.Value.AsInterface())
	}
	// Output:
	// openinference.span.kind: EVALUATOR
	// session.id: chat-42
	// session.annotations.0.annotation.name: resolved
	// session.annotations.0.annotation.label: yes
	// session.annotations.0.annotation.annotator_kind: LLM
}
