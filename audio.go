package openinference

import "cmp"

// transcriptDelta is how the beginning of a transcript is put together where a stream
// breaks off before the whole comes.
var transcriptDelta = &rule{fields: map[string]*rule{"delta": {how: concat}}}

// transcriptionRequest describes a request for a transcription or a translation. Its
// prompt is a hint to the model; what it is about is in the file.
func transcriptionRequest(body value) extract {
	x := contentRequest(body)
	x.text = ""
	switch body.get("response_format").str() {
	case "text", "srt", "vtt":
		x.plain = true
	}
	return x
}

// transcriptionResponse describes a transcription or a translation, as text or JSON.
func transcriptionResponse(v value) extract {
	if !v.isObject() {
		return extract{text: string(v), plain: true}
	}
	return extract{
		text:  cmp.Or(v.get("text").str(), v.get("delta").str()),
		facts: appendUsage(nil, v.get("usage")),
	}
}
