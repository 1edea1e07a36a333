#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `baseline`, `compare` and `history` from outside, on the simulated target: a slowdown of 15 % ends
# with 3, none with 0, and what cannot be compared with 4. $1 is the program.
set -uo pipefail
program=$1
data=$(cd "$(dirname "$0")/../data" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset BENCH_MODEL_PATH INFERNO_MODELS_DIR XDG_CACHE_HOME PYROMETER_HISTORY GIT_COMMIT
export HOME=$work/home XDG_STATE_HOME=$work/state
failed=0

complain() {
    echo "$*: $(head -c 400 err)"
    failed=1
}
# expect CODE 'part of standard error' ARGUMENT...
expect() {
    local code=$1 part=$2 seen
    shift 2
    "$program" "$@" >out 2>err </dev/null
    seen=$?
    if [ "$seen" -ne "$code" ]; then
        complain "pyrometer $*: exit $seen, not $code"
    elif [ -n "$part" ] && ! grep -qF -- "$part" err; then
        complain "pyrometer $*: standard error lacks '$part'"
    fi
}
holds() { # FILE TEXT
    grep -qF -- "$2" "$1" || complain "$1 lacks '$2'"
}
small=(--preset quick --suite concurrent --concurrency 2 --requests 30 --quiet --no-calibrate)
slow='sim:step_ms=23,per_seq_ms=1.15,prefill_tok_s=1739'

expect 0 '' baseline sim: "${small[@]}" --backends gguf,onnx --group before
holds out 'Written  performance_baseline/baseline_results.json'
holds performance_baseline/baseline_results.json '"schema": "pyrometer-baseline/1"'
holds performance_baseline/baseline_report.md '5 runs, each in a process of its own'
holds performance_baseline/performance_targets.json '"inference_latency_ms": null'
holds out 'medium/c2 TTFT p50'
grep -q '^|' out && complain 'the whole report stands on the terminal'
expect 2 'are no baseline' baseline sim: --runs 3
expect 0 '' baseline sim: "${small[@]}" --no-history -o twice/
expect 0 '' baseline sim: "${small[@]}" --no-history -o twice/
[ "$(find twice/history -name baseline_results.json | wc -l)" -eq 1 ] ||
    complain 'the older baseline was not kept'

# The same target again, and one that is 15 % slower.
expect 0 '' bench sim: "${small[@]}" --seed 50 --commit abc123
expect 0 '' compare performance_baseline benchmark_results
holds out 'UNCHANGED'
expect 3 '' bench "$slow" "${small[@]}" --seed 50 -o slow/ --baseline performance_baseline
holds out 'REGRESSED'
expect 3 '' compare --current slow/results.json --baseline performance_baseline/baseline_results.json \
    --threshold 10.0 --report
holds benchmark_results/comparison_report.json '"has_regression": true'
holds benchmark_results/comparison_report.xml '<failure'
holds benchmark_results/comparison_report.md '## Comparison: REGRESSED'
holds benchmark_results/comparison_report.html 'class="answer">REGRESSED<'
expect 0 '' compare group:before "$(echo benchmark_results/history/*Z)" --format json --output same.json
holds same.json '"verdict": "UNCHANGED"'
expect 0 '' compare performance_baseline slow --threshold 40
expect 0 '' compare performance_baseline slow/history/*Z/run.pyr --gate rss_peak,error --strict

# Several current runs against it.
expect 3 '' bench "$slow" "${small[@]}" --runs 2 -o two/ --baseline performance_baseline
holds two/runs.json '"schema": "pyrometer-baseline/1"'
holds out 'Written  two/runs.json'

# Both alive: targets, commands, and a doubted verdict again.
expect 3 '' compare --ab sim: "$slow" --concurrency 2 --pairs 10
holds out '10 pairs in random order'
expect 0 'written: pairs/comparison_report.html' compare --ab sim: sim: --pairs 8 --quiet -o pairs/
holds pairs/comparison_report.html 'class="answer">'
holds pairs/comparison_report.json '"kind": "pairs"'
expect 3 'written: kept/comparison_report.json' compare performance_baseline slow --output kept
expect 0 'written: alone.json' compare --ab sim: sim: --pairs 8 -o alone.json
# What repeats a run of a baseline goes neither where that is nor to its group.
! grep -E '"repeat_command": "[^"]*(--output|--group|[0-9]ns)' performance_baseline/results.json ||
    complain 'a baseline to repeat over itself'
expect 3 '' compare --ab sim: "$slow" --concurrency 2 --pairs 10
expect 0 '' history show latest
holds out 'measured beside sim:'
holds out 'as a ratio to it'
expect 0 '' history changes --case p64/o16/c2
expect 0 '' report latest
holds out 'concurrent'
expect 1 'and in the history' report 1999
expect 0 '' compare --ab sim: sim: --concurrency 2 --format json --quiet
holds out '"kind": "pairs"'
holds out '"source": "A against itself in this run"'
expect 0 '' compare --ab 'echo a' 'echo a' --duration 1s --pairs 6 --threshold 10000 --quiet
expect 3 '' compare performance_baseline slow --confirm --pairs 8 --quiet
holds out '8 pairs in random order'
expect 2 'a target and a command' compare --ab sim: true
expect 1 'ended with exit 1' compare --ab false true
expect 2 'contradict' compare --ab sim: sim: --single
expect 2 'says nothing without --ab' compare performance_baseline slow --pairs 8
expect 2 'too small' compare --ab sim: sim: --pairs 2
expect 2 'give 8 to' compare --ab sim: sim: --pairs 7
expect 1 'there is no older one' compare performance_baseline benchmark_results --confirm \
    --threshold 0

# What the first version measured stays comparable. Only the parts of the machine that it knew may
# differ here: a red line below means that something recorded since makes all older baselines
# incomparable (judge/fingerprint.h).
machine=cpu,cores,cpu_quota,governor,smt,turbo,memory_limit,kernel,gpu,gpu_driver
for first in "$data/baseline/first.pyr" "$data/baseline/first.json"; do
    expect 0 '' bench sim: "${small[@]}" --no-history -o now/
    expect 0 '' compare "$first" now --single --vary "$machine"
    holds out 'UNCHANGED'
    expect 0 '' bench sim: "${small[@]}" --no-history --temperature 0.5 -o hot/
    expect 4 '' compare "$first" hot --single --vary "$machine"
    holds out 'config.temperature'
done
expect 0 '' report "$data/baseline/first.pyr"

# In a CI job.
GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$work/summary.md \
    expect 3 '' compare performance_baseline slow --ci --output ci/
holds out '::error title='
holds summary.md '## Comparison: REGRESSED'
holds ci/comparison_report.xml '<failure'
expect 3 '' bench sim: "${small[@]}" --ci -o ci/
[ -s ci/results-junit.xml ] || complain '--ci left no JUnit file'
expect 0 '' bench sim: "${small[@]}" --ci --slo error=90% -o ci/

# What cannot be compared, and what bad input gets.
expect 4 '' compare benchmark_results slow
holds out '5 are needed'
expect 3 '' compare benchmark_results slow --single
holds out 'REGRESSED (single)'
expect 4 '' compare "$data/import/flat.json" "$data/import/flat.json"
expect 0 '' compare "$data/import/flat.json" "$data/import/flat.json" --single
expect 4 'nothing to compare' compare "$data/import/flat.json" performance_baseline
expect 2 'below zero' compare performance_baseline slow --threshold -5
expect 2 'wants two sides' compare performance_baseline
expect 1 'no such file' compare performance_baseline nowhere.json
head -c 3000 slow/results.json >cut.json
expect 1 'cut off' compare performance_baseline cut.json
sed 's|pyrometer/1|pyrometer/9|' slow/results.json >newer.json
expect 1 'update pyrometer' compare performance_baseline newer.json
echo '{"avg_latency_ms": NaN}' >nan.json
expect 1 'NaN' compare performance_baseline nan.json
echo '{"name": "x"}' >foreign.json
expect 1 'no result file of a known format' compare performance_baseline foreign.json

# The history has all of it.
expect 0 '' history
holds out 'abc123'
expect 0 '' history show latest
holds out 'request_throughput'
expect 0 '' history plot --metric ttft_sent
expect 0 '' history plot --format csv
holds out 'time,commit,run,series'
expect 0 '' history changes
holds out 'changes in'
expect 0 '' history mark abc1 'meant it'
holds out 'marked abc123: meant it; 1 run of it'
expect 0 '' history mark elsewhere
holds out 'no run of it yet'
expect 0 '' history merge --group before --metric ttft_sent
holds out 'ttft_sent, 5 runs, n'
expect 2 'no such metric' history merge --metric speed
expect 0 '' history add "$data/import/hyperfine.json" --group tools
expect 0 '' history remove group:tools
holds out 'removed '
expect 1 'no run of that group' history remove group:tools
expect 1 'begins several runs' history remove 2
expect 2 'wants a run' history remove
expect 2 'did you mean show' history shwo
expect 2 'wants a commit' history mark
expect 1 'no history there yet' history --history none.db
expect 1 'no run' history show 1999
echo 'no database' >broken.db
expect 1 'damaged or no history' history --history broken.db
expect 0 'not kept in the history' bench sim: "${small[@]}" --history broken.db -o kept/
expect 0 '' bench sim: "${small[@]}" --no-history --history none.db -o kept/
[ -e none.db ] && complain '--no-history made a history'
exit $failed
