#!/usr/bin/env bash
# Starts a throw-away Phoenix for tests, or stops one that it started.
#
#   start_phoenix.sh [HTTP_PORT] [GRPC_PORT]   default 16006 14317; prints one line, fit for eval:
#                                              PHOENIX_PID=… PHOENIX_HTTP=http://127.0.0.1:… PHOENIX_GRPC=http://127.0.0.1:…
#   start_phoenix.sh stop PID
#
# PHOENIX_VENV  Python virtual environment; made, and Phoenix installed in it, when missing (about two minutes and 860 MB,
#               once). Default: openinference/phoenix-VERSION in the user's cache directory.
# EXTRA         further settings of the server, such as EXTRA="PHOENIX_ENABLE_AUTH=true PHOENIX_SECRET=…"
set -eu
version=20.26.1
tmp=$(dirname "$(mktemp -u)")

if [ "${1:-}" = stop ]; then
  pid=${2:?usage: start_phoenix.sh stop PID}
  dir=
  for f in "$tmp"/phoenix-test.*/pid; do
    if [ -f "$f" ] && [ "$(cat "$f")" = "$pid" ]; then dir=$(dirname "$f"); fi
  done
  if [ -z "$dir" ]; then echo "start_phoenix.sh: $pid is not a Phoenix that this script started" >&2; exit 1; fi
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep .1; done
  if kill -0 "$pid" 2>/dev/null; then kill -9 "$pid" || true; fi
  rm -rf "$dir"
  exit 0
fi

http=${1:-16006} grpc=${2:-14317}
venv=${PHOENIX_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/openinference/phoenix-$version}
if [ ! -x "$venv/bin/phoenix" ]; then
  echo "installing arize-phoenix $version into $venv (about two minutes)" >&2
  python3 -m venv "$venv" >&2
  "$venv/bin/python" -m pip install --quiet --no-cache-dir "arize-phoenix==$version" >&2
fi
venv=$(cd "$venv" && pwd)

if curl -s -o /dev/null "http://127.0.0.1:$http/readyz"; then
  echo "start_phoenix.sh: something answers on port $http already" >&2; exit 1
fi
dir=$(mktemp -d "$tmp/phoenix-test.XXXXXX")
# Nothing of the caller's environment reaches the server, and it phones nobody.
# shellcheck disable=SC2086
env -i PATH="$venv/bin:/usr/bin:/bin" HOME="$dir" PHOENIX_WORKING_DIR="$dir" \
  PHOENIX_HOST=127.0.0.1 PHOENIX_PORT="$http" PHOENIX_GRPC_PORT="$grpc" \
  PHOENIX_TELEMETRY_ENABLED=false PHOENIX_ALLOW_EXTERNAL_RESOURCES=false \
  PHOENIX_DISABLE_AGENT_ASSISTANT=true PHOENIX_LOG_MIGRATIONS=false ${EXTRA:-} \
  nohup "$venv/bin/phoenix" serve >"$dir/log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$dir/pid"

for _ in $(seq 1200); do # 120 s; 10 to 27 s on two cores
  if curl -sf -o /dev/null "http://127.0.0.1:$http/readyz"; then
    echo "PHOENIX_PID=$pid PHOENIX_HTTP=http://127.0.0.1:$http PHOENIX_GRPC=http://127.0.0.1:$grpc"
    exit 0
  fi
  kill -0 "$pid" 2>/dev/null || break
  sleep .1
done
echo "start_phoenix.sh: Phoenix did not become ready; the end of its log:" >&2
tail -20 "$dir/log" >&2
kill "$pid" 2>/dev/null || true
rm -rf "$dir"
exit 1
