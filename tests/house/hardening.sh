#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The binary ($1) and its plug-ins are built so that a fault in them is hard to use, and so is the
# release build where there is one (cmake/hardening.cmake).
set -uo pipefail
failed=0
complain() {
    echo "$*"
    failed=1
}

check() { # FILE
    local all dynamic symbols
    all=$(readelf -Wl "$1") dynamic=$(readelf -Wd "$1") symbols=$(readelf -W --dyn-syms "$1")
    [[ $(readelf -Wh "$1") == *'DYN ('* ]] || complain "$1: its addresses are fixed (no -pie)"
    [[ $all == *GNU_RELRO* ]] || complain "$1: no RELRO"
    [[ $dynamic == *BIND_NOW* || $dynamic == *'Flags: NOW'* ]] || complain "$1: symbols are bound lazily"
    [[ $all =~ GNU_STACK[^$'\n']*RWE ]] && complain "$1: its stack may be executed"
    [[ $all =~ LOAD[^$'\n']*RWE ]] && complain "$1: a part may be written and executed"
    [[ $dynamic == *TEXTREL* ]] && complain "$1: relocations in its text"
    [[ $dynamic == *RPATH* ]] && complain "$1: has an RPATH"
    [[ $symbols == *__stack_chk_fail* ]] || complain "$1: no stack protector"
    if [ "$(uname -m)" = x86_64 ] && command -v objdump >/dev/null; then
        [ "$(objdump -d --no-show-raw-insn --section=.text "$1" | grep -c endbr64)" -gt 100 ] ||
            complain "$1: no targets of indirect branches are marked (CET)"
    fi
}

check "$1"
release=build/release/pyrometer
if [ -x "$release" ]; then
    check "$release"
    [ "$(readelf -W --dyn-syms "$release" | grep -c '__[a-z]*_chk@')" -gt 3 ] || complain "$release: not fortified"
fi
exit $failed
