#!/usr/bin/env bash
# Runs go-openai's own tests twice, as they are and with every client traced. Fails unless each test has the same outcome
# both times, none fails, and every span that was started has ended.
set -euo pipefail
cd "$(dirname "$0")/.."
pkg=github.com/sashabaranov/go-openai
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The module stays the main module and go-openai is replaced by a copy, so that the library's own requirements apply.
go mod download "$pkg"
cp -r "$(go list -m -f '{{.Dir}}' "$pkg")" "$work/go-openai"
chmod -R u+w "$work/go-openai"
rm -r "$work/go-openai/examples"
cp go.mod go.sum "$work"
go mod edit -replace="$pkg=$work/go-openai" "$work/go.mod"

outcomes() { # NAME: runs the tests; the outcome of each goes to NAME, what they print to NAME.log
  if ! go test -count=1 -v -modfile="$work/go.mod" "$pkg/..." >"$work/$1.log" 2>&1; then
    grep -vE '^(=== |PASS| *--- PASS|ok |[0-9/]+ [0-9:]+ received )' "$work/$1.log" >&2
    echo "go-openai's tests fail ($1)" >&2
    exit 1
  fi
  sed -nE 's/^ *--- (PASS|SKIP): ([^ ]+).*/\2 \1/p' "$work/$1.log" | sort >"$work/$1"
  echo "$1: $(wc -l <"$work/$1") tests pass"
}

outcomes plain

# Every constructor of go-openai goes through NewClientWithConfig; Wrap is tried first there.
sed -i '/^func NewClientWithConfig/a\	if c := Wrap(config); c != nil {\n\t\treturn c\n\t}' "$work/go-openai/client.go"
printf 'package openai\n\nvar Wrap func(ClientConfig) *Client\n' >"$work/go-openai/wrap.go"
cp conformance/testdata/hook_test.go "$work/go-openai"

outcomes traced
grep '^spans: ' "$work/traced.log"
diff "$work/plain" "$work/traced"
