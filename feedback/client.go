package feedback

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrNotFound is returned, wrapped, when Phoenix does not have the project, or not
// yet has the session, the trace or the span.
var ErrNotFound = errors.New("not found in Phoenix")

const (
	// patience is how long Send waits for spans that have not arrived.
	patience = 10 * time.Second
	// maxBatch is how many annotations are sent in a request.
	maxBatch = 500
)

// Client writes judgements to Phoenix and reads sessions from it. Make it with
// [NewClient]. Its methods are safe for concurrent use.
type Client struct {
	endpoint string // base URL without a slash at its end
	apiKey   string
	http     *http.Client
}

// Option changes a setting of [NewClient].
type Option func(*Client)

// WithEndpoint sets the base URL of Phoenix: the one of its web page, and not of its
// gRPC port. Phoenix's address for spans, which ends in /v1/traces, will do as well. The
// default, and that of a blank one, is PHOENIX_COLLECTOR_ENDPOINT, else
// http://localhost:6006.
func WithEndpoint(url string) Option {
	return func(c *Client) { c.endpoint = strings.TrimSpace(url) }
}

// WithAPIKey authenticates with key. The default, and that of a blank key, is
// PHOENIX_API_KEY, else none.
func WithAPIKey(key string) Option {
	return func(c *Client) { c.apiKey = strings.TrimSpace(key) }
}

// WithHTTPClient sends requests with client, for timeouts, proxies and headers of the
// caller's own. The default, and that of nil, is [http.DefaultClient].
func WithHTTPClient(client *http.Client) Option {
	return func(c *Client) { c.http = client }
}

// NewClient returns a client of a Phoenix. It does not connect; the error is that of
// an endpoint that cannot work.
func NewClient(opts ...Option) (*Client, error) {
	var c Client
	for _, opt := range opts {
		opt(&c)
	}
	source := "WithEndpoint"
	if c.endpoint == "" {
		source = "PHOENIX_COLLECTOR_ENDPOINT"
		c.endpoint = cmp.Or(strings.TrimSpace(os.Getenv(source)), "http://localhost:6006")
	}
	if strings.ContainsAny(c.endpoint, "@?#") {
		// Not quoted: what follows may be a credential.
		return nil, fmt.Errorf("feedback: %s: an endpoint has no user, query or fragment; use WithAPIKey for credentials", source)
	}
	u, err := url.Parse(c.endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("feedback: %s: endpoint %q; want a URL such as http://localhost:6006", source, c.endpoint)
	}
	c.endpoint = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(c.endpoint, "/"), "/v1/traces"), "/")
	c.apiKey = cmp.Or(c.apiKey, strings.TrimSpace(os.Getenv("PHOENIX_API_KEY")))
	c.http = cmp.Or(c.http, http.DefaultClient)
	return &c, nil
}

// Send writes judgements to Phoenix, many in one request, and returns when they are
// stored. It reports a judgement that is incomplete before anything is sent.
//
// Spans reach Phoenix some time after they have ended; flush the tracer provider
// before Send. What has not arrived is waited for: as long as ctx allows, or 10
// seconds if that has no deadline. Then the error is an [ErrNotFound] that names what
// is missing. A request is stored whole or not at all, and one that fails does not
// keep the others back; to send all again does no harm, as the same annotation
// replaces itself.
func (c *Client) Send(ctx context.Context, judgements ...Judgement) error {
	if err := check(judgements); err != nil {
		return fmt.Errorf("feedback: send: %w", err)
	}
	waiting := ctx
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeoutCause(ctx, patience, fmt.Errorf("waited for %v", patience))
		defer cancel()
	}
	var errs []error
	for _, s := range []scope{spanScope, traceScope, sessionScope} {
		for batch := range slices.Chunk(rows(judgements, s), maxBatch) {
			if err := c.post(ctx, waiting, s, batch); err != nil {
				errs = append(errs, fmt.Errorf("feedback: annotate %ss: %w", s, err))
			}
		}
	}
	return errors.Join(errs...)
}

// row is an annotation as Phoenix's REST API has it.
type row struct {
	SpanID        string         `json:"span_id,omitempty"`
	TraceID       string         `json:"trace_id,omitempty"`
	SessionID     string         `json:"session_id,omitempty"`
	Name          string         `json:"name"`
	AnnotatorKind AnnotatorKind  `json:"annotator_kind"`
	Result        result         `json:"result"`
	Metadata      map[string]any `json:"metadata,omitempty"`
	Identifier    string         `json:"identifier"`
}

type result struct {
	Label       string   `json:"label,omitempty"`
	Score       *float64 `json:"score,omitempty"`
	Explanation string   `json:"explanation,omitempty"`
}

// rows returns the annotations of one scope.
func rows(judgements []Judgement, s scope) []row {
	var rows []row
	for _, j := range judgements {
		if j.scope != s {
			continue
		}
		for _, a := range j.annotations {
			r := row{
				Name:          a.Name,
				AnnotatorKind: cmp.Or(a.Kind, Human),
				Result:        result{a.Label, a.Score, a.Explanation},
				Metadata:      a.Metadata,
				Identifier:    a.Identifier,
			}
			switch s {
			case spanScope:
				r.SpanID = j.id
			case traceScope:
				r.TraceID = j.id
			case sessionScope:
				r.SessionID = strings.TrimSpace(j.id) // as Phoenix does
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// post sends a batch, again and again until all that it is about has arrived or
// waiting is over.
func (c *Client) post(ctx, waiting context.Context, s scope, batch []row) error {
	// Without sync=true Phoenix says yes to what it does not know, and may forget it.
	path := "/v1/" + string(s) + "_annotations?sync=true"
	var missing error
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		var reply struct{}
		err := c.call(ctx, path, map[string]any{"data": batch}, &reply)
		switch {
		case errors.Is(err, ErrNotFound):
			missing = err
		case err == nil || missing == nil || ctx.Err() == nil:
			return err
		}
		select {
		case <-time.After(pause):
		case <-waiting.Done():
			return fmt.Errorf("%w (%w); flush the tracer provider first, and check that the spans are sampled and go to this Phoenix", missing, context.Cause(waiting))
		}
	}
}

// call posts in as JSON and decodes the reply into out.
func (c *Client) call(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.apiKey != "" {
		req.Header.Set("Authorization", "Bearer "+c.apiKey)
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no Phoenix at %s; start it with `phoenix serve`, or set PHOENIX_COLLECTOR_ENDPOINT or WithEndpoint: %w", c.endpoint, err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return c.refusal(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("reply of Phoenix at %s: %w; check that this is its base URL", c.endpoint, err)
	}
	return nil
}

// refusal returns the error of a reply that is not 200.
func (c *Client) refusal(resp *http.Response) error {
	// What has been read of a text that breaks off is better than none.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
	detail := strings.TrimRight(string(text), ".\n")
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("access refused by Phoenix at %s: %s; set PHOENIX_API_KEY or WithAPIKey to a valid key", c.endpoint, resp.Status)
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, detail)
	}
	return fmt.Errorf("reply of Phoenix at %s: %s: %s", c.endpoint, resp.Status, detail)
}
