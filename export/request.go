package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// maxRequest is how many encoded bytes go into a request. gRPC servers take
	// 4 MiB; the rest is for the resource, the scope and framing.
	maxRequest = 7 << 19

	framing   = 16   // bytes round a message in another, at most
	maxMarker = 64   // bytes of the marker of a text that was cut, at most
	minText   = 1024 // bytes: a text of up to as many is not cut any more
)

// mend makes every text of spans valid UTF-8. The OTLP clients refuse a request
// with a bad byte in it, and with it all its spans.
func mend(spans []*tracepb.ResourceSpans) {
	for _, rs := range spans {
		mendText(&rs.SchemaUrl)
		mendAttributes(rs.Resource.Attributes)
		for _, ss := range rs.ScopeSpans {
			mendText(&ss.SchemaUrl)
			if ss.Scope != nil {
				mendText(&ss.Scope.Name)
				mendText(&ss.Scope.Version)
				mendAttributes(ss.Scope.Attributes)
			}
			for _, span := range ss.Spans {
				mendText(&span.Name)
				mendText(&span.Status.Message)
				mendAttributes(span.Attributes)
				for _, event := range span.Events {
					mendText(&event.Name)
					mendAttributes(event.Attributes)
				}
				for _, link := range span.Links {
					mendAttributes(link.Attributes)
				}
			}
		}
	}
}

func mendAttributes(attributes []*commonpb.KeyValue) {
	for _, kv := range attributes {
		mendText(&kv.Key)
		mendValue(kv.Value)
	}
}

func mendValue(value *commonpb.AnyValue) {
	switch v := value.Value.(type) {
	case *commonpb.AnyValue_StringValue:
		mendText(&v.StringValue)
	case *commonpb.AnyValue_ArrayValue:
		for _, element := range v.ArrayValue.Values {
			mendValue(element)
		}
	case *commonpb.AnyValue_KvlistValue:
		mendAttributes(v.KvlistValue.Values)
	}
}

func mendText(s *string) {
	if !utf8.ValidString(*s) {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
}

// split deals spans out to requests of at most maxRequest encoded bytes.
func split(spans []*tracepb.ResourceSpans) (requests [][]*tracepb.ResourceSpans) {
	size := maxRequest // of the last request; full, so that the first span starts one
	for _, rs := range spans {
		var resource *tracepb.ResourceSpans // of the last request
		for _, ss := range rs.ScopeSpans {
			var scope *tracepb.ScopeSpans // of the last request
			for _, span := range ss.Spans {
				n := fit(span) + framing
				if size+n > maxRequest {
					requests = append(requests, nil)
					resource, scope, size = nil, nil, 0
				}
				if resource == nil {
					resource = &tracepb.ResourceSpans{Resource: rs.Resource, SchemaUrl: rs.SchemaUrl}
					size += proto.Size(resource) + framing
					last := len(requests) - 1
					requests[last] = append(requests[last], resource)
				}
				if scope == nil {
					scope = &tracepb.ScopeSpans{Scope: ss.Scope, SchemaUrl: ss.SchemaUrl}
					size += proto.Size(scope) + framing
					resource.ScopeSpans = append(resource.ScopeSpans, scope)
				}
				scope.Spans = append(scope.Spans, span)
				size += n
			}
		}
	}
	return requests
}

// fit cuts span until it goes into a request of its own, the largest value
// first: half of a text or as much as is needed, the whole of a list, which
// counts as a dropped attribute. It returns the encoded size.
func fit(span *tracepb.Span) int {
	size := proto.Size(span)
	excess := size + framing - maxRequest
	if excess <= 0 {
		return size
	}
	values := valuesOf(span)
	for excess > 0 {
		largest := slices.MaxFunc(values, func(a, b *value) int { return cmp.Compare(a.size, b.size) })
		if largest.size == 0 {
			break
		}
		excess -= largest.shrink(excess)
	}
	for _, v := range values {
		v.cut()
	}
	dropEmpty(&span.Attributes, &span.DroppedAttributesCount)
	for _, event := range span.Events {
		dropEmpty(&event.Attributes, &event.DroppedAttributesCount)
	}
	for _, link := range span.Links {
		dropEmpty(&link.Attributes, &link.DroppedAttributesCount)
	}
	return proto.Size(span)
}

// value is a part of a span that can be made smaller.
type value struct {
	attribute *commonpb.KeyValue // nil if the text is none of an attribute
	text      *string            // nil if the attribute is not a text
	size      int                // that shrink can make smaller still, in bytes
	keep      int                // bytes of the text that cut leaves
}

func valuesOf(span *tracepb.Span) []*value {
	var values []*value
	addText := func(s *string) {
		values = append(values, &value{text: s, size: len(*s), keep: len(*s)})
	}
	addAttributes := func(attributes []*commonpb.KeyValue) {
		for _, kv := range attributes {
			v := &value{attribute: kv, size: proto.Size(kv)}
			if s, ok := kv.Value.Value.(*commonpb.AnyValue_StringValue); ok {
				v.text, v.size, v.keep = &s.StringValue, len(s.StringValue), len(s.StringValue)
			}
			values = append(values, v)
		}
	}
	addText(&span.Name)
	addText(&span.Status.Message)
	addAttributes(span.Attributes)
	for _, event := range span.Events {
		addText(&event.Name)
		addAttributes(event.Attributes)
	}
	for _, link := range span.Links {
		addAttributes(link.Attributes)
	}
	return values
}

// shrink decides how small v becomes and returns how many bytes that frees.
func (v *value) shrink(excess int) (freed int) {
	before := v.size
	switch {
	case v.text != nil && v.size > minText:
		v.size = max(v.size/2, v.size-excess-maxMarker)
		v.keep = v.size
		return before - v.size - maxMarker
	case v.attribute != nil:
		v.attribute.Value = nil
		v.size = 0
		return before
	}
	v.size = 0
	return 0
}

// cut does what shrink decided to a text.
func (v *value) cut() {
	if v.text == nil || v.keep == len(*v.text) {
		return
	}
	end := v.keep
	for !utf8.RuneStart((*v.text)[end]) {
		end--
	}
	*v.text = fmt.Sprintf("%s…[truncated by openinference: %d bytes]", (*v.text)[:end], len(*v.text))
}

func dropEmpty(attributes *[]*commonpb.KeyValue, dropped *uint32) {
	before := len(*attributes)
	*attributes = slices.DeleteFunc(*attributes, func(kv *commonpb.KeyValue) bool { return kv.Value == nil })
	*dropped += uint32(before - len(*attributes))
}
