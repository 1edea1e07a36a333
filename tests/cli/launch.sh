#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A server that `bench --launch` starts is timed, sampled and ended, whatever becomes of it. $1 is
# the program.
set -uo pipefail
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset BENCH_MODEL_PATH INFERNO_MODELS_DIR XDG_CACHE_HOME OPENAI_API_KEY
export HOME=$work/home
failed=0

complain() {
    echo "$*: $(head -c 600 err)"
    failed=1
}
# A port that was free a moment ago.
free_port() {
    mkfifo ready
    "$program" serve null: --port 0 >ready 2>served </dev/null &
    local server=$! line
    read -rt 60 line <ready
    kill "$server"
    wait "$server"
    rm ready
    port=$(sed -n 's|^listening on http://[0-9.]*:\([0-9]*\)/.*|\1|p' <<<"$line")
    url=http://127.0.0.1:$port/v1
}
bench() { # COMMAND ARGUMENT...
    local command=$1
    shift
    timeout 120 "$program" bench "$url" --launch "$command" --suite concurrent --concurrency 2 \
        --requests 8 --no-calibrate --quiet --details -o out/ "$@" >out.txt 2>err </dev/null
}
refused() { # PART COMMAND ARGUMENT...
    local part=$1
    shift
    bench "$@" && complain "$1: exit 0"
    grep -qF -- "$part" err || complain "$1: standard error lacks '$part'"
    [ "$(wc -l <err)" -eq 1 ] || complain "$1: not one line"
}
nobody_listens() { ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

free_port
bench "echo \$\$ >shell; exec '$program' serve null: --port $port" || complain 'a server that starts'
grep -q '"ready_time"' out/results.json || complain 'no ready_time'
grep -q 'was launched for this run and answered a request after' out.txt || complain 'the report says nothing of it'
nobody_listens || complain 'the server is still there'
kill -0 "$(cat shell)" 2>/dev/null && complain 'its process is still there'

# What does not listen to SIGTERM, and what it left in the background, ends too.
bench "trap '' TERM; echo \$\$ >shell; '$program' serve null: --port $port & wait" ||
    complain 'a shell that ignores SIGTERM'
kill -0 "$(cat shell)" 2>/dev/null && complain 'what ignores SIGTERM is still there'

# Killed, it leaves nothing behind: neither the shell nor what that started.
"$program" bench "$url" --launch "'$program' serve null: --port $port & echo \$! >inner; wait" \
    --suite concurrent --concurrency 1 --duration 60s --level-time 60s --no-calibrate --quiet \
    -o out/ >out.txt 2>err </dev/null &
killed=$!
tries=0
while nobody_listens && [ $((tries += 1)) -lt 600 ]; do read -rt 0.1 <> <(:); done
kill -9 "$killed"
wait "$killed" 2>/dev/null
tries=0
until nobody_listens || [ $((tries += 1)) -ge 150 ]; do read -rt 0.1 <> <(:); done
nobody_listens || complain 'killed, it leaves the server behind'
tries=0 # it may still be ending, and nobody may have waited for it
while state=$(ps -o stat= -p "$(cat inner)") && [[ $state != Z* ]] && [ $((tries += 1)) -lt 150 ]; do
    read -rt 0.1 <> <(:)
done
[[ -z $state || $state == Z* ]] || complain "killed, it leaves a process behind ($state)"

refused 'ended before it was ready, exit status 3: no such model' 'echo no such model >&2; exit 3'
refused 'does not answer after' 'echo loading; exec sleep 60' --wait-ready 300ms
refused 'its last words: loading' 'echo loading; exec sleep 60' --wait-ready 300ms

"$program" serve null: --port "$port" >served 2>&1 </dev/null &
server=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do read -rt 0.05 <> <(:); done
refused 'something answers there before' 'exit 0'
kill "$server"
wait "$server"
exit $failed
