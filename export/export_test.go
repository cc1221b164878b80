package export_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
)

func TestPhoenixReaches(t *testing.T) {
	tests := []struct {
		name string
		// GRPC, HTTP and their ports are replaced by those of the collectors.
		opts func(expand func(string) string) []export.Option
		vars map[string]string
		path string // "": over gRPC
	}{
		{
			name: "address",
			opts: func(expand func(string) string) []export.Option {
				return []export.Option{export.WithEndpoint(expand("127.0.0.1:$GRPC"))}
			},
		},
		{
			name: "gRPC URL",
			opts: func(expand func(string) string) []export.Option {
				return []export.Option{export.WithEndpoint(expand("http://127.0.0.1:$GRPC"))}
			},
			vars: map[string]string{"PHOENIX_GRPC_PORT": "$GRPC"},
		},
		{
			name: "port variable",
			vars: map[string]string{"PHOENIX_GRPC_PORT": "$GRPC"},
		},
		{
			name: "base URL",
			vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://127.0.0.1:$HTTP/prefix", "PHOENIX_GRPC_PORT": "$GRPC"},
		},
		{
			name: "OTLP base URL",
			vars: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:$HTTP", "PHOENIX_GRPC_PORT": "$GRPC"},
		},
		{
			name: "base URL over HTTP",
			opts: func(func(string) string) []export.Option { return []export.Option{export.WithHTTP()} },
			vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://127.0.0.1:$HTTP/prefix"},
			path: "/prefix/v1/traces",
		},
		{
			name: "traces URL",
			vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://127.0.0.1:$HTTP/v1/traces"},
			path: "/v1/traces",
		},
		{
			name: "URL without path",
			opts: func(expand func(string) string) []export.Option {
				return []export.Option{export.WithEndpoint(expand("http://127.0.0.1:$HTTP"))}
			},
			path: "/v1/traces",
		},
		{
			name: "address over HTTP",
			opts: func(expand func(string) string) []export.Option {
				return []export.Option{export.WithEndpoint(expand("127.0.0.1:$HTTP")), export.WithHTTP()}
			},
			path: "/v1/traces",
		},
		{
			name: "URL with another path",
			opts: func(expand func(string) string) []export.Option {
				return []export.Option{export.WithEndpoint(expand("http://127.0.0.1:$HTTP/otlp"))}
			},
			path: "/otlp",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			export.ClearVariables(t)
			var overGRPC, overHTTP collector
			_, grpcPort, _ := net.SplitHostPort(overGRPC.serveGRPC(t))
			_, httpPort, _ := net.SplitHostPort(overHTTP.serveHTTP(t))
			expand := strings.NewReplacer("$GRPC", grpcPort, "$HTTP", httpPort).Replace
			for name, value := range tt.vars {
				t.Setenv(name, expand(value))
			}
			var opts []export.Option
			if tt.opts != nil {
				opts = tt.opts(expand)
			}
			tp, err := export.Phoenix(t.Context(), opts...)
			if err != nil {
				t.Fatal(err)
			}
			record(tp, "turn")
			if err := tp.Shutdown(withinHang(t)); err != nil {
				t.Fatal(err)
			}

			used := &overGRPC
			if tt.path != "" {
				used = &overHTTP
			}
			req, span := used.only(t)
			if req.path != tt.path || span.Name != "turn" {
				t.Errorf("got span %q at path %q, want turn at %q", span.Name, req.path, tt.path)
			}
		})
	}
}

func TestHeadersAreSent(t *testing.T) {
	tests := []struct {
		name string
		new  func(context.Context, ...export.Option) (*sdktrace.TracerProvider, error)
		opts []export.Option
		want map[string]string
	}{
		{
			name: "Phoenix",
			new:  export.Phoenix,
			opts: []export.Option{export.WithAPIKey("key-1"), export.WithHeaders(map[string]string{"X-Team": "a"})},
			want: map[string]string{"authorization": "Bearer key-1", "x-team": "a"},
		},
		{
			name: "Arize",
			new:  export.Arize,
			opts: []export.Option{export.WithAPIKey("key-1"), export.WithSpaceID("space-1")},
			want: map[string]string{
				"authorization":    "key-1",
				"api_key":          "key-1",
				"arize-space-id":   "space-1",
				"space_id":         "space-1",
				"arize-interface":  "otel",
				"sdk-language":     "go",
				"language-version": strings.TrimPrefix(runtime.Version(), "go"),
				"sdk-package-name": "github.com/go-openinference/openinference",
			},
		},
		{
			name: "Arize with headers",
			new:  export.Arize,
			opts: []export.Option{
				export.WithAPIKey("key-1"), export.WithSpaceID("space-1"),
				export.WithHeaders(map[string]string{"Authorization": "key-2", "X-Team": "a"}),
			},
			want: map[string]string{"authorization": "key-2", "x-team": "a", "api_key": "key-1", "arize-space-id": "space-1", "space_id": "space-1"},
		},
	}
	for _, tt := range tests {
		for _, transport := range []string{"gRPC", "HTTP"} {
			t.Run(tt.name+" over "+transport, func(t *testing.T) {
				export.ClearVariables(t)
				var c collector
				var opts []export.Option
				if transport == "gRPC" {
					opts = append(tt.opts, export.WithEndpoint(c.serveGRPC(t)))
				} else {
					opts = append(tt.opts, export.WithEndpoint("http://"+c.serveHTTP(t)), export.WithHTTP())
				}
				tp, err := tt.new(t.Context(), opts...)
				if err != nil {
					t.Fatal(err)
				}
				record(tp, "turn")
				if err := tp.Shutdown(withinHang(t)); err != nil {
					t.Fatal(err)
				}
				req, _ := c.only(t)
				for k, want := range tt.want {
					if got := req.headers[k]; got != want {
						t.Errorf("header %s: got %q, want %q", k, got, want)
					}
				}
				if _, arize := tt.want["arize-interface"]; arize && req.headers["sdk-version"] == "" {
					t.Error("no header sdk-version")
				}
			})
		}
	}
}

// TestOTLPVariablesOfOthers sets variables that the OTLP clients read, as a
// program does that sends its other traces elsewhere.
func TestOTLPVariablesOfOthers(t *testing.T) {
	for _, transport := range []string{"gRPC", "HTTP"} {
		t.Run(transport, func(t *testing.T) {
			export.ClearVariables(t)
			other := httptest.NewTLSServer(http.NotFoundHandler())
			t.Cleanup(other.Close)
			for name, value := range map[string]string{
				"ENDPOINT": other.URL, "TRACES_ENDPOINT": other.URL,
				"INSECURE": "false", "TRACES_INSECURE": "false",
				"HEADERS": "x-other=1", "TRACES_HEADERS": "x-other=1",
				"PROTOCOL": "http/json", "TRACES_PROTOCOL": "http/json",
				"CERTIFICATE": certificateFile(t, other), "TRACES_CERTIFICATE": certificateFile(t, other),
			} {
				t.Setenv("OTEL_EXPORTER_OTLP_"+name, value)
			}
			var c collector
			endpoint := "http://" + c.serveHTTP(t)
			if transport == "gRPC" {
				endpoint = c.serveGRPC(t)
			}
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint), export.WithAPIKey("key-1"))
			if err != nil {
				t.Fatal(err)
			}
			record(tp, "turn")
			if err := tp.Shutdown(withinHang(t)); err != nil {
				t.Fatal(err)
			}
			req, _ := c.only(t)
			if got := req.headers["x-other"]; got != "" {
				t.Errorf("header x-other: got %q, want none", got)
			}
			if got, want := req.headers["authorization"], "Bearer key-1"; got != want {
				t.Errorf("header authorization: got %q, want %q", got, want)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	for _, transport := range []string{"gRPC", "HTTP"} {
		t.Run(transport, func(t *testing.T) {
			export.ClearVariables(t)
			var c collector
			server := httptest.NewUnstartedServer(&c)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			t.Cleanup(server.Close)
			endpoint := server.URL
			if transport == "gRPC" {
				creds := credentials.NewTLS(&tls.Config{Certificates: server.TLS.Certificates})
				_, port, _ := net.SplitHostPort(c.serveGRPC(t, grpc.Creds(creds)))
				t.Setenv("PHOENIX_GRPC_PORT", port)
				endpoint = "https://127.0.0.1:" + port
			}
			// The variable does not take the TLS away that https asks for.
			t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")

			t.Run("own certificate", func(t *testing.T) {
				t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", certificateFile(t, server))
				tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint))
				if err != nil {
					t.Fatal(err)
				}
				record(tp, "turn")
				if err := tp.Shutdown(withinHang(t)); err != nil {
					t.Fatal(err)
				}
				c.only(t)
			})
			t.Run("unknown certificate", func(t *testing.T) {
				var errs handled
				tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint), errs.option())
				if err != nil {
					t.Fatal(err)
				}
				record(tp, "turn")
				err = tp.Shutdown(withinHang(t))
				wantError(t, err, "no TLS with Phoenix", "OTEL_EXPORTER_OTLP_CERTIFICATE", "1 span lost")
			})
		})
	}
}

// certificateFile writes the certificate of s to a file.
func certificateFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "certificate.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestHTTPToAPortOfGRPC(t *testing.T) {
	var c collector
	var errs handled
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint("http://"+c.serveGRPC(t)), errs.option())
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	wantError(t, tp.Shutdown(withinHang(t)), "does not speak HTTP", "without http://", "1 span lost")
}

func TestCompression(t *testing.T) {
	for _, compression := range []string{"", "gzip"} {
		t.Run("variable "+compression, func(t *testing.T) {
			export.ClearVariables(t)
			t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
			var c collector
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint("http://"+c.serveHTTP(t)))
			if err != nil {
				t.Fatal(err)
			}
			record(tp, "turn")
			if err := tp.Shutdown(withinHang(t)); err != nil {
				t.Fatal(err)
			}
			req, _ := c.only(t)
			if got := req.headers["content-encoding"]; got != compression {
				t.Errorf("got content encoding %q, want %q", got, compression)
			}
		})
	}
}

func TestProject(t *testing.T) {
	const key = "openinference.project.name"
	arize := []export.Option{export.WithAPIKey("key-1"), export.WithSpaceID("space-1")}
	tests := []struct {
		name string
		new  func(context.Context, ...export.Option) (sdktrace.SpanProcessor, error)
		opts []export.Option
		vars map[string]string
		own  []attribute.KeyValue // of the provider's resource
		want map[string]string
	}{
		{name: "default", new: export.PhoenixProcessor, want: map[string]string{key: "default"}},
		{
			name: "option",
			new:  export.PhoenixProcessor,
			opts: []export.Option{export.WithProject("a")},
			vars: map[string]string{"PHOENIX_PROJECT": "b"},
			own:  []attribute.KeyValue{attribute.String(key, "c")},
			want: map[string]string{key: "a"},
		},
		{
			name: "variable",
			new:  export.PhoenixProcessor,
			vars: map[string]string{"PHOENIX_PROJECT": "a", "PHOENIX_PROJECT_NAME": "b"},
			own:  []attribute.KeyValue{attribute.String(key, "c")},
			want: map[string]string{key: "a"},
		},
		{
			name: "alias",
			new:  export.PhoenixProcessor,
			vars: map[string]string{"PHOENIX_PROJECT": " ", "PHOENIX_PROJECT_NAME": "b"},
			want: map[string]string{key: "b"},
		},
		{
			name: "the resource's own",
			new:  export.PhoenixProcessor,
			own:  []attribute.KeyValue{attribute.String(key, "c"), attribute.String("service.name", "s")},
			want: map[string]string{key: "c", "service.name": "s"},
		},
		{
			name: "Arize, default",
			new:  export.ArizeProcessor,
			opts: arize,
			vars: map[string]string{"PHOENIX_PROJECT": "b"},
			want: map[string]string{key: "default", "arize.project.type": "application"},
		},
		{
			name: "Arize, variables",
			new:  export.ArizeProcessor,
			opts: arize,
			vars: map[string]string{"ARIZE_PROJECT_NAME": "a", "ARIZE_PROJECT_TYPE": "experiment"},
			own:  []attribute.KeyValue{attribute.String("arize.project.type", "harness")},
			want: map[string]string{key: "a", "arize.project.type": "experiment"},
		},
		{
			name: "Arize, the resource's own",
			new:  export.ArizeProcessor,
			opts: append(arize, export.WithProject("a")),
			own:  []attribute.KeyValue{attribute.String("arize.project.type", "harness")},
			want: map[string]string{key: "a", "arize.project.type": "harness"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			export.ClearVariables(t)
			for name, value := range tt.vars {
				t.Setenv(name, value)
			}
			var c collector
			processor, err := tt.new(t.Context(), append(tt.opts, export.WithEndpoint(c.serveGRPC(t)))...)
			if err != nil {
				t.Fatal(err)
			}
			tp := sdktrace.NewTracerProvider(
				sdktrace.WithSpanProcessor(processor),
				sdktrace.WithResource(resource.NewSchemaless(tt.own...)),
			)
			record(tp, "turn")
			if err := tp.Shutdown(withinHang(t)); err != nil {
				t.Fatal(err)
			}
			req, _ := c.only(t)
			if diff := cmp.Diff(tt.want, attributes(req.spans[0].Resource.Attributes)); diff != "" {
				t.Errorf("resource (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProviderHasTheSDKsResource(t *testing.T) {
	export.ClearVariables(t)
	var c collector
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), export.WithProject("chatbot"))
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	if err := tp.Shutdown(withinHang(t)); err != nil {
		t.Fatal(err)
	}
	req, _ := c.only(t)
	got := attributes(req.spans[0].Resource.Attributes)
	for _, key := range []string{"service.name", "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version"} {
		if got[key] == "" {
			t.Errorf("resource has no %s: %v", key, got)
		}
	}
	if got, want := got["openinference.project.name"], "chatbot"; got != want {
		t.Errorf("project: got %q, want %q", got, want)
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	const secret = "s3cr3t-value"
	arize := []export.Option{export.WithAPIKey(secret), export.WithSpaceID("space-1")}
	tests := []struct {
		name string
		new  func(context.Context, ...export.Option) (*sdktrace.TracerProvider, error)
		opts []export.Option
		vars map[string]string
		want []string
	}{
		{name: "scheme", new: export.Phoenix, opts: []export.Option{export.WithEndpoint("ftp://h")}, want: []string{"WithEndpoint", `scheme "ftp"`}},
		{name: "unix socket", new: export.Phoenix, vars: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "unix:///run/otel"}, want: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", `scheme "unix"`}},
		{name: "port", new: export.Phoenix, vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://h:66666"}, want: []string{"PHOENIX_COLLECTOR_ENDPOINT", `"66666"`}},
		{name: "no port after the colon", new: export.Phoenix, opts: []export.Option{export.WithEndpoint("h:")}, want: []string{"WithEndpoint", "port"}},
		{name: "no host", new: export.Phoenix, opts: []export.Option{export.WithEndpoint("http://:4317")}, want: []string{"WithEndpoint", "no host"}},
		{name: "malformed", new: export.Phoenix, opts: []export.Option{export.WithEndpoint("http://[::1")}, want: []string{"WithEndpoint", "missing ']'"}},
		{name: "IPv6 without brackets", new: export.Phoenix, opts: []export.Option{export.WithEndpoint("::1")}, want: []string{"WithEndpoint", "brackets"}},
		{name: "password", new: export.Phoenix, opts: []export.Option{export.WithEndpoint("http://user:" + secret + "@h:4317")}, want: []string{"WithEndpoint", "WithAPIKey"}},
		{name: "query", new: export.Phoenix, opts: []export.Option{export.WithEndpoint("http://h/v1/traces?key=" + secret)}, want: []string{"WithEndpoint", "query"}},
		{name: "gRPC port", new: export.Phoenix, vars: map[string]string{"PHOENIX_GRPC_PORT": "grpc"}, want: []string{"PHOENIX_GRPC_PORT", `"grpc"`}},
		{name: "gRPC port 0", new: export.Phoenix, vars: map[string]string{"PHOENIX_GRPC_PORT": "0"}, want: []string{"PHOENIX_GRPC_PORT", `"0"`}},
		{name: "project", new: export.Phoenix, opts: []export.Option{export.WithProject(" ")}, want: []string{"WithProject", "PHOENIX_PROJECT"}},
		{name: "headers variable", new: export.Phoenix, vars: map[string]string{"PHOENIX_CLIENT_HEADERS": "a=1," + secret}, want: []string{"PHOENIX_CLIENT_HEADERS", "entry 2"}},
		{name: "OTLP headers variable", new: export.Phoenix, vars: map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": secret}, want: []string{"OTEL_EXPORTER_OTLP_HEADERS", "entry 1"}},
		{name: "header key", new: export.Phoenix, opts: []export.Option{export.WithHeaders(map[string]string{"x team": secret})}, want: []string{`"x team"`}},
		{name: "header value", new: export.Phoenix, opts: []export.Option{export.WithAPIKey(secret + "\nx")}, want: []string{`"authorization"`}},

		{name: "space ID", new: export.Arize, opts: []export.Option{export.WithAPIKey(secret)}, want: []string{"ARIZE_SPACE_ID", "WithSpaceID"}},
		{name: "API key", new: export.Arize, opts: []export.Option{export.WithSpaceID("space-1")}, want: []string{"ARIZE_API_KEY", "WithAPIKey"}},
		{name: "blank variables", new: export.Arize, vars: map[string]string{"ARIZE_SPACE_ID": " ", "ARIZE_API_KEY": " "}, want: []string{"ARIZE_SPACE_ID"}},
		{name: "Arize without scheme", new: export.Arize, opts: append(arize, export.WithEndpoint("otlp.arize.com")), want: []string{"WithEndpoint", "https://otlp.arize.com"}},
		{name: "Arize's project", new: export.Arize, opts: append(arize, export.WithProject("")), want: []string{"WithProject", "ARIZE_PROJECT_NAME"}},
		{name: "Arize's project type", new: export.Arize, opts: arize, vars: map[string]string{"ARIZE_PROJECT_TYPE": "toy"}, want: []string{"ARIZE_PROJECT_TYPE", `"toy"`, "harness"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			export.ClearVariables(t)
			for name, value := range tt.vars {
				t.Setenv(name, value)
			}
			tp, err := tt.new(t.Context(), tt.opts...)
			if tp != nil {
				t.Error("got a provider, want none")
			}
			wantError(t, err, append(tt.want, "export: ")...)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error has the secret in it: %v", err)
			}
		})
	}
}

// wantError checks that err's text has all of parts in it.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got error %q, want %q in it", err, part)
		}
	}
}

func TestSampling(t *testing.T) {
	tests := []struct {
		name    string
		opts    []export.Option
		vars    map[string]string
		sampled bool
	}{
		{name: "default", sampled: true},
		{name: "option", opts: []export.Option{export.WithSampler(sdktrace.NeverSample())}},
		{name: "no sampler", opts: []export.Option{export.WithSampler(nil)}, sampled: true},
		{name: "variable", vars: map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_always_on"}},
		{
			name:    "option and variable",
			opts:    []export.Option{export.WithSampler(sdktrace.AlwaysSample())},
			vars:    map[string]string{"OTEL_TRACES_SAMPLER": "always_off"},
			sampled: true,
		},
		{
			name: "provider option",
			opts: []export.Option{export.WithProviderOptions(sdktrace.WithSampler(sdktrace.NeverSample())), export.WithSampler(sdktrace.AlwaysSample())},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			export.ClearVariables(t)
			for name, value := range tt.vars {
				t.Setenv(name, value)
			}
			var c collector
			tp, err := export.Phoenix(t.Context(), append(tt.opts, export.WithEndpoint(c.serveGRPC(t)))...)
			if err != nil {
				t.Fatal(err)
			}
			unsampled := trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true,
			}))
			_, span := tp.Tracer("test").Start(unsampled, "turn", trace.WithAttributes(kindOf(openinference.KindChain)))
			span.End()
			if err := tp.Shutdown(withinHang(t)); err != nil {
				t.Fatal(err)
			}
			if got := len(c.spans()) == 1; got != tt.sampled {
				t.Errorf("got sampled %v, want %v", got, tt.sampled)
			}
		})
	}
}

func TestAttributeLimit(t *testing.T) {
	tests := []struct {
		name string
		vars map[string]string
		want int
	}{
		{name: "default", want: 10_000},
		{name: "span variable", vars: map[string]string{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "7"}, want: 7},
		{name: "general variable", vars: map[string]string{"OTEL_ATTRIBUTE_COUNT_LIMIT": "8"}, want: 8},
	}
	attrs := make([]attribute.KeyValue, 10_001)
	for i := range attrs {
		attrs[i] = attribute.Int("key."+strings.Repeat("x", i%50)+string(rune('a'+i/50)), i)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			export.ClearVariables(t)
			for name, value := range tt.vars {
				t.Setenv(name, value)
			}
			var c collector
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)))
			if err != nil {
				t.Fatal(err)
			}
			record(tp, "turn", trace.WithAttributes(attrs...))
			if err := tp.Shutdown(withinHang(t)); err != nil {
				t.Fatal(err)
			}
			_, span := c.only(t)
			if got := len(span.Attributes); got != tt.want {
				t.Errorf("got %d attributes, want %d", got, tt.want)
			}
		})
	}
}

func TestProviderOptionsAddProcessors(t *testing.T) {
	export.ClearVariables(t)
	var first, second collector
	other, err := export.PhoenixProcessor(t.Context(), export.WithEndpoint(second.serveGRPC(t)))
	if err != nil {
		t.Fatal(err)
	}
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(first.serveGRPC(t)),
		export.WithProviderOptions(sdktrace.WithSpanProcessor(other)))
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	if err := tp.Shutdown(withinHang(t)); err != nil {
		t.Fatal(err)
	}
	first.only(t)
	second.only(t)
}

func TestCancelledContext(t *testing.T) {
	export.ClearVariables(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := export.Phoenix(ctx, export.WithHTTP())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestStartsWithoutConnection(t *testing.T) {
	export.ClearVariables(t)
	ctx, cancel := context.WithCancel(t.Context())
	tp, err := export.Phoenix(ctx, export.WithEndpoint(unused(t)))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := tp.Shutdown(withinHang(t)); err != nil {
		t.Errorf("got %v from Shutdown without spans, want nil", err)
	}
}
