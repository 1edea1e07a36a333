#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `bench` and `run` from outside: what they leave, how they end, and what bad input gets: one line
# with the thing, the cause and the mend, and the right exit code. $1 is the program.
set -uo pipefail
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset BENCH_MODEL_PATH INFERNO_MODELS_DIR XDG_CACHE_HOME
export HOME=$work/home
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
    elif { [ "$code" -eq 1 ] || [ "$code" -eq 2 ]; } &&
        { [ "$(wc -l <err)" -ne 1 ] || ! grep -q '^pyrometer: .*: ' err; }; then
        complain "pyrometer $*: not one line 'pyrometer: thing: cause'"
    fi
}
holds() { # FILE TEXT
    grep -qF -- "$2" "$1" || complain "$1 lacks '$2'"
}
small=(--requests 3 --warmup 0 --prompt-tokens 8 --output-tokens 4 --no-calibrate)

# In virtual time: a whole benchmark, its files, its goals.
expect 0 '' bench sim: "${small[@]}" --concurrency 1,2
holds out 'SIMULATED'
holds benchmark_results/results.json '"schema": "pyrometer/1"'
holds benchmark_results/results.json 'pyrometer bench sim: --requests 3'
[ -f benchmark_results/history/*/run.pyr ] || complain 'there is no run file'
expect 0 '' performance-benchmark benchmark --model sim: -b inference -i 3 -o named.json --quiet
[ -s named.json ] || complain '--output named.json was not written'
[ -s err ] && complain '--quiet wrote to standard error'
expect 0 '' report "$(echo benchmark_results/history/*Z | cut -d' ' -f1)"
holds out 'SIMULATED'
expect 3 '' bench sim: "${small[@]}" --suite inference --slo ttft_mean=1us -o goals/
expect 0 '' bench sim: "${small[@]}" --suite inference --slo ttft_mean=10s -o goals/
expect 0 '' bench sim: "${small[@]}" --suite concurrent --rate 5 --arrival poisson -o open/
expect 0 '' bench null: "${small[@]}" --suite inference -o null/

# A configuration file and a file of goals.
printf 'batch_sizes: [1, 3]\nmodel: {name: "sim:"}\n' >config.yaml
printf '{"inference_latency_ms": 0.001}\n' >targets.json
expect 0 '' bench --config config.yaml "${small[@]}" --suite concurrent -o config/
holds out 'c3'
expect 3 '' bench sim: "${small[@]}" --suite inference --targets targets.json -o config/
expect 2 'nonsense' bench sim: --config <(echo 'nonsense: 1')
expect 1 'nowhere.yaml' bench sim: --config nowhere.yaml

expect 0 '' bench sim: "${small[@]}" --suite inference --requests-log log.jsonl -o logged/
[ "$(wc -l <log.jsonl)" -eq 3 ] || complain '--requests-log has not a line a request'

# Options in a file: as if typed, unless they were.
cat >options.yaml <<'END'
options:
  think-time: 10ms
  heed-retry-after: true
  exact-output: false
  concurrency: [1, 3]
  engine-option: "step_ms=3"
  temperature: 0.25
END
expect 0 '' bench sim: --config options.yaml --temperature 0.5 "${small[@]}" --suite concurrent -o options/
holds options/results.json '"think_s": 0.01'
holds options/results.json '"heed_retry_after": true'
holds options/results.json '"exact_output": false'
holds options/results.json '"temperature": 0.5'
holds options/results.json '/c3"'
holds options/results.json '"step_ms": "3"'
grep -A3 '"name": "think-time"' options/results.json | grep -q '"source": "options.yaml"' ||
    complain 'the source of an option is lost'
printf 'options:\n  think-tim: 2s\n' >wrong.yaml
expect 2 'wrong.yaml:2: --think-tim: unknown option; did you mean --think-time?' bench sim: --config wrong.yaml
printf 'options: {rate: 3}\n' >wrong.yaml
expect 2 '--rate and --think-time contradict' bench sim: --config wrong.yaml --think-time 1s
printf 'options: {runs: 3}\n' >wrong.yaml
expect 2 'wrong.yaml:1: --runs: only for the command line' bench sim: --config wrong.yaml
printf 'options: {drain: soon}\n' >wrong.yaml
expect 2 "wrong.yaml:1: --drain: 'soon'" bench sim: --config wrong.yaml
printf 'options: {concurrency: 3}\n' >wrong.yaml
expect 2 'is no option of stress but of bench' stress sim: --config wrong.yaml

# Without a model named, the places of the environment are looked at.
BENCH_MODEL_PATH=nowhere.gguf expect 1 'BENCH_MODEL_PATH: nowhere.gguf' bench
mkdir empty
INFERNO_MODELS_DIR=empty expect 1 'INFERNO_MODELS_DIR: empty holds no .gguf' bench
HOME='' expect 2 'no home' bench

# Usage.
expect 2 'did you mean --concurrency?' bench sim: --concurency 3
expect 2 'contradict' bench sim: --rate 3 --think-time 1s
expect 2 'contradict' bench sim: --model null:
expect 2 'contradict' bench http://127.0.0.1:9/v1 --isolate
expect 2 'only a server has that' bench sim: --header 'a: b'
expect 2 'there is no such preset' bench sim: --preset nonsense
expect 2 'there is no such suite' bench sim: --suite nonsense
expect 2 'there is no such format' bench sim: --format nonsense
expect 2 '--slo' bench sim: --slo nonsense
expect 2 "unknown option 'nonsense'" bench sim:nonsense=1
expect 2 'no file nowhere.txt' bench sim: --prompts nowhere.txt
expect 2 'no folder nowhere' bench sim: --engine-dir nowhere
expect 2 'wants --prompt TEXT' run sim:
expect 2 'is empty' run sim: --prompt ''
expect 1 'holds no prompt' run sim: --prompt -
expect 1 '/dev/null/out: cannot make the folder' bench sim: "${small[@]}" --output /dev/null/out/of/reach/

# Model files that are none.
"$program" model synth stories260k tiny.gguf >/dev/null || complain 'no model to spoil'
: >void.gguf
: >weights.safetensors
: >graph.onnx
head -c 1000 tiny.gguf >cut.gguf
{ printf 'NOPE'; tail -c +5 tiny.gguf; } >magic.gguf
LC_ALL=C sed 's/llama/lxama/g' tiny.gguf >arch.gguf
for command in "bench" "run --prompt x"; do
    # shellcheck disable=SC2086 # the words of $command
    {
        expect 1 'nowhere.gguf' $command nowhere.gguf
        expect 1 'empty' $command empty
        expect 1 'void.gguf' $command void.gguf
        expect 1 'cut.gguf' $command cut.gguf
        expect 1 'magic.gguf' $command magic.gguf
        expect 1 'weights.safetensors' $command weights.safetensors
        expect 1 'graph.onnx' $command graph.onnx
    }
done
expect 2 'holds 512 tokens of context' bench tiny.gguf --prompt-tokens 600

# With the engine, where this build has it.
if ls "$(dirname "$program")"/lib/pyrometer/pyrometer-llama.so >/dev/null 2>&1; then
    expect 1 'lxama' run arch.gguf --prompt x
    expect 0 '' run tiny.gguf --prompt 'Once upon a time' --output-tokens 20
    cp out alone
    holds err '1 of 1 ok'
    expect 0 '' run tiny.gguf --prompt 'Once upon a time' --output-tokens 20 --concurrency 5
    holds err '5 of 5 ok'
    cmp -s out alone || complain 'five at once gave another text than one alone'
    yes word | head -n 1000 | tr '\n' ' ' >long.txt
    "$program" run tiny.gguf --prompt - <long.txt >out 2>err
    [ $? -eq 1 ] || complain 'a prompt beyond the context was accepted'
    holds err 'do not fit a sequence of 512'
    expect 0 '' bench tiny.gguf "${small[@]}" --concurrency 2 -o real/
    holds real/results.json '"ok": 3'
fi

# A signal in the middle: a valid report marked partial, and the signal's exit code.
interrupted() { # SIGNAL CODE
    local tries=0
    rm -rf cut
    "$program" bench sim:real=1 --suite concurrent --concurrency 1 --requests 100000 \
        --duration 60s --no-calibrate -o cut/ >out 2>err </dev/null &
    local child=$! seen
    # Until requests have ended: the run file grows beyond its plan.
    until ls cut/history/*/run.pyr >/dev/null 2>&1 || [ $tries -gt 600 ]; do
        tries=$((tries + 1))
        read -rt 0.05 <> <(:)
    done
    read -rt 0.5 <> <(:)
    kill -s "$1" $child
    wait $child
    seen=$?
    [ $seen -eq "$2" ] || complain "$1 in the middle: exit $seen, not $2"
    holds cut/results.json '"schema": "pyrometer/1"'
    holds out "ended by signal"
}
interrupted INT 130
interrupted TERM 143
interrupted HUP 129
exit $failed
