package openinference

import (
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// endpoint is a kind of model call: how it is known, and how its bodies are read.
type endpoint struct {
	suffix   string // of the path of its URL
	name     string // of its spans
	kind     Kind
	usage    bool // a stream takes stream_options.include_usage
	request  func(body []byte) extract
	response func(body []byte) extract
	stream   func() fold // nil: it does not stream
}

// endpoints holds longer suffixes before shorter ones that end like them.
var endpoints = []*endpoint{
	{"/chat/completions", "ChatCompletion", KindLLM, true, chatRequest, chatResponse, foldChunks(chatChunk)},
}

// extract is what one body of a model call says.
type extract struct {
	model   string
	text    string               // as a person would put it, for IOText
	facts   []attribute.KeyValue // few, and they matter most: token counts, parameters
	content []attribute.KeyValue // messages and tools, hundreds perhaps
}

// lookup returns the endpoint that req goes to, nil if it is none of the table.
func lookup(req *http.Request) *endpoint {
	if req.Method != http.MethodPost || req.URL == nil {
		return nil
	}
	path := strings.TrimSuffix(req.URL.Path, "/")
	for _, e := range endpoints {
		if strings.HasSuffix(path, e.suffix) {
			return e
		}
	}
	return nil
}

// known returns what the URL of a call says about it.
func (e *endpoint) known(u *url.URL) []attribute.KeyValue {
	if e.kind != KindLLM {
		return nil
	}
	kvs := []attribute.KeyValue{LLMSystemKey.String(SystemOpenAI)}
	if p := provider(u.Hostname()); p != "" {
		kvs = append(kvs, LLMProviderKey.String(p))
	}
	return kvs
}

// providers are the hosts that name one, and so do hosts below them.
var providers = map[string]string{
	"api.openai.com":                    ProviderOpenAI,
	"openai.azure.com":                  ProviderAzure,
	"services.ai.azure.com":             ProviderAzure,
	"cognitiveservices.azure.com":       ProviderAzure,
	"api.anthropic.com":                 ProviderAnthropic,
	"api.cohere.com":                    ProviderCohere,
	"api.cohere.ai":                     ProviderCohere,
	"api.mistral.ai":                    ProviderMistralAI,
	"generativelanguage.googleapis.com": ProviderGoogle,
	"aiplatform.googleapis.com":         ProviderGoogle,
	"amazonaws.com":                     ProviderAWS,
	"api.x.ai":                          ProviderXAI,
	"api.deepseek.com":                  ProviderDeepSeek,
	"api.groq.com":                      ProviderGroq,
	"api.typesafe.ai":                   ProviderTypeSafe,
	"api.fireworks.ai":                  ProviderFireworks,
	"api.moonshot.cn":                   ProviderMoonshot,
	"api.moonshot.ai":                   ProviderMoonshot,
	"api.cerebras.ai":                   ProviderCerebras,
	"api.perplexity.ai":                 ProviderPerplexity,
	"api.together.ai":                   ProviderTogether,
	"api.together.xyz":                  ProviderTogether,
	"ollama.com":                        ProviderOllama,
	"api.meta.ai":                       ProviderMeta,
	"api.z.ai":                          ProviderZAI,
	"api.minimax.io":                    ProviderMiniMax,
	"api.minimaxi.com":                  ProviderMiniMax,
	"api.minimax.chat":                  ProviderMiniMax,
	"oci.oraclecloud.com":               ProviderOracle,
}

// provider returns the company behind a host, "" if it is not known: a gateway,
// or a server of the user's own.
func provider(host string) string {
	host = strings.ToLower(host)
	// Vertex puts the region before a hyphen.
	if strings.HasSuffix(host, "-aiplatform.googleapis.com") {
		return ProviderGoogle
	}
	for found := true; found; _, host, found = strings.Cut(host, ".") {
		if p, ok := providers[host]; ok {
			return p
		}
	}
	return ""
}
