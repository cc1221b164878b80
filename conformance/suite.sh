# For the scripts beside it, which run the tests of a client library twice, as they are and with every client traced.
# compare fails unless each test has the same outcome both times, none fails, and every span that was started has ended.
set -euo pipefail
conformance=$PWD/$(dirname "${BASH_SOURCE[0]}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

copy() { # PACKAGE: puts a copy of its module in its place, in $work/copy. The module here stays the main module, so that
  # the library's own requirements apply.
  go mod download "$1"
  cp -r "$(go list -m -f '{{.Dir}}' "$1")" "$work/copy"
  chmod -R u+w "$work/copy"
  mkdir -p "$work/copy/internal/traced"
  cp "$conformance/testdata/traced/traced.go" "$work/copy/internal/traced"
  cp go.mod go.sum "$work"
  go mod edit -replace="$1=$work/copy" "$work/go.mod"
}

outcomes() { # NAME ARGUMENTS: runs the tests; the outcome of each goes to NAME, what they print to NAME.log
  # -mod=mod for the checksums of what only these tests need; -trimpath to compile the same copy once.
  if ! go test -count=1 -v -vet=off -trimpath -mod=mod -modfile="$work/go.mod" "${@:2}" >"$work/$1.log" 2>&1; then
    grep -vE '^(=== |PASS| *--- (PASS|SKIP)|ok |[0-9/]+ [0-9:]+ received )' "$work/$1.log" >&2
    echo "the tests fail ($1)" >&2
    exit 1
  fi
  sed -nE 's/^ *--- (PASS|SKIP): ([^ ]+).*/\2 \1/p' "$work/$1.log" | sort >"$work/$1"
  echo "$1: $(grep -c ' PASS$' "$work/$1") tests pass, $(grep -c ' SKIP$' "$work/$1" || true) are skipped"
}

compare() { # ARGUMENTS of go test
  outcomes plain "$@"
  TRACED=1 outcomes traced "$@"
  awk '/^spans: / { started += $2; ended += $4 } END { print "spans: " started " started, " ended " ended" }' "$work/traced.log"
  diff "$work/plain" "$work/traced"
}
