#!/bin/bash
# SPDX-License-Identifier: MIT
#
# No key, and no value of a header, comes out again: not in a file of a run, not in a report of any
# format, not in the history, not in what -v says, not in an error. $1 is the program.
set -uo pipefail
program=$1
work=$(mktemp -d)
child=
trap '[ -n "$child" ] && kill $child 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work/home XDG_STATE_HOME=$work/state
unset OPENAI_API_KEY http_proxy
failed=0
complain() {
    echo "$*: $(head -c 400 err)"
    failed=1
}

mkdir keys
echo SECRET-of-a-file >keys/bearer
printf 'x-first: SECRET-one\nAuthorization: SECRET-two\n' >keys/headers
coproc server { exec "$program" __schedule-server --port 0; }
child=$server_PID
read -rt 60 -u "${server[0]}" word port || exit 1
url=http://127.0.0.1:$port/v1

bench() { # LABEL ARGUMENT...
    label=$1
    shift
    "$program" bench "$url" --suite concurrent --concurrency 2 --requests 4 --warmup 0 \
        --prompt-tokens 8 --output-tokens 3 --no-calibrate -v -o "$label/" "$@" \
        >"$label.out" 2>"$label.err" </dev/null
    code=$?
    cp "$label.err" err
    return $code
}

OPENAI_API_KEY=SECRET-of-the-environment bench environment || complain 'a key of the environment'
bench file --api-key-file keys/bearer || complain 'a key of a file'
bench headers --header @keys/headers --header 'x-mine: SECRET-three' \
    --engine-option 'header=x-other: SECRET-four' --requests-log requests.jsonl ||
    complain 'headers'
grep -q -- "--header 'x-mine: \*\*\*'" headers/results.json || complain 'the command line is not kept'
grep -q '"x-other: \*\*\*"' headers/results.json || complain 'the name of a header is not kept'
for format in $("$program" report --help | sed -n '/^Formats:/,$s/^  \([a-z-]*\)  .*/\1/p'); do
    "$program" report headers -f "$format" -o "again-$format/" >>report.out 2>&1 ||
        complain "no report $format"
    [ -n "$(find "again-$format" -type f -size +0)" ] || complain "an empty report $format"
done
for refused in 'Authorization: Bearer SECRET-five' 'API-Key:SECRET-six'; do
    bench refused --header "$refused" && complain "a secret on the command line: $refused"
    [ "$code" -eq 2 ] || complain "a secret on the command line: exit $code"
done
"$program" run "$url" --prompt hello --api-key-file keys/none >run.out 2>run.err
grep -q '^pyrometer: key file: keys/none: ' run.err || complain 'a key file that is missing'

if grep -rl SECRET- --exclude-dir=keys . >found; then
    complain "secrets in $(tr '\n' ' ' <found)"
fi
exit $failed
