#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Calibration as a user meets it: at its own command and at the end of a run, with too few file
# descriptors, nowhere to write, an interrupt, and a kill that leaves no time to tidy up. $1 is the
# program. No time is judged.
set -uo pipefail
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset BENCH_MODEL_PATH INFERNO_MODELS_DIR XDG_CACHE_HOME OPENAI_API_KEY
mkdir tmp
export HOME=$work/home TMPDIR=$work/tmp
failed=0

complain() {
    echo "$*: $(head -c 600 err) $(head -c 600 out)"
    failed=1
}
calibrate() { "$program" calibrate --concurrency "$1" --token-rate 500 --duration 200ms "${@:2}" \
    >out 2>err </dev/null; }
says() { grep -qF -- "$2" "$1" || complain "${3:-$1} lacks '$2'"; }
nothing_left() {
    [ -z "$(ls -A tmp)" ] || complain "$1 left $(ls tmp)"
}

calibrate 2,3 || complain 'exit not 0'
says out '2 streams, ' && says out '3 streams, ' && says out 'TTFT error' && says err 'calibrating 2'
calibrate 2 -q --format json || complain 'exit not 0'
[ -s err ] && complain '--quiet was not'
for key in ttft_error_us itl_error_us pacing_lateness_us arrival_error_us cpu_us_per_event \
    events_per_second_per_core coalesced_share system_info; do
    says out "\"$key\":"
done
calibrate 2 -o kept.json || complain 'exit not 0'
[ -s out ] && complain 'a file was asked for'
says kept.json '"pyrometer-calibration/1"'
calibrate 2 --format csv && complain 'csv: exit 0'
says err 'terminal and json'
for way in --unix-socket --in-process --uniform; do
    calibrate 2 "$way" || complain "$way: exit not 0"
    says out 'pacing lateness'
done
nothing_left 'a calibration'

# What cannot be had is told with its reason; what can be had stands beside it.
(ulimit -n 60 && calibrate 100,2)
[ $? -eq 4 ] || complain 'few descriptors: exit not 4'
says out '100 streams: not available: ' && says out '2 streams, '
(TMPDIR=$work/nowhere calibrate 2)
[ $? -eq 1 ] || complain 'nowhere to write: exit not 1'
says err 'TMPDIR'

# An interrupt ends it, and a kill leaves neither the server nor a file of its behind.
for signal in INT KILL; do
    "$program" calibrate --concurrency 2 --duration 60s >out 2>err </dev/null &
    ours=$!
    until server=$(cat /proc/$ours/task/$ours/children 2>/dev/null) && [ -n "$server" ]; do
        kill -0 $ours 2>/dev/null || break
        sleep 0.02
    done
    until compgen -G 'tmp/*/*.pyr' >out.pyr || ! kill -0 $ours 2>/dev/null; do sleep 0.02; done
    kill -$signal $ours
    wait $ours 2>/dev/null
    code=$?
    [ $signal = KILL ] || [ $code -eq 130 ] || complain "SIGINT: exit $code"
    for ((i = 0; i < 500; i++)); do
        kill -0 $server 2>/dev/null || [ -n "$(ls -A tmp)" ] || break
        sleep 0.02
    done
    kill -0 $server 2>/dev/null && complain "SIG$signal: the server lives on"
    nothing_left "SIG$signal"
done

# At the end of a run, of a model in process too; left out on request, and where it cannot be.
bench() { "$program" bench null: --suite concurrent --concurrency 2 --requests 20 --details -o run/ "$@" \
    >out 2>err </dev/null || complain "bench $*: exit not 0"; }
bench -q
says out 'warm-up: ' && says out 'highest: ' && says out 'there is no error of'
bench -q --no-calibrate
says out 'Own error not available: skipped by --no-calibrate'
TMPDIR=$work/nowhere bench -q
says out 'highest: not available: '

exit $failed
