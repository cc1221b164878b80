package openinference_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// answer is what a model is saying.
type answer struct {
	stream *openai.ChatCompletionStream
	turn   *openinference.Span
	said   strings.Builder
}

// Recv returns the next piece. When the answer ends, so does its turn.
func (a *answer) Recv() (string, error) {
	chunk, err := a.stream.Recv()
	if err != nil {
		a.turn.SetOutput(a.said.String())
		if errors.Is(err, io.EOF) {
			a.turn.SetStatus(codes.Ok, "")
		} else {
			a.turn.SetError(err)
		}
		a.turn.End()
		return "", err
	}
	text := ""
	for _, choice := range chunk.Choices {
		text += choice.Delta.Content
	}
	a.said.WriteString(text)
	return text, nil
}

// A turn whose answer is still streaming when the function that began it returns.
func ExampleTracer_Start_stream() {
	srv := mocks.NewServer(mocks.ChatStream("Cloudy, ", "7 °C."))
	defer srv.Close()
	client := openinference.NewClientWithConfig(srv.Config(), openinference.WithTracerProvider(tp), openinference.WithIOFormat(openinference.IOText))
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))

	begin := func(ctx context.Context, in string) (*answer, error) {
		ctx, turn := tracer.Start(ctx, "turn", openinference.KindChain)
		turn.SetInput(in)
		stream, err := client.CreateChatCompletionStream(ctx, question(in))
		if err != nil {
			turn.SetError(err)
			turn.End()
			return nil, err
		}
		return &answer{stream: stream, turn: turn}, nil
	}

	a, err := begin(openinference.WithSession(context.Background(), "chat-42"), "Weather in Oslo?")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.stream.Close()
	for err == nil {
		_, err = a.Recv()
	}
	// Output:
	// LLM ChatCompletion session=chat-42 user=: Weather in Oslo? -> Cloudy, 7 °C.
	// CHAIN turn session=chat-42 user=: Weather in Oslo? -> Cloudy, 7 °C.
}

func ExampleSpan_SetDocuments() {
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	_, err := openinference.Call(context.Background(), tracer, "search", openinference.KindRetriever, "coats",
		func(ctx context.Context, query string) (int, error) {
			found := []openinference.Document{
				{ID: "kb-7", Content: "Coats are warm.", Score: new(0.92), Metadata: map[string]any{"page": 3}},
			}
			openinference.SpanFromContext(ctx).SetDocuments(found...)
			return len(found), nil
		})
	if err != nil {
		fmt.Println(err)
	}
	// Output: RETRIEVER search session= user=: coats -> 1
}

func ExamplePropagator() {
	// The service that is called.
	server := httptest.NewServer(openinference.Middleware(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a := openinference.AttributesFromContext(r.Context())
		fmt.Println("answering", a.UserID, "in", a.SessionID)
	})))
	defer server.Close()

	// The service that calls, without instrumentation that would do this.
	ctx := openinference.WithUser(openinference.WithSession(context.Background(), "chat-42"), "ada")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	openinference.Propagator{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	// Output: answering ada in chat-42
}
