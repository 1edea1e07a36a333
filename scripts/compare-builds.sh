#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Two builds of the program, judged while both are alive: each serves the same model, and the newer
# one sends them blocks of requests in turn, in random order. Nothing stored comes in, so that a
# machine which drifts from minute to minute (a shared CI runner) does not decide.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/compare-builds.sh BASE CHANGE [--model MODEL] [OPTIONS]

BASE, CHANGE   two pyrometer programs, the older one first
--model MODEL  what both serve (default BENCH_MODEL_PATH, else a model made here)

OPTIONS are those of 'pyrometer compare --ab': --duration, --pairs, --threshold, --ci, --output ...
Ends with 3 when the change is slower, 0 when it is not, 1 when a server cannot be started.
TEXT
}
die() {
    printf 'compare-builds.sh: %s\n' "$*" >&2
    exit "${code:-2}"
}

if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then
    usage
    exit 0
fi
if [ $# -lt 2 ]; then die 'wants two programs; see --help'; fi
base=$1
change=$2
shift 2
for program in "$base" "$change"; do
    [ -x "$program" ] || die "$program: no program there; build it (make)"
done
model=()
if [ "${1:-}" = --model ]; then
    [ $# -ge 2 ] || die '--model: wants a value; see --help'
    model=("$2")
    shift 2
fi

work=$(mktemp -d)
servers=()
stop() {
    for server in "${servers[@]}"; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap stop EXIT

# Leaves the address in $url. A model that is made on the way takes its time.
serve() { # PROGRAM NAME
    "$1" serve "${model[@]}" --port 0 >"$work/$2.out" 2>"$work/$2.err" &
    servers+=($!)
    until url=$(sed -n 's/^listening on \([^ ]*\).*/\1/p' "$work/$2.out") && [ -n "$url" ]; do
        kill -0 "${servers[-1]}" 2>/dev/null ||
            code=1 die "$1 serve: $(tail -n 1 "$work/$2.err")"
        sleep 0.1
    done
}
serve "$base" base
base_url=$url
serve "$change" change

code=0
"$change" compare --ab "$base_url label=base" "$url label=change" --no-history "$@" || code=$?
exit $code
