package openinference

import (
	"os"
	"strings"
	"testing"
)

// What the page says is tested by internal/attributes, which makes it.
func TestAttributesPageHasEveryEndpoint(t *testing.T) {
	page, err := os.ReadFile("docs/attributes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range endpoints {
		if !strings.Contains(string(page), "\n## "+e.suffix+"\n") {
			t.Errorf("docs/attributes.md has no section %s: add a call of it to internal/attributes/calls.json and run go generate", e.suffix)
		}
	}
}
