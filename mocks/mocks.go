// Package mocks is an OpenAI server on loopback for tests, in the spirit of
// [net/http/httptest]. A test scripts what the model answers, points a client
// at the server and looks at what was asked:
//
//	srv := mocks.NewServer(
//		mocks.ToolCall("get_weather", `{"city":"Oslo"}`), // the first request
//		mocks.Chat("It is sunny in Oslo."),               // all further ones
//	)
//	defer srv.Close()
//	client := openai.NewClientWithConfig(srv.Config())
//
// Pass the same configuration to openinference.NewClientWithConfig to test what
// an application traces. Any other client of OpenAI's API works as well, with
// the server's URL + "/v1" as its base URL and any key.
//
// # Replies
//
// A reply is an [http.HandlerFunc]; write one where none of this package fits.
// [Chat], [ChatStream], [ToolCall] and [Refusal] answer chat completions, and
// one script serves both ways of asking: a request with "stream": true gets a
// stream (first a chunk with the role, then one for each piece, one with the
// finish reason, one with the usage if stream_options.include_usage asks for
// it, and [DONE], each flushed), any other request the whole message at once.
// [Completion] does the same for legacy completions, [Response] and
// [ResponseToolCall] do it for the Responses API. [Embedding], [Image],
// [ImageURL], [Transcription], [Speech] and [Moderation] answer the endpoints of
// these names. [Error] and [StreamError] fail, [JSON] and [Stream] send what they
// are given. [Slow] and [HangUp] wrap another reply.
//
// Replies look like OpenAI's own: they have fresh ids and the headers
// x-request-id and x-ratelimit-*, echo the request's model, and count the words
// of the messages and of the answer as their tokens.
package mocks

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/sashabaranov/go-openai"
)

// Server is an OpenAI server on a port of its own on loopback. Make one with
// [NewServer] and close it when done. Its methods are safe for concurrent use.
type Server struct {
	// URL is the server's address without a trailing slash, of the form
	// "http://127.0.0.1:port", or "http://[::1]:port" on a machine without IPv4.
	// The API is below URL + "/v1".
	URL string

	// Not a server of httptest, which would add its flag to those of every
	// program that plays a model with this package.
	server      http.Server
	accepting   sync.WaitGroup
	connections sync.WaitGroup
	replies     []http.HandlerFunc

	mu       sync.Mutex
	requests []Request
}

// Request is a request as the server received it.
type Request struct {
	Method string      // such as "POST"
	Path   string      // the path alone, such as "/v1/chat/completions"
	URL    string      // the path with its query, if there is one
	Header http.Header // includes the client's Authorization
	Body   []byte
}

// NewServer starts a server that answers the first request with the first
// reply, the second with the second, and so on; the last one repeats. It does
// not look at a request's path: a reply answers whatever is asked. Without
// replies every request gets an [Error] that says so. NewServer panics if there
// is no port to listen on.
func NewServer(replies ...http.HandlerFunc) *Server {
	if len(replies) == 0 {
		replies = []http.HandlerFunc{Error(http.StatusNotFound, "mocks: no reply for this request: pass at least one to NewServer")}
	}
	listener := listen()
	s := &Server{URL: "http://" + listener.Addr().String(), replies: replies}
	s.server.Handler = http.HandlerFunc(s.serve)
	s.server.ConnState = s.count
	s.accepting.Go(func() { _ = s.server.Serve(listener) }) // until Close
	return s
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		return listener
	}
	if listener, err := net.Listen("tcp", "[::1]:0"); err == nil {
		return listener
	}
	panic(fmt.Sprintf("mocks: listen on loopback: %v", err))
}

// Config returns the configuration of a go-openai client of the server, with a
// made-up key.
func (s *Server) Config() openai.ClientConfig {
	config := openai.DefaultConfig("sk-mocks")
	config.BaseURL = s.URL + "/v1"
	return config
}

// Requests returns copies of all requests so far, in the order in which their
// bodies had arrived.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := slices.Clone(s.requests)
	for i, req := range requests {
		requests[i].Header = req.Header.Clone()
		requests[i].Body = bytes.Clone(req.Body)
	}
	return requests
}

// Close shuts the server down. Replies under way are cut off, so that a stream
// nobody reads to its end does not block it. When it returns, no reply runs any
// more.
func (s *Server) Close() {
	s.server.Close()
	s.accepting.Wait()
	s.server.Close() // again, for a connection that was just being accepted
	s.connections.Wait()
}

// count keeps track of the connections that are open.
func (s *Server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.connections.Done()
	}
}

// serve records a request and answers it with the reply whose turn it is.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		Error(http.StatusBadRequest, "mocks: read the request: "+err.Error())(w, r)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.next(Request{
		Method: r.Method,
		Path:   r.URL.Path,
		URL:    r.URL.RequestURI(),
		Header: r.Header.Clone(),
		Body:   body,
	})(w, r)
}

// next records req and returns its reply.
func (s *Server) next(req Request) http.HandlerFunc {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := min(len(s.requests), len(s.replies)-1)
	s.requests = append(s.requests, req)
	return s.replies[i]
}
