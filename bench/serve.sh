#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What HTTP costs: `pyrometer serve` against the same serving core in process, and beside
# llama-server when LLAMA_SERVER names one (ENGINE_DIR: the folder of its libllama, for all three).
# 15M-shaped q8_0 model, 64 prompt tokens, 32 out, as many sequences as clients, all cores; rounds
# of all, in turn, each in the reverse order of the one before. Every side of every round is a
# process of its own: where its memory happens to lie makes one some per cent faster or slower for
# as long as it lives, which would stand in every round of a server that is kept.
#
#     [PAIRS=20] [CLIENTS="32 100"] [REQUESTS=5] [DATA=folder] [LLAMA_SERVER=path] [ENGINE_DIR=dir] bench/serve.sh [PROGRAM]
#
# REQUESTS: of each client in each round. DATA: a folder where the numbers are kept, so that it can be
# done in parts: those of earlier runs count too. The client is `pyrometer bench`, on the same cores.
#
# Prompts are new in every round (its number is the seed) and share no prefix but what a server puts
# in front, and llama-server is told to keep none (--no-cache-prompt, --cache-ram 0): with the same
# prompts twice it would answer from its cache what the others compute, and a cache that is never
# hit would only cost it. Requests go to /v1/completions: no chat template makes one side's prompts
# longer.
#
# Claims: output tokens/s of serve are at least 0.95 of those in process; ahead of llama-server,
# TTFT p99 not worse.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$(realpath "${1:-$here/build/release/pyrometer}")
ratio=$here/build/release/bench/sse # its "ratio": pairs, Hodges-Lehmann, 95 %
[ -x "$ratio" ] || { echo "$ratio: not there; run tools/build release" >&2; exit 1; }
pairs=${PAIRS:-20} each=${REQUESTS:-5}
read -ra levels <<<"${CLIENTS:-32 100}"
work=$(mktemp -d)
if [ -n "${DATA:-}" ]; then mkdir -p "$DATA"; fi
data=$(realpath "${DATA:-$work}") # LEVEL.SIDE.speed and .ttft
declare -A names=([core]='in process' [serve]=serve [peer]=llama-server)
servers=()
finish() {
    trap - EXIT
    if [ -n "$clients" ]; then report || true; fi # broken off: what there is
    for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
clients=''
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
cd "$work"
export HOME=$work
threads=$(nproc)
engine=()
if [ -n "${ENGINE_DIR:-}" ]; then engine=(--engine-dir "$ENGINE_DIR"); fi
"$program" model synth 15m model.gguf --weights q8_0 >/dev/null

# measure NAME SEED CLIENTS TARGET ARGUMENT...: a number each appended to NAME's speed (tokens/s) and
# ttft (p99, ms); "nan" below 100 requests
measure() {
    local name=$1 seed=$2 clients=$3 target=$4
    shift 4
    "$program" bench "$target" "$@" --suite concurrent --concurrency "$clients" --seed "$seed" \
        --requests $((clients * each)) --warmup "$clients" --prompt-tokens 64 --output-tokens 32 \
        --no-calibrate --quiet -o "$name/" >/dev/null 2>"$name.err" ||
        { cat "$name.err"; exit 1; }
    jq -r '.benchmarks.concurrent.cases[0] | if .outcomes.ok != .outcomes.total
        then error("\(.outcomes)") else .metrics_whole.output_token_throughput.value end' \
        "$name/results.json" >>"$data/$clients.$name.speed"
    jq -r '.benchmarks.concurrent.cases[0].metrics_whole.ttft_sent.p99.value
        | if . then . / 1e6 else "nan" end' "$name/results.json" >>"$data/$clients.$name.ttft"
}
# start NAME 'sed expression that finds the URL' COMMAND...: sets url
start() {
    local name=$1 expression=$2 tries=0
    shift 2
    : >"$name.log"
    "$@" >"$name.log" 2>&1 </dev/null &
    servers+=($!)
    until url=$(sed -n "$expression" "$name.log" | head -n 1) && [ -n "$url" ]; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { cat "$name.log"; exit 1; }
        sleep 0.1
    done
}
stop() {
    kill "${servers[-1]}"
    wait "${servers[-1]}" || true
    unset 'servers[-1]'
}
middle() { sort -n "$1" | sed -n "$((($(wc -l <"$1") + 1) / 2))p"; }
against() { # WHAT A B: the ratio of the numbers in two files
    printf '  %-36s' "$1"
    paste "$2" "$3" | "$ratio" ratio
}

report() { # of one level
    local side whole file at=$data/$clients
    whole=$(wc -l "$at".*.ttft 2>/dev/null | sort -n | awk 'NR == 1 { print $1 }')
    [ "${whole:-0}" -gt 0 ] || return 0
    for file in "$at".*; do sed -i "$((whole + 1)),\$d" "$file"; done # a round broken off
    echo "$clients clients, $whole rounds of $((clients * each)) requests (medians)"
    for side in $(tr ' ' '\n' <<<"$order" | sort); do
        printf '  %-14s %8.0f tokens/s   TTFT p99 %7.1f ms\n' "${names[$side]}" \
            "$(middle "$at.$side.speed")" "$(middle "$at.$side.ttft")"
    done
    against 'serve / in process, tokens/s' "$at.serve.speed" "$at.core.speed"
    if [ -n "$peer" ]; then
        against 'serve / llama-server, tokens/s' "$at.serve.speed" "$at.peer.speed"
        against 'serve / llama-server, TTFT p99' "$at.serve.ttft" "$at.peer.ttft"
    fi
}

serve() { # ROUND
    start serve 's|^listening on \([^ ]*\) .*|\1|p' "$program" serve model.gguf --port 0 \
        --threads "$threads" --sequences "$clients" --context 128 "${engine[@]}"
    measure serve "$1" "$clients" "$url" --endpoint completions
    stop
}
peer() { # ROUND
    start peer 's|.*listening on \(http://[0-9.:]*\).*|\1/v1|p' "$LLAMA_SERVER" \
        -m model.gguf --host 127.0.0.1 --port 0 -t "$threads" -np "$clients" \
        -c $((clients * 128)) --no-webui --no-cache-prompt --cache-ram 0
    measure peer "$1" "$clients" "$url" --endpoint completions
    stop
}
core() { # ROUND
    measure core "$1" "$clients" model.gguf --threads "$threads" "${engine[@]}"
}

peer=${LLAMA_SERVER:-}
order="core serve${peer:+ peer}"
for clients in "${levels[@]}"; do
    from=$(wc -l 2>/dev/null <"$data/$clients.serve.ttft" || echo 0)
    for ((round = from + 1; round <= from + pairs; round++)); do
        turn=$order
        if ((round % 2 == 0)); then turn=$(tr ' ' '\n' <<<"$order" | tac | tr '\n' ' '); fi
        for side in $turn; do $side "$round"; done
    done
    report
    clients=''
done
