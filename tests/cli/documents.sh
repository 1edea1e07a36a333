#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every command line of docs/older-commands.md does what that table says of it. $1 is the program.
# What runs is run, on the simulated target and in virtual time; the long ones (a minute in a build
# with sanitizers) only with PYR_LONG_TESTS=1, else their options are read.
set -uo pipefail
program=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset INFERNO_MODELS_DIR XDG_CACHE_HOME PYROMETER_HISTORY INFERNO_LOG_LEVEL
export HOME=$work/home XDG_STATE_HOME=$work/state
failed=0
lines=0

complain() {
    echo "$*: $(head -c 300 err)"
    failed=1
}
ends() { # CODE TEXT LINE: how the last command ended
    if [ "$seen" -ne "$1" ]; then
        complain "$3: exit $seen, not $1"
    elif [ -n "$2" ] && { ! grep -qF -- "$2" err || [ "$(wc -l <err)" -ne 1 ]; }; then
        complain "$3: not one line with '$2'"
    fi
}
# Stands for the program where a script calls it: its options are read, nothing is measured.
cat >stub <<STUB
#!/bin/bash
exec "$program" "\$@" --help
STUB
chmod +x stub

# Memory pressure would be real. The others take long.
is_long() {
    case $1 in
    *--memory-stress*) true ;;
    *full* | *rtx_4090* | *breaking-point* | *tok_throughput* | *regression* | *production-load* | \
        *'duration 60'* | *'duration 900'* | *'--type quick'* | *'--timeout 600'*)
        [ -z "${PYR_LONG_TESTS:-}" ]
        ;;
    *) false ;;
    esac
}
# The file or folder that a line says it writes, or writes without saying so.
output_of() { # WORD...
    local i words=("$@")
    for ((i = 1; i < ${#words[@]}; i++)); do
        case ${words[i]} in
        --output | --output-dir)
            echo "${words[i + 1]}"
            return
            ;;
        esac
    done
    case $* in
    *stress*) echo stress_test_results/results.json ;;
    *compare*--report*) echo benchmark_results/comparison_report.md ;;
    *baseline*) echo performance_baseline/baseline_results.json ;;
    *bench*) echo benchmark_results/results.json ;;
    esac
}
# A law that carries what the documents send and meets the goals of the preset.
fast=sim:step_ms=0.5,per_seq_ms=0.02,prefill_tok_s=500000
slower=sim:step_ms=8,per_seq_ms=0.05,prefill_tok_s=500000 # fewer requests in as much virtual time
really_run() { # LINE PROGRAM ARGUMENT...
    local line=$1 i output law=$fast
    shift
    case $line in *stress*) law=$slower ;; esac
    local words=("$@")
    for ((i = 1; i < ${#words[@]}; i++)); do
        # The documents' models are not here.
        if [ "${words[i]}" = --model-id ]; then words[i + 1]=$fast; fi
    done
    output=$(output_of "${words[@]}")
    rm -rf stress_test_results
    PYROMETER=$program BENCH_MODEL_PATH=$law timeout 200 "${words[@]}" >out 2>err </dev/null
    seen=$?
    ends 0 '' "$line"
    [ -z "$output" ] || [ -s "$output" ] || [ -n "$(ls -A "$output" 2>/dev/null)" ] ||
        complain "$line: left no $output"
}

# What the lines take for granted: goals, a baseline, results to compare with it.
made=(--preset quick --suite inference,concurrent --requests 30 --quiet --no-calibrate)
echo '{"throughput_rps": 0.001}' >custom_targets.json
"$program" baseline "$fast" "${made[@]}" >/dev/null 2>err || complain 'no baseline to begin with'
mkdir baseline
cp performance_baseline/baseline_results.json baseline.json
cp baseline.json baseline_results.json
"$program" bench "$fast" --preset quick --requests 30 --seed 77 --quiet --no-calibrate \
    >/dev/null 2>err || complain 'no results to begin with'
for name in new_results recent_results results; do
    cp benchmark_results/results.json $name.json
done
if [ -n "${PYR_LONG_TESTS:-}" ]; then
    for type in full regression; do
        "$program" baseline "$fast" --type $type --requests 6 --no-calibrate -o base-$type \
            >/dev/null 2>err || complain "no baseline of $type"
    done
    cp base-full/baseline_results.json baseline/baseline.json
fi

while IFS=$'\t' read -r line status; do
    case $line in # the baseline of the same type, as one would have it
    *'regression --baseline-file'*) [ -z "${PYR_LONG_TESTS:-}" ] || cp base-regression/baseline_results.json baseline.json ;;
    *) cp baseline_results.json baseline.json ;;
    esac
    lines=$((lines + 1))
    eval "words=($line)"
    case ${words[0]} in
    pyrometer) run=("$program" "${words[@]:1}") ;;
    scripts/*) run=("$root/${words[0]}" "${words[@]:1}") ;;
    *)
        complain "$line: neither the program nor a script"
        continue
        ;;
    esac
    case $status in
    runs)
        if is_long "$line"; then
            if [ "${words[0]}" = pyrometer ]; then run+=(--help); fi
            PYROMETER=$work/stub "${run[@]}" >out 2>err </dev/null
            seen=$?
            ends 0 '' "$line"
        else
            really_run "$line" "${run[@]}"
        fi
        ;;
    'not built yet')
        PYROMETER=$program BENCH_MODEL_PATH=sim: "${run[@]}" >out 2>err </dev/null
        seen=$?
        ends 2 'not built yet' "$line"
        ;;
    'no such suite yet')
        BENCH_MODEL_PATH=sim: "${run[@]}" >out 2>err </dev/null
        seen=$?
        ends 2 'this version has no' "$line"
        ;;
    *) complain "$line: '$status' is no status" ;;
    esac
done < <(sed -n 's/^| `.*` | `\(.*\)` | \(.*\) |$/\1\t\2/p' "$root/docs/older-commands.md" |
    sed 's/\\|/|/g')
[ "$lines" -ge 60 ] || complain "only $lines lines were tried"

# The lines that read the results, as one of the documents has them.
if command -v python3 >/dev/null; then
    python3 -c "
import json
with open('results.json') as f:
    data = json.load(f)
    print(f\"Grade: {data['overall_assessment']['performance_grade']}\")
    print(f\"Targets: {data['overall_assessment']['targets_met']}/{data['overall_assessment']['total_targets']}\")
" >out 2>err || complain 'the lines that read results.json'
    grep -q '^Grade: ' out || complain 'results.json has no grade'
fi

# The script as people call it, on the simulated target.
rm -rf benchmark_results performance_baseline
export PYROMETER=$program BENCH_MODEL_PATH=sim:
script() { # CODE TEXT ARGUMENT...
    local code=$1 text=$2
    shift 2
    "$root/scripts/benchmark.sh" "$@" >out 2>err </dev/null
    seen=$?
    [ "$seen" -eq "$code" ] || complain "benchmark.sh $*: exit $seen, not $code"
    [ -z "$text" ] || grep -qF -- "$text" out err || complain "benchmark.sh $*: lacks '$text'"
}
script 0 'Written' baseline --timeout 200
[ -s performance_baseline/baseline_results.json ] || complain 'the script left no baseline'
script 0 'SIMULATED' --report --timeout 60
for file in results.json inference_benchmark.json concurrent_benchmark.json benchmark_report.html \
    results-markdown.md results-csv.csv; do
    [ -s benchmark_results/$file ] || complain "the script left no benchmark_results/$file"
done
script 0 'UNCHANGED' concurrent --compare --timeout 100
echo '{"throughput_rps": 0.001}' >targets.json
script 0 'gated metrics' concurrent --ci --compare --targets targets.json --timeout 100 -o ci
[ -s ci/results-junit.xml ] || complain 'the script left no JUnit file with --ci'
BENCH_MODEL_PATH=sim:step_ms=23,per_seq_ms=1.15,prefill_tok_s=1739 \
    script 3 'REGRESSED' concurrent --ci --compare --targets targets.json --timeout 100 -o slow
echo '{"throughput_rps": 100000}' >targets.json
script 3 'missed' concurrent --targets targets.json --timeout 100 -o ci
script 2 'unknown option' --fast
script 2 'whole seconds' --timeout soon
script 2 'wants a value' --output
exit $failed
