#!/usr/bin/env bash
# Builds the Collector of builder.yaml, with its own builder, and prints the path of the program.
#
#   build.sh [DIR]   DIR defaults to openinference/otelcol-VERSION in the user's cache directory
#
# One and a half to four minutes on two cores; nothing is done when the program is newer than the manifest.
set -eu
version=0.161.0
manifest=$(cd "$(dirname "$0")" && pwd)/builder.yaml
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/openinference/otelcol-$version}

if [ ! "$dir/otelcol" -nt "$manifest" ]; then
  echo "building the Collector in $dir" >&2
  mkdir -p "$dir"
  (cd "$dir" && go run "go.opentelemetry.io/collector/cmd/builder@v$version" --config "$manifest" --skip-strict-versioning >&2)
fi
echo "$dir/otelcol"
