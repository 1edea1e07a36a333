#!/bin/bash
# SPDX-License-Identifier: MIT
#
# scripts/setup against a machine made of small fakes: no network, nothing installed. Each case
# states what it must say and leave behind.
set -euo pipefail
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

fake() { # NAME: the text on stdin becomes that program
    cat >"$home/bin/$1"
    chmod +x "$home/bin/$1"
}

# A machine with everything, and a llama.cpp of its own.
machine() {
    rm -rf "${home:?}"/*
    mkdir -p "$home"/{bin,cache,scripts,build,include/{openssl,nghttp2},system/{include,lib}}
    cp scripts/setup "$home/scripts/setup"
    local name
    for name in bash basename base64 cat chmod cp cut dirname env ln mkdir mktemp mv od rm sed \
        sha512sum tail tar touch tr uname; do
        ln -s "$(command -v "$name")" "$home/bin/$name"
    done
    for name in gcc cmake ninja git; do echo exit 0 | fake "$name"; done
    for name in stdio jansson openssl/ssl nghttp2/nghttp2 yaml sqlite3 zlib cmocka; do
        touch "$home/include/$name.h"
    done
    touch "$home/system/include/"{llama,ggml,gguf}.h "$home/system/lib/"lib{llama,ggml}.so
    sed -i "s|/usr/share/llhttp/llhttp.c|$home/include/stdio.h|; s|/etc/ssl/certs/ca-certificates.crt|$home/include/stdio.h|" \
        "$home/scripts/setup"
    fake id <<<'echo 0'
    fake pkg-config <<FAKE
case "\$*" in
--exists*) exit 0 ;;
--modversion*) echo 9.9 ;;
*includedir*) echo $home/system/include ;;
*libdir*) echo $home/system/lib ;;
esac
FAKE
    fake apt-get <<FAKE
echo "apt-get \$*" >>$home/apt.log
FAKE
    fake npm <<FAKE
echo other bytes >node-llama-cpp-linux-x64-3.22.1.tgz
FAKE
}
no_system_engine() { fake pkg-config <<<'exit 1'; }

setup() { # WANTED_EXIT [ARGUMENT]...: what it said is in $said
    local wanted=$1 code=0
    shift
    said=$(PATH=$home/bin PYROMETER_CACHE=$home/cache PYROMETER_HEADERS=$home/include \
        "$BASH" "$home/scripts/setup" "$@" 2>&1) || code=$?
    if [ "$code" -ne "$wanted" ]; then fail "exit $code, wanted $wanted"; fi
}
fail() {
    printf '%s: %s; it said:\n%s\n' "${case_name}" "$1" "$said"
    exit 1
}
says() {
    case $said in *"$1"*) ;; *) fail "did not say: $1" ;; esac
}

case_name='a llama.cpp of this machine is linked, and the second run does nothing'
machine
setup 0 test
says "using this machine's llama.cpp 9.9"
for file in include/llama.h lib/libllama.so; do
    [ -e "$home/build/engine/$file" ] || fail "no build/engine/$file"
done
setup 0 test
[ "$said" = 'setup: everything is there' ] || fail 'not silent'
[ ! -e "$home/apt.log" ] || fail 'apt-get was called'

case_name='a missing package is installed, named with its reason'
rm "$home/bin/cmake" "$home/include/cmocka.h"
setup 0 build
says 'installing cmake: configures the build'
grep -q -- 'install .*--no-install-recommends.* cmake$' "$home/apt.log" || fail 'apt-get install not as wanted'
setup 0 test
says 'installing libcmocka-dev: runs the unit tests'

case_name='a user without rights is told what root must run'
fake id <<<'echo 1000'
setup 1 build
says 'as root run: apt-get install -y cmake'

case_name='apt without a network'
machine
rm "$home/bin/ninja"
fake apt-get <<<'echo "E: no route"; exit 100'
setup 1 build
says 'E: no route'
says 'apt-get update failed; check the network'

case_name='a tarball that is not the pinned one is refused'
machine
no_system_engine
setup 1 build
says 'is not the package that was pinned'
[ -z "$(ls "$home/cache")" ] || fail 'it was kept in the cache'
[ ! -e "$home/build/engine" ] || fail 'an engine was laid out'

case_name='npm without a network says where to put the file'
fake npm <<<'echo "npm ERR! ENOTFOUND" >&2; exit 1'
echo damaged >"$home/cache/node-llama-cpp-linux-x64-3.22.1.tgz"
setup 1 build
says 'is damaged: fetching it again'
says "put node-llama-cpp-linux-x64-3.22.1.tgz into $home/cache"

case_name='without the engine on request'
said=$(PYROMETER_NO_ENGINE=1 PATH=$home/bin PYROMETER_HEADERS=$home/include "$BASH" "$home/scripts/setup") ||
    fail 'failed'
says 'building without llama.cpp'

case_name='an unknown part is a usage error'
setup 2 everything
says 'everything: not a part'
