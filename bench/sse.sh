#!/bin/bash
# SPDX-License-Identifier: MIT
#
# [PARTS="batch spread arrival many pace"] [DATA=folder] bench/sse.sh [PAIRS [SECONDS]]
#
# The cost of a token event and the error of its time, against the known-schedule server. Client on
# core 0, server on core 1, in interleaved runs; needs two cores that nobody else uses. Python
# clients run where python3-aiohttp and python3-uvloop are installed.
#
# PARTS: which of them. DATA: a folder where the rounds of batch and spread are kept, so that they
# can be done a few at a time: those of earlier runs count too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
pairs=${1:-20} seconds=${2:-5}
sse=build/release/bench/sse
python=${PYTHON:-/usr/bin/python3}
tools/build release bench-sse
scratch=$(mktemp -d)
parts=${PARTS:-batch spread arrival many pace}
if [ -n "${DATA:-}" ]; then mkdir -p "$DATA"; fi
data=${DATA:-$scratch} # KIND.SHAPE: a line a round
server=
stop_server() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    server=
}
trap 'stop_server; rm -rf "$scratch"' EXIT
client() { nice -n -15 taskset -c 0 "$@"; }

start_server() { # PLAN RECORDS
    rm -f "$scratch/log" "$scratch/port"
    nice -n -15 taskset -c 1 "$sse" server --plan "$1" --log "$scratch/log" --log-records "$2" --spin \
        >"$scratch/port" &
    server=$!
    until [ -s "$scratch/port" ]; do sleep 0.05; done
    port=$(cut -d' ' -f2 "$scratch/port")
}

run() { # KIND STREAMS PER_SECOND SHAPE: one line of results
    local kind=$1 streams=$2 tokens=$(($3 * seconds)) itl=$((1000000 / $3))
    # All requests are in before the first token is due.
    start_server "ttft=$((200 + streams / 4))ms,itl=${itl}us,role=0,$4=1" $((streams * tokens + 1000))
    case $kind in
    ours) client "$sse" ours "http://127.0.0.1:$port/v1" "$streams" "$tokens" "$scratch/log" ;;
    pace) client "$sse" pace "http://127.0.0.1:$port/v1" 1000 20 "$seconds" ;;
    bare) client "$sse" bare "$port" "$streams" "$tokens" ;;
    *) client "$python" bench/sse_client.py "$kind" "$port" "$streams" "$tokens" ;;
    esac
    stop_server
}
field() { sed -n "s/.*\b$1=\([0-9.e+-]*\).*/\1/p"; }

kinds="bare ours"
if "$python" -c 'import aiohttp, uvloop' 2>/dev/null; then kinds+=" asyncio uvloop"; fi

cost() { # SHAPE
    local shape=$1 i kind order of to whole file
    echo "== CPU per token event, 1000 streams x 20/s, $shape: $pairs interleaved rounds of $seconds s"
    for ((i = 0; i < pairs; i++)); do
        order=$kinds
        if ((i % 2)); then order=$(tr ' ' '\n' <<<"$kinds" | tac | tr '\n' ' '); fi
        for kind in $order; do run "$kind" 1000 20 "$shape" | tee -a "$data/$kind.$shape" | sed "s/^/$kind: /"; done
    done
    whole=$(for kind in $kinds; do wc -l <"$data/$kind.$shape"; done | sort -n | head -n 1)
    for kind in $kinds; do
        file=$data/$kind.$shape
        sed -i "$((whole + 1)),\$d" "$file" # a round broken off
        printf '%s: %s us an event in the middle round\n' "$kind" \
            "$(field cpu_us <"$file" | sort -n | sed -n "$(((whole + 1) / 2))p")"
    done
    for kind in ${kinds#bare }; do
        of=$kind to=ours
        if [ "$kind" = ours ]; then to=bare; fi
        printf '%s / %s: ' "$of" "$to"
        paste <(field cpu_us <"$data/$of.$shape") <(field cpu_us <"$data/$to.$shape") | "$sse" ratio
    done
}

arrival() {
    local load shape kind
    for load in "1000 50" "5000 20"; do
        for shape in batch spread; do
            echo "== arrival error in us, $load per second, $shape"
            for kind in ${kinds#bare }; do run "$kind" "${load% *}" "${load#* }" "$shape" | sed "s/^/$kind: /"; done
        done
    done
}

for part in $parts; do
    case $part in
    batch | spread) cost "$part" ;;
    arrival) arrival ;;
    many)
        echo "== 10000 streams x 5/s"
        run ours 10000 5 spread
        ;;
    pace)
        echo "== pacing in us: 1000 requests/s of 20 tokens, one at a time"
        run pace 1000 200 spread
        ;;
    *)
        echo "$part: no such part; there are batch, spread, arrival, many and pace" >&2
        exit 2
        ;;
    esac
done
