#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tools/mutate finds the places of a small file that it may change, and none in its comments, texts
# and tables.
set -euo pipefail
command -v python3 >/dev/null || { echo "mutate.sh: no python3 here" && exit 77; }
file=$(mktemp --suffix .c)
trap 'rm -f "$file"' EXIT
cat >"$file" <<'END'
/* a < b */
static const int table[] = {1 + 2, 3};
int pyr_a(int a, int b) {
    const char *text = "a < b, c";
    if (a < b && !text)
        call(a, b);
    return a;
}
END
said=$(tools/mutate --list "$file" | sed 's/^[^:]*://')
wanted='5: if (a < b && !text) -> if (a <= b && !text)
5: if (a < b && !text) -> if (a < b || !text)
5: if (a < b && !text) -> if (a < b && text)
6: call(a, b); -> call(b, a);
6: call(a, b); -> ;'
[ "$said" = "$wanted" ] || { printf 'wanted:\n%s\nsaid:\n%s\n' "$wanted" "$said" && exit 1; }
