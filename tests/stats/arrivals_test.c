/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "estimate/dist.h"
#include "stats/arrivals.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 2000 };

static void make(uint64_t *times, size_t n, double cv, struct pyr_rng *rng) {
    double now = 1e9;
    for (size_t i = 0; i < n; i++) {
        times[i] = (uint64_t)now;
        double gap = 1;
        if (cv > 0) {
            double shape = 1 / (cv * cv);
            gap = pyr_rng_gamma(rng, shape) / shape;
        }
        now += 1e7 * gap;
    }
}

static void each_process_fits_itself(void **state) {
    (void)state;
    static const double cvs[] = {0, 0.5, 1, 2};
    static const size_t sizes[] = {400, MOST};
    static uint64_t times[MOST];
    int count = getenv("PYR_LONG_TESTS") ? 3000 : 300;
    for (size_t k = 0; k < 4; k++)
        for (size_t s = 0; s < 2; s++) {
            int gaps_off = 0, counts_off = 0;
            struct pyr_rng rng;
            pyr_rng_init(&rng, 40 + k);
            for (int r = 0; r < count; r++) {
                make(times, sizes[s], cvs[k], &rng);
                struct pyr_arrival_check check = pyr_check_arrivals(times, sizes[s], cvs[k], 0.05);
                assert_null(check.reason);
                gaps_off += !check.cv_fits;
                counts_off += !check.dispersion_fits;
            }
            print_message("gaps of cv %.1f, n %4zu: cv alarms %d, dispersion alarms %d of %d\n",
                          cvs[k], sizes[s], gaps_off, counts_off, count);
            assert_true(gaps_off <= count / 50 + 1);
            assert_true(counts_off <= count / 50 + 1);
        }
}

static void one_process_does_not_fit_another(void **state) {
    (void)state;
    static uint64_t times[MOST];
    struct pyr_rng rng;
    pyr_rng_init(&rng, 12);
    make(times, MOST, 0, &rng);
    struct pyr_arrival_check check = pyr_check_arrivals(times, MOST, 1, 0.05);
    assert_false(check.cv_fits || check.dispersion_fits);
    assert_true(fabs(check.rate_per_s - 100) < 1e-6);
    make(times, MOST, 1, &rng);
    check = pyr_check_arrivals(times, MOST, 0, 0.05);
    assert_false(check.cv_fits || check.dispersion_fits);
    make(times, MOST, 2, &rng);
    check = pyr_check_arrivals(times, MOST, 1, 0.05);
    assert_false(check.cv_fits || check.dispersion_fits);
}

static void a_spread_is_that_of_the_gaps(void **state) {
    (void)state;
    uint64_t times[31] = {1000000000};
    for (size_t i = 1; i < 31; i++) /* 5 and 15 ms in turn */
        times[i] = times[i - 1] + (i % 2 ? 5000000 : 15000000);
    struct pyr_arrival_check check = pyr_check_arrivals(times, 31, 1, 0.05);
    assert_near(check.rate_per_s, 100, 1e-9);
    assert_near(check.cv, sqrt(30 * 25.0 / 29) / 10, 1e-12);
    /* 99.9 % two-sided of a gamma process: 3.2905 sd. */
    assert_near(check.cv_lo, 1 - 3.29053 * sqrt(2.0 / 60), 1e-5);
    assert_near(check.cv_hi, 1 + 3.29053 * sqrt(2.0 / 60), 1e-5);
    assert_true(check.cv_fits);
    assert_string_equal(check.reason, "n<200");
    assert_true(isnan(check.dispersion));
    for (size_t i = 0; i < 31; i++)
        times[i] = 7;
    check = pyr_check_arrivals(times, 31, 1, 0.05);
    assert_string_equal(check.reason, "all at one time");
}

/* Ten seconds with 10 and 30 arrivals in turn, and one at the end that closes the last. */
static void a_dispersion_is_that_of_the_counts(void **state) {
    (void)state;
    uint64_t times[201];
    size_t n = 0;
    for (uint64_t w = 0; w < 10; w++)
        for (uint64_t k = 0, count = w % 2 ? 30 : 10; k < count; k++)
            times[n++] = 1000000000 * (w + 1) + k * (1000000000 / count);
    times[n++] = 11000000000u;
    assert_int_equal(n, 201);
    for (int half = 0; half < 2; half++) {
        double cv = half ? 0.5 : 1, expected = half ? 0.25 + 0.9375 / 120 : 1;
        struct pyr_arrival_check check = pyr_check_arrivals(times, n, cv, 0.05);
        assert_null(check.reason);
        assert_near(check.dispersion, 10 * 100.0 / 9 / 20, 1e-12);
        assert_near(check.dispersion_lo,
                    fmax(expected * pyr_chi2_quantile(0.0005, 9) / 9 - 1.0 / 80, 0), 1e-9);
        assert_near(check.dispersion_hi,
                    expected * pyr_chi2_quantile(0.9995, 9) / 9 + 1.0 / 80 + 0.0025, 1e-9);
        assert_false(check.dispersion_fits);
    }
    assert_null(pyr_check_arrivals(times, 200, 1, 0.05).reason);
}

static void too_few_arrivals_are_not_judged(void **state) {
    (void)state;
    static uint64_t times[MOST];
    struct pyr_rng rng;
    pyr_rng_init(&rng, 12);
    make(times, MOST, 1, &rng);
    struct pyr_arrival_check check = pyr_check_arrivals(times, 30, 1, 0.05);
    assert_true(isnan(check.cv) && isnan(check.dispersion));
    assert_string_equal(check.reason, "n<31");
    check = pyr_check_arrivals(times, 199, 1, 0.05);
    assert_true(!isnan(check.cv) && isnan(check.dispersion));
    assert_string_equal(check.reason, "n<200");
    for (size_t i = 0; i < 100; i++)
        times[i] = 5;
    check = pyr_check_arrivals(times, 100, 1, 0.05);
    assert_true(isnan(check.cv));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_process_fits_itself),
        cmocka_unit_test(one_process_does_not_fit_another),
        cmocka_unit_test(a_spread_is_that_of_the_gaps),
        cmocka_unit_test(a_dispersion_is_that_of_the_counts),
        cmocka_unit_test(too_few_arrivals_are_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
