#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each metric of metric.def is asserted by a test: by its enumerator in C, by its name elsewhere.
set -euo pipefail
failed=0
while read -r enumerator name; do
    grep -rqwF -e "PYR_M_$enumerator" --include='*_test.c' tests ||
        grep -rqwF -e "\"$name\"" --include='*_test.c' tests ||
        { echo "src/record/metric.def: no test asserts $name" && failed=1; }
done < <(sed -nE 's/^PYR_METRIC\((\w+), "(\w+)".*/\1 \2/p' src/record/metric.def)
exit $failed
