package mocks

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Completion answers a legacy completion with text. A stream has a chunk for each
// word.
func Completion(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Model         string               `json:"model"`
			Prompt        any                  `json:"prompt"`
			Stream        bool                 `json:"stream"`
			StreamOptions openai.StreamOptions `json:"stream_options"`
		}
		if !decode(w, r, &req) {
			return
		}
		c := object{
			"id":      "cmpl-" + rand.Text(),
			"object":  "text_completion",
			"created": time.Now().Unix(),
			"model":   cmp.Or(req.Model, openai.GPT3Dot5TurboInstruct),
		}
		choice := func(text string, finish any) []object {
			return []object{{"text": text, "index": 0, "logprobs": nil, "finish_reason": finish}}
		}
		prompt, completion := words(req.Prompt), words(text)
		usage := object{"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
		if !req.Stream {
			c["choices"], c["usage"] = choice(text, "stop"), usage
			writeJSON(w, http.StatusOK, c)
			return
		}
		writeHeader(w, http.StatusOK, eventStream)
		if req.StreamOptions.IncludeUsage {
			c["usage"] = nil
		}
		for _, word := range strings.SplitAfter(text, " ") {
			c["choices"] = choice(word, nil)
			writeEvent(w, encode(c))
		}
		c["choices"] = choice("", "stop")
		writeEvent(w, encode(c))
		if req.StreamOptions.IncludeUsage {
			c["choices"], c["usage"] = []object{}, usage
			writeEvent(w, encode(c))
		}
		writeEvent(w, "[DONE]")
	}
}

// Image answers a request to make, edit or vary images with those images, in
// base64.
func Image(images ...[]byte) http.HandlerFunc {
	data := make([]object, len(images))
	for i, image := range images {
		data[i] = object{"b64_json": image}
	}
	return imageReply(data)
}

// ImageURL answers a request to make, edit or vary images with the addresses of
// images.
func ImageURL(urls ...string) http.HandlerFunc {
	data := make([]object, len(urls))
	for i, url := range urls {
		data[i] = object{"url": url}
	}
	return imageReply(data)
}

func imageReply(data []object) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, object{"created": time.Now().Unix(), "data": data})
	}
}

// Transcription answers a request to transcribe or to translate speech with text:
// as plain text if the request's response_format is text, srt or vtt, else in
// JSON.
func Transcription(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains([]string{"text", "srt", "vtt"}, r.FormValue("response_format")) {
			writeHeader(w, http.StatusOK, "text/plain; charset=utf-8")
			fmt.Fprint(w, text)
			return
		}
		writeJSON(w, http.StatusOK, object{"text": text})
	}
}

// Speech answers a request for speech with audio, which is sent as it is with the
// content type of MP3.
func Speech(audio []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeHeader(w, http.StatusOK, "audio/mpeg")
		_, _ = w.Write(audio)
	}
}

// Moderation answers a moderation with one result, which is flagged for violence
// or not flagged at all.
func Moderation(flagged bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Model string `json:"model"`
		}
		if !decode(w, r, &req) {
			return
		}
		score := 0.01
		if flagged {
			score = 0.99
		}
		writeJSON(w, http.StatusOK, object{
			"id":    "modr-" + rand.Text(),
			"model": cmp.Or(req.Model, openai.ModerationOmniLatest),
			"results": []object{{
				"flagged":         flagged,
				"categories":      object{"violence": flagged},
				"category_scores": object{"violence": score},
			}},
		})
	}
}
