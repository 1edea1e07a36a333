#!/bin/bash
# SPDX-License-Identifier: MIT
#
# scripts/compare-builds.sh: two builds that serve, one of them slower. $1 is the program.
set -uo pipefail
program=$1
script=$(cd "$(dirname "$0")/../.." && pwd)/scripts/compare-builds.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset BENCH_MODEL_PATH INFERNO_MODELS_DIR GITHUB_ACTIONS GITHUB_STEP_SUMMARY
export HOME=$work/home XDG_STATE_HOME=$work/state XDG_CACHE_HOME=$work/cache
failed=0

expect() { # CODE TEXT ARGUMENT...
    local code=$1 text=$2 seen
    shift 2
    "$script" "$@" >out 2>err </dev/null
    seen=$?
    if [ "$seen" -ne "$code" ] || ! grep -qF -- "$text" out err; then
        echo "compare-builds.sh $*: exit $seen, not $code, or lacks '$text': $(head -c 400 err)"
        failed=1
    fi
}
# A build whose `serve` obeys a law of its own; everything else is the program's.
build() { # NAME TARGET
    cat >"$1" <<BUILD
#!/bin/bash
if [ "\$1" = serve ]; then
    shift
    exec "$program" serve "$2" "\$@"
fi
exec "$program" "\$@"
BUILD
    chmod +x "$1"
}
build quick sim:real=1,step_ms=0.2,per_seq_ms=0.01,prefill_tok_s=100000
build slow sim:real=1,step_ms=2,per_seq_ms=0.1,prefill_tok_s=20000
build broken no-such-model.gguf

# So much slower that no busy machine hides it.
expect 3 'baseline: base' ./quick ./slow --pairs 8 --duration 3s --output-tokens 8 --ci --output gate
[ -s gate/comparison_report.json ] || { echo 'no report' && failed=1; }
expect 0 'IMPROVED' ./slow ./quick --pairs 8 --duration 3s --output-tokens 8 --quiet
expect 1 'no-such-model.gguf' ./quick ./broken
expect 2 'wants two programs' ./quick
expect 2 'no program there' ./quick ./absent
[ -z "$(jobs -p)" ] || { echo 'a server was left' && failed=1; }
exit $failed
