/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
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
        cmocka_unit_test(too_few_arrivals_are_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
