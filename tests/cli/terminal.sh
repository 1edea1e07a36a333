#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a person sees on a terminal, and that nothing of it reaches a pipe. $1 is the program.
set -uo pipefail
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work/home TERM=xterm
unset NO_COLOR
failed=0
escape=$'\033'
bench="$program bench sim: --suite concurrent --concurrency 1 --requests 5 --warmup 0 --no-calibrate"

script -qec true /dev/null </dev/null >seen 2>&1 || {
    echo "skipped: no terminal can be had here: $(head -n 1 seen)"
    exit 77
}
on_terminal() { script -qec "$1" /dev/null </dev/null >seen 2>&1; }
has() { grep -qF -- "$1" seen; }
check() { # WHAT ok|not TEXT
    if [ "$2" = ok ]; then has "$3"; else ! has "$3"; fi || {
        echo "$1: $(head -c 500 seen | cat -v)"
        failed=1
    }
}

on_terminal "$bench"
check 'a terminal gets colour' ok "$escape[1m"
check 'a line drawn in place is taken off again' ok $'\r'"$escape[K"
on_terminal "NO_COLOR=1 $bench"
check 'NO_COLOR' not "$escape[1m"
on_terminal "NO_COLOR= $bench"
check 'an empty NO_COLOR does not count' ok "$escape[1m"
on_terminal "$bench --no-color"
check '--no-color' not "$escape[1m"
on_terminal "TERM=dumb $bench"
check 'a dumb terminal' not "$escape"
on_terminal "$bench --quiet"
check '--quiet' not $'\r'"$escape[K"
$bench >seen 2>&1 </dev/null
check 'a pipe' not "$escape"
exit $failed
