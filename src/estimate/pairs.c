/* SPDX-License-Identifier: MIT */
#include "estimate/pairs.h"

#include "base/mem.h"
#include "base/rng.h"
#include "estimate/dist.h"
#include "estimate/sample.h"

#include <assert.h>

enum { EXACT_MOST = 50, RANK_SUM_MOST = EXACT_MOST * (EXACT_MOST + 1) };

/* ways[s] = how many of the 2^n sign patterns give the positive ranks the sum s. Ranks are doubled,
 * so that the middle ranks of ties stay whole: with them the distribution is the exact one given
 * the ties. 2^50 is whole in a double. */
static void count_ways(const unsigned *doubled_ranks, size_t n, double *ways) {
    memset(ways, 0, (RANK_SUM_MOST + 1) * sizeof *ways);
    ways[0] = 1;
    size_t top = 0;
    for (size_t i = 0; i < n; i++) {
        top += doubled_ranks[i];
        for (size_t s = top; s + 1 > doubled_ranks[i]; s--)
            ways[s] += ways[s - doubled_ranks[i]];
    }
}

long pyr_signed_rank_critical(size_t n, double alpha) {
    assert(n <= EXACT_MOST);
    unsigned ranks[EXACT_MOST];
    for (size_t i = 0; i < n; i++)
        ranks[i] = 2 * (unsigned)(i + 1);
    double ways[RANK_SUM_MOST + 1], sum = 0;
    count_ways(ranks, n, ways);
    long critical = -1;
    for (size_t s = 0; s <= n * (n + 1); s += 2) {
        sum += ways[s];
        if (sum > alpha * ldexp(1, (int)n))
            break;
        critical = (long)(s / 2);
    }
    return critical;
}

/* How many Walsh averages lie outside the interval on either side; -1 when it is open. */
static long cut_off(size_t n) {
    if (n <= EXACT_MOST)
        return pyr_signed_rank_critical(n, 0.025);
    double count = (double)n, mean = count * (count + 1) / 4;
    double sd = sqrt(count * (count + 1) * (2 * count + 1) / 24);
    return (long)floor(mean - PYR_Z975 * sd - 0.5);
}

/* Twice the middle ranks of |x|, x without zeros; returns twice the sum of those of positive x. */
static double rank_doubled(const double *x, size_t n, unsigned *doubled_ranks) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned below = 0, same = 0;
        for (size_t j = 0; j < n; j++) {
            below += fabs(x[j]) < fabs(x[i]);
            same += fabs(x[j]) == fabs(x[i]);
        }
        doubled_ranks[i] = 2 * below + same + 1;
        sum += x[i] > 0 ? doubled_ranks[i] : 0;
    }
    return sum;
}

/* One-sided p of a positive and of a negative centre. Zeros say nothing and are left out. */
static void signed_rank(const double *logs, size_t n, struct pyr_pairs *out) {
    double *x = pyr_xcalloc(n, sizeof *x);
    unsigned *ranks = pyr_xcalloc(n, sizeof *ranks);
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        if (logs[i] != 0)
            x[used++] = logs[i];
    double positive = rank_doubled(x, used, ranks);
    out->p_higher = out->p_lower = 1;
    if (used > 0 && used <= EXACT_MOST) {
        double ways[RANK_SUM_MOST + 1], above = 0, below = 0;
        count_ways(ranks, used, ways);
        for (size_t s = 0; s <= used * (used + 1); s++) {
            above += (double)s >= positive ? ways[s] : 0;
            below += (double)s <= positive ? ways[s] : 0;
        }
        out->p_higher = ldexp(above, -(int)used);
        out->p_lower = ldexp(below, -(int)used);
    } else if (used > 0) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < used; i++) {
            mean += ranks[i] / 2.0;
            variance += (double)ranks[i] * ranks[i] / 4;
        }
        out->p_higher = pyr_normal_cdf(-(positive - 1 - mean) / sqrt(variance));
        out->p_lower = pyr_normal_cdf((positive + 1 - mean) / sqrt(variance));
    }
    pyr_free(ranks);
    pyr_free(x);
}

static void hodges_lehmann(const double *logs, size_t n, struct pyr_pairs *out) {
    size_t count = n * (n + 1) / 2, filled = 0;
    double *walsh = pyr_xcalloc(count, sizeof *walsh);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            walsh[filled++] = (logs[i] + logs[j]) / 2;
    pyr_sort_doubles(walsh, count);
    double centre = pyr_median_of_sorted(walsh, count);
    out->ratio = pyr_estimate_unknown("pairs<6");
    out->ratio.value = exp(centre);
    long outside = cut_off(n);
    if (outside >= 0) {
        out->ratio.lo = exp(walsh[outside]);
        out->ratio.hi = exp(walsh[count - 1 - (size_t)outside]);
        out->ratio.reason = NULL;
    }
    for (size_t i = 0; i < n; i++)
        walsh[i] = fabs(logs[i] - centre);
    pyr_sort_doubles(walsh, n);
    out->cv = 1.4826 * pyr_median_of_sorted(walsh, n);
    pyr_free(walsh);
}

void pyr_compare_pairs(const double *a, const double *b, size_t n, struct pyr_pairs *out) {
    *out = (struct pyr_pairs){.n = n,
                              .ratio = pyr_estimate_unknown("no pairs"),
                              .p_higher = NAN,
                              .p_lower = NAN,
                              .cv = NAN};
    if (n == 0)
        return;
    if (n > PYR_PAIRS_MOST) {
        out->ratio.reason = "more than 2000 pairs";
        return;
    }
    double *logs = pyr_xcalloc(n, sizeof *logs);
    bool usable = true;
    for (size_t i = 0; i < n && usable; i++) {
        usable = a[i] > 0 && b[i] > 0 && isfinite(a[i]) && isfinite(b[i]);
        logs[i] = usable ? log(b[i] / a[i]) : 0;
    }
    if (usable) {
        hodges_lehmann(logs, n, out);
        signed_rank(logs, n, out);
    } else {
        out->ratio.reason = "a block without a positive value";
    }
    pyr_free(logs);
}

void pyr_pair_order(uint64_t seed, bool *order, size_t n) {
    struct pyr_rng rng;
    pyr_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++)
        order[i] = pyr_rng_below(&rng, 2) == 1;
}

struct pyr_noise pyr_noise_floor(const struct pyr_pairs *a_against_a) {
    const struct pyr_estimate *ratio = &a_against_a->ratio;
    if (!pyr_estimate_is_bounded(ratio))
        return (struct pyr_noise){.floor = NAN};
    double low = log(ratio->lo), high = log(ratio->hi);
    struct pyr_noise noise = {.floor = expm1((high - low) / 2), .biased = low > 0 || high < 0};
    if (noise.biased)
        noise.floor = expm1(fmax(fabs(low), fabs(high)));
    return noise;
}

double pyr_block_cv(const double *blocks, size_t n) {
    if (n < 2)
        return NAN;
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        mean += blocks[i] / (double)n;
        double step = i > 0 ? blocks[i] - blocks[i - 1] : 0;
        squares += step * step;
    }
    return mean > 0 ? sqrt(squares / (2 * (double)(n - 1))) / mean : (double)NAN;
}

struct pyr_block_size pyr_size_blocks(const double *pilot, size_t n, uint64_t requests,
                                      uint64_t most) {
    assert(requests > 0 && most >= requests);
    struct pyr_block_size size = {
        .requests = requests, .cv = pyr_block_cv(pilot, n), .cv_expected = NAN};
    if (isnan(size.cv))
        return size;
    double factor = fmax(1, size.cv / PYR_BLOCK_CV * (size.cv / PYR_BLOCK_CV));
    double wanted = ceil((double)requests * factor - 1e-6);
    size.reached = wanted <= (double)most;
    size.requests = size.reached ? (uint64_t)wanted : most;
    size.cv_expected = size.cv * sqrt((double)requests / (double)size.requests);
    return size;
}
