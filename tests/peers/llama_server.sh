#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The program against llama.cpp's own server: a small model with random weights, served on a port
# that the kernel chooses, by one thread (two that wait for each other crawl on a busy machine). $1 is the program, $2 is llama-server. Every case is one line, "ok" or
# "FAILED" with what differs; the last line is "N passed, N failed".
set -uo pipefail
program=$1
llama_server=$2
work=$(mktemp -d)
servers=()
trap 'for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$work"' EXIT
cd "$work" || exit 1
unset BENCH_MODEL_PATH INFERNO_MODELS_DIR XDG_CACHE_HOME XDG_STATE_HOME OPENAI_API_KEY
export HOME=$work/home
passed=0 failed=0 wrong=

complain() { wrong+="    $*"$'\n'; }
# done_with NAME: ends a case
done_with() {
    if [ -z "$wrong" ]; then
        echo "ok      $1"
        passed=$((passed + 1))
    else
        printf 'FAILED  %s\n%s' "$1" "$wrong"
        failed=$((failed + 1))
    fi
    wrong=
}
# expect CODE[|CODE] ARGUMENT...: runs the program; its output is in out and err
expect() {
    local code=$1 seen
    shift
    timeout 180 "$program" "$@" >out 2>err </dev/null
    seen=$?
    [[ $seen =~ ^($code)$ ]] || complain "pyrometer $*: exit $seen, not $code: $(tail -n 3 err)"
}
# one_line TEXT: standard error is one line that holds TEXT
one_line() {
    [ "$(wc -l <err)" -eq 1 ] || complain "not one line: $(head -c 400 err)"
    grep -qF -- "$1" err || complain "standard error lacks '$1': $(head -c 400 err)"
}
# holds 'what is asked' FILE 'jq expression over all values of the file'
holds() {
    local seen
    seen=$(jq -s "$3" "$2" 2>&1)
    [ "$seen" = true ] || complain "$1: $3 gives $(head -c 200 <<<"$seen")"
}
# measured CODE NAME PROMPT_TOKENS OUTPUT_TOKENS ARGUMENT...: a bench of the server, its files in
# NAME/ and NAME.jsonl. The number of requests ends it: the times are for a machine that hangs.
measured() {
    local code=$1 name=$2 prompt=$3 output=$4
    shift 4
    expect "$code" bench "$url" --suite concurrent --warmup 0 --duration 160s --level-time 80s \
        --prompt-tokens "$prompt" --output-tokens "$output" --no-calibrate --quiet \
        --requests-log "$name.jsonl" -o "$name/" "$@"
}
# started LOG 'sed expression that finds the address' COMMAND...: sets url
started() {
    local log=$1 expression=$2 tries=0
    shift 2
    : >"$log"
    "$@" >"$log" 2>&1 </dev/null &
    servers+=($!)
    until url=$(sed -n "$expression" "$log" | head -n 1) && [ -n "$url" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 600 ] || ! kill -0 "${servers[-1]}" 2>/dev/null; then
            tail -n 5 "$log"
            echo "$1 does not listen"
            echo "$passed passed, $((failed + 1)) failed"
            exit 1
        fi
        sleep 0.1
    done
}
stopped() { # ends the server started last
    kill "${servers[-1]}"
    wait "${servers[-1]}" 2>/dev/null
    unset 'servers[-1]'
}
tokens_right='all(.[]; .outcome == "ok" and .asked_tokens == 16 and .usage_output_tokens == 16
    and (.flags | index("usage") != null and index("short") == null and index("no_done") == null))'
counts_right='all(.[]; .output_tokens == 16 and (.chunk_tokens | add) == 16)'
order_right='all(.[]; .scheduled_ns <= .dispatched_ns and .dispatched_ns <= .sent_ns
    and .sent_ns <= .first_byte_ns and .first_byte_ns <= .first_content_ns
    and .first_content_ns <= .last_content_ns and .last_content_ns <= .closed_ns)'
streamed_right='all(.[]; (.flags | index("streamed") != null) and .chunks > 1
    and .first_content_ns < .last_content_ns and (.chunk_ns | . == sort))'
cases='[.[0].benchmarks.concurrent.cases[]]'

"$program" model synth 15m model.gguf --weights q8_0 >out 2>err || {
    cat err
    echo '0 passed, 1 failed'
    exit 1
}
started peer.log 's|.*listening on \(http://127[0-9.:]*\).*|\1/v1|p' "$llama_server" \
    -m model.gguf --host 127.0.0.1 --port 0 -t 1 -np 4 -c 2048 --no-webui
peer=$url

expect 0 run "$url" --wait-ready 60s --prompt 'Once upon a time' -n 8
grep -q '1 of 1 ok' err || complain "run: $(cat err)"
[ -s out ] || complain 'run: no text'
done_with 'a prompt is answered once the model is loaded'

measured 0 chat 24 16 --concurrency 1,4 --requests 12
holds 'requests' chat.jsonl 'length == 24'
holds 'tokens by the server' chat.jsonl "$tokens_right"
holds 'tokens by us' chat.jsonl "$counts_right"
holds 'order of the stamps' chat.jsonl "$order_right"
holds 'stream' chat.jsonl "$streamed_right"
done_with 'chat at 1 and 4 in flight: asked, counted and reported tokens agree'

holds 'outcomes' chat/results.json "$cases | map(.outcomes) == [{total: 12, ok: 12}, {total: 12, ok: 12}]"
holds 'mismatch' chat/results.json "all($cases[]; .metrics_whole.usage_mismatch.value == 0)"
holds 'TTFT and latency' chat/results.json "all($cases[].metrics_whole;
    .ttft_sent.min > 0 and .ttft_sent.mean.value <= .latency_sent.mean.value
    and .ttft_sent.p50.value <= .latency_sent.p50.value
    and .ttft_sent.max <= .latency_sent.max)"
holds 'in flight' chat/results.json "$cases | map(.metrics_whole.in_flight_max.value) == [1, 4]"
done_with 'the result of that: all ok, no mismatch, TTFT below latency'

measured 0 text 24 16 --concurrency 4 --requests 12 --endpoint completions
holds 'tokens by the server' text.jsonl "$tokens_right"
holds 'tokens by us' text.jsonl "$counts_right"
holds 'stream' text.jsonl "$streamed_right"
holds 'prompts' text.jsonl 'all(.[]; .usage_prompt_tokens >= 23 and .usage_prompt_tokens <= 25)'
done_with 'completions: prompts are as long as asked, to a token, by the count of the server'

measured 0 whole 24 16 --concurrency 4 --requests 12 --no-stream
holds 'tokens by the server' whole.jsonl "$tokens_right"
holds 'order of the stamps' whole.jsonl "$order_right"
holds 'stream' whole.jsonl 'all(.[]; (.flags | index("streamed") == null) and .chunks == 1)'
done_with 'whole answers: one chunk each, tokens as the server reports'

# A machine that is busy otherwise may make the generator late: exit 4, and the figures still add up.
measured "0|4" open 24 16 --rate 20 --arrival poisson --requests 20
holds 'requests' open.jsonl 'length == 20'
holds 'tokens by the server' open.jsonl "$tokens_right"
holds 'order of the stamps' open.jsonl "$order_right"
done_with 'requests on a schedule'

measured 0 cancel 24 100 --concurrency 4 --requests 24 --cancel-share 0.5 --cancel-after 5ms
holds 'requests' cancel.jsonl 'length == 24'
holds 'outcomes' cancel.jsonl 'all(.[]; .outcome == "ok" or .outcome == "cancelled")'
holds 'kinds of outcomes' cancel.jsonl 'map(.outcome) | unique | length == 2'
holds 'answers to the end' cancel.jsonl 'all(.[] | select(.outcome == "ok"); .usage_output_tokens == 100)'
holds 'cancelled answers' cancel.jsonl 'all(.[] | select(.outcome == "cancelled"); .output_tokens < 100)'
holds 'errors' cancel/results.json "all($cases[]; .metrics_whole.error_rate.value == 0)"
measured 0 after 24 16 --concurrency 4 --requests 8
holds 'the server afterwards' after.jsonl "$tokens_right"
done_with 'cancelled requests are no errors, and leave the server whole'

measured 1 long 4000 16 --concurrency 1 --requests 2
holds 'outcomes' long.jsonl 'all(.[]; .outcome == "http_4xx" and .http_status == 400)'
done_with 'prompts beyond the context are counted as refused by the server'

# llama-server answers whatever the name: an unlisted one is its to refuse, and the report says so.
expect 0 bench "$peer" --model nonsense --concurrency 1 --requests 1 --warmup 0 --no-calibrate -q -o no/
grep -q 'nonsense' no/results.json || complain 'the name that was asked for is not kept'
grep -q "is not in the server's list" no/results.json || complain 'nothing says that the name is not listed'
expect 1 bench "${peer%/v1}/nowhere" --requests 1 --no-calibrate -o no/
one_line "this server's API is at $peer"
done_with "an unlisted model is the server's to refuse; a wrong path is told what is there"

expect 0 stress "$peer" --breaking-point --max-concurrency 2 --slo ttft_p50=30s --level-time 4s \
    --duration 60s --warmup 0 --prompt-tokens 24 --output-tokens 8 --no-calibrate --quiet -o most/
holds 'levels' most/results.json '.[0].stress_test | .max_sustainable_load == 2
    and .first_failing_load == null and .stable_concurrency_levels == [1, 2]'
done_with 'the most that it carries: all that was tried, under a goal it cannot miss'

expect 0 stress "$peer" --breaking-point --max-concurrency 2 --slo ttft_p50=1us --level-time 4s \
    --duration 60s --warmup 0 --prompt-tokens 24 --output-tokens 8 --no-calibrate --quiet -o most/
holds 'levels' most/results.json '.[0].stress_test | .max_sustainable_load == null
    and .first_failing_load == 1 and .stable_concurrency_levels == []'
done_with 'the most that it carries: nothing, under a goal it cannot meet'

# The same text, greedily, from the same file by both servers on the same library: with another one
# the rounding differs, and random weights are full of near ties.
greedy() { # NAME
    local prompt
    for prompt in 'Once upon a time' 'The sky is' '1 2 3 4 5'; do
        expect 0 run "$url" --endpoint completions --prompt "$prompt" -n 8
        cat out
    done >"$1.text"
}
greedy theirs
started serve.log 's|^listening on \([^ ]*\) .*|\1|p' "$program" serve model.gguf --port 0 \
    --threads 1 --sequences 4 --context 512 --engine-dir "$(dirname "$llama_server")"
greedy ours
[ -s ours.text ] || complain 'no text'
cmp ours.text theirs.text >out || complain "$(cat out)"
done_with 'serve gives the text that llama-server gives'
stopped

stopped
expect 1 run "$peer" --prompt hello
one_line 'refused'
done_with 'a server that is gone is named in one line'

echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
