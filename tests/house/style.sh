#!/bin/bash
# SPDX-License-Identifier: MIT
#
# This tree keeps the house style, and tools/check-style sees each kind of breach in a small bad
# tree.
set -euo pipefail
tools/check-style "$(dirname "${1:-build/dev/pyrometer}")/libpyr_core.a"

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{src/low,tools,docs}

put() {
    { echo '/* SPDX-License-Identifier: MIT */' && printf '%s\n' "${@:2}"; } >"$tree/src/$1"
}
lines() { # COUNT lines of a function's inside
    yes '    pyr_step();' | sed "$1q"
}
good_tree() {
    rm -f "$tree"/docs/* "$tree/tools/style-allow.txt" "$tree/low.a"
    # Comments, literals, members and longer names are no calls; a long table is no function.
    put low/a.c '/* free(it) with malloc(1) */' 'void pyr_step(void);' 'int pyr_long(int a,' \
        '             int b);' 'static const int table[] = {' "$(yes '    1,' | sed 120q)" '};' \
        'int pyr_a(const char *text) {' '    return pyr_free("strcpy(x)", '"'\"'"', x->free(y));' \
        '}' 'void pyr_b(void) {' "$(lines 98)" '}'
}
expect() { # WHAT it must say [ARGUMENT]...
    local said
    if said=$(tools/check-style --root "$tree" "${@:2}"); then
        echo "no breach seen; wanted: $1"
        exit 1
    fi
    if [ "$said" != "$1" ]; then
        printf 'wanted: %s\nsaid:   %s\n' "$1" "$said"
        exit 1
    fi
    good_tree
}

good_tree
tools/check-style --root "$tree"
echo 'int x;' >"$tree/src/low/a.c"
expect 'src/low/a.c:1: does not begin with /* SPDX-License-Identifier: MIT'
put low/a.c 'void pyr_b(void) {' "$(lines 99)" '}'
expect 'src/low/a.c:2: the function has 101 lines, the limit is 100'
put low/a.c "$(yes 'int pyr_x;' | sed 1000q)"
expect 'src/low/a.c:1001: the file has more than 1000 lines'
put low/a.c 'void *pyr_a(void) {' '    return /* ours */ malloc(1);' '}'
expect 'src/low/a.c:3: malloc() outside base/mem.c; use base/mem.h or an arena'
put low/a.c 'void pyr_a(char *b) {' '    strcpy(b, "x");' '}'
expect 'src/low/a.c:3: strcpy() is banned: unbounded, hidden state or unchecked'
# Tags: two in headers, or one in a header and one elsewhere; opaque ones are each file's own.
for other in b.h b.c; do
    put low/a.h 'struct pyr_thing {' '    int x;' '};' && put "low/$other" 'struct pyr_thing {' '    int y;' '};'
    if said=$(tools/check-style --root "$tree"); then
        echo "a tag that is defined twice was not seen ($other)" && exit 1
    fi
    grep -q ': struct pyr_thing is defined in src/low/[ab].[ch]:2 too; give one of them another name$' <<<"$said" ||
        { echo "a tag twice: $said" && exit 1; }
    rm "$tree/src/low/$other"
done
put low/a.h 'struct pyr_thing;'
for own in b.c c.c; do put "low/$own" 'struct pyr_thing {' '    int y;' '};'; done
tools/check-style --root "$tree"
rm "$tree"/src/low/{a.h,b.c,c.c}
put low/a.c "/* TO""DO: all of it */"
expect 'src/low/a.c:2: a note to do something later; do it or leave it out'
echo '[here](gone.md)' >"$tree/docs/x.md"
expect './docs/x.md:1: the link to gone.md leads nowhere'
put low/a.c '/* docs/gone.md says why. */'
expect 'src/low/a.c:2: there is no docs/gone.md'
printf 'int pyr_fine;\nint other;\n' | gcc -x c -c - -o "$tree/low.o"
ar rc "$tree/low.a" "$tree/low.o"
expect 'libpyr_core.a:1: extern symbol other does not begin with pyr_' "$tree/low.a"

put low/a.c 'void *pyr_a(void) {' '    return malloc(1);' '}'
echo 'src/low/a.c malloc the test allows it' >"$tree/tools/style-allow.txt"
tools/check-style --root "$tree"
