/* SPDX-License-Identifier: MIT
 *
 * Paired comparison of A and B: blocks of both, interleaved in random order, so that the drift of
 * the machine hits both sides alike. One number a block (its median latency, its throughput). The
 * estimate is Hodges and Lehmann's: the median of the Walsh averages of ln(B/A); its 95 % interval
 * is that of the signed-rank test, exact up to 50 pairs, normal beyond. docs/method/compare.md.
 */
#ifndef PYR_ESTIMATE_PAIRS_H
#define PYR_ESTIMATE_PAIRS_H

#include "estimate/estimate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PYR_PAIRS_LEAST = 6, PYR_PAIRS_USUAL = 20, PYR_PAIRS_MOST = 2000 };

struct pyr_pairs {
    size_t n;
    struct pyr_estimate
        ratio; /* B/A; unknown, with the reason, when a block has no positive value */
    double p_higher, p_lower; /* one-sided signed-rank p of "B/A > 1", "B/A < 1"; NaN if unknown */
    double cv;                /* robust spread of ln(B/A) about the estimate, sqrt(2) of a block's
                               * own when the sides are alike; NaN if unknown */
};

/* a[i] and b[i] ran as neighbours. The interval needs 6 pairs ("pairs<6"); at most 2000. */
void pyr_compare_pairs(const double *a, const double *b, size_t n, struct pyr_pairs *out);

/* order[i]: whether B runs first in pair i; a fair coin for each, the same for the same seed. */
void pyr_pair_order(uint64_t seed, bool *order, size_t n);

/* What the machine shows between two runs of the same thing: half of the width of the 95 % interval
 * of an A/A comparison, relative (0.02: 2 %). Where that interval leaves 1 out, the order or the
 * slot has a bias, and the floor reaches to the interval's far end. NaN when it is unbounded. */
struct pyr_noise {
    double floor;
    bool biased;
};

struct pyr_noise pyr_noise_floor(const struct pyr_pairs *a_against_a);

/* The spread that pairs see: the root of half the mean squared difference of successive blocks over
 * their mean (von Neumann), which slow drift does not enter. NaN below 2 blocks. */
double pyr_block_cv(const double *blocks, size_t n);

/* How long a block must be for a CV of at most 3 %, from pilot blocks of `requests` requests each:
 * the CV falls with the root of the length where requests vary by themselves. */
struct pyr_block_size {
    uint64_t requests; /* the pilot's own when it does; never below it, never above `most` */
    double cv;         /* of the pilot */
    double cv_expected;
    bool reached; /* false: even `most` is expected to vary more than 3 %, or the pilot says nothing
                   */
};

#define PYR_BLOCK_CV 0.03

struct pyr_block_size pyr_size_blocks(const double *pilot, size_t n, uint64_t requests,
                                      uint64_t most);

/* The distribution of the signed-rank statistic: the greatest t with P(T <= t) <= alpha for n pairs
 * without ties, or -1; n <= 50. For the interval, and tests. */
long pyr_signed_rank_critical(size_t n, double alpha);

#endif
