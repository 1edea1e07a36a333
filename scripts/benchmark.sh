#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The benchmark in one command, for people and for CI jobs. What is measured: BENCH_MODEL_PATH (a
# model, a folder or a server's URL), else INFERNO_MODELS_DIR, else a model made here.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/benchmark.sh [OPTIONS] [TYPE]

TYPE: all (default), inference, concurrent, memory, cache, profiling, baseline

  -o, --output DIR     where results go (default ./benchmark_results)
  -b, --baseline DIR   where the baseline is, or goes (default ./performance_baseline)
  -t, --timeout S      the most that the measurement takes, in seconds (default 300)
      --targets FILE   goals; missing one ends with 3
  -c, --compare        judge the results against the baseline; a regression ends with 3
  -r, --report         Markdown and CSV too, beside the HTML report
  -p, --profile        a CPU profile too
      --ci             for a CI job: no colour, JUnit, summary, annotations
  -h, --help

PYROMETER names the program (default: build/release/pyrometer of this project, else the PATH's).
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
output=./benchmark_results
baseline=./performance_baseline
timeout=300
type=all
compare=
options=()
formats=()

die() {
    printf 'benchmark.sh: %s\n' "$*" >&2
    exit 2
}
value() { # OPTION VALUE...
    if [ $# -lt 2 ]; then die "$1: wants a value; see --help"; fi
    printf '%s' "$2"
}

while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    -o | --output)
        output=$(value "$@")
        shift
        ;;
    -b | --baseline)
        baseline=$(value "$@")
        shift
        ;;
    -t | --timeout)
        timeout=$(value "$@")
        shift
        ;;
    --targets)
        targets=$(value "$@")
        options+=(--targets "$targets")
        shift
        ;;
    -c | --compare) compare=1 ;;
    -r | --report) formats=(--format markdown,csv) ;;
    -p | --profile) options+=(--profile) ;;
    --ci) options+=(--ci) ;;
    all | inference | concurrent | memory | cache | profiling | baseline) type=$1 ;;
    -*) die "$1: unknown option; see --help" ;;
    *) die "$1: no such type (all, inference, concurrent, memory, cache, profiling, baseline)" ;;
    esac
    shift
done
if ! [[ $timeout =~ ^[1-9][0-9]*$ ]]; then die "--timeout $timeout: give whole seconds above 0"; fi

program=${PYROMETER:-}
if [ -z "$program" ]; then
    program=$root/build/release/pyrometer
    if ! [ -x "$program" ]; then
        program=$(command -v pyrometer) || {
            echo 'benchmark.sh: pyrometer is not built; building it (make)' >&2
            make -C "$root" build >&2
            program=$root/build/release/pyrometer
        }
    fi
fi

case $type in
baseline) exec "$program" baseline --output "$baseline" --duration "$timeout" "${options[@]}" ;;
profiling) exec "$program" profile --output "$output/" --duration "$timeout" "${options[@]}" ;;
esac

code=0
"$program" bench --suite "$type" --output "$output/" --duration "$timeout" "${options[@]}" \
    "${formats[@]}" || code=$?
# 3 is a missed goal: the results are there and are compared all the same.
if [ -z "$compare" ] || { [ $code -ne 0 ] && [ $code -ne 3 ]; }; then exit $code; fi
judge=()
for option in "${options[@]}"; do
    if [ "$option" = --ci ]; then judge=(--ci); fi
done
"$program" compare --baseline "$baseline" --current "$output" --report --output "$output/" \
    "${judge[@]}" || exit $?
exit $code
