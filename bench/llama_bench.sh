#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench/llama_bench.sh MODEL [THREADS=2] [ROUNDS=5]
#
# Our speed beside that of llama.cpp's own llama-bench and llama-batched-bench on the same libraries:
# both are compiled from the source that belongs to the libraries (scripts/setup --peers), against
# build/engine/lib, and run in turn with bench/bare_loop, ROUNDS times. Prints the median of each and
# the ratios; the programs start anew each time, so take a ratio of 1.0 +- 0.1 for "the same".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
model=${1:?usage: bench/llama_bench.sh MODEL [THREADS] [ROUNDS]}
threads=${2:-2} rounds=${3:-5}
prompt=256 output=128 each_prompt=64 each_output=32

scripts/setup --peers >&2
tools/build release bench-bare_loop >&2
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

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# Speeds of ours, by the lines of bare_loop: "prompt", "decode", "all".
ours() { # LINE FILE
    sed -n "s/^ *$1 .*ours: median \([0-9.]*\).*/\1/p" "$2"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for ((round = 1; round <= rounds; round++)); do
    (cd "$lib" && "$peers/llama-bench" -m "$model" -p "$prompt" -n "$output" -t "$threads" -r 2 -o csv 2>/dev/null) |
        awk -F'","' 'NR > 1 { print $(NF - 1) }' >"$work/bench"
    sed -n 1p "$work/bench" >>"$work/bench.prompt"
    sed -n 2p "$work/bench" >>"$work/bench.decode"
    build/release/bench/bare_loop "$model" "threads=$threads" pairs=2 "prompt=$prompt" "output=$output" >"$work/one"
    ours prompt "$work/one" >>"$work/ours.prompt"
    ours decode "$work/one" >>"$work/ours.decode"
    (cd "$lib" && "$peers/llama-batched-bench" -m "$model" -c 4096 -b 2048 -ub 512 -npp "$each_prompt" \
        -ntg "$each_output" -npl 1,8,32 -t "$threads" 2>/dev/null) |
        awk -F'|' '$4 ~ /^ *(1|8|32) *$/ { gsub(/ /, ""); print $4, $(NF - 1) }' >"$work/batched"
    for level in 1 8 32; do
        awk -v l="$level" '$1 == l { print $2 }' "$work/batched" >>"$work/batched.$level"
        build/release/bench/bare_loop "$model" "threads=$threads" pairs=1 "prompt=$each_prompt" \
            "output=$each_output" "sequences=$level" >"$work/many"
        ours all "$work/many" >>"$work/ours.$level"
    done
done

line() { # WHAT THEIRS OURS
    local theirs own
    theirs=$(median <"$2") own=$(median <"$3")
    awk -v what="$1" -v t="$theirs" -v o="$own" \
        'BEGIN { printf "%-44s %9.1f   ours %9.1f tokens/s   ours / theirs = %.3f\n", what, t, o, o / t }'
}
echo "$model, $threads thread(s), $rounds rounds"
line "llama-bench, prompt of $prompt" "$work/bench.prompt" "$work/ours.prompt"
line "llama-bench, decode of $output" "$work/bench.decode" "$work/ours.decode"
for level in 1 8 32; do
    line "llama-batched-bench, $level x ($each_prompt + $each_output)" "$work/batched.$level" "$work/ours.$level"
done
