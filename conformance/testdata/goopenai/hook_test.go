// Package openai_test has, in the copy of go-openai that run_goopenai_suite.sh
// makes, this file beside go-openai's own tests.
package openai_test

import (
	"testing"

	openai "github.com/sashabaranov/go-openai"
	"github.com/sashabaranov/go-openai/internal/traced"

	"github.com/go-openinference/openinference"
)

func TestMain(m *testing.M) {
	traced.Main(m, func(opt openinference.Option) {
		openai.Wrap = func(config openai.ClientConfig) *openai.Client {
			if _, wrapped := config.HTTPClient.(*openinference.Transport); wrapped {
				return nil // the call comes from the line below
			}
			return openinference.NewClientWithConfig(config, opt)
		}
	})
}
