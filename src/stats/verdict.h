/* SPDX-License-Identifier: MIT
 *
 * What a comparison means: one verdict a metric, from the ratio B/A (current over baseline) and its
 * interval, the gate that the user asked for and the noise of the machine that day.
 * docs/method/compare.md has the rules and what they do to known cases.
 */
#ifndef PYR_STATS_VERDICT_H
#define PYR_STATS_VERDICT_H

#include "estimate/estimate.h"

#include <stddef.h>

enum pyr_verdict {
    PYR_INCOMPARABLE, /* exit 4 */
    PYR_INCONCLUSIVE, /* exit 0, or 5 with --strict */
    PYR_UNCHANGED,    /* exit 0: shown to lie within the threshold */
    PYR_IMPROVED,     /* exit 0 */
    PYR_REGRESSED     /* exit 3 */
};

/* "REGRESSED" and so on; static text. */
const char *pyr_verdict_name(enum pyr_verdict verdict);

/* 95 % two-sided is 2.5 % on the side that counts; Holm's adjusted p is held against this. */
#define PYR_ALPHA_ONE_SIDED 0.025

struct pyr_gate {
    double threshold;   /* relative, 0.10 for 10 %; >= 0 */
    double noise_floor; /* relative, of an A/A comparison in the same run; NaN or 0 when unknown */
    bool higher_is_better;
    /* Whether the whole interval must lie beyond T', not only the estimate: where the noise is
     * known from pairs. */
    bool beyond;
    double spread; /* robust, of the logarithms of the pairs' ratios; 0 or NaN: unknown */
    /* Differences below this, in the metric's unit, never gate (10 % of nothing); 0 for none. It
     * needs `level`, the metric's value at the baseline. */
    double absolute_floor, level;
};

struct pyr_judgement {
    enum pyr_verdict verdict;
    double gate;             /* T' = max(threshold, 1.5 * noise floor), to be printed */
    double worse;            /* how much worse, > 0 is worse: ratio - 1, or 1/ratio - 1 where higher
                              * is better; NaN when unknown */
    double least_detectable; /* the smallest worsening that would have been found REGRESSED in 8 of
                              * 10 such comparisons; NaN when unknown */
    const char *reason;      /* static text, or that of the estimate; NULL for the plain cases */
};

/* Of ln(B/A): blocks that vary by a quarter each. Beyond it most blocks were disturbed, and the
 * estimate is of the disturbance. */
#define PYR_SPREAD_BORNE 0.35

/* p_higher and p_lower are the one-sided p of "B/A > 1" and "B/A < 1", already adjusted by Holm
 * over the gated metrics (or raw for a single one, or NaN to go by the interval alone).
 *
 *   REGRESSED     worse > T', the interval beyond 1 (T' with `beyond`), p <= 2.5 %
 *   IMPROVED      better than 1/(1+T'), the interval beyond 1 (1/(1+T')), p <= 2.5 %
 *   UNCHANGED     the interval within 1/(1+threshold) .. 1+threshold, or within the absolute floor
 *   INCONCLUSIVE  everything else; beyond the threshold but not T' too, with that reason; and all
 *                 whose pairs vary by more than PYR_SPREAD_BORNE and than half of what they show
 *   INCOMPARABLE  no ratio, or an end of its interval is open
 */
struct pyr_judgement pyr_judge(const struct pyr_estimate *ratio, const struct pyr_gate *gate,
                               double p_higher, double p_lower);

/* Holm 1979: adjusted[i] for n p-values; NaN stays NaN and does not count. May be the same array.
 */
void pyr_holm(const double *p, size_t n, double *adjusted);

/* The verdict of all gated metrics together: REGRESSED if any is; INCOMPARABLE if all are (or there
 * is none); INCONCLUSIVE if any is, or some are incomparable; IMPROVED if any is; else UNCHANGED.
 */
enum pyr_verdict pyr_verdict_of_all(const enum pyr_verdict *verdicts, size_t n);

#endif
