/* SPDX-License-Identifier: MIT
 *
 * The figures that the formats of other trackers carry (github-action-benchmark, Bencher, Go
 * benchmarks): a number a line, few enough to be watched, in units that never change with size.
 */
#ifndef PYR_REPORT_TRACKED_H
#define PYR_REPORT_TRACKED_H

#include "stats/result.h"

#include <stdbool.h>
#include <stddef.h>

struct pyr_tracked {
    const struct pyr_suite_result *suite;
    const struct pyr_case_result *result;
    const char *case_name;  /* with its suite: "concurrent/short/c8" */
    enum pyr_better better; /* LOWER or HIGHER */
    const char *name;       /* "ttft_sent_p50", "output_token_throughput" */
    const char *unit;       /* "ms", "MB", "tok/s", "req/s", "ratio", "J" */
    uint64_t n;
    double value, lo, hi; /* in that unit; lo and hi NaN where open */
};

/* Every tracked figure that is known, case by case, in the order of the result; quantiles from p95
 * on only where their interval is bounded. The array and its names live in the arena. */
size_t pyr_tracked_collect(const struct pyr_result *result, struct pyr_arena *arena,
                           struct pyr_tracked **figures);

#endif
