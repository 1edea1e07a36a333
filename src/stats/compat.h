/* SPDX-License-Identifier: MIT
 *
 * A run by the definitions of other tools, worked out from our raw stamps, beside our own numbers:
 * why two tools disagree about the same requests. docs/compat.md has the definitions, their sources
 * and what cannot be known from our record.
 *
 * Only definitions are theirs. Requests, stamps and clock stay ours, so that a difference between
 * the two columns is one of definition alone, never of the instrument.
 */
#ifndef PYR_STATS_COMPAT_H
#define PYR_STATS_COMPAT_H

#include "base/arena.h"
#include "base/err.h"
#include "record/metric.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A distribution's numbers in the row's unit; NaN: unknown. A scalar has only `mean`. */
struct pyr_compat_numbers {
    double mean, sd, min, max, p50, p90, p95, p99;
};

struct pyr_compat_row {
    const char *name;       /* as the tool names it */
    const char *definition; /* one sentence: theirs, and where ours differs */
    enum pyr_unit unit;
    bool scalar;
    uint64_t n; /* values behind it */
    struct pyr_compat_numbers theirs;
    const char *ours_name;          /* a name of metric.def; NULL: we have nothing like it */
    struct pyr_compat_numbers ours; /* as in our report: of the steady window */
};

struct pyr_compat_case {
    const char *suite, *id;
    uint64_t completed, failed; /* of the measured phase, drain included */
    double seconds;             /* the window that their rates divide by */
    const struct pyr_compat_row *rows;
    size_t row_count;
};

struct pyr_compat_result {
    const char *tool;  /* "vllm" */
    const char *title; /* "vLLM bench serve" */
    const char *rules; /* sentences: requests, window, percentiles, token counts */
    const struct pyr_compat_case *cases;
    size_t case_count; /* those with requests */
};

/* Everything of the result lies in the arena. Fails when there is no such tool (PYR_E_USAGE) or on
 * what pyr_result_make fails on. */
bool pyr_compat_make(const char *run_path, const char *tool, struct pyr_arena *arena,
                     struct pyr_compat_result *result, struct pyr_err *err);

/* True when there is a tool of that name; else the error (PYR_E_USAGE) names those that there are.
 */
bool pyr_compat_check(const char *tool, struct pyr_err *err);

#endif
