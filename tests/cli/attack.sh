#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What nobody should do to the program, done to it: nothing recorded is lost, nothing is left
# behind, and the cause told is the true one. $1 is the program.
set -uo pipefail
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset BENCH_MODEL_PATH INFERNO_MODELS_DIR XDG_CACHE_HOME XDG_STATE_HOME OPENAI_API_KEY
export HOME=$work/home
failed=0
: >err

complain() {
    echo "$*: $(head -c 600 err)"
    failed=1
}
holds() { # FILE TEXT
    grep -qF -- "$2" "$1" || complain "$1 lacks '$2'"
}
child_of() { # PID: its first child
    grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status | head -1 | cut -d/ -f3 | grep .
}
tick() { read -rt 0.05 <> <(:); }
endless=(--suite concurrent --concurrency 1 --requests 1000000 --level-time 100s --warmup 0
    --no-calibrate)

# Descriptors that the caller closed: the run file must not take the place of one, and get what is
# told of a signal.
for closed in '0<&-' '1>&-' '2>&-' '0<&- 1>&- 2>&-'; do
    rm -rf out
    eval "exec '$program' bench sim:real=1 \"\${endless[@]}\" -o out/ $closed" >/dev/null 2>&1 &
    run=$!
    until [ -s out/history/*/run.pyr ] || ! kill -0 $run 2>/dev/null; do tick; done
    kill -TERM $run
    wait $run
    [ $? -eq 143 ] || complain "$closed: no report at the end"
    "$program" report out/history/* --format json >report.json 2>err
    grep -q '"partial": null' report.json || complain "$closed: the run file is not whole"
done

# A run of several that is killed takes the one under way with it, whatever that one has started.
"$program" bench sim:real=1 --runs 3 "${endless[@]}" --isolate -o runs/ >/dev/null 2>err &
parent=$!
until child=$(child_of "$parent") && worker=$(child_of "$child"); do
    kill -0 "$parent" 2>/dev/null || { complain 'the run of several ended'; break; }
    tick
done
kill -9 "$parent"
{ wait "$parent"; } 2>/dev/null
for one in $child $worker; do
    for ((i = 0; i < 600; i++)); do
        [ -e "/proc/$one" ] || break
        tick
    done
    [ -e "/proc/$one" ] && complain "process $one outlived a kill of the run"
done

# A disk that is full, as a limit on files makes one: the cause and the file that failed are told.
(
    ulimit -f 12
    exec "$program" bench sim: --suite inference --requests 200 --no-calibrate --no-history -o full/
) >out.txt 2>err
[ $? -eq 1 ] || complain 'a run file that could not be written: not exit 1'
holds err 'run.pyr: block '
holds err 'cannot be written: File too large (ulimit -f limits it)'
[ "$(wc -l <err)" -le 3 ] || complain 'a run file that could not be written: more than a line'
grep -q 'was killed\|Cut by the time' out.txt && complain 'another cause is told'
"$program" report full/history/* >again.txt 2>err || complain 'what was written is not readable'

# Run files and histories are their owner's.
"$program" bench sim: --suite inference --requests 3 --no-calibrate -o mine/ --history mine.db \
    >/dev/null 2>err || complain 'a short run'
[ "$(stat -c %a mine.db mine/history/*/run.pyr | sort -u)" = 600 ] ||
    complain "modes $(stat -c '%a %n' mine.db mine/history/*/run.pyr)"

# Without a home the run is not kept, and that is said.
env -u HOME "$program" bench sim: --suite inference --requests 3 --no-calibrate -o homeless/ \
    >/dev/null 2>err || complain 'no HOME'
holds err 'not kept in the history: no place for it'
HOME=here "$program" bench sim: --suite inference --requests 3 --no-calibrate -o homeless/ \
    >/dev/null 2>err || complain 'a relative HOME'
holds err 'not kept in the history: no place for it'
[ -e here ] && complain 'a history in a relative HOME'

exit "$failed"
