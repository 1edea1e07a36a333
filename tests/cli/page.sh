#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The HTML pages in a real browser, where there is one: its own parser and content policy take them
# without a complaint, they fit a phone's width, and their figures are those of results.json. $1 is the program.
set -uo pipefail
program=$1
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "no chromium here: pages are tested as text alone"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work/home
failed=0

browse() { # FLAG... FILE: what the browser says goes to err
    timeout 60 "$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
        --user-data-dir="$work/profile" --enable-logging=stderr "$@" 2>err
}

page() { # FILE PART...: the page is shown, and holds each part
    local file=$1 part
    shift
    browse --dump-dom "file://$work/$file" >dom
    [ -s dom ] || { echo "$file: the browser shows nothing"; failed=1; return; }
    if grep -E 'CONSOLE|Refused|violates' err; then
        echo "$file: the browser complains"
        failed=1
    fi
    for part; do
        grep -qF -- "$part" dom || { echo "$file: lacks '$part'"; failed=1; }
    done
}

# A style sheet that the policy did not allow would leave the page 800 pixels wide and bare; the
# frame tells how wide it wants to be at a phone's width.
narrow() { # FILE
    cat >frame.html <<END
<!doctype html><iframe src="$1" style="width:390px;height:900px;border:0"></iframe><p id="w"></p>
<script>const f=document.querySelector("iframe");f.onload=()=>{
document.getElementById("w").textContent="wide "+f.contentDocument.documentElement.scrollWidth}</script>
END
    browse --allow-file-access-from-files --virtual-time-budget=3000 --dump-dom "file://$work/frame.html" >dom
    grep -q 'wide 390' dom || { echo "$1: not within 390 pixels: $(grep -o 'wide [0-9]*' dom)"; failed=1; }
}

"$program" bench 'sim:spike_share=0.01,spike_x=5' --concurrency 1,4 --quiet -o run/ >out || failed=1
"$program" stress 'sim:knee=6' --breaking-point --slo ttft_p95=900ms,error=10% -d 120 --quiet -o load/ >out
"$program" bench 'sim:fail_share=1' --suite concurrent --concurrency 1 --requests 3 --quiet -o none/ 2>out
"$program" compare --ab 'sim:' 'sim:step_ms=24' --pairs 8 --format html -o ab.html >out 2>&1

p50=$(python3 -c 'import json
cases = json.load(open("run/results.json"))["benchmarks"]["concurrent"]["cases"]
print("%.0f" % (cases[-1]["metrics"]["latency_sent"]["p50"]["value"] / 1e6))') || failed=1
page run/benchmark_report.html 'What came out?' 'Simulated' "$p50" 'latency over time'
page load/benchmark_report.html 'Carries ' 'held every goal'
page none/benchmark_report.html 'requests, not ok'
page ab.html 'What changed?' 'pair 1: '

# What the script adds, by keyboard and by click.
alive() { # FILE
    cat >frame.html <<END
<!doctype html><iframe src="$1" style="width:1200px;height:900px;border:0"></iframe><p id="w"></p>
<script>const f=document.querySelector("iframe");f.onload=()=>{const d=f.contentDocument,w=[];
const key=(e,k)=>e.dispatchEvent(new KeyboardEvent("keydown",{key:k,bubbles:true}));
const c=d.querySelector("svg[data-x]");key(c,"ArrowRight");
w.push("read["+c.parentNode.querySelector(".read").textContent+"]");
const z=d.querySelector("svg[data-z]");
if(z){key(z,"+");w.push("zoomed "+!!z.querySelector("svg[viewBox]")+" reset "+!z.parentNode.querySelector(".reset").hidden)}
const t=d.querySelector("table.fig:not(.own) th:nth-child(2) button");
if(t){t.click();w.push("sorted "+t.parentNode.getAttribute("aria-sort"))}
const l=d.querySelector(".legend button");
if(l){l.click();w.push("pressed "+l.getAttribute("aria-pressed"))}
document.getElementById("w").textContent=w.join(" | ")}</script>
END
    browse --allow-file-access-from-files --virtual-time-budget=3000 --dump-dom "file://$work/frame.html" >dom
    grep -oE 'read\[[^]<]*[0-9][^<]*' dom
}
alive run/benchmark_report.html >said
grep -q 'zoomed true reset true | sorted ascending | pressed false' said ||
    { echo "the script does not do its part: $(cat said dom | head -c 600)"; failed=1; }
alive ab.html | grep -q 'pair' || { echo 'a chart of pairs says nothing'; failed=1; }

for file in run/benchmark_report.html load/benchmark_report.html ab.html; do narrow "$file"; done
[ "$failed" -eq 0 ]
