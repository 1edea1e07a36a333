/* SPDX-License-Identifier: MIT
 *
 * Current runs against baseline runs. The unit is the run: each gives one number a metric and case,
 * and one current run is judged by what at least five stored ones predict (estimate/predict.h).
 * Cases match by suite and id. What is gated by default, and below which difference nothing gates,
 * is one table (suite/compare_rows.c). docs/method/compare.md has the rules.
 *
 * Runs of different environments are shown side by side and never judged; fewer than five baseline
 * runs are judged only with `single`. Nothing in common is an error, never "no change".
 */
#ifndef PYR_JUDGE_COMPARE_H
#define PYR_JUDGE_COMPARE_H

#include "base/arena.h"
#include "base/err.h"
#include "stats/comparison.h"
#include "store/kept.h"

#include <stdbool.h>
#include <stddef.h>

/* One metric, or one statistic of it. */
struct pyr_compare_key {
    enum pyr_metric metric;
    int statistic;    /* of store/kept.h; PYR_KEPT_COUNT: any */
    double threshold; /* of a limit; unused for a gate */
};

struct pyr_compare_options {
    double threshold;                     /* relative: 0.10 for 10 % */
    const struct pyr_compare_key *limits; /* metrics with a threshold of their own */
    size_t limit_count;
    const struct pyr_compare_key *gates; /* NULL: the default set */
    size_t gate_count;
    const char *const *vary; /* parts of the environment that are meant to differ */
    size_t vary_count;
    bool single;
};

/* "10", "10.0,ttft_p50=20,itl=5": percentages, the first for all. Fails below zero. */
bool pyr_compare_parse_threshold(struct pyr_arena *arena, const char *text,
                                 struct pyr_compare_options *options, struct pyr_err *err);
/* "ttft_p50,tok_s": what alone is gated. */
bool pyr_compare_parse_gates(struct pyr_arena *arena, const char *text,
                             struct pyr_compare_options *options, struct pyr_err *err);

struct pyr_compare_side {
    const char *name; /* as the user named it */
    const struct pyr_kept_run *runs;
    size_t count;
};

/* Makes the comparison; its arena is destroyed by pyr_comparison_destroy. Fails with PYR_E_INVALID
 * when the sides have nothing in common. */
bool pyr_compare_runs(const struct pyr_compare_side *baseline,
                      const struct pyr_compare_side *current,
                      const struct pyr_compare_options *options, struct pyr_comparison **comparison,
                      struct pyr_err *err);

void pyr_comparison_destroy(struct pyr_comparison *comparison); /* NULL is allowed */

/* What pyr_compare_runs and the comparison in pairs share: sorts the metrics, counts, judges the
 * whole and writes the summary, from metrics whose judgements are filled. */
void pyr_comparison_finish(struct pyr_comparison *comparison, struct pyr_compared_metric *metrics,
                           size_t count);

#endif
