#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `run` and `bench` against a server: the program's own known-schedule server on a port that the
# kernel chooses. $1 is the program.
set -uo pipefail
program=$1
work=$(mktemp -d)
child=
trap '[ -n "$child" ] && kill $child 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work/home
unset OPENAI_API_KEY http_proxy
failed=0
complain() {
    echo "$*: $(head -c 400 err)"
    failed=1
}

coproc server { exec "$program" __schedule-server --port 0; }
child=$server_PID
if ! read -rt 60 -u "${server[0]}" word port || [ "$word" != port ]; then
    echo "the server does not say on which port it listens"
    exit 1
fi
url=http://127.0.0.1:$port/v1

"$program" run "$url" --prompt 'hello' -n 5 >out 2>err </dev/null || complain "run $url"
grep -q '1 of 1 ok' err || complain "run $url counts nothing"
[ -s out ] || complain "run $url gives no text"
"$program" bench "$url" --suite concurrent --concurrency 2 --requests 4 --warmup 0 \
    --prompt-tokens 8 --output-tokens 3 --no-calibrate --header 'x-a: b, c=d' -o http/ \
    >out 2>err </dev/null || complain "bench $url"
grep -q '"ok": 4' http/results.json || complain 'not all requests were ok'

kill "$child"
wait "$child" 2>/dev/null
child=
"$program" run "$url" --prompt 'hello' >out 2>err </dev/null
[ $? -eq 1 ] || complain 'a server that is gone: the exit code is not 1'
grep -q "^pyrometer: .*127.0.0.1:$port" err || complain 'a server that is gone is not named'
exit $failed
