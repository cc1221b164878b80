package mocks_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-openinference/openinference/mocks"
	"github.com/google/go-cmp/cmp"
	"github.com/sashabaranov/go-openai"
)

func TestCompletion(t *testing.T) {
	_, client := newServer(t, mocks.Completion("a calm sea"))
	req := openai.CompletionRequest{Model: openai.GPT3Dot5TurboInstruct, Prompt: "How is the weather?"}
	resp, err := client.CreateCompletion(t.Context(), req)
	if err != nil || len(resp.Choices) != 1 {
		t.Fatalf("got %+v and error %v, want one choice", resp, err)
	}
	if got := resp.Choices[0]; got.Text != "a calm sea" || got.FinishReason != "stop" {
		t.Errorf("got %+v, want the text and stop", got)
	}
	want := openai.Usage{PromptTokens: 4, CompletionTokens: 3, TotalTokens: 7}
	if resp.Model != req.Model || resp.Usage == nil || *resp.Usage != want {
		t.Errorf("got model %q and usage %+v, want the request's and %+v", resp.Model, resp.Usage, want)
	}

	for _, include := range []bool{false, true} {
		req.StreamOptions = &openai.StreamOptions{IncludeUsage: include}
		stream, err := client.CreateCompletionStream(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		var texts []string
		var usage *openai.Usage
		for {
			chunk, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, choice := range chunk.Choices {
				texts = append(texts, choice.Text)
			}
			usage = chunk.Usage
		}
		if diff := cmp.Diff([]string{"a ", "calm ", "sea", ""}, texts); diff != "" {
			t.Errorf("chunks (-want +got):\n%s", diff)
		}
		if include != (usage != nil && *usage == want) {
			t.Errorf("include_usage %v: got usage %+v in the last chunk", include, usage)
		}
	}
}

func TestImages(t *testing.T) {
	_, client := newServer(t, mocks.Image([]byte("one"), []byte("two")), mocks.ImageURL("https://example.com/a.png"))
	resp, err := client.CreateImage(t.Context(), openai.ImageRequest{Prompt: "a gull"})
	want := []openai.ImageResponseDataInner{{B64JSON: "b25l"}, {B64JSON: "dHdv"}}
	if diff := cmp.Diff(want, resp.Data); diff != "" || err != nil {
		t.Errorf("error %v, images (-want +got):\n%s", err, diff)
	}
	resp, err = client.CreateVariImage(t.Context(), openai.ImageVariRequest{Image: strings.NewReader("png"), N: 1})
	want = []openai.ImageResponseDataInner{{URL: "https://example.com/a.png"}}
	if diff := cmp.Diff(want, resp.Data); diff != "" || err != nil {
		t.Errorf("error %v, images (-want +got):\n%s", err, diff)
	}
}

func TestTranscription(t *testing.T) {
	_, client := newServer(t, mocks.Transcription("Ahoy there."))
	for _, format := range []openai.AudioResponseFormat{"", openai.AudioResponseFormatVerboseJSON, openai.AudioResponseFormatText, openai.AudioResponseFormatSRT} {
		resp, err := client.CreateTranscription(t.Context(), openai.AudioRequest{
			Model: openai.Whisper1, FilePath: "a.wav", Reader: strings.NewReader("RIFF"), Format: format,
		})
		if err != nil || resp.Text != "Ahoy there." {
			t.Errorf("format %q: got %q and error %v, want the text", format, resp.Text, err)
		}
	}
}

func TestSpeech(t *testing.T) {
	audio := []byte("ID3\x00\xff")
	_, client := newServer(t, mocks.Speech(audio))
	resp, err := client.CreateSpeech(t.Context(), openai.CreateSpeechRequest{Model: openai.TTSModel1, Input: "Ahoy.", Voice: openai.VoiceAlloy})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Close()
	if got, err := io.ReadAll(resp); err != nil || !bytes.Equal(got, audio) {
		t.Errorf("got %q and error %v, want %q", got, err, audio)
	}
	if got := resp.Header().Get("Content-Type"); got != "audio/mpeg" {
		t.Errorf("got content type %q, want audio/mpeg", got)
	}
}

func TestModeration(t *testing.T) {
	_, client := newServer(t, mocks.Moderation(true), mocks.Moderation(false))
	for _, flagged := range []bool{true, false} {
		resp, err := client.Moderations(t.Context(), openai.ModerationRequest{Input: "A calm sea.", Model: openai.ModerationOmniLatest})
		if err != nil || len(resp.Results) != 1 {
			t.Fatalf("got %+v and error %v, want one result", resp, err)
		}
		if got := resp.Results[0]; got.Flagged != flagged || got.Categories.Violence != flagged || resp.Model != openai.ModerationOmniLatest {
			t.Errorf("got %+v of %q, want flagged: %v, and the request's model", got, resp.Model, flagged)
		}
	}
}
