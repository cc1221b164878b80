package openinference_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// printer prints spans as they end, in place of a Phoenix.
type printer struct{ discard }

func (printer) OnEnd(span sdktrace.ReadOnlySpan) {
	fmt.Printf("%s %s session=%s user=%s: %s -> %s\n", attr(span, openinference.OpenInferenceSpanKindKey), span.Name(),
		attr(span, openinference.SessionIDKey), attr(span, openinference.UserIDKey),
		attr(span, openinference.InputValueKey), attr(span, openinference.OutputValueKey))
}

var tp = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(printer{}))

func question(text string) openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model:    openai.GPT4oMini,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: text}},
	}
}

func ExampleNewClientWithConfig() {
	srv := mocks.NewServer(mocks.Chat("Cloudy, 7 °C."))
	defer srv.Close()

	client := openinference.NewClientWithConfig(srv.Config(), openinference.WithTracerProvider(tp))

	ctx := openinference.WithUser(openinference.WithSession(context.Background(), "chat-42"), "ada")
	if _, err := client.CreateChatCompletion(ctx, question("Weather in Oslo?")); err != nil {
		fmt.Println(err)
	}
	// Output: LLM ChatCompletion session=chat-42 user=ada: Weather in Oslo? -> Cloudy, 7 °C.
}

func ExampleNewTransport() {
	srv := mocks.NewServer(mocks.Chat("Cloudy, 7 °C."))
	defer srv.Close()

	// Any client that takes an *http.Client will do.
	client := &http.Client{Transport: openinference.NewTransport(nil, openinference.WithTracerProvider(tp))}

	resp, err := client.Post(srv.URL+"/v1/chat/completions", "application/json",
		strings.NewReader(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Weather in Oslo?"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		fmt.Println(err)
	}
	// Output: LLM ChatCompletion session= user=: Weather in Oslo? -> Cloudy, 7 °C.
}

func ExampleTurn() {
	srv := mocks.NewServer(mocks.Chat("Take a coat."))
	defer srv.Close()
	client := openinference.NewClientWithConfig(srv.Config(), openinference.WithTracerProvider(tp), openinference.WithIOFormat(openinference.IOText))
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))

	ctx := openinference.WithSession(context.Background(), "chat-42")
	_, err := openinference.Turn(ctx, tracer, "turn", "Do I need a coat?", func(ctx context.Context, in string) (string, error) {
		resp, err := client.CreateChatCompletion(ctx, question(in))
		if err != nil {
			return "", err
		}
		return resp.Choices[0].Message.Content, nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// LLM ChatCompletion session=chat-42 user=: Do I need a coat? -> Take a coat.
	// CHAIN turn session=chat-42 user=: Do I need a coat? -> Take a coat.
}

func ExampleTraced() {
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	double := openinference.Traced(tracer, "double", openinference.KindTool, func(_ context.Context, n int) (int, error) {
		return 2 * n, nil
	})
	fmt.Println(double(context.Background(), 21))
	// Output:
	// TOOL double session= user=: 21 -> 42
	// 42 <nil>
}

func ExampleCall() {
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	_, err := openinference.Call(context.Background(), tracer, "search", openinference.KindRetriever, "coats",
		func(_ context.Context, query string) ([]string, error) { return []string{"all about " + query}, nil })
	if err != nil {
		fmt.Println(err)
	}
	// Output: RETRIEVER search session= user=: coats -> ["all about coats"]
}

func ExampleTracer_Start() {
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	_, span := tracer.Start(context.Background(), "plan", openinference.KindAgent)
	defer span.End()
	span.SetInput("Oslo in November")
	span.SetOutput(map[string]any{"days": 2})
	// Output: AGENT plan session= user=: Oslo in November -> {"days":2}
}

func ExampleUsing() {
	handle := openinference.Using(openinference.Attributes{SessionID: "chat-42", UserID: "ada"},
		func(ctx context.Context, _ string) (string, error) {
			a := openinference.AttributesFromContext(ctx)
			return a.SessionID + " of " + a.UserID, nil
		})
	fmt.Println(handle(context.Background(), "hi"))
	// Output: chat-42 of ada <nil>
}

func ExampleUsingFunc() {
	type message struct{ conversation, text string }
	handle := openinference.UsingFunc(
		func(_ context.Context, m message) openinference.Attributes {
			return openinference.Attributes{SessionID: m.conversation}
		},
		func(ctx context.Context, _ message) (string, error) {
			return openinference.AttributesFromContext(ctx).SessionID, nil
		})
	fmt.Println(handle(context.Background(), message{"chat-42", "hi"}))
	// Output: chat-42 <nil>
}

func ExampleMiddleware() {
	withSession := openinference.Middleware(func(r *http.Request) openinference.Attributes {
		return openinference.Attributes{SessionID: r.Header.Get("X-Session-ID")}
	})
	handler := withSession(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(openinference.AttributesFromContext(r.Context()).SessionID)
	}))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Session-ID", "chat-42")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	// Output: chat-42
}

func ExampleWithAttributesFunc() {
	type tenant struct{} // the key of another library
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp),
		openinference.WithAttributesFunc(func(ctx context.Context) []attribute.KeyValue {
			id, _ := ctx.Value(tenant{}).(string)
			return []attribute.KeyValue{openinference.SessionIDKey.String(id)}
		}))
	_, span := tracer.Start(context.WithValue(context.Background(), tenant{}, "from elsewhere"), "step", openinference.KindChain)
	span.End()
	// Output: CHAIN step session=from elsewhere user=:  ->
}
