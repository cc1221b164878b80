package export

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/go-openinference/openinference"
)

const (
	modulePath    = "github.com/go-openinference/openinference"
	tracesPath    = "/v1/traces"
	authorization = "authorization"
)

// backend is what tells Phoenix and Arize apart: the names of their settings
// and how an endpoint, headers and resource attributes follow from those.
type backend struct {
	name        string
	endpointVar string
	projectVars []string
	credentials string // what a server that refuses them wants, as errors say it
	start       string // the cure when nothing listens on this machine, if there is one

	findEndpoint   func(*options) (endpoint, error)
	findHeaders    func(*options) (map[string]string, error)
	findAttributes func() ([]resourceAttribute, error) // of the resource, beside the project
}

func phoenix() backend {
	return backend{
		name:        "Phoenix",
		endpointVar: "PHOENIX_COLLECTOR_ENDPOINT",
		projectVars: []string{"PHOENIX_PROJECT", "PHOENIX_PROJECT_NAME"},
		credentials: "API key; set PHOENIX_API_KEY or export.WithAPIKey",
		start:       "start it with `phoenix serve`",

		findEndpoint:   phoenixEndpoint,
		findHeaders:    phoenixHeaders,
		findAttributes: func() ([]resourceAttribute, error) { return nil, nil },
	}
}

func arize() backend {
	return backend{
		name:        "Arize",
		endpointVar: "ARIZE_COLLECTOR_ENDPOINT",
		projectVars: []string{"ARIZE_PROJECT_NAME"},
		credentials: "API key or space ID; set ARIZE_API_KEY and ARIZE_SPACE_ID, or export.WithAPIKey and export.WithSpaceID",

		findEndpoint:   arizeEndpoint,
		findHeaders:    arizeHeaders,
		findAttributes: arizeAttributes,
	}
}

// destination is a backend with its settings resolved: where spans go, and as
// whose.
type destination struct {
	backend
	endpoint   endpoint
	headers    map[string]string
	attributes []resourceAttribute
}

// resourceAttribute is an attribute that the resource of each span must have.
type resourceAttribute struct {
	key, value string
	replace    bool // a value that is there already
}

func (b backend) resolve(o *options) (*destination, error) {
	d := &destination{backend: b}
	var err error
	if d.endpoint, err = b.findEndpoint(o); err != nil {
		return nil, err
	}
	if d.headers, err = b.findHeaders(o); err != nil {
		return nil, err
	}
	if d.attributes, err = b.findAttributes(); err != nil {
		return nil, err
	}
	project, source := lookup(b.projectVars...)
	if o.project != nil {
		project, source = *o.project, "WithProject"
		if strings.TrimSpace(project) == "" {
			return nil, fmt.Errorf("export: WithProject: the name is blank; leave the option out to use %s", b.projectVars[0])
		}
	}
	d.attributes = append(d.attributes, resourceAttribute{
		key:     string(openinference.OpenInferenceProjectNameKey),
		value:   cmp.Or(project, "default"),
		replace: source != "",
	})
	return d, nil
}

// endpoint is a resolved address.
type endpoint struct {
	grpc bool
	tls  bool
	host string // with its port
	path string // of HTTP
}

// String returns host:port for gRPC and the URL for HTTP.
func (e endpoint) String() string {
	if e.grpc {
		return e.host
	}
	return e.url()
}

func (e endpoint) url() string {
	u := url.URL{Scheme: "http", Host: e.host, Path: e.path}
	if e.tls {
		u.Scheme = "https"
	}
	return u.String()
}

func phoenixEndpoint(o *options) (endpoint, error) {
	grpcPort, source := lookup("PHOENIX_GRPC_PORT")
	if source == "" {
		grpcPort = "4317"
	} else if err := checkPort(grpcPort); err != nil {
		return endpoint{}, fmt.Errorf("export: PHOENIX_GRPC_PORT: %w", err)
	}

	if o.endpoint != "" {
		u, err := parseEndpoint("WithEndpoint", o.endpoint)
		if err != nil {
			return endpoint{}, err
		}
		switch bare := u.Path == "" || u.Path == "/"; {
		case phoenixCloud(u):
			return overHTTP(u, tracesURLPath(u)), nil
		case bare && !o.http && (u.Scheme == "" || u.Port() == grpcPort):
			return overGRPC(u, cmp.Or(u.Port(), grpcPort)), nil
		case bare:
			return overHTTP(u, tracesPath), nil
		default:
			return overHTTP(u, u.Path), nil
		}
	}

	base, source := lookup("PHOENIX_COLLECTOR_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	u, err := parseEndpoint(source, cmp.Or(base, "http://localhost:6006"))
	if err != nil {
		return endpoint{}, err
	}
	if o.http || phoenixCloud(u) || strings.HasSuffix(u.Path, tracesPath) {
		return overHTTP(u, tracesURLPath(u)), nil
	}
	return overGRPC(u, grpcPort), nil
}

func arizeEndpoint(o *options) (endpoint, error) {
	base, source := lookup("ARIZE_COLLECTOR_ENDPOINT")
	if o.endpoint != "" {
		base, source = o.endpoint, "WithEndpoint"
	}
	u, err := parseEndpoint(source, cmp.Or(base, "https://otlp.arize.com/v1"))
	if err != nil {
		return endpoint{}, err
	}
	if u.Scheme == "" && u.Port() == "" {
		return endpoint{}, fmt.Errorf("export: %s: %q has no scheme; write https://%[2]s", source, base)
	}
	if o.http || strings.HasSuffix(u.Path, tracesPath) {
		return overHTTP(u, tracesURLPath(u)), nil
	}
	return overGRPC(u, cmp.Or(u.Port(), defaultPort(u))), nil
}

// parseEndpoint parses a URL or an address without a scheme. The result has a
// host, a valid port if any, and no scheme other than http and https.
func parseEndpoint(source, raw string) (*url.URL, error) {
	if strings.ContainsAny(raw, "@?#") {
		// Not quoted: what follows may be a credential.
		return nil, fmt.Errorf("export: %s: an endpoint has no user, query or fragment; use WithAPIKey or WithHeaders for credentials", source)
	}
	u, err := parseURL(raw)
	if err != nil {
		return nil, fmt.Errorf("export: %s: endpoint %q: %w; want host:port or a URL such as http://localhost:4317", source, raw, err)
	}
	return u, nil
}

func parseURL(raw string) (*url.URL, error) {
	if !strings.Contains(raw, "://") {
		raw = "//" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.Unwrap(err) // what the *url.Error says without the URL
	}
	switch {
	case u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("unsupported scheme %q", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("no host")
	case strings.ContainsAny(u.Hostname(), "[]:") && !strings.HasPrefix(u.Host, "["):
		return nil, errors.New("an IPv6 address, and nothing else, goes in brackets")
	case strings.Contains(u.Hostname(), "%"):
		return nil, errors.New("a zone or an escape in the host is not supported")
	case u.Port() != "" || strings.HasSuffix(u.Host, ":"):
		return u, checkPort(u.Port())
	}
	return u, nil
}

func checkPort(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q is not a port from 1 to 65535", port)
	}
	return nil
}

func phoenixCloud(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return host == "app.phoenix.arize.com" || strings.HasSuffix(host, ".app.phoenix.arize.com")
}

// tracesURLPath returns u's path with /v1/traces at its end.
func tracesURLPath(u *url.URL) string {
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimSuffix(path, tracesPath)
	return strings.TrimSuffix(path, "/v1") + tracesPath
}

func overGRPC(u *url.URL, port string) endpoint {
	return endpoint{grpc: true, tls: secure(u), host: net.JoinHostPort(u.Hostname(), port)}
}

func overHTTP(u *url.URL, path string) endpoint {
	return endpoint{tls: secure(u), host: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), defaultPort(u))), path: path}
}

func defaultPort(u *url.URL) string {
	if secure(u) {
		return "443"
	}
	return "80"
}

// secure reports whether u is spoken to in TLS.
func secure(u *url.URL) bool {
	if u.Scheme != "" {
		return u.Scheme == "https"
	}
	return !loopback(u.Hostname())
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

func phoenixHeaders(o *options) (map[string]string, error) {
	h := make(map[string]string)
	if key, _ := lookup("PHOENIX_API_KEY"); key != "" {
		h[authorization] = "Bearer " + key
	}
	if len(o.headers) == 0 {
		fromEnv, err := parseHeaders("PHOENIX_CLIENT_HEADERS")
		if err != nil {
			return nil, err
		}
		addHeaders(h, fromEnv)
	}
	if o.apiKey != "" {
		h[authorization] = "Bearer " + o.apiKey
	}
	addHeaders(h, o.headers)
	if len(h) == 0 {
		fromEnv, err := parseHeaders("OTEL_EXPORTER_OTLP_HEADERS")
		if err != nil {
			return nil, err
		}
		addHeaders(h, fromEnv)
	}
	return h, checkHeaders(h)
}

func arizeHeaders(o *options) (map[string]string, error) {
	spaceID, _ := lookup("ARIZE_SPACE_ID")
	if spaceID = cmp.Or(o.spaceID, spaceID); spaceID == "" {
		return nil, errors.New("export: Arize needs a space ID; set ARIZE_SPACE_ID or export.WithSpaceID")
	}
	key, _ := lookup("ARIZE_API_KEY")
	if key = cmp.Or(o.apiKey, key); key == "" {
		return nil, errors.New("export: Arize needs an API key; set ARIZE_API_KEY or export.WithAPIKey")
	}
	h := map[string]string{
		authorization:      key,
		"api_key":          key, // for older servers
		"arize-space-id":   spaceID,
		"space_id":         spaceID, // for older servers
		"arize-interface":  "otel",
		"sdk-language":     "go",
		"language-version": strings.TrimPrefix(runtime.Version(), "go"),
		"sdk-version":      moduleVersion(),
		"sdk-package-name": modulePath,
	}
	addHeaders(h, o.headers)
	return h, checkHeaders(h)
}

// parseHeaders parses a variable of the form k=v,k2=v2. Keys and values are
// percent-decoded; one that cannot be is taken as it is, as Phoenix's Python
// package does.
func parseHeaders(variable string) (map[string]string, error) {
	value, _ := lookup(variable)
	headers := make(map[string]string)
	for i, pair := range strings.Split(value, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("export: %s: entry %d has no =; want k=v,k2=v2", variable, i+1)
		}
		k, v = unescape(k), unescape(v)
		if err := checkHeader(strings.ToLower(k), v); err != nil {
			// Not quoted: without a key, a credential that ends in = is taken for one.
			return nil, fmt.Errorf("export: %s: entry %d: %w", variable, i+1, err)
		}
		headers[k] = v
	}
	return headers, nil
}

func unescape(s string) string {
	if decoded, err := url.PathUnescape(s); err == nil {
		s = decoded
	}
	return strings.TrimSpace(s)
}

// addHeaders adds headers to h under lower-case keys, as gRPC wants them.
func addHeaders(h, headers map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(headers)) {
		h[strings.ToLower(k)] = headers[k]
	}
}

func checkHeaders(h map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(h)) {
		if err := checkHeader(k, h[k]); err != nil {
			return fmt.Errorf("export: header %q: %w", k, err)
		}
	}
	return nil
}

// checkHeader finds what every request would fail for.
func checkHeader(k, v string) error {
	if k == "" || strings.Trim(k, "0123456789abcdefghijklmnopqrstuvwxyz-_.") != "" {
		return errors.New("a key has letters, digits, hyphens, underscores and dots, and nothing else")
	}
	if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("the value has a character other than printable ASCII")
	}
	return nil
}

func arizeAttributes() ([]resourceAttribute, error) {
	const variable = "ARIZE_PROJECT_TYPE"
	projectType, source := lookup(variable)
	switch projectType {
	case "", "application", "harness", "experiment":
		return []resourceAttribute{{
			key:     "arize.project.type",
			value:   cmp.Or(projectType, "application"),
			replace: source != "",
		}}, nil
	}
	return nil, fmt.Errorf("export: %s is %q; want application, harness or experiment", variable, projectType)
}

// moduleVersion returns the version of this module that the program was built
// with.
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == modulePath && m.Version != "" {
				return m.Version
			}
		}
	}
	return "(devel)"
}
