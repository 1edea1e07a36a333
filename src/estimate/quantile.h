/* SPDX-License-Identifier: MIT
 *
 * Quantiles as order statistics, with 95 % two-sided intervals that hold under autocorrelation.
 * docs/method/quantiles.md derives and tests what follows.
 *
 * The q-quantile of n values is the one of rank ceil(n q); it is unknown while n < 1/(1-q) (for
 * q < 1/2: n < 1/q). Its interval lies between two other ranks:
 *
 *  - the order statistics of n independent values give exact binomial ranks; used when no
 *    autocorrelation is seen (VIF = 1) and n < 2000 or fewer than 20 values lie beyond q;
 *  - otherwise floor(nq - t s) and ceil(nq + t s) + 1 with s = sqrt(n q (1-q) VIF) and t the 97.5 %
 *    point of Student's t with the degrees of freedom of pyr_quantile_degrees.
 *
 * VIF, the variance inflation, is the long-run variance (estimate/correlation.h) of the indicator
 * [x > quantile] in at most 256 equal batches in send order, over q (1-q); below 1.05 it counts as
 * 1, and so it does where there are fewer than 40 values.
 * An end whose rank is outside 1 .. n is open: NaN with a reason ("n<368"); so are both where the
 * run is too short beside its own memory (sample->correlation).
 */
#ifndef PYR_ESTIMATE_QUANTILE_H
#define PYR_ESTIMATE_QUANTILE_H

#include "base/arena.h"
#include "estimate/correlation.h"
#include "estimate/estimate.h"
#include "estimate/hist.h"
#include "estimate/sample.h"

#include <stddef.h>
#include <stdint.h>

enum { PYR_BATCHES = 20 };

struct pyr_quantile {
    double q;
    struct pyr_estimate estimate;
    uint64_t n;
    double vif;         /* >= 1 */
    double n_effective; /* n / vif */
    /* How many more values a two-sided finite interval needs, were the rest like these; 0 when both
     * ends are there. For "p99 needs N more requests". */
    uint64_t needed;
    /* The conservative value that MLPerf's early stopping reports (confidence 99 %, values taken as
     * independent): with t the most values that may lie beyond q, the one of rank n - t + 1.
     * NaN below its floor (n = 662 for p99). Source: mlcommons/inference, loadgen/results.cc. */
    double early_stopping;
    /* What the storage adds: 0 for exact values, PYR_HIST_RELATIVE_ERROR from a histogram. */
    double relative_error;
};

/* Fills out[0 .. count) for qs[0 .. count), each in (0, 1), at most 16 of them. Reasons are made in
 * the arena. One pass over the sample in order, nothing else is linear in n. */
void pyr_quantiles(const struct pyr_sample *sample, const double *qs, size_t count,
                   struct pyr_arena *arena, struct pyr_quantile *out);

/* The same where as many values as `least_vif` are known to say no more than one, whatever their
 * order shows (users who keep their places in a closed loop): VIF is at least that, and where it is
 * no more its own error is none. */
void pyr_quantiles_inflated(const struct pyr_sample *sample, double least_vif, const double *qs,
                            size_t count, struct pyr_arena *arena, struct pyr_quantile *out);

/* The same from a histogram, where there are too many values to keep. `batches` are the histograms
 * of successive equal shares of the run (10 or more; they add up to `hist`), from which VIF is
 * taken; with batches NULL or fewer the values are taken as independent and the reason says so.
 * `correlation` as in a sample. */
void pyr_quantiles_of_hist(const struct pyr_hist *hist, const struct pyr_hist *const *batches,
                           size_t batch_count, const struct pyr_correlation *correlation,
                           const double *qs, size_t count, struct pyr_arena *arena,
                           struct pyr_quantile *out);

/* The ranks of the interval, 0 for an open end; for callers with their own storage, and tests. */
void pyr_quantile_ranks(uint64_t n, double q, double vif, double df, uint64_t *lo, uint64_t *hi);

/* ceil(n q), safe against the rounding of n q; 1 .. n for n > 0. */
uint64_t pyr_quantile_rank(uint64_t n, double q);

/* The least n at which both ends are finite, where the run does not limit the degrees. */
uint64_t pyr_quantile_n_bounded(double q, double vif);

#endif
