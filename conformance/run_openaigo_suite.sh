#!/usr/bin/env bash
# Runs openai-go's own tests with every request going through a Transport; suite.sh says how. They are those of the
# packages that make model calls over HTTP. The tests of the API want a server made from its specification; here it is
# one that answers everything with {}.
set -euo pipefail
cd "$(dirname "$0")/../interop"
source ../conformance/suite.sh
pkg=github.com/openai/openai-go/v3
copy "$pkg"

# What sends a request: an http.Client, or in its place what the user has given.
requests=$work/copy/internal/requestconfig
sed -i 's/^\thandler := enforceRequestOrigin(cfg.BaseURL, client.Do)$/\tclient.Transport = Wrap(client.Transport)\n&/
  s/cfg\.CustomHTTPDoer\.Do)$/Wrap(doer(cfg.CustomHTTPDoer.Do)).RoundTrip)/' "$requests/requestconfig.go"
cat >"$requests/wrap.go" <<'END'
package requestconfig

import "net/http"

var Wrap = func(base http.RoundTripper) http.RoundTripper { return base }

type doer func(*http.Request) (*http.Response, error)

func (d doer) RoundTrip(req *http.Request) (*http.Response, error) { return d(req) }
END

packages=()
while read -r path name; do
  packages+=("$path")
  sed "s/^package hook_test$/package ${name}_test/" ../conformance/testdata/openaigo/hook_test.go >"$work/copy${path#"$pkg"}/hook_test.go"
done <<END
$pkg openai
$pkg/azure azure
$pkg/bedrock bedrock
$pkg/internal/integrationtest integrationtest
$pkg/internal/testutil testutil
$pkg/responses responses
END

# The redirects count the calls of GetBody, through which a Transport reads the request. And it has no CancelRequest, as
# transports had before requests had contexts.
compare -skip '^TestClientEnforcesCredentialOriginAfterRouting$/./^redirect$|^TestClientPreservesLegacyTransportCancellation$' "${packages[@]}"
