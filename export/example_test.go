package export_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/sashabaranov/go-openai"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
)

func ExamplePhoenix() {
	ctx := context.Background()
	tp, err := export.Phoenix(ctx, export.WithProject("chatbot"))
	if err != nil {
		log.Fatal(err)
	}
	// What is left goes out though ctx may be done, by Ctrl-C for example.
	defer func() {
		if err := tp.Shutdown(context.WithoutCancel(ctx)); err != nil {
			log.Print(err)
		}
	}()

	client := openinference.NewClient(os.Getenv("OPENAI_API_KEY"), openinference.WithTracerProvider(tp))
	ctx = openinference.WithUser(openinference.WithSession(ctx, "chat-42"), "ada")
	resp, err := client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
		Model:    openai.GPT4oMini,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Hello"}},
	})
	if err != nil {
		log.Print(err)
		return
	}
	log.Print(resp.Choices[0].Message.Content)
}

func ExampleArize() {
	ctx := context.Background()
	// Or set ARIZE_SPACE_ID, ARIZE_API_KEY and ARIZE_PROJECT_NAME.
	tp, err := export.Arize(ctx,
		export.WithSpaceID("U3BhY2U6NDI="),
		export.WithAPIKey(os.Getenv("MY_ARIZE_KEY")),
		export.WithProject("chatbot"),
		export.WithEndpoint("https://otlp.eu-west-1a.arize.com/v1"),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := tp.Shutdown(context.WithoutCancel(ctx)); err != nil {
			log.Print(err)
		}
	}()
	client := openinference.NewClient(os.Getenv("OPENAI_API_KEY"), openinference.WithTracerProvider(tp))
	_ = client // a real *openai.Client
}

func ExamplePhoenixProcessor() {
	ctx := context.Background()
	processor, err := export.PhoenixProcessor(ctx, export.WithProject("chatbot"))
	if err != nil {
		log.Fatal(err)
	}
	limits := sdktrace.NewSpanLimits()
	limits.AttributeCountLimit = 10_000 // the SDK's 128 are too few for a long conversation
	tp := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(processor),
		sdktrace.WithRawSpanLimits(limits),
	)
	defer func() {
		if err := tp.Shutdown(context.WithoutCancel(ctx)); err != nil {
			log.Print(err)
		}
	}()
	client := openinference.NewClient(os.Getenv("OPENAI_API_KEY"), openinference.WithTracerProvider(tp))
	_ = client // a real *openai.Client
}

func ExampleNewSpanProcessor() {
	// A pipeline of the program's own, to a Collector for example.
	exporter := tracetest.NewInMemoryExporter()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(
		export.NewSpanProcessor(sdktrace.NewSimpleSpanProcessor(exporter))))

	ctx := openinference.WithSession(context.Background(), "chat-42")
	ctx, server := tp.Tracer("http").Start(ctx, "POST /chat")
	_, err := openinference.Call(ctx, openinference.NewTracer(openinference.WithTracerProvider(tp)), "answer", openinference.KindChain, "Well?",
		func(context.Context, string) (string, error) { return "Yes.", nil })
	if err != nil {
		log.Print(err)
	}
	server.End()

	for _, span := range exporter.GetSpans() {
		fmt.Println(span.Name, "root:", !span.Parent.IsValid())
	}
	// Output: answer root: true
}

func ExampleSessionSampler() {
	ctx := context.Background()
	// One conversation in ten, but that from its first turn to its last.
	tp, err := export.Phoenix(ctx, export.WithSampler(export.SessionSampler(0.1)))
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := tp.Shutdown(context.WithoutCancel(ctx)); err != nil {
			log.Print(err)
		}
	}()
}
