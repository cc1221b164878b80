#!/usr/bin/env bash
# Runs go-openai's own tests with every client traced; suite.sh says how.
set -euo pipefail
cd "$(dirname "$0")/.."
source conformance/suite.sh
pkg=github.com/sashabaranov/go-openai
copy "$pkg"
rm -r "$work/copy/examples"

# Every constructor of go-openai goes through NewClientWithConfig; Wrap is tried first there.
sed -i '/^func NewClientWithConfig/a\	if c := Wrap(config); c != nil {\n\t\treturn c\n\t}' "$work/copy/client.go"
cat >"$work/copy/wrap.go" <<'END'
package openai

var Wrap = func(ClientConfig) *Client { return nil }
END
cp conformance/testdata/goopenai/hook_test.go "$work/copy"

compare "$pkg/..."
