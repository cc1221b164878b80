package openinference_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	openai "github.com/sashabaranov/go-openai"

	"github.com/go-openinference/openinference"
)

func TestSteps(t *testing.T) {
	tests := []struct {
		name string
		kind openinference.Kind
		set  func(*openinference.Span)
		want map[string]any
	}{
		{"documents", openinference.KindRetriever, func(s *openinference.Span) {
			s.SetDocuments(
				openinference.Document{ID: "d1", Content: "coats <warm>", Score: new(0.75), Metadata: map[string]any{"page": 3, "bad": math.NaN()}},
				openinference.Document{Content: "no score"},
				openinference.Document{ID: "d3", Score: new(math.NaN())},
				openinference.Document{ID: "d4", Score: new(0.0)},
			)
		}, map[string]any{
			"retrieval.documents.0.document.id":       "d1",
			"retrieval.documents.0.document.score":    0.75,
			"retrieval.documents.0.document.content":  "coats <warm>",
			"retrieval.documents.0.document.metadata": `{"page":3}`,
			"retrieval.documents.1.document.content":  "no score",
			"retrieval.documents.2.document.id":       "d3",
			"retrieval.documents.3.document.id":       "d4",
			"retrieval.documents.3.document.score":    0.0,
		}},
		{"no documents", openinference.KindRetriever, func(s *openinference.Span) { s.SetDocuments() }, map[string]any{}},
		{"reranking", openinference.KindReranker, func(s *openinference.Span) {
			in := []openinference.Document{{ID: "a"}, {ID: "b"}}
			s.SetReranking(openinference.Reranking{Query: "coat", ModelName: "ranker", TopK: 1, Input: in})
			s.SetReranking(openinference.Reranking{Output: []openinference.Document{{ID: "b", Score: new(0.5)}}})
		}, map[string]any{
			"reranker.query":                             "coat",
			"reranker.model_name":                        "ranker",
			"reranker.top_k":                             int64(1),
			"reranker.input_documents.0.document.id":     "a",
			"reranker.input_documents.1.document.id":     "b",
			"reranker.output_documents.0.document.id":    "b",
			"reranker.output_documents.0.document.score": 0.5,
		}},
		{"tool", openinference.KindTool, func(s *openinference.Span) {
			f := openai.FunctionDefinition{Name: "clock", Description: "tells the time", Parameters: json.RawMessage(`{"type": "object"}`)}
			s.SetTool(openinference.Tool{Name: f.Name, Description: f.Description, Parameters: f.Parameters, CallID: "call_1"})
		}, map[string]any{
			"tool.name": "clock", "tool.description": "tells the time", "tool.parameters": `{"type":"object"}`, "tool.id": "call_1",
		}},
		{"tool with its schema as text", openinference.KindTool, func(s *openinference.Span) {
			s.SetTool(openinference.Tool{Parameters: `{"type": "object"}`})
		}, map[string]any{"tool.parameters": `{"type": "object"}`}},
		{"agent", openinference.KindAgent, func(s *openinference.Span) {
			s.SetAgent("guide")
			s.SetGraphNode("guide-1", "Guide", "root")
		}, map[string]any{"agent.name": "guide", "graph.node.id": "guide-1", "graph.node.name": "Guide", "graph.node.parent_id": "root"}},
		{"topmost node", openinference.KindAgent, func(s *openinference.Span) { s.SetGraphNode("root", "", "") }, map[string]any{"graph.node.id": "root"}},
		{"bad text", openinference.KindRetriever, func(s *openinference.Span) { s.SetDocuments(openinference.Document{Content: "caf\xe9"}) },
			map[string]any{"retrieval.documents.0.document.content": "caf\uFFFD"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handled(t)
			r := newRecorder()
			_, span := newTracer(r).Start(context.Background(), "step", tt.kind)
			tt.set(span)
			span.End()
			got := make(map[string]any)
			for _, kv := range r.only(t).Attributes() {
				if kv.Key != openinference.OpenInferenceSpanKindKey {
					got[string(kv.Key)] = kv.Value.AsInterface()
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
