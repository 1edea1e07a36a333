#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The include directions of this tree hold, and tools/check-rooms sees each kind of breach in a
# small bad tree.
set -euo pipefail
generated=$(dirname "${1:-build/dev/pyrometer}")/generated
tools/check-rooms -I"$generated"

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/src/{low,high,stray,low/plugin} "$tree/tools"

put() {
    { echo '/* SPDX-License-Identifier: MIT */' && printf '%s\n' "${@:2}"; } >"$tree/src/$1"
}
good_tree() {
    printf 'low:\nhigh: low\n' >"$tree/tools/rooms.txt"
    rm -rf "$tree/src/stray"
    put low/a.h '#include <stddef.h>' 'size_t pyr_a(void);'
    put low/a.c '#include "low/a.h"'
    put low/plugin/p.c '#include "llama.h"'
    put high/b.c '#include "high/b.h"' '#include "low/a.h"'
    put high/b.h 'int pyr_b(void);'
}
expect() { # WHAT it must say
    local said
    if said=$(tools/check-rooms --root "$tree"); then
        echo "no breach seen; wanted: $1"
        exit 1
    fi
    if [ "$(grep -cF "$1" <<<"$said")" -ne 1 ] || [ "$(wc -l <<<"$said")" -ne 1 ]; then
        printf 'wanted: %s\nsaid: %s\n' "$1" "$said"
        exit 1
    fi
    good_tree
}

good_tree
tools/check-rooms --root "$tree"
put low/a.c '#include "low/a.h"' '#include "high/b.h"'
expect 'src/low/a.c:3: low may not include high'
put low/a.c '#include "a.h"'
expect 'src/low/a.c:2: "a.h" names no room'
put low/a.h 'size_t pyr_a(void);'
expect 'src/low/a.h:1: does not compile by itself'
put high/b.c '#include <llama.h>'
expect 'src/high/b.c:2: llama.h is for src/high/plugin alone'
printf 'high: low\nlow:\n' >"$tree/tools/rooms.txt"
expect 'tools/rooms.txt:1: high names low, which is not above it'
mkdir "$tree/src/stray"
put stray/c.c 'int pyr_c;'
expect 'src/stray/c.c:1: src/stray is not a room'
