package export

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// minSecret is the shortest header value that redact takes for a credential;
// shorter ones are words, such as "otel".
const minSecret = 5

// exportError is an error of the pipeline: what happened to which spans.
type exportError struct {
	reason string // and the cure; the same for failures of the same kind
	spans  int    // lost; 0 if none or unknown
	cause  error  // nil if the reason says all
}

func (e exportError) Error() string {
	text := "export: " + e.reason
	if e.spans > 0 {
		text += "; " + spanCount(e.spans) + " lost"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e exportError) Unwrap() error { return e.cause }

func spanCount(n int) string {
	if n == 1 {
		return "1 span"
	}
	return fmt.Sprintf("%d spans", n)
}

// ledger adds up failures by their reason, of which there are few.
type ledger []exportError

// add reports whether the reason is a new one.
func (l *ledger) add(f exportError) bool {
	for i := range *l {
		if (*l)[i].reason == f.reason {
			(*l)[i].spans += f.spans
			return false
		}
	}
	*l = append(*l, f)
	return true
}

func (l ledger) err() error {
	errs := make([]error, len(l))
	for i, f := range l {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// String names the destination in errors.
func (d *destination) String() string { return d.name + " at " + d.endpoint.String() }

func (d *destination) errorf(verb string, err error) error {
	return fmt.Errorf("export: %s %s: %w", verb, d, err)
}

// explain adds to the error of an export what to do about it. Connected
// says whether there is a connection to the endpoint.
func (d *destination) explain(err error, spans int, connected bool) exportError {
	return exportError{reason: d.reason(err, connected), spans: spans, cause: d.redact(err)}
}

func (d *destination) reason(err error, connected bool) string {
	var (
		code   = status.Code(err)
		text   = err.Error()
		server = d.String()
		// The HTTP client has no error type; its text has the status line.
		answered = func(statusCode int) bool {
			return strings.Contains(text, fmt.Sprintf(": %d %s (", statusCode, http.StatusText(statusCode)))
		}
	)
	switch {
	case code == codes.Unauthenticated, code == codes.PermissionDenied,
		answered(http.StatusUnauthorized), answered(http.StatusForbidden):
		return server + " rejected the " + d.credentials
	case code == codes.ResourceExhausted, answered(http.StatusRequestEntityTooLarge):
		return server + " refused the size or the rate of requests; raise its limits, requests have up to 4 MiB"
	case code == codes.Unimplemented, answered(http.StatusNotFound), answered(http.StatusMethodNotAllowed):
		return server + " takes no spans at this address; check " + d.endpointVar + " or export.WithEndpoint"
	// What net/http, which has no types for it, says of a server that greets it as one of gRPC does, soon or late.
	case strings.Contains(text, "malformed HTTP response"), strings.Contains(text, "readLoopPeekFailLocked"):
		return server + " does not speak HTTP; give the address of a port that takes gRPC without http://"
	case partial(err):
		return server + " took the spans in part"
	case isTLS(err):
		return "no TLS with " + server + "; use an http:// endpoint if the server has none, OTEL_EXPORTER_OTLP_CERTIFICATE if its certificate is your own"
	case !connected:
		return "no " + server + "; " + d.cure()
	case code == codes.DeadlineExceeded, errors.Is(err, context.DeadlineExceeded):
		return server + " did not answer in time; OTEL_EXPORTER_OTLP_TIMEOUT gives it longer"
	}
	return server + " did not take the spans"
}

// cure says what to do when nothing listens.
func (d *destination) cure() string {
	host, _, _ := net.SplitHostPort(d.endpoint.host)
	if d.start != "" && loopback(host) {
		return d.start
	}
	return "check the network and " + d.endpointVar + " or export.WithEndpoint"
}

// partial reports whether err is the server's remark on spans that it took, or
// most of which it did. The type is internal to the OTLP clients.
func partial(err error) bool { return strings.Contains(err.Error(), "OTLP partial success") }

func isTLS(err error) bool {
	var (
		record      tls.RecordHeaderError
		certificate *tls.CertificateVerificationError
	)
	return errors.As(err, &record) || errors.As(err, &certificate) ||
		errors.Is(err, http.ErrSchemeMismatch) ||
		// gRPC keeps the text only.
		strings.Contains(err.Error(), "authentication handshake failed")
}

// redact returns err, or its text without the credentials if a server echoed
// one of them.
func (d *destination) redact(err error) error {
	var secrets []string
	for _, value := range d.headers {
		secrets = append(secrets, strings.TrimPrefix(value, "Bearer "))
	}
	// One may be a part of another: longer ones first.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	text := err.Error()
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			text = strings.ReplaceAll(text, secret, "****")
		}
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
