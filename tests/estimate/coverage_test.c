/* SPDX-License-Identifier: MIT
 *
 * How often the 95 % intervals hold the true value, on autocorrelated values of known law. The
 * series are AR(1) with normal margins; an order statistic depends on the ranks alone, so that any
 * monotone law (exponential, lognormal latencies) gives the same counts.
 */
#include "support/support.h"

#include "base/mem.h"
#include "base/rng.h"
#include "estimate/dist.h"
#include "estimate/quantile.h"
#include "estimate/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUANTILES = 4, MOST = 10000 };

static const double qs[QUANTILES] = {0.5, 0.9, 0.95, 0.99};

struct tally {
    int covered[QUANTILES], naive[QUANTILES], open[QUANTILES];
    double bias[QUANTILES]; /* of the point, in units of rank: mean of n (share below - q) */
    int mean_covered, mean_naive;
};

static uint64_t keys[MOST], sorted[MOST], scratch[MOST];
static double values[MOST];

static void make(size_t n, double rho, struct pyr_rng *rng) {
    double z = pyr_rng_normal(rng), keep = sqrt(1 - rho * rho);
    for (size_t i = 0; i < n; i++) {
        values[i] = z;
        keys[i] = sorted[i] = pyr_key_of_double(z);
        z = rho * z + keep * pyr_rng_normal(rng);
    }
    pyr_sort_keys(sorted, scratch, n);
}

static bool holds(double lo, double hi, double truth) {
    return !(lo > truth) && !(hi < truth); /* an open end excludes nothing */
}

static void count_one(size_t n, struct pyr_arena *arena, struct tally *tally) {
    const struct pyr_sample sample = {
        .in_order = keys, .sorted = sorted, .n = n, .is_double = true};
    struct pyr_quantile quantiles[QUANTILES];
    pyr_quantiles(&sample, qs, QUANTILES, arena, quantiles);
    for (size_t k = 0; k < QUANTILES; k++) {
        double truth = pyr_normal_quantile(qs[k]);
        const struct pyr_estimate *estimate = &quantiles[k].estimate;
        bool open = !pyr_estimate_is_bounded(estimate);
        tally->open[k] += open;
        tally->covered[k] += holds(estimate->lo, estimate->hi, truth) && !(open && qs[k] <= 0.95);
        uint64_t lo, hi;
        pyr_quantile_ranks(n, qs[k], 1, 1e6, &lo, &hi);
        double low = lo ? pyr_double_of_key(sorted[lo - 1]) : (double)NAN;
        double high = hi ? pyr_double_of_key(sorted[hi - 1]) : (double)NAN;
        tally->naive[k] += holds(low, high, truth);
        tally->bias[k] += pyr_normal_cdf(estimate->value) - qs[k];
    }
    struct pyr_summary summary;
    pyr_summarise_doubles(values, n, &summary);
    tally->mean_covered += holds(summary.mean.lo, summary.mean.hi, 0);
    double reach = PYR_Z975 * summary.sd / sqrt((double)n);
    tally->mean_naive += fabs(summary.mean.value) <= reach;
}

static void run(size_t n, double rho, int replications, struct tally *tally) {
    memset(tally, 0, sizeof *tally);
    struct pyr_rng rng;
    pyr_rng_init(&rng, 1000 + n + (uint64_t)(rho * 100));
    for (int r = 0; r < replications; r++) {
        struct pyr_arena *arena = pyr_arena_create();
        make(n, rho, &rng);
        count_one(n, arena, tally);
        pyr_arena_destroy(arena);
    }
    double all = replications;
    print_message("n %5zu lag-1 %.2f:", n, rho);
    for (size_t k = 0; k < QUANTILES; k++)
        print_message(" p%.0f %.1f %% (naive %.1f, open %.1f)", 100 * qs[k],
                      100 * tally->covered[k] / all, 100 * tally->naive[k] / all,
                      100 * tally->open[k] / all);
    print_message(" mean %.1f %% (naive %.1f)\n", 100 * tally->mean_covered / all,
                  100 * tally->mean_naive / all);
}

static void intervals_hold_the_truth_in_92_of_100_runs(void **state) {
    (void)state;
    static const struct {
        size_t n;
        double rho;
        int replications;
    } cases[] = {{2000, 0, 400},    {2000, 0.5, 400},  {2000, 0.8, 400},  {10000, 0, 150},
                 {10000, 0.5, 150}, {10000, 0.8, 150}, {10000, 0.95, 250}};
    int factor = getenv("PYR_LONG_TESTS") ? 20 : 1;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct tally tally;
        int replications = cases[c].replications * factor;
        run(cases[c].n, cases[c].rho, replications, &tally);
        for (size_t k = 0; k < QUANTILES; k++) {
            assert_true(tally.covered[k] >= 0.92 * replications);
            /* On paper the bias is below 1/n of the effective size; the rest is the noise of so
             * many replications. */
            double inflation = (1 + cases[c].rho) / (1 - cases[c].rho), n = (double)cases[c].n;
            double noise = sqrt(qs[k] * (1 - qs[k]) * inflation / (n * replications));
            assert_true(fabs(tally.bias[k] / replications) < 3.5 * noise + inflation / n);
        }
        assert_true(tally.mean_covered >= 0.92 * replications);
    }
}

static void a_memory_of_a_fiftieth_of_the_run_leaves_upper_ends_open(void **state) {
    (void)state;
    struct tally tally;
    int replications = getenv("PYR_LONG_TESTS") ? 8000 : 300;
    run(2000, 0.95, replications, &tally);
    /* 2000 values are 51 of its correlation times: what is bounded is right, the rest says so. */
    assert_true(tally.covered[0] >= 0.92 * replications);
    for (size_t k = 1; k < 3; k++)
        assert_true(tally.covered[k] + tally.open[k] >= 0.92 * replications);
    assert_true(tally.naive[0] < 0.6 * replications);
}

static void few_independent_values_are_covered_too(void **state) {
    (void)state;
    static const size_t sizes[] = {40, 100, 400, 1000};
    for (size_t s = 0; s < 4; s++) {
        struct tally tally;
        int replications = getenv("PYR_LONG_TESTS") ? 20000 : 600;
        run(sizes[s], 0, replications, &tally);
        assert_true(tally.covered[0] >= 0.92 * replications);
        assert_true(tally.mean_covered >= 0.92 * replications);
        /* What is bounded is right as often; the rest says that it is open. */
        for (size_t k = 1; k < QUANTILES; k++)
            assert_true(tally.covered[k] + tally.open[k] >= 0.92 * replications);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_hold_the_truth_in_92_of_100_runs),
        cmocka_unit_test(a_memory_of_a_fiftieth_of_the_run_leaves_upper_ends_open),
        cmocka_unit_test(few_independent_values_are_covered_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
