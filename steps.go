package openinference

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
)

// Document is a piece of text that a retriever finds and a reranker sorts. A field
// that is empty is left out.
type Document struct {
	// ID is the document's id where it is stored.
	ID string
	// Content is its text.
	Content string
	// Score is how well it fits the query; nil if nobody has said, and left out if
	// it is not a finite number.
	Score *float64
	// Metadata is recorded as a JSON object. A value that cannot be encoded as JSON
	// is left out and reported to [otel.Handle].
	Metadata map[string]any
}

// Reranking is what a step of [KindReranker] does. A field that is empty is left
// out, so that it can be recorded piece by piece.
type Reranking struct {
	// Query is what the documents are ranked by.
	Query string
	// ModelName is the name of the model that ranks.
	ModelName string
	// TopK is how many documents to keep.
	TopK int
	// Input are the documents to rank.
	Input []Document
	// Output are those kept, the best first.
	Output []Document
}

// Tool is what a step of [KindTool] runs. A field that is empty is left out.
type Tool struct {
	Name string
	// Description tells a model what the tool is for.
	Description string
	// Parameters is the schema of the parameters, as the Parameters of
	// [openai.FunctionDefinition]: a string holding JSON, or what is recorded as
	// JSON.
	Parameters any
	// CallID is the ID of the model's tool call that is answered.
	CallID string
}

// SetDocuments records docs as what a step of [KindRetriever] has found, the best
// first: retrieval.documents. No switch of [TraceConfig] hides documents.
func (s *Span) SetDocuments(docs ...Document) {
	if s.IsRecording() {
		s.SetAttributes(appendDocuments(nil, RetrievalDocumentsKey, docs)...)
	}
}

// SetReranking records what a step of [KindReranker] does: reranker.query,
// reranker.model_name, reranker.top_k, reranker.input_documents and
// reranker.output_documents.
func (s *Span) SetReranking(r Reranking) {
	if !s.IsRecording() {
		return
	}
	var kvs []attribute.KeyValue
	kvs = appendText(kvs, RerankerQueryKey, r.Query)
	kvs = appendText(kvs, RerankerModelNameKey, r.ModelName)
	if r.TopK != 0 {
		kvs = append(kvs, RerankerTopKKey.Int(r.TopK))
	}
	kvs = appendDocuments(kvs, RerankerOutputDocumentsKey, r.Output)
	kvs = appendDocuments(kvs, RerankerInputDocumentsKey, r.Input)
	s.SetAttributes(kvs...)
}

// SetTool records which tool a step of [KindTool] runs: tool.name,
// tool.description, tool.parameters and tool.id.
func (s *Span) SetTool(t Tool) {
	if !s.IsRecording() {
		return
	}
	var kvs []attribute.KeyValue
	kvs = appendText(kvs, ToolNameKey, t.Name)
	kvs = appendText(kvs, ToolDescriptionKey, t.Description)
	if t.Parameters != nil {
		schema, _ := valueOf(t.Parameters)
		kvs = appendText(kvs, ToolParametersKey, schema)
	}
	kvs = appendText(kvs, ToolIDKey, t.CallID)
	s.SetAttributes(kvs...)
}

// SetAgent records the name of the agent of a step of [KindAgent]: agent.name, the
// same for agents that do the same.
func (s *Span) SetAgent(name string) { s.SetAttributes(AgentNameKey.String(name)) }

// SetGraphNode places a step in the graph of an agent's run: graph.node.id,
// graph.node.name and graph.node.parent_id. An empty name means the id, an empty
// parentID the top. Nodes are the application's own; steps of the same id are one.
func (s *Span) SetGraphNode(id, name, parentID string) {
	kvs := []attribute.KeyValue{GraphNodeIDKey.String(id)}
	kvs = appendText(kvs, GraphNodeNameKey, name)
	kvs = appendText(kvs, GraphNodeParentIDKey, parentID)
	s.SetAttributes(kvs...)
}

func appendDocuments(kvs []attribute.KeyValue, list attribute.Key, docs []Document) []attribute.KeyValue {
	for i, d := range docs {
		key := func(key attribute.Key) attribute.Key { return itemKey(list, int64(i), key) }
		kvs = appendText(kvs, key(DocumentIDKey), d.ID)
		// JSON, as which scores are stored, has no other numbers.
		if d.Score != nil && !math.IsNaN(*d.Score) && !math.IsInf(*d.Score, 0) {
			kvs = append(kvs, key(DocumentScoreKey).Float64(*d.Score))
		}
		kvs = appendText(kvs, key(DocumentContentKey), d.Content)
		if m, err := encode(encodable("Document", d.Metadata)); err == nil && len(d.Metadata) > 0 {
			kvs = append(kvs, key(DocumentMetadataKey).String(string(m)))
		}
	}
	return kvs
}

// appendText appends an attribute unless its text is empty.
func appendText(kvs []attribute.KeyValue, key attribute.Key, s string) []attribute.KeyValue {
	if s == "" {
		return kvs
	}
	return append(kvs, key.String(s))
}
