/* SPDX-License-Identifier: MIT
 *
 * Means, shares, rates and ratios with 95 % two-sided intervals that hold under autocorrelation.
 * Means: the long-run variance of estimate/correlation.h and its degrees of freedom; below one both
 * ends are open. Shares, rates and ratios: 20 equal batches in time
 * order, Student's t with 19 degrees of freedom, and a variance inflation VIF >= 1. Below 40 values
 * the values are taken as independent (t with n-1). Reasons are static text. docs/method/summary.md
 * says why.
 */
#ifndef PYR_ESTIMATE_SUMMARY_H
#define PYR_ESTIMATE_SUMMARY_H

#include "estimate/estimate.h"
#include "estimate/hist.h"
#include "estimate/sample.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_summary {
    uint64_t n;
    struct pyr_estimate mean;
    double sd;       /* with n - 1; NaN below two values */
    double min, max; /* NaN when there are none */
    double vif;      /* of the mean, >= 1 */
    double n_effective;
};

void pyr_summarise(const struct pyr_sample *sample,
                   struct pyr_summary *out); /* needs no `sorted` */
void pyr_summarise_doubles(const double *in_order, size_t n, struct pyr_summary *out);
/* From a histogram and those of its successive equal shares (10 or more, else the values are taken
 * as independent and the mean's reason says so). The mean is exact, sd within 0.3 % of the mean. */
void pyr_summarise_hist(const struct pyr_hist *hist, const struct pyr_hist *const *batches,
                        size_t batch_count, struct pyr_summary *out);

/* A share of n: Wilson's interval (Wilson 1927) at the effective size n / vif; pass 1 for
 * independent trials. Unknown when n is 0. */
struct pyr_estimate pyr_proportion(uint64_t hits, uint64_t n, double vif);

/* The variance inflation of a share, from the hits in successive batches of equal size. */
double pyr_vif_of_hits(const uint64_t *hits, size_t batches, uint64_t per_batch);

/* The share of true flags among n in send order, with the inflation that they show; for error and
 * timeout rates, goals met, spikes. */
struct pyr_estimate pyr_proportion_of_flags(const bool *flags, size_t n);

/* A rate per second from the amounts (requests, tokens, bytes) of successive windows of equal
 * length. From 40 windows on they are joined into 20. The interval needs two windows; 10 or more
 * make it a good one. The lower end is never below 0. */
struct pyr_estimate pyr_rate(const double *amounts, size_t windows, double window_s);

/* The same from events at times in [start_ns, end_ns), in any order, cut into 20 windows; others
 * are left out. weights are the amounts, NULL for 1 each. */
struct pyr_estimate pyr_rate_of_events(const uint64_t *times_ns, const double *weights, size_t n,
                                       uint64_t start_ns, uint64_t end_ns);

/* sum(num) / sum(den) over n pairs in time order, the interval by the delta method on batch sums.
 * Unknown when the denominators add up to 0 or less. */
struct pyr_estimate pyr_ratio(const double *num, const double *den, size_t n);

#endif
