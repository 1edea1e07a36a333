#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench/requests.sh [PAIRS [SECONDS [IN_FLIGHT]]]: plain requests a second, ours and wrk's in turn,
# with the same request bytes to the same server. Client on core 0, server on core 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
pairs=${1:-20} seconds=${2:-3} flight=${3:-64}
requests=build/release/bench/requests
tools/build release bench-requests bench-sse
command -v wrk >/dev/null || { echo "requests.sh: wrk is not installed (apt-get install wrk)" >&2; exit 1; }
scratch=$(mktemp -d)
nice -n -15 taskset -c 1 "$requests" server "$scratch/first" >"$scratch/port" &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT
until [ -s "$scratch/port" ]; do sleep 0.05; done
port=$(cut -d' ' -f2 "$scratch/port")
client() { nice -n -15 taskset -c 0 "$@"; }
ours() { client "$requests" ours "http://127.0.0.1:$port/v1" "$flight" "$seconds"; }
ours >"$scratch/warm" # whose first request is the one that wrk sends
cat >"$scratch/post.lua" <<LUA
local file = io.open("$scratch/first", "rb")
local head, body = file:read("a"):match("^(.-)\r\n\r\n(.*)$")
wrk.method, wrk.body = "POST", body
for name, value in head:gmatch("\r\n([^:\r\n]+): ([^\r\n]*)") do
    if name ~= "Content-Length" then wrk.headers[name] = value end
end
LUA
wrk_once() {
    client wrk -t1 -c"$flight" -d"${seconds}s" -s "$scratch/post.lua" \
        "http://127.0.0.1:$port/v1/chat/completions" | sed -n 's/^Requests\/sec: *//p'
}
: >"$scratch/pairs"
for ((i = 0; i < pairs; i++)); do
    if ((i % 2)); then
        theirs=$(wrk_once) line=$(ours)
    else
        line=$(ours) theirs=$(wrk_once)
    fi
    echo "wrk: $theirs ours: $line"
    echo "$(sed -n 's/.*requests_per_second=\([0-9]*\).*/\1/p' <<<"$line") $theirs" >>"$scratch/pairs"
done
printf 'ours / wrk: '
build/release/bench/sse ratio <"$scratch/pairs"
