#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every command line of docs/older-commands.md does what that table says of it. $1 is the program.
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

while IFS=$'\t' read -r line status; do
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
        if [ "${words[0]}" = pyrometer ]; then run+=(--help); fi
        PYROMETER=$work/stub "${run[@]}" >out 2>err </dev/null
        seen=$?
        ends 0 '' "$line"
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

# The script as people call it, on the simulated target.
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
echo '{"throughput_rps": 100000}' >targets.json
script 3 'missed' concurrent --targets targets.json --timeout 100 -o ci
BENCH_MODEL_PATH='sim:step_ms=30,per_seq_ms=2' \
    script 3 'REGRESSED' concurrent --compare --timeout 100 -o slow
script 2 'unknown option' --fast
script 2 'whole seconds' --timeout soon
script 2 'wants a value' --output
exit $failed
