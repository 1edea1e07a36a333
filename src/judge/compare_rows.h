/* SPDX-License-Identifier: MIT
 *
 * Which metrics a comparison shows, which it gates, and the differences below which nothing gates.
 * Private to the comparisons.
 */
#ifndef PYR_JUDGE_COMPARE_ROWS_H
#define PYR_JUDGE_COMPARE_ROWS_H

#include "judge/compare.h"
#include "stats/uses.h"
#include "store/kept.h"

/* In a case only the first row of a group that both sides have is gated, because its rows say the
 * same thing (group 0: shown, never gated by default). */
struct pyr_compare_row {
    enum pyr_metric metric;
    int statistic;
    int group;
    double floor; /* a smaller difference never gates; in the metric's unit */
};

enum { PYR_COMPARE_GROUPS = 10 };

/* In their order, from record/metric.def. The floors there are what no user would notice: a tenth
 * of a percent of a second in TTFT, a twentieth of a millisecond between tokens, one allocator
 * arena of memory. */
struct pyr_compare_rows {
    struct pyr_compare_row items[PYR_USES_MAX];
    size_t count;
};
void pyr_compare_rows_fill(struct pyr_compare_rows *rows);

/* Judges an error rate whose two sides are filled, in points: a ratio of two rates near zero means
 * nothing. A rise counts when it is above a point and above every baseline run. */
void pyr_compare_error_rate(struct pyr_compared_metric *metric);

/* A row's values over the runs, where a run has one above 0 (error rates: 0 or above). */
struct pyr_compare_values {
    double *items;
    size_t count;
    struct pyr_estimate only; /* the estimate of the only one */
};

struct pyr_compare_values pyr_compare_gather(struct pyr_arena *arena,
                                             const struct pyr_kept_run *const *runs, size_t count,
                                             const char *suite, const char *case_id,
                                             const struct pyr_compare_row *row);

/* False where the mean lengths of prompts or of outputs differ by more than a fifth: the same name
 * in another tool's file does not say that the work is the same, and a request of twice the tokens
 * takes longer on the same server. (Lengths that are drawn differ by some percent.) */
bool pyr_compare_same_lengths(const struct pyr_kept_case *a, const struct pyr_kept_case *b);

#endif
