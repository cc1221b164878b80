// Package hook_test has, in the copy of openai-go that run_openaigo_suite.sh makes, this
// file beside the tests of each package, under that package's name.
package hook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/openai/openai-go/v3/internal/requestconfig"
	"github.com/openai/openai-go/v3/internal/traced"

	"github.com/go-openinference/openinference"
)

// TestMain gives the tests that want a server made from the API's specification one that
// has the same for each of them.
func TestMain(m *testing.M) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "{}")
	}))
	os.Setenv("TEST_API_BASE_URL", server.URL)
	traced.Main(m, func(opt openinference.Option) {
		requestconfig.Wrap = func(base http.RoundTripper) http.RoundTripper {
			return openinference.NewTransport(base, opt)
		}
	})
}
