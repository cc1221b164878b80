// Package export sends OpenInference spans to Phoenix and to Arize AX, or
// prints them in a terminal.
//
//	tp, err := export.Phoenix(ctx, export.WithProject("chatbot"))
//	if err != nil {
//		return err
//	}
//	defer tp.Shutdown(context.WithoutCancel(ctx))
//	client := openinference.NewClient(key, openinference.WithTracerProvider(tp))
//
// [Phoenix] and [Arize] return a provider of their own and set nothing global.
// [PhoenixProcessor] and [ArizeProcessor] are the same pipeline for a provider
// that exists already; give that one a higher attribute limit (see
// [sdktrace.WithRawSpanLimits]), since the SDK keeps 128 attributes of a span
// and a long conversation has more.
//
// # The pipeline
//
// [NewSpanProcessor] comes first: it leaves out the spans of other instrumentation,
// links those of OpenInference to each other, and puts the session and the user of
// the context on all of them. In front of a pipeline of your own it does the same.
//
// Spans are sent in the background, in batches that follow the OTEL_BSP_*
// variables, over OTLP. Batches are split so that no request is over 4 MiB, the
// limit of gRPC servers; the largest values of a single span over it are cut.
// Text that is not UTF-8 is mended, because one bad byte would cost the whole
// batch. OTEL_EXPORTER_OTLP_COMPRESSION, _CERTIFICATE, _CLIENT_CERTIFICATE,
// _CLIENT_KEY and _TIMEOUT apply.
//
// At most 2,048 spans (OTEL_BSP_MAX_QUEUE_SIZE) and 64 MiB
// ([WithMaxQueueBytes]) wait to be sent. Spans that find the queue full are
// dropped.
//
// # When the collector is away
//
// No call of the application waits for it or fails. While there is no connection
// – nothing listens, the name is gone, TLS does not come about, a connection
// breaks – spans wait in the queue, however long it takes, and are sent when
// there is one again. A request whose connection broke may have been taken, and
// is sent twice then.
//
// A server that answers, or keeps a connection open and does not, has less time.
// A batch that it does not take is lost after OTEL_EXPORTER_OTLP_TIMEOUT (10
// seconds) over gRPC and OTEL_BSP_EXPORT_TIMEOUT (30 seconds) over HTTP, in which
// a server that says that it is busy is asked again, and at once if it refuses
// for good: a wrong key, a request that is too large for it.
//
// The queue is in memory and ends with the process. Where spans must outlive
// that, run an OpenTelemetry Collector next to the application, with a
// sending_queue whose storage is the file_storage extension
// (https://opentelemetry.io/docs/collector/resiliency/), and send them there.
//
// # Errors
//
// Nothing is lost in silence. What failed is reported to the function of
// [WithErrorHandler] or else to [otel.Handle], with the number of spans lost, the
// reason and the cure: at once the first time, and further failures for the same
// reason added up, when a batch arrives again, at the next ForceFlush or at
// Shutdown. Spans that begin to wait for a server are reported too. Dropped
// spans are reported when dropping begins, and with their number when the queue
// has drained to half, at the next ForceFlush or at Shutdown. ForceFlush returns
// the failures since the last ForceFlush, Shutdown returns all of them, like ones
// added up. No error contains a credential.
//
// Shutdown sends what is left for as long as its context allows, or 30 seconds
// if that has no deadline. It and ForceFlush give up after 3 seconds without a
// connection; what ForceFlush leaves is not lost, but waits.
// Shutdown's context must not be cancelled already: the SDK's provider then returns
// without sending anything, hence [context.WithoutCancel] above.
package export

import (
	"context"
	"maps"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// attributeLimit is how many attributes a span may have: the SDK's 128 lose
// most of a conversation of 80 messages.
const attributeLimit = 10_000

// Phoenix returns a provider whose spans go to Phoenix.
//
// Without options and variables that is localhost:4317, over gRPC and in plain
// text, and the project "default". These variables are read; blank ones count
// as unset, and options win over them:
//
//   - PHOENIX_COLLECTOR_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT: Phoenix's
//     base URL, such as http://phoenix:6006. Spans go to its host by gRPC, on
//     PHOENIX_GRPC_PORT (4317). With [WithHTTP], for Phoenix Cloud and if the
//     URL ends in /v1/traces, they go to the URL itself over HTTP, with
//     /v1/traces appended if need be.
//   - PHOENIX_API_KEY, PHOENIX_CLIENT_HEADERS, OTEL_EXPORTER_OTLP_HEADERS: see
//     [WithAPIKey] and [WithHeaders].
//   - PHOENIX_PROJECT, else PHOENIX_PROJECT_NAME: see [WithProject].
//
// Every trace is sampled, whatever a remote parent says, unless [WithSampler]
// or OTEL_TRACES_SAMPLER decides. A span keeps 10,000 attributes, unless
// OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT or OTEL_ATTRIBUTE_COUNT_LIMIT says otherwise.
//
// Phoenix does not wait for a connection. It returns an error at once for a
// setting that cannot work, such as a malformed endpoint.
func Phoenix(ctx context.Context, opts ...Option) (*sdktrace.TracerProvider, error) {
	return newProvider(ctx, phoenix(), opts)
}

// Arize returns a provider whose spans go to Arize AX.
//
// A space ID and an API key are required. Without an endpoint spans go to
// https://otlp.arize.com/v1 over gRPC; the European one is
// https://otlp.eu-west-1a.arize.com/v1. These variables are read; blank ones
// count as unset, and options win over them:
//
//   - ARIZE_SPACE_ID and ARIZE_API_KEY: see [WithSpaceID] and [WithAPIKey].
//   - ARIZE_COLLECTOR_ENDPOINT: see [WithEndpoint].
//   - ARIZE_PROJECT_NAME: see [WithProject].
//   - ARIZE_PROJECT_TYPE: application (the default), harness or experiment.
//
// Sampling, limits and errors are as for [Phoenix].
func Arize(ctx context.Context, opts ...Option) (*sdktrace.TracerProvider, error) {
	return newProvider(ctx, arize(), opts)
}

// PhoenixProcessor returns the pipeline of [Phoenix] as a span processor, for a
// provider of the caller's own. [WithSampler] and [WithProviderOptions] have no
// effect on it.
func PhoenixProcessor(ctx context.Context, opts ...Option) (sdktrace.SpanProcessor, error) {
	return newProcessor(ctx, phoenix(), newOptions(opts))
}

// ArizeProcessor returns the pipeline of [Arize] as a span processor, for a
// provider of the caller's own. [WithSampler] and [WithProviderOptions] have no
// effect on it.
func ArizeProcessor(ctx context.Context, opts ...Option) (sdktrace.SpanProcessor, error) {
	return newProcessor(ctx, arize(), newOptions(opts))
}

// Option changes a setting of [Phoenix], [Arize] and their processors.
type Option func(*options)

type options struct {
	endpoint string
	http     bool
	apiKey   string
	spaceID  string
	project  *string // nil: not given
	headers  map[string]string
	handle   func(error)
	maxBytes int
	all      bool
	sampler  sdktrace.Sampler
	provider []sdktrace.TracerProviderOption
}

func newOptions(opts []Option) *options {
	o := &options{headers: make(map[string]string), handle: otel.Handle, maxBytes: maxQueued}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// WithEndpoint says where the spans go. A blank one counts as unset.
//
// For [Phoenix], host:port and an http or https URL without a path on the gRPC
// port (PHOENIX_GRPC_PORT, 4317) mean gRPC; any other URL means OTLP over HTTP,
// with /v1/traces added when the path is empty. URLs of Phoenix Cloud
// (app.phoenix.arize.com) are used over HTTP, with /v1/traces appended.
//
// For [Arize] it is a base URL and means gRPC, unless it ends in /v1/traces or
// [WithHTTP] is used.
//
// An https URL is spoken to in TLS, an http URL in plain text, and an address
// without a scheme in plain text on the loopback interface and else in TLS.
func WithEndpoint(url string) Option {
	return func(o *options) { o.endpoint = strings.TrimSpace(url) }
}

// WithHTTP sends OTLP over HTTP in place of gRPC, by default to
// http://localhost:6006/v1/traces for [Phoenix] and to
// https://otlp.arize.com/v1/traces for [Arize].
func WithHTTP() Option {
	return func(o *options) { o.http = true }
}

// WithAPIKey authenticates with key. The default is PHOENIX_API_KEY or
// ARIZE_API_KEY; a blank key counts as unset.
func WithAPIKey(key string) Option {
	return func(o *options) { o.apiKey = strings.TrimSpace(key) }
}

// WithSpaceID names the space of Arize AX that spans go to. The default is
// ARIZE_SPACE_ID; a blank id counts as unset. Phoenix has no spaces and ignores
// it.
func WithSpaceID(id string) Option {
	return func(o *options) { o.spaceID = strings.TrimSpace(id) }
}

// WithProject names the project that spans go to, the resource attribute
// openinference.project.name. A blank name is an error.
//
// The default is PHOENIX_PROJECT, else PHOENIX_PROJECT_NAME, for Arize
// ARIZE_PROJECT_NAME; then the attribute that the provider's resource has
// already, such as from OTEL_RESOURCE_ATTRIBUTES; then "default". What is named
// by this option or a PHOENIX or ARIZE variable replaces the resource's own.
func WithProject(name string) Option {
	return func(o *options) { o.project = &name }
}

// WithHeaders adds headers (over gRPC, metadata) to each request. Keys are
// lower-cased and replace, key by key, those of the pipeline, such as
// authorization.
//
// The default for [Phoenix] is PHOENIX_CLIENT_HEADERS (k=v,k2=v2, with
// percent-encoded values) and, if neither that nor an API key is set,
// OTEL_EXPORTER_OTLP_HEADERS.
func WithHeaders(headers map[string]string) Option {
	return func(o *options) { maps.Copy(o.headers, headers) }
}

// WithAllSpans forwards the spans of all instrumentation, with the parents that they
// have. The default is what [NewSpanProcessor] says: OpenInference spans only, each
// below the nearest other one.
//
// Phoenix takes the first and the last message of a session, and the user that its
// filter finds, from the topmost span of a trace: with this option the span of the
// web server, where they are missing.
func WithAllSpans() Option {
	return func(o *options) { o.all = true }
}

// WithErrorHandler hands each error of the pipeline to handle, which may be
// called from several goroutines at a time and should return quickly. The
// default, and nil, is [otel.Handle].
func WithErrorHandler(handle func(error)) Option {
	return func(o *options) {
		if handle != nil {
			o.handle = handle
		}
	}
}

// WithMaxQueueBytes bounds the memory that spans take while they wait to be sent
// or are being sent, by n bytes; their number is bounded by
// OTEL_BSP_MAX_QUEUE_SIZE. The default, and what 0 or less means, is 64 MiB.
//
// What counts is about the size of a span's texts and attributes; encoding them
// takes some 10 MiB besides. A single span of more than n bytes is sent if no
// other one waits.
func WithMaxQueueBytes(n int) Option {
	return func(o *options) {
		if n <= 0 {
			n = maxQueued
		}
		o.maxBytes = n
	}
}

// WithSampler sets the provider's sampler. The default, and nil, is the one of
// OTEL_TRACES_SAMPLER, else [sdktrace.AlwaysSample]. [SessionSampler] keeps some
// conversations, each as a whole.
func WithSampler(s sdktrace.Sampler) Option {
	return func(o *options) { o.sampler = s }
}

// WithProviderOptions adds options of the SDK, such as a resource or another
// span processor. They are applied last.
func WithProviderOptions(opts ...sdktrace.TracerProviderOption) Option {
	return func(o *options) { o.provider = append(o.provider, opts...) }
}

func newProvider(ctx context.Context, b backend, opts []Option) (*sdktrace.TracerProvider, error) {
	o := newOptions(opts)
	processor, err := newProcessor(ctx, b, o)
	if err != nil {
		return nil, err
	}
	provider := append(providerOptions(), sdktrace.WithSampler(o.sampler), sdktrace.WithSpanProcessor(processor))
	return sdktrace.NewTracerProvider(append(provider, o.provider...)...), nil
}

// providerOptions are the limits and the sampler of all providers.
func providerOptions() []sdktrace.TracerProviderOption {
	limits := sdktrace.NewSpanLimits()
	if _, set := lookup("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"); set == "" {
		limits.AttributeCountLimit = attributeLimit
	}
	opts := []sdktrace.TracerProviderOption{sdktrace.WithRawSpanLimits(limits)}
	if _, set := lookup("OTEL_TRACES_SAMPLER"); set == "" {
		// The SDK's default follows a parent's flag: behind a web server that
		// samples 1 % of its requests, 99 % of the model calls would be lost.
		opts = append(opts, sdktrace.WithSampler(sdktrace.AlwaysSample()))
	}
	return opts
}

// newProcessor builds the pipeline: sessions, queue, batches, exporter, client.
func newProcessor(ctx context.Context, b backend, o *options) (sdktrace.SpanProcessor, error) {
	d, err := b.resolve(o)
	if err != nil {
		return nil, err
	}
	client := newClient(d)
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, d.errorf("connect to", err)
	}
	return newSessions(newQueue(d, exporter, client, o), o), nil
}

// lookup returns the value of the first of the variables that is not blank,
// without the white space around it, and the variable's name.
func lookup(names ...string) (value, name string) {
	for _, name := range names {
		if value := strings.TrimSpace(os.Getenv(name)); value != "" {
			return value, name
		}
	}
	return "", ""
}
