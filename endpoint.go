package openinference

import (
	"cmp"
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
	usage    bool     // a stream takes stream_options.include_usage
	input    []string // members of a request of which nothing is recorded if inputs are hidden
	request  func(body value) extract
	response func(body value) extract // nil: it answers with a file
	stream   func() fold              // nil: it does not stream
}

// endpoints holds longer suffixes before shorter ones that end like them.
var endpoints = []*endpoint{
	{"/chat/completions", "ChatCompletion", KindLLM, true, []string{"messages", "tools", "functions"}, chatRequest, chatResponse, foldChunks(chatChunk)},
	{"/responses", "Response", KindLLM, false, []string{"instructions", "input"}, responseRequest, responseResponse, foldResponse},
	{"/completions", "Completion", KindLLM, true, nil, completionRequest, completionResponse, foldChunks(completionChunk)},
	{"/embeddings", "CreateEmbeddings", KindEmbedding, false, nil, embeddingRequest, embeddingResponse, nil},
	{"/images/generations", "ImagesResponse", KindLLM, false, nil, imageRequest, imageResponse, foldResult("image_generation.completed", nil)},
	{"/images/edits", "ImagesResponse", KindLLM, false, nil, imageRequest, imageResponse, foldResult("image_edit.completed", nil)},
	{"/images/variations", "ImagesResponse", KindLLM, false, nil, imageRequest, imageResponse, nil},
	{"/audio/transcriptions", "Transcription", KindLLM, false, nil, transcriptionRequest, transcriptionResponse, foldResult("transcript.text.done", transcriptDelta)},
	{"/audio/translations", "Translation", KindLLM, false, nil, transcriptionRequest, transcriptionResponse, nil},
	{"/audio/speech", "Speech", KindLLM, false, nil, contentRequest, nil, nil},
	{"/moderations", "ModerationCreateResponse", KindLLM, false, nil, contentRequest, moderationResponse, nil},
}

// extract is what one body of a model call says.
type extract struct {
	model      string
	text       string               // as a person would put it, for IOText
	plain      bool                 // the reply is text and not JSON, or is asked to be
	format     string               // of the images, that are answered or asked for
	parameters value                // of a request: all but what the model is asked
	facts      []attribute.KeyValue // few, and they matter most: token counts, ids
	tools      []attribute.KeyValue
	content    []attribute.KeyValue // messages, hundreds perhaps
	images     []image              // of a response, in base64
	vectors    []large              // of a response, as numbers or in base64
}

// large is an attribute that is costly to make from its JSON.
type large struct {
	key  attribute.Key
	data value
}

// image is one in base64, which is recorded in a list of images and in a message.
type image struct {
	key, part attribute.Key
	data      value
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

// known returns what is known of a call before it is made.
func (e *endpoint) known(u *url.URL) *known {
	if e.kind != KindLLM {
		return embeddings
	}
	return systems[provider(u.Hostname())]
}

// embeddings is what is known of calls that make vectors.
var embeddings = knownOfCalls(KindEmbedding)

// systems is what is known of calls of each provider.
var systems = func() map[string]*known {
	system := LLMSystemKey.String(SystemOpenAI)
	m := map[string]*known{"": knownOfCalls(KindLLM, system)}
	for _, p := range providers {
		m[p] = knownOfCalls(KindLLM, system, LLMProviderKey.String(p))
	}
	return m
}()

func knownOfCalls(kind Kind, more ...attribute.KeyValue) *known {
	k := knownFrom(append([]attribute.KeyValue{OpenInferenceSpanKindKey.String(string(kind))}, more...)...)
	k.common = true
	return k
}

// contentRequest describes a request that has its content in a prompt or an input and
// nothing but parameters beside it.
func contentRequest(v value) (x extract) {
	x.model = v.get("model").str()
	x.text = joinLines(append(v.get("prompt").texts(), v.get("input").texts()...)...)
	x.parameters = without(v, "prompt", "input")
	return x
}

// texts returns the attributes of a list that has nothing but texts, empty ones too.
func texts(list, key attribute.Key, values []string) (kvs []attribute.KeyValue) {
	for i, text := range values {
		kvs = appendFound(kvs, itemKey(list, int64(i), key).String(text))
	}
	return kvs
}

// address returns where a call goes, if that is not OpenAI itself: Phoenix's playground
// takes from it where to send the call again. A query, a password and a fragment stay
// out of it.
func (e *endpoint) address(u *url.URL) []attribute.KeyValue {
	if e.kind != KindLLM || strings.EqualFold(u.Hostname(), "api.openai.com") {
		return nil
	}
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return []attribute.KeyValue{
		attribute.String("url.full", bare.String()),
		attribute.String("url.path", bare.EscapedPath()),
	}
}

// appendModel appends the model that answered, or else the one that was asked for; both
// where they differ.
func (e *endpoint) appendModel(kvs []attribute.KeyValue, asked, answered string) []attribute.KeyValue {
	model := cmp.Or(answered, asked)
	switch {
	case model == "":
		return kvs
	case e.kind == KindEmbedding:
		return append(kvs, EmbeddingModelNameKey.String(model))
	case asked == "" || asked == model:
		return append(kvs, LLMModelNameKey.String(model))
	default:
		return append(kvs, LLMModelNameKey.String(model), LLMRequestModelNameKey.String(asked), LLMResponseModelNameKey.String(answered))
	}
}

// appendParameters appends the parameters of a request.
func (e *endpoint) appendParameters(kvs []attribute.KeyValue, parameters value) []attribute.KeyValue {
	key := LLMInvocationParametersKey
	if e.kind == KindEmbedding {
		key = EmbeddingInvocationParametersKey
	}
	return append(kvs, key.String(readable(parameters)))
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
