/* SPDX-License-Identifier: MIT
 *
 * The ratio of two things measured in turn, from n pairs: the Hodges-Lehmann estimate of the log
 * ratios and its exact 95 % interval by the signed-rank distribution. Source: Hollander, Wolfe,
 * Chicken, "Nonparametric Statistical Methods" (3rd edition), sections 3.2 and 3.3.
 */
#ifndef PYR_BENCH_RATIO_H
#define PYR_BENCH_RATIO_H

#include <math.h>
#include <stdlib.h>

enum { RATIO_PAIRS_MOST = 64 };

struct ratio {
    double value, lo, hi; /* lo, hi: NaN with fewer than 6 pairs, which allow no 95 % interval */
};

static inline int ratio_by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest k with P(W+ < k) <= 0.025 under the null hypothesis: the k-th smallest and k-th
 * largest Walsh average are the bounds. 0: none. */
static inline int ratio_rank_bound(int n) {
    static double ways[RATIO_PAIRS_MOST * (RATIO_PAIRS_MOST + 1) / 2 + 1];
    int top = n * (n + 1) / 2;
    for (int i = 0; i <= top; i++)
        ways[i] = i == 0;
    for (int rank = 1; rank <= n; rank++)
        for (int sum = top; sum >= rank; sum--)
            ways[sum] += ways[sum - rank];
    double below = 0, all = ldexp(1, n);
    int k = 0;
    while (k <= top && below + ways[k] <= 0.025 * all)
        below += ways[k++];
    return k;
}

/* of[i] / to[i], i < n <= RATIO_PAIRS_MOST. */
static inline struct ratio ratio_of(const double *of, const double *to, int n) {
    static double walsh[RATIO_PAIRS_MOST * (RATIO_PAIRS_MOST + 1) / 2];
    int count = 0;
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++)
            walsh[count++] = (log(of[i] / to[i]) + log(of[j] / to[j])) / 2;
    qsort(walsh, (size_t)count, sizeof *walsh, ratio_by_value);
    int k = ratio_rank_bound(n);
    struct ratio ratio = {.value = exp((walsh[(count - 1) / 2] + walsh[count / 2]) / 2),
                          .lo = (double)NAN,
                          .hi = (double)NAN};
    if (k > 0) {
        ratio.lo = exp(walsh[k - 1]);
        ratio.hi = exp(walsh[count - k]);
    }
    return ratio;
}

#endif
