#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `serve` from outside: what it prints, what it refuses, how it ends, and `bench` against it. $1 is
# the program.
set -uo pipefail
program=$1
work=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
unset BENCH_MODEL_PATH INFERNO_MODELS_DIR XDG_CACHE_HOME OPENAI_API_KEY
export HOME=$work/home
failed=0

complain() {
    echo "$*: $(head -c 400 err)"
    failed=1
}
# refused CODE 'part of standard error' ARGUMENT...
refused() {
    local code=$1 part=$2 seen
    shift 2
    timeout 60 "$program" serve "$@" >out 2>err </dev/null
    seen=$?
    [ "$seen" -eq "$code" ] || complain "serve $*: exit $seen, not $code"
    grep -qF -- "$part" err || complain "serve $*: standard error lacks '$part'"
    [ "$(wc -l <err)" -eq 1 ] || complain "serve $*: not one line"
}
# started ARGUMENT...: serves on a free port; sets url
started() {
    local line
    mkfifo ready
    "$program" serve "$@" --port 0 >ready 2>served </dev/null &
    server=$!
    exec 3<ready
    rm ready
    read -rt 60 line <&3
    url=$(sed -n 's|^listening on \(http://[][0-9.:]*:[0-9]*/v1\) model [^ ]*$|\1|p' <<<"$line")
    [ -n "$url" ] || complain "serve $*: printed '$line'"
}
stopped() { # SIGNAL
    local seen
    kill -s "$1" "$server"
    wait "$server"
    seen=$?
    server=
    exec 3<&-
    [ $seen -eq 0 ] || complain "serve ended by $1: exit $seen"
    grep -q '^served [0-9]* requests' served || complain "served nothing: $(cat served)"
}
benched() { # URL MODEL OPTION...
    local at=$1 model=$2
    shift 2
    timeout 120 "$program" bench "$at" --model "$model" --suite concurrent --concurrency 3 \
        --requests 9 --warmup 0 --prompt-tokens 8 --output-tokens 6 --no-calibrate -o b/ \
        "$@" >out 2>err </dev/null || complain "bench of $at: exit $?"
    grep -qF '"ok": 9' b/results.json || complain "bench of $at: not 9 ok"
}

refused 2 'add real=1' sim:
refused 2 'is a server already' http://127.0.0.1:9/v1
refused 1 'nowhere.gguf' nowhere.gguf
refused 2 'give --api-key-file' null: --host 0.0.0.0
refused 2 'too large' null: --port 70000
: >empty
refused 1 'is no key' null: --api-key-file empty
refused 1 'nowhere' null: --api-key-file nowhere

started sim:real=1,step_ms=0.1,per_seq_ms=0.01
benched "$url" sim
benched "$url" sim --endpoint completions
benched "$url" sim --no-stream
# Not skipped, the instrument's own error stands in the result.
"$program" bench "$url" --model sim --suite concurrent --concurrency 2 --requests 4 --warmup 0 \
    --prompt-tokens 8 --output-tokens 4 -o c/ >out 2>err </dev/null || complain 'bench, calibrated'
for metric in ttft_error itl_error pacing_lateness cpu_per_event events_per_second_per_core; do
    grep -qF "\"$metric\": {" c/results.json || complain "the instrument lacks $metric"
done
port=${url#http://127.0.0.1:} port=${port%/v1}
refused 1 "$port" null: --port "$port"
stopped TERM

echo secret >key
started null: --api-key-file key
"$program" bench "$url" --model null --requests 1 --no-calibrate -o b/ >out 2>err </dev/null
[ $? -eq 1 ] || complain 'bench without the key went well'
benched "$url" null --api-key-file key
grep -rqF secret b/ out err served && complain 'the key was written somewhere'
stopped INT

if grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null; then
    for host in ::1 '[::1]'; do
        started null: --host "$host"
        [[ $url == 'http://[::1]:'* ]] || complain "--host $host: serves at $url"
        benched "$url" null
        stopped TERM
    done
fi

if ls "$(dirname "$program")"/lib/pyrometer/pyrometer-llama.so >/dev/null 2>&1; then
    "$program" model synth stories260k tiny.gguf >/dev/null || complain 'no model'
    started tiny.gguf --threads 1 --sequences 4
    benched "$url" tiny
    stopped TERM
fi

timeout 60 "$program" calibrate --concurrency 3,5 --duration 200ms >out 2>err </dev/null ||
    complain 'calibrate'
[ "$(grep -c 'TTFT error' out)" -eq 2 ] || complain 'calibrate: not two levels'
grep -q 'have no true time' out && complain 'calibrate: tokens without a true time'
exit $failed
