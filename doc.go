// Package openinference makes the conversations of a Go program with a language
// model visible in Phoenix and Arize.
//
// It wraps [github.com/sashabaranov/go-openai]: replace openai.NewClient by
// [NewClient], and every model call becomes an OpenTelemetry span with the attributes
// of OpenInference: messages, tools, model, token counts, and the session and the user
// that stand in the context. Types, errors, streams and the bytes on the wire stay what
// they are.
//
//	tp, err := export.Phoenix(ctx, export.WithProject("chatbot"))
//	if err != nil {
//		return err
//	}
//	defer tp.Shutdown(context.WithoutCancel(ctx))
//	client := openinference.NewClient(key, openinference.WithTracerProvider(tp))
//
//	ctx = openinference.WithUser(openinference.WithSession(ctx, "chat-42"), "ada")
//	resp, err := client.CreateChatCompletion(ctx, req)
//
// # Sessions
//
// A session groups the traces of one conversation; a trace is one turn of it.
// [WithSession] and [WithUser] set the IDs for a block of code, [Using] and [UsingFunc]
// for a function, [Middleware] for a web handler. A turn that makes more than one call
// needs a span around them: [Turn], [Call] or [Tracer.Start].
//
// # Other clients
//
// [NewTransport] traces whatever client speaks the API of OpenAI over an
// [net/http.Client].
//
// # Privacy
//
// [TraceConfig] and the OPENINFERENCE_ variables say what is kept out of spans.
package openinference

//go:generate go run ./internal/attributes
