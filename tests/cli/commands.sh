#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The command line from outside: exit codes, what goes to which stream, and the words by which a
# mistake is mended. $1 is the program.
set -uo pipefail
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset BENCH_MODEL_PATH INFERNO_MODELS_DIR XDG_CACHE_HOME
export HOME=$work/home
failed=0

# expect CODE 'part of standard error' ARGUMENT...
expect() {
    local code=$1 part=$2 seen
    shift 2
    "$program" "$@" >out 2>err </dev/null
    seen=$?
    if [ "$seen" -ne "$code" ]; then
        echo "pyrometer $*: exit $seen, not $code: $(head -c 300 err)"
        failed=1
    elif [ -n "$part" ] && ! grep -qF -- "$part" err; then
        echo "pyrometer $*: standard error lacks '$part': $(head -c 300 err)"
        failed=1
    elif [ "$code" -eq 1 ] || [ "$code" -eq 2 ]; then
        if [ $# -gt 0 ] && { [ "$(wc -l <err)" -ne 1 ] || ! grep -q '^pyrometer: .*: ' err; }; then
            echo "pyrometer $*: not one line 'pyrometer: thing: cause': $(head -c 300 err)"
            failed=1
        fi
    fi
}
# printed 'part of standard output', of the last command
printed() {
    grep -qF -- "$1" out || { echo "standard output lacks '$1'"; failed=1; }
}

expect 0 '' --version && printed 'pyrometer '
expect 0 '' -V
expect 0 '' --help && printed 'Usage: pyrometer COMMAND'
expect 0 '' help doctor && printed 'pyrometer doctor'
expect 2 'Usage: pyrometer COMMAND'
expect 2 'did you mean doctor?' docter
expect 2 'not built yet in this version' pgo
expect 2 'not built yet in this version' performance-benchmark pgo
expect 0 '' performance-benchmark --version
expect 0 '' performance-benchmark model synth --help && printed 'stories260k'

# Models: made, described, and what is none.
expect 0 '' model synth stories260k tiny.gguf && printed 'random weights'
expect 0 '' model synth stories260k --seed 1 --output again/
cmp -s tiny.gguf again/stories260k-q4_0.gguf || { echo "one seed gave two files"; failed=1; }
expect 0 '' model info tiny.gguf && printed 'llama'
expect 0 '' model info tiny.gguf --metadata --tensors && printed 'token_embd.weight'
expect 2 'unknown model shape' model synth storys260k x.gguf
expect 2 'unknown weight type' model synth stories260k x.gguf --weights q5
expect 2 'contradict' model synth stories260k x.gguf --output y.gguf
expect 2 'wants more' model synth
expect 2 'one argument too many' model info tiny.gguf tiny.gguf
expect 1 'nowhere.gguf' model info nowhere.gguf
mkdir empty locked
: >void.gguf
head -c 1000 tiny.gguf >cut.gguf
{ printf 'NOPE'; tail -c +5 tiny.gguf; } >magic.gguf
: >weights.safetensors
: >graph.onnx
expect 1 'empty' model info empty
expect 1 'void.gguf' model info void.gguf
expect 1 'cut.gguf' model info cut.gguf
expect 1 'magic.gguf' model info magic.gguf
expect 1 'weights.safetensors' model info weights.safetensors
expect 1 'graph.onnx' model info graph.onnx
expect 1 '/dev/null/x.gguf' model synth stories260k /dev/null/x.gguf

# Reports.
expect 1 'no-such-run' report no-such-run
expect 1 'tiny.gguf' report tiny.gguf
expect 2 'there is no such format' report no-such-run --format nonsense

# The doctor, and completion for shells.
expect 0 '' doctor --format json --threads 1 && printed '"schema": "pyrometer-doctor/1"'
expect 0 '' doctor --threads 1 && printed 'engine  '
expect 2 'doctor knows terminal and json' doctor --format xml
expect 0 '' completion bash
bash -n out || { echo "the completion is no bash"; failed=1; }
completed() { # WANTED WORD...: what bash offers behind these words
    wanted=$1
    shift
    offered=$(bash -c 'eval "$(cat out)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pyrometer
        printf "%s|" "${COMPREPLY[@]}"' bash "$@")
    [ "$offered" = "$wanted" ] || { echo "$*: offered $offered, not $wanted"; failed=1; }
}
completed 'bench|' pyrometer be
completed 'synth|info|--help|' pyrometer model ''
completed 'retrieval|regression|rtx_4090|rtx_3080|' pyrometer bench --preset r
completed '--seed|' pyrometer model synth --see
: >'two words.gguf'
completed 'two words.gguf|' pyrometer bench two
expect 0 '' model --help && printed 'model synth'
expect 0 '' help metrics && printed 'metrics export'
expect 0 '' version
expect 0 '' completion zsh
expect 0 '' completion fish
expect 2 'no completion for that shell' completion tcsh

# A full disk behind standard output is an error, not silence.
if [ -w /dev/full ]; then
    "$program" --help >/dev/full 2>err && { echo "a full disk was not noticed"; failed=1; }
fi
exit $failed
