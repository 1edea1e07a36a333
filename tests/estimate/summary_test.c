/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "estimate/summary.h"

#include <math.h>

static void mean_sd_and_interval_of_few_values_are_students(void **state) {
    (void)state;
    static const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct pyr_summary summary;
    pyr_summarise_doubles(values, 8, &summary);
    assert_near(summary.mean.value, 5, 0);
    assert_near(summary.sd, sqrt(32.0 / 7), 1e-12);
    assert_near(summary.min, 2, 0);
    assert_near(summary.max, 9, 0);
    /* t(.975, 7) = 2.364624 */
    assert_near(summary.mean.hi, 5 + 2.3646242516 * sqrt(32.0 / 7 / 8), 1e-8);
    assert_near(summary.mean.lo, 10 - summary.mean.hi, 1e-9);
    assert_null(summary.mean.reason);
}

static void what_a_sample_cannot_give_is_unknown_with_a_reason(void **state) {
    (void)state;
    struct pyr_summary summary;
    pyr_summarise_doubles(NULL, 0, &summary);
    assert_true(isnan(summary.mean.value) && isnan(summary.min) && isnan(summary.sd));
    assert_string_equal(summary.mean.reason, "no values");
    static const double one = 3;
    pyr_summarise_doubles(&one, 1, &summary);
    assert_near(summary.mean.value, 3, 0);
    assert_true(isnan(summary.mean.lo));
    assert_string_equal(summary.mean.reason, "n<2");
    struct pyr_estimate estimate = pyr_proportion(0, 0, 1);
    assert_true(isnan(estimate.value));
    estimate = pyr_rate(&one, 1, 2);
    assert_near(estimate.value, 1.5, 0);
    assert_string_equal(estimate.reason, "fewer than 2 windows");
    estimate = pyr_rate_of_events(NULL, NULL, 0, 5, 5);
    assert_true(isnan(estimate.value));
    static const double zero = 0;
    estimate = pyr_ratio(&one, &zero, 1);
    assert_true(isnan(estimate.value));
}

static void a_histogram_gives_the_summary_of_its_values(void **state) {
    (void)state;
    enum { N = 4000, PARTS = 20 };
    static double values[N];
    struct pyr_hist *hist = pyr_hist_create(), *parts[PARTS];
    struct pyr_rng rng;
    pyr_rng_init(&rng, 4);
    for (size_t p = 0; p < PARTS; p++)
        parts[p] = pyr_hist_create();
    double level = 0;
    for (size_t i = 0; i < N; i++) {
        level = 0.9 * level + pyr_rng_normal(&rng);
        values[i] = round(1e7 + 1e6 * level);
        pyr_hist_record(hist, (uint64_t)values[i]);
        pyr_hist_record(parts[i / (N / PARTS)], (uint64_t)values[i]);
    }
    struct pyr_summary exact, binned;
    pyr_summarise_doubles(values, N, &exact);
    pyr_summarise_hist(hist, (const struct pyr_hist *const *)parts, PARTS, &binned);
    assert_near(binned.mean.value, exact.mean.value, 1);
    assert_near(binned.sd / exact.sd, 1, 0.01);
    /* 20 batches tell the variance less closely than the order of the values does. */
    assert_near(binned.vif / exact.vif, 1, 0.3);
    assert_true(exact.vif > 5);
    assert_near(binned.mean.hi - binned.mean.lo, exact.mean.hi - exact.mean.lo,
                0.2 * (exact.mean.hi - exact.mean.lo));
    assert_near(binned.max, exact.max, 0);
    pyr_summarise_hist(hist, NULL, 0, &binned);
    assert_non_null(binned.mean.reason);
    for (size_t p = 0; p < PARTS; p++)
        pyr_hist_destroy(parts[p]);
    pyr_hist_destroy(hist);
}

static void wilsons_interval_has_its_known_values(void **state) {
    (void)state;
    struct pyr_estimate share = pyr_proportion(10, 100, 1);
    assert_near(share.lo, 0.0552291, 1e-6);
    assert_near(share.hi, 0.1743657, 1e-6);
    share = pyr_proportion(0, 50, 1);
    assert_near(share.lo, 0, 0);
    assert_near(share.hi, 0.0713476, 1e-6);
    share = pyr_proportion(50, 50, 1);
    assert_near(share.hi, 1, 0);
    /* A variance inflation of 2 is half as many trials. */
    struct pyr_estimate inflated = pyr_proportion(20, 200, 2);
    share = pyr_proportion(10, 100, 1);
    assert_near(inflated.hi, share.hi, 1e-12);
}

static void clustered_hits_widen_the_interval_of_a_share(void **state) {
    (void)state;
    enum { N = 2000 };
    static bool spread[N], clustered[N];
    for (size_t i = 0; i < N; i++) {
        spread[i] = i % 100 == 7;
        clustered[i] = i >= 1000 && i < 1020;
    }
    struct pyr_estimate even = pyr_proportion_of_flags(spread, N);
    struct pyr_estimate burst = pyr_proportion_of_flags(clustered, N);
    assert_near(even.value, 0.01, 1e-12);
    assert_near(burst.value, 0.01, 1e-12);
    assert_true(burst.hi - burst.lo > 2 * (even.hi - even.lo));
}

static void a_rate_counts_what_falls_into_its_window(void **state) {
    (void)state;
    enum { N = 1200 };
    static uint64_t times[N];
    static double weights[N];
    for (size_t i = 0; i < N; i++) {
        times[i] = (N - 1 - i) * 10000000u; /* 100 a second for 12 s, last first */
        weights[i] = 4;
    }
    struct pyr_estimate rate = pyr_rate_of_events(times, NULL, N, 1000000000u, 11000000000u);
    assert_near(rate.value, 100, 1e-9);
    assert_true(rate.lo <= 100 && rate.hi >= 100 && rate.hi - rate.lo < 5);
    rate = pyr_rate_of_events(times, weights, N, 1000000000u, 11000000000u);
    assert_near(rate.value, 400, 1e-9);
    static const double amounts[] = {0, 0, 0, 8};
    rate = pyr_rate(amounts, 4, 0.5);
    assert_near(rate.value, 4, 1e-12);
    assert_near(rate.lo, 0, 0);
}

static void a_ratio_of_sums_is_exact_where_the_pairs_are_proportional(void **state) {
    (void)state;
    double num[100], den[100];
    for (size_t i = 0; i < 100; i++) {
        den[i] = 1 + (double)i;
        num[i] = 3 * den[i];
    }
    struct pyr_estimate ratio = pyr_ratio(num, den, 100);
    assert_near(ratio.value, 3, 1e-12);
    assert_near(ratio.hi - ratio.lo, 0, 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_sd_and_interval_of_few_values_are_students),
        cmocka_unit_test(what_a_sample_cannot_give_is_unknown_with_a_reason),
        cmocka_unit_test(a_histogram_gives_the_summary_of_its_values),
        cmocka_unit_test(wilsons_interval_has_its_known_values),
        cmocka_unit_test(clustered_hits_widen_the_interval_of_a_share),
        cmocka_unit_test(a_rate_counts_what_falls_into_its_window),
        cmocka_unit_test(a_ratio_of_sums_is_exact_where_the_pairs_are_proportional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
