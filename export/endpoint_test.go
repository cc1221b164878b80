package export

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Hosts that a test cannot listen on are resolved only; what goes over the wire
// is in export_test.go.

func TestPhoenixEndpoint(t *testing.T) {
	const (
		cloud   = "https://app.phoenix.arize.com/s/myspace"
		cloudTo = "https://app.phoenix.arize.com:443/s/myspace/v1/traces"
	)
	tests := []struct {
		name     string
		endpoint string
		http     bool
		vars     map[string]string
		want     string
	}{
		{name: "nothing", want: "grpc plain localhost:4317"},
		{name: "HTTP alone", http: true, want: "http://localhost:6006/v1/traces"},
		{name: "port variable alone", vars: map[string]string{"PHOENIX_GRPC_PORT": "14317"}, want: "grpc plain localhost:14317"},

		{name: "variable", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://collector:6006"}, want: "grpc plain collector:4317"},
		{name: "variable and HTTP", http: true, vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://collector:6006"}, want: "http://collector:6006/v1/traces"},
		{name: "variable with a prefix", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://collector:6006/phoenix"}, want: "grpc plain collector:4317"},
		{name: "variable with a prefix and HTTP", http: true, vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://collector:6006/phoenix/"}, want: "http://collector:6006/phoenix/v1/traces"},
		{name: "variable for traces", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://collector:6006/v1/traces"}, want: "http://collector:6006/v1/traces"},
		{name: "variable, TLS", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "https://collector"}, want: "grpc tls collector:4317"},
		{name: "variable, TLS and HTTP", http: true, vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "https://collector"}, want: "https://collector:443/v1/traces"},
		{name: "variable without scheme", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "collector:6006"}, want: "grpc tls collector:4317"},
		{name: "variable and port", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://collector:6006", "PHOENIX_GRPC_PORT": "14317"}, want: "grpc plain collector:14317"},
		{name: "variable, IPv6", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://[fd00::1]:6006"}, want: "grpc plain [fd00::1]:4317"},
		{name: "blank variable", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": " ", "PHOENIX_GRPC_PORT": " "}, want: "grpc plain localhost:4317"},

		{name: "Cloud by variable", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": cloud}, want: cloudTo},
		{name: "Cloud by variable, no space", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "https://app.phoenix.arize.com"}, want: "https://app.phoenix.arize.com:443/v1/traces"},
		{name: "Cloud", endpoint: cloud, want: cloudTo},
		{name: "Cloud, complete", endpoint: cloud + "/v1/traces", want: cloudTo},
		{name: "Cloud without scheme", endpoint: "app.phoenix.arize.com/s/myspace", want: cloudTo},
		{name: "Cloud subdomain", endpoint: "https://eu.app.phoenix.arize.com", want: "https://eu.app.phoenix.arize.com:443/v1/traces"},
		{name: "not the Cloud", endpoint: "https://myapp.phoenix.arize.com:4317", want: "grpc tls myapp.phoenix.arize.com:4317"},

		{name: "OTLP variable", vars: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318"}, want: "grpc plain otel:4317"},
		{name: "OTLP variable and HTTP", http: true, vars: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318"}, want: "http://otel:4318/v1/traces"},
		{name: "Phoenix's variable wins", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://a:6006", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:4318"}, want: "grpc plain a:4317"},
		{name: "blank gives way", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": " ", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:4318"}, want: "grpc plain b:4317"},
		{name: "traces variable is not read", vars: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:4318"}, want: "grpc plain localhost:4317"},

		{name: "gRPC URL", endpoint: "http://h:4317", want: "grpc plain h:4317"},
		{name: "gRPC URL with a slash", endpoint: "http://h:4317/", want: "grpc plain h:4317"},
		{name: "gRPC URL, TLS", endpoint: "https://h:4317", want: "grpc tls h:4317"},
		{name: "gRPC URL, other port", endpoint: "http://h:14317", vars: map[string]string{"PHOENIX_GRPC_PORT": "14317"}, want: "grpc plain h:14317"},
		{name: "gRPC port, HTTP path", endpoint: "http://h:4317/v1/traces", want: "http://h:4317/v1/traces"},
		{name: "gRPC port, HTTP", endpoint: "http://h:4317", http: true, want: "http://h:4317/v1/traces"},
		{name: "URL", endpoint: "http://h:6006/v1/traces", want: "http://h:6006/v1/traces"},
		{name: "URL without path", endpoint: "http://h:9999", want: "http://h:9999/v1/traces"},
		{name: "URL with a slash", endpoint: "http://h:9999/", want: "http://h:9999/v1/traces"},
		{name: "URL with another path", endpoint: "http://h:9999/otlp", want: "http://h:9999/otlp"},
		{name: "http URL without port", endpoint: "http://h", want: "http://h:80/v1/traces"},
		{name: "https URL without port", endpoint: "https://h", want: "https://h:443/v1/traces"},
		{name: "URL, IPv6", endpoint: "http://[::1]:6006", want: "http://[::1]:6006/v1/traces"},

		{name: "host and port", endpoint: "h:4317", want: "grpc tls h:4317"},
		{name: "host and another port", endpoint: "h:9999", want: "grpc tls h:9999"},
		{name: "host", endpoint: "h", want: "grpc tls h:4317"},
		{name: "host and port, HTTP", endpoint: "h:6006", http: true, want: "https://h:6006/v1/traces"},
		{name: "localhost and port", endpoint: "localhost:4317", want: "grpc plain localhost:4317"},
		{name: "127.0.0.1 and port", endpoint: "127.0.0.1:9999", want: "grpc plain 127.0.0.1:9999"},
		{name: "::1 and port", endpoint: "[::1]:9999", want: "grpc plain [::1]:9999"},
		{name: "localhost, HTTP", endpoint: "localhost:6006", http: true, want: "http://localhost:6006/v1/traces"},
		{name: "host, port and path", endpoint: "localhost:6006/v1/traces", want: "http://localhost:6006/v1/traces"},
		{name: "option wins", endpoint: "http://h:4317", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://a:6006"}, want: "grpc plain h:4317"},
		{name: "blank option", endpoint: " ", vars: map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "http://a:6006"}, want: "grpc plain a:4317"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ClearVariables(t)
			checkEndpoint(t, phoenix(), tt.endpoint, tt.http, tt.vars, tt.want)
		})
	}
}

func TestArizeEndpoint(t *testing.T) {
	tests := []struct {
		name     string
		endpoint string
		http     bool
		vars     map[string]string
		want     string
	}{
		{name: "nothing", want: "grpc tls otlp.arize.com:443"},
		{name: "HTTP", http: true, want: "https://otlp.arize.com:443/v1/traces"},
		{name: "Europe", endpoint: "https://otlp.eu-west-1a.arize.com/v1", want: "grpc tls otlp.eu-west-1a.arize.com:443"},
		{name: "Europe, HTTP", endpoint: "https://otlp.eu-west-1a.arize.com/v1", http: true, want: "https://otlp.eu-west-1a.arize.com:443/v1/traces"},
		{name: "traces URL", endpoint: "https://otlp.arize.com/v1/traces", want: "https://otlp.arize.com:443/v1/traces"},
		{name: "plain text", endpoint: "http://collector:4317", want: "grpc plain collector:4317"},
		{name: "plain text, no port", endpoint: "http://collector", want: "grpc plain collector:80"},
		{name: "host and port", endpoint: "localhost:4317", want: "grpc plain localhost:4317"},
		{name: "variable", vars: map[string]string{"ARIZE_COLLECTOR_ENDPOINT": "https://collector:8443/v1"}, want: "grpc tls collector:8443"},
		{name: "option wins", endpoint: "https://a", vars: map[string]string{"ARIZE_COLLECTOR_ENDPOINT": "https://b"}, want: "grpc tls a:443"},
		{name: "Phoenix's and OTLP's are not read", vars: map[string]string{
			"PHOENIX_COLLECTOR_ENDPOINT":  "http://a:6006",
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:4318",
			"PHOENIX_GRPC_PORT":           "14317",
		}, want: "grpc tls otlp.arize.com:443"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ClearVariables(t)
			checkEndpoint(t, arize(), tt.endpoint, tt.http, tt.vars, tt.want)
		})
	}
}

func checkEndpoint(t *testing.T, b backend, endpoint string, http bool, vars map[string]string, want string) {
	t.Helper()
	for name, value := range vars {
		t.Setenv(name, value)
	}
	opts := []Option{WithEndpoint(endpoint), WithAPIKey("key"), WithSpaceID("space")}
	if http {
		opts = append(opts, WithHTTP())
	}
	d, err := b.resolve(newOptions(opts))
	if err != nil {
		t.Fatal(err)
	}
	got := d.endpoint.url()
	if d.endpoint.grpc {
		security := "plain"
		if d.endpoint.tls {
			security = "tls"
		}
		got = "grpc " + security + " " + d.endpoint.host
	}
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPhoenixHeaders(t *testing.T) {
	tests := []struct {
		name string
		opts []Option
		vars map[string]string
		want map[string]string
	}{
		{name: "nothing", want: map[string]string{}},
		{name: "key", opts: []Option{WithAPIKey("k")}, want: map[string]string{"authorization": "Bearer k"}},
		{name: "padded key", opts: []Option{WithAPIKey(" k\n")}, want: map[string]string{"authorization": "Bearer k"}},
		{name: "key variable", vars: map[string]string{"PHOENIX_API_KEY": "k"}, want: map[string]string{"authorization": "Bearer k"}},
		{name: "key wins over its variable", opts: []Option{WithAPIKey("k")}, vars: map[string]string{"PHOENIX_API_KEY": "other"}, want: map[string]string{"authorization": "Bearer k"}},
		{name: "blank key", opts: []Option{WithAPIKey(" ")}, vars: map[string]string{"PHOENIX_API_KEY": "k"}, want: map[string]string{"authorization": "Bearer k"}},
		{
			name: "headers are added to the key",
			opts: []Option{WithHeaders(map[string]string{"X-Team": "a"})},
			vars: map[string]string{"PHOENIX_API_KEY": "k"},
			want: map[string]string{"authorization": "Bearer k", "x-team": "a"},
		},
		{
			name: "headers win",
			opts: []Option{WithHeaders(map[string]string{"Authorization": "Basic x"}), WithAPIKey("k")},
			want: map[string]string{"authorization": "Basic x"},
		},
		{
			name: "headers add up",
			opts: []Option{WithHeaders(map[string]string{"a": "1", "b": "1"}), WithHeaders(map[string]string{"b": "2"})},
			want: map[string]string{"a": "1", "b": "2"},
		},
		{
			name: "headers variable",
			vars: map[string]string{"PHOENIX_CLIENT_HEADERS": "X-Team=a%20b%3D, api_key = c,,broken=100%"},
			want: map[string]string{"x-team": "a b=", "api_key": "c", "broken": "100%"},
		},
		{
			name: "headers variable and key variable",
			vars: map[string]string{"PHOENIX_CLIENT_HEADERS": "x=1", "PHOENIX_API_KEY": "k"},
			want: map[string]string{"authorization": "Bearer k", "x": "1"},
		},
		{
			name: "headers variable wins over key variable",
			vars: map[string]string{"PHOENIX_CLIENT_HEADERS": "authorization=Basic%20x", "PHOENIX_API_KEY": "k"},
			want: map[string]string{"authorization": "Basic x"},
		},
		{
			name: "key wins over headers variable",
			opts: []Option{WithAPIKey("k")},
			vars: map[string]string{"PHOENIX_CLIENT_HEADERS": "authorization=Basic%20x"},
			want: map[string]string{"authorization": "Bearer k"},
		},
		{
			name: "headers replace the variable",
			opts: []Option{WithHeaders(map[string]string{"a": "1"})},
			vars: map[string]string{"PHOENIX_CLIENT_HEADERS": "b=2"},
			want: map[string]string{"a": "1"},
		},
		{
			name: "OTLP variable if nothing else",
			vars: map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "X=1"},
			want: map[string]string{"x": "1"},
		},
		{
			name: "OTLP variable beside a key",
			opts: []Option{WithAPIKey("k")},
			vars: map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "x=1"},
			want: map[string]string{"authorization": "Bearer k"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ClearVariables(t)
			for name, value := range tt.vars {
				t.Setenv(name, value)
			}
			d, err := phoenix().resolve(newOptions(tt.opts))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, d.headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

// secret stands in what is fuzzed.
const secret = "s3cr3t"

// FuzzEndpoint reads any endpoint from an option and from variables. What comes of it can be
// dialled; an error has nothing in it of a user, a query or a fragment.
func FuzzEndpoint(f *testing.F) {
	for _, seed := range []string{
		"", "localhost:4317", "http://h:6006/v1/traces", "https://app.phoenix.arize.com/s/x", "[::1]:4317",
		"::1", "[]]", "http://[fe80::1%25eth0]:4317", "//h", "http://", "http:/h", ":4317", "h:", "h:99999", "ftp://h", "user:s3cr3t@h", "h?s3cr3t", "http://h:s3cr3t#y", "http://h:1/s3cr3t", "http://%zz",
	} {
		f.Add(seed, "", false)
		f.Add("", seed, true)
	}
	f.Fuzz(func(t *testing.T, endpoint, variable string, http bool) {
		ClearVariables(t)
		if !strings.Contains(variable, "\x00") {
			t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", variable)
			t.Setenv("ARIZE_COLLECTOR_ENDPOINT", variable)
		}
		opts := []Option{WithEndpoint(endpoint), WithAPIKey("key"), WithSpaceID("space")}
		if http {
			opts = append(opts, WithHTTP())
		}
		for _, b := range []backend{phoenix(), arize()} {
			d, err := b.resolve(newOptions(opts))
			if err != nil {
				if strings.Contains(err.Error(), secret) && !isPublic(endpoint) && !isPublic(variable) {
					t.Errorf("endpoint %q, variable %q: got error %v", endpoint, variable, err)
				}
				continue
			}
			host, port, err := net.SplitHostPort(d.endpoint.host)
			if err != nil || host == "" || checkPort(port) != nil {
				t.Errorf("endpoint %q, variable %q: got address %q", endpoint, variable, d.endpoint.host)
			}
			// The OTLP clients parse the URL again and ignore one that is wrong.
			if u, err := url.Parse(d.endpoint.url()); err != nil || u.Host != d.endpoint.host || u.Path != d.endpoint.path {
				t.Errorf("endpoint %q, variable %q: got URL %q (%v)", endpoint, variable, d.endpoint.url(), err)
			}
		}
	})
}

// isPublic reports whether the secret is in an endpoint where none has its place.
func isPublic(endpoint string) bool {
	return strings.Contains(endpoint, secret) && !strings.ContainsAny(endpoint, "@?#")
}

// FuzzHeaders reads any headers from the variables and the options. What comes of it can be
// sent; a header that can be is what was set; no error has a secret in it, be it of a header
// that cannot be sent or of a server that repeats what it got.
func FuzzHeaders(f *testing.F) {
	for _, variable := range []string{"", "authorization=Bearer s3cr3t, x-team=a%20b%3D,,broken=100%", "authorization: Bearer s3cr3t=", "s3cr3t", "a=1,x y=s3cr3t", "authorization=Bearer key-1,x=key-1-s3cr3t", "%0a=1,=s3cr3t", "a=s3cr3t\x00"} {
		f.Add(variable, "X-Team", "red, 100% =s3cr3t", "s3cr3t-key")
		f.Add(variable, "s\u212ay", "s3cr3t\n", "s3cr3t\u00e9")
		f.Add(variable, "team", "key-1", "key-1-s3cr3t")
	}
	sendable := regexp.MustCompile(`^[a-z0-9._-]+$`)
	printable := regexp.MustCompile(`^[ -~]*$`)
	f.Fuzz(func(t *testing.T, variable, key, value, apiKey string) {
		if strings.Contains(variable, "\x00") || strings.Contains(key, secret) {
			return
		}
		ClearVariables(t)
		headers := func(b backend, phoenixVariable, otelVariable string, opts ...Option) (map[string]string, error) {
			t.Setenv("PHOENIX_CLIENT_HEADERS", phoenixVariable)
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", otelVariable)
			d, err := b.resolve(newOptions(opts))
			if err != nil {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error has the secret in it: %v", err)
				}
				return nil, err
			}
			for k, v := range d.headers {
				if !sendable.MatchString(k) || !printable.MatchString(v) {
					t.Errorf("got header %q: %q, which cannot be sent", k, v)
				}
			}
			refused := d.explain(fmt.Errorf("refused: %s", slices.Sorted(maps.Values(d.headers))), 1, true).Error()
			if strings.Contains(refused, secret) {
				t.Errorf("headers %q: the error is %q", d.headers, refused)
			}
			return d.headers, nil
		}
		headers(phoenix(), variable, "", WithAPIKey(apiKey))
		headers(phoenix(), "", variable)
		headers(arize(), "", "", WithAPIKey(apiKey), WithSpaceID("space"), WithHeaders(map[string]string{key: value}))

		lower := strings.ToLower(key)
		got, err := headers(phoenix(), url.PathEscape(key)+"="+url.PathEscape(value), "")
		if want := map[string]string{lower: strings.TrimSpace(value)}; sendable.MatchString(lower) && printable.MatchString(value) && !maps.Equal(got, want) {
			t.Errorf("got headers %q and error %v, want %q", got, err, want)
		}
	})
}

// ClearVariables makes a test independent of the environment it runs in: blank
// variables count as unset.
func ClearVariables(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		for _, prefix := range []string{"PHOENIX_", "ARIZE_", "OTEL_"} {
			if strings.HasPrefix(name, prefix) {
				t.Setenv(name, "")
			}
		}
	}
}
