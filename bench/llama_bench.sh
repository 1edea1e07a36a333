#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench/llama_bench.sh MODEL [THREADS=2] [ROUNDS=10]
#
# Our speed beside that of llama.cpp's own llama-bench and llama-batched-bench on the same libraries:
# both are compiled from the source that belongs to the libraries (scripts/setup --peers), against
# build/engine/lib, and run in turn with bench/bare_loop, ROUNDS times, the order turned in every
# other round. A round gives one ratio for each line; printed is their middle with its 95 % interval
# (Hodges-Lehmann, signed rank; from 6 rounds on). Decoding is compared at the same depth: ours
# follows a prompt, so theirs has -d.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
model=${1:?usage: bench/llama_bench.sh MODEL [THREADS] [ROUNDS]}
threads=${2:-2} rounds=${3:-10}
prompt=256 output=128 each_prompt=64 each_output=32

scripts/setup --peers >&2
tools/build release bench-bare_loop bench-sse >&2
cache=${PYROMETER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pyrometer}
source=$(find "$cache" -maxdepth 1 -type d -name 'llama.cpp-*' | sort | tail -n 1)
lib=$PWD/build/engine/lib peers=$PWD/build/peers
model=$(realpath "$model")

compile() { # NAME SOURCE...
    local name=$1
    shift
    if [ -x "$peers/$name" ]; then return; fi
    mkdir -p "$peers"
    echo "compiling $name" >&2
    g++ -std=c++17 -O2 -DNDEBUG -w -I"$source/include" -I"$source/ggml/include" -I"$source/common" \
        -I"$source/vendor" -I"$source/src" "$@" -L"$lib" -l:libllama-common.so \
        "$(find "$lib" -name 'libllama.v*.so' | head -n 1)" "$(find "$lib" -name 'libggml.v*.so' | head -n 1)" \
        -l:libggml-base.so -Wl,-rpath,"$lib" -o "$peers/$name"
}
compile llama-bench "$source"/tools/llama-bench/*.cpp
compile llama-batched-bench "$source"/tools/batched-bench/*.cpp

# Speeds of ours, by the lines of bare_loop: "prompt", "decode", "all".
ours() { # LINE FILE
    sed -n "s/^ *$1 .*ours: median \([0-9.]*\).*/\1/p" "$2"
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

their_bench() {
    (cd "$lib" && "$peers/llama-bench" -m "$model" -p "$prompt" -n 0 -t "$threads" -r 1 -o csv 2>/dev/null &&
        "$peers/llama-bench" -m "$model" -p 0 -n "$output" -d "$prompt" -t "$threads" -r 1 -o csv 2>/dev/null) |
        awk -F'","' '$0 !~ /^build_commit/ { print $(NF - 1) }' >"$work/bench"
    sed -n 1p "$work/bench" >>"$work/theirs.prompt"
    sed -n 2p "$work/bench" >>"$work/theirs.decode"
}
our_bench() {
    build/release/bench/bare_loop "$model" "threads=$threads" pairs=1 "prompt=$prompt" "output=$output" >"$work/one"
    ours prompt "$work/one" >>"$work/ours.prompt"
    ours decode "$work/one" >>"$work/ours.decode"
}
their_batched() {
    (cd "$lib" && "$peers/llama-batched-bench" -m "$model" -c 4096 -b 2048 -ub 512 -npp "$each_prompt" \
        -ntg "$each_output" -npl 8,32 -t "$threads" -tb "$threads" 2>/dev/null) |
        awk -F'|' '$4 ~ /^ *(8|32) *$/ { gsub(/ /, ""); print $4, $(NF - 1) }' >"$work/batched"
    for level in 8 32; do
        awk -v l="$level" '$1 == l { print $2 }' "$work/batched" >>"$work/theirs.$level"
    done
}
our_batched() {
    for level in 8 32; do
        build/release/bench/bare_loop "$model" "threads=$threads" pairs=1 "prompt=$each_prompt" \
            "output=$each_output" "sequences=$level" >"$work/many"
        ours all "$work/many" >>"$work/ours.$level"
    done
}

order="their_bench our_bench their_batched our_batched"
for ((round = 1; round <= rounds; round++)); do
    for part in $order; do $part; done
    order=$(tr ' ' '\n' <<<"$order" | tac | tr '\n' ' ')
done

line() { # WHAT NAME
    local middle
    middle=$(sort -n "$work/ours.$2" | sed -n "$(((rounds + 1) / 2))p")
    printf '%-44s ours %9.1f tokens/s, ours / theirs ' "$1" "$middle"
    paste "$work/ours.$2" "$work/theirs.$2" | build/release/bench/sse ratio
}
echo "$model, $threads thread(s), $rounds rounds"
line "llama-bench, prompt of $prompt" prompt
line "llama-bench, decode of $output after it" decode
for level in 8 32; do
    line "llama-batched-bench, $level x ($each_prompt + $each_output)" "$level"
done
