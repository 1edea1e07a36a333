#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What HTTP costs: `pyrometer serve` against the same serving core in process, and beside
# llama-server when LLAMA_SERVER names one (ENGINE_DIR: its libllama, for both). 15M-shaped q8_0
# model, 64 prompt tokens, 32 out, as many sequences as clients, all cores, interleaved.
#
#     [PAIRS=20] [CLIENTS="32 100"] [LLAMA_SERVER=path] [ENGINE_DIR=dir] bench/serve.sh [PROGRAM]
#
# Claims: output tokens/s of serve are at least 0.95 of those in process; ahead of llama-server,
# TTFT p99 not worse.
set -euo pipefail
program=$(realpath "${1:-build/release/pyrometer}")
pairs=${PAIRS:-20}
read -ra levels <<<"${CLIENTS:-32 100}"
work=$(mktemp -d)
servers=()
trap 'for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT
cd "$work"
export HOME=$work
threads=$(nproc)
engine=()
if [ -n "${ENGINE_DIR:-}" ]; then engine=(--engine-dir "$ENGINE_DIR"); fi
"$program" model synth 15m model.gguf --weights q8_0 >/dev/null

# measure NAME TARGET CLIENTS ARGUMENT...: one line "tokens/s ttft_p99_ms" appended to NAME
measure() {
    local name=$1 target=$2 clients=$3
    shift 3
    "$program" bench "$target" "$@" --suite concurrent --concurrency "$clients" \
        --requests $((clients * 10)) --warmup "$clients" --prompt-tokens 64 --output-tokens 32 \
        --no-calibrate --quiet -o "$name.d/" >/dev/null 2>"$name.err" ||
        { cat "$name.err"; exit 1; }
    python3 - "$name.d/results.json" >>"$name" <<'PYTHON'
import json, sys
case = json.load(open(sys.argv[1]))["benchmarks"]["concurrent"]["cases"][0]
assert case["outcomes"]["ok"] == case["outcomes"]["total"], case["outcomes"]
whole = case["metrics_whole"]
p99 = whole["ttft_sent"]["p99"]["value"]  # null below 100 requests
print(whole["output_token_throughput"]["value"], p99 / 1e6 if p99 else "nan")
PYTHON
}
# start NAME 'sed expression that finds the URL' COMMAND...: sets url
start() {
    local name=$1 expression=$2 tries=0
    shift 2
    "$@" >"$name.log" 2>&1 &
    servers+=($!)
    until url=$(sed -n "$expression" "$name.log" | head -n 1) && [ -n "$url" ]; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { cat "$name.log"; exit 1; }
        read -rt 0.1 <> <(:) || true
    done
}
stop() {
    kill "${servers[-1]}"
    wait "${servers[-1]}" || true
    unset 'servers[-1]'
}

for clients in "${levels[@]}"; do
    start serve 's|^listening on \([^ ]*\) .*|\1|p' "$program" serve model.gguf --port 0 \
        --threads "$threads" --sequences "$clients" --context 128 "${engine[@]}"
    ours=$url peer=
    if [ -n "${LLAMA_SERVER:-}" ]; then
        start peer 's|.*listening on \(http://[0-9.:]*\).*|\1/v1|p' "$LLAMA_SERVER" \
            -m model.gguf --host 127.0.0.1 --port "${LLAMA_PORT:-18181}" -t "$threads" \
            -np "$clients" -c $((clients * 128)) --no-webui
        peer=$url
    fi
    rm -f core-* serve-* peer-*
    for _ in $(seq "$pairs"); do
        measure core-m model.gguf "$clients" --threads "$threads" "${engine[@]}"
        measure serve-m "$ours" "$clients" --model model
        if [ -n "$peer" ]; then measure peer-m "$peer" "$clients"; fi
    done
    if [ -n "$peer" ]; then stop; fi
    stop
    python3 - "$clients" <<'PYTHON'
import math, os, statistics, sys
def read(name):
    return [[float(x) for x in line.split()] for line in open(name)] if os.path.exists(name) else []
core, serve, peer = read("core-m"), read("serve-m"), read("peer-m")
def ratio(a, b, column):
    logs = [math.log(x[column] / y[column]) for x, y in zip(a, b)]
    mean = statistics.fmean(logs)
    half = 2.1 * statistics.stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else math.inf
    return "%.3f [%.3f, %.3f]" % (math.exp(mean), math.exp(mean - half), math.exp(mean + half))
def median(rows, column):
    return statistics.median(row[column] for row in rows)
print("%s clients, %d pairs" % (sys.argv[1], len(core)))
for name, rows in (("in process", core), ("serve", serve), ("llama-server", peer)):
    if rows:
        print("  %-14s %8.0f tokens/s   TTFT p99 %7.1f ms" % (name, median(rows, 0), median(rows, 1)))
print("  serve / in process     %s tokens/s (claim: at least 0.95)" % ratio(serve, core, 0))
if peer:
    print("  serve / llama-server   %s tokens/s, TTFT p99 %s" %
          (ratio(serve, peer, 0), ratio(serve, peer, 1)))
PYTHON
done
