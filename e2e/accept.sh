#!/usr/bin/env bash
# accept.sh PROJECT SESSION USER TRACES [BASE]   proves that a session landed properly in a real Phoenix
#
# BASE defaults to $PHOENIX_HTTP, then http://127.0.0.1:6006. PHOENIX_API_KEY is sent as a bearer token when set.
# Prints what it saw and PASS; or FAIL with the reason, exit status 1. Needs python3 only. Checked against Phoenix 20.26.1.
#
#  1 the session exists, in this project, with that many traces and more than 0 tokens (waits up to 10 s for it)
#  2 the Sessions filter by user finds it: it reads the earliest root span only
#  3 every span of its traces carries session.id and user.id as strings; every trace has one root, with input and output
#  4 the Sessions page shows user, first input, last output, tokens and cost
set -eu
if [ $# -lt 4 ]; then sed -n 2,4p "$0" >&2; exit 2; fi
exec python3 - "$@" <<'PYTHON'
import json, os, sys, time, urllib.error, urllib.parse, urllib.request

project, session, user, traces = sys.argv[1:5]
base = sys.argv[5] if len(sys.argv) > 5 else os.environ.get("PHOENIX_HTTP") or "http://127.0.0.1:6006"
headers = {"content-type": "application/json"}
if key := os.environ.get("PHOENIX_API_KEY"):
    headers["authorization"] = "Bearer " + key
quote = lambda s: urllib.parse.quote(s, safe="")


def fail(*why):
    print("FAIL:", *why)
    sys.exit(1)


def call(path, body=None, **query):
    url = base.rstrip("/") + path + ("?" + urllib.parse.urlencode(query) if query else "")
    data = json.dumps(body).encode() if body else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as r:
            if "json" not in r.headers.get("content-type", ""):
                fail(url, "did not answer with JSON: not a Phoenix, or an id with a slash, which cannot be looked up by path")
            return json.load(r)
    except urllib.error.HTTPError as e:
        if e.code == 404:
            return None
        fail(url, "answered", e.code, e.read()[:300].decode(errors="replace"))
    except OSError as e:
        fail(url, e)


def pages(path, **query):
    while True:
        r = call(path, **query) or {"data": []}
        yield from r["data"]
        if not r.get("next_cursor"):
            return
        query["cursor"] = r["next_cursor"]


# 1 the session; spans are visible 0.06 to 0.13 s after a successful export
deadline = time.time() + 10
while True:
    s = (call("/v1/sessions/" + quote(session)) or {}).get("data")
    if s and len(s["traces"]) >= int(traces) and s["token_count_total"] or time.time() > deadline:
        break
    time.sleep(0.1)
if not s:
    fail("no session", repr(session))
p = (call("/v1/projects/" + quote(project)) or {}).get("data")
if not p:
    fail("no project", repr(project))
if s["project_id"] != p["id"]:
    fail("the session belongs to another project: session ids are unique across the server")
if len(s["traces"]) != int(traces):
    fail(len(s["traces"]), "traces, want", traces)
if not s["token_count_total"]:
    fail("no tokens: they count on LLM spans with llm.token_count.prompt and .completion only")
print("session ok:", len(s["traces"]), "traces,", s["token_count_prompt"], "+", s["token_count_completion"], "tokens")

# 2 the filter by user
literal = "'" + user.replace("\\", "\\\\").replace("'", "\\'") + "'"
found = [x["session_id"] for x in pages(f"/v1/projects/{quote(project)}/sessions", filter="user.id == " + literal)]
if session not in found:
    fail("the filter user.id ==", literal, "does not find it (root span without user.id, or orphans?); found:", found[:10])
print("user filter ok")

# 3 spans
ids = {t["trace_id"] for t in s["traces"]}
mine = [x for x in pages(f"/v1/projects/{quote(project)}/spans", limit=1000) if x["context"]["trace_id"] in ids]
for key, want in (("session.id", session), ("user.id", user)):
    if bad := [x["name"] for x in mine if x["attributes"].get(key) != want]:
        fail("spans whose", key, "is not", repr(want) + ":", bad[:10])
roots = [x for x in mine if x["parent_id"] is None]
if len(roots) != len(ids) or {x["context"]["trace_id"] for x in roots} != ids:
    fail(len(roots), "root spans for", len(ids), "traces: the others are orphans")
for x in roots:
    for key in ("input.value", "output.value"):
        if not x["attributes"].get(key):
            fail("root span", repr(x["name"]), "has no", key)
print("spans ok:", len(mine), "spans,", len(roots), "roots")

# 4 the Sessions page; user, first input, last output and cost exist in GraphQL only
query = """query($n: String!, $after: String) { getProjectByName(name: $n) { sessions(first: 100, after: $after) {
  pageInfo { hasNextPage endCursor }
  edges { node { sessionId userId firstInput { value } lastOutput { value } tokenUsage { total } costSummary { total { cost } } } } } } }"""
node, after = None, None
while node is None:
    r = call("/graphql", {"query": query, "variables": {"n": project, "after": after}})
    if r.get("errors"):
        fail(r["errors"])
    page = r["data"]["getProjectByName"]["sessions"]
    node = next((e["node"] for e in page["edges"] if e["node"]["sessionId"] == session), None)
    if node is None and not page["pageInfo"]["hasNextPage"]:
        fail("not on the Sessions page")
    after = page["pageInfo"]["endCursor"]
if node["userId"] != user:
    fail("the page shows user", repr(node["userId"]))
for key in ("firstInput", "lastOutput"):
    if not node[key] or not node[key]["value"]:
        fail("the page shows no", key)
if node["costSummary"]["total"]["cost"] is None:
    fail("the page shows no cost: LLM kind, llm.model_name, prompt and completion tokens?")
print("page ok: first input", repr(node["firstInput"]["value"][:60]), "| last output", repr(node["lastOutput"]["value"][:60]),
      "| tokens", node["tokenUsage"]["total"], "| cost", node["costSummary"]["total"]["cost"])
print("PASS")
PYTHON
