/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "estimate/steady.h"

#include <math.h>
#include <stdlib.h>

enum { N = 600 };

static int replications(int usual) {
    return getenv("PYR_LONG_TESTS") ? usual * 10 : usual;
}

/* Noise of 30 %, a warm-up of the given amplitude that dies away over tau values. */
static void make(double *series, size_t n, double amplitude, double tau, uint64_t seed) {
    struct pyr_rng rng;
    pyr_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++)
        series[i] = (1 + amplitude * exp(-(double)i / tau)) * pyr_rng_lognormal(&rng, 0.3);
}

static double mean(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

static void a_warm_up_is_cut_or_said_never_to_end(void **state) {
    (void)state;
    static const double taus[] = {20, 60, 200};
    static double series[N];
    int count = replications(100);
    for (size_t k = 0; k < 3; k++) {
        double bias = 0, raw = 0;
        int never = 0, biased = 0;
        for (int r = 0; r < count; r++) {
            make(series, N, 2, taus[k], 100 + (uint64_t)r);
            struct pyr_steady steady = pyr_steady_cut(series, N);
            assert_true(steady.judged);
            double off = mean(series + steady.cut, N - steady.cut) - 1;
            raw += mean(series, N) - 1;
            never += steady.never_steady;
            bias += steady.never_steady ? 0 : off;
            biased += !steady.never_steady && off > 0.1;
        }
        int kept = count - never;
        print_message(
            "warm-up x3 dying over %3.0f of %d values: bias %+5.1f %% uncut, %+5.1f %% cut, "
            "%d of %d never steady\n",
            taus[k], N, 100 * raw / count, kept ? 100 * bias / kept : 0, never, count);
        if (taus[k] < 100) {
            assert_true(bias / kept < 0.02);
            assert_true(never <= count / 10);
        } else {
            assert_true(biased <= count / 2);
        }
    }
}

static void a_steady_series_keeps_nearly_all_and_is_called_steady(void **state) {
    (void)state;
    static double series[N];
    int count = replications(200), never = 0;
    double cut = 0;
    for (int r = 0; r < count; r++) {
        make(series, N, 0, 1, 5000 + (uint64_t)r);
        struct pyr_steady steady = pyr_steady_cut(series, N);
        cut += (double)steady.cut;
        never += steady.never_steady;
    }
    print_message("no warm-up: cuts %.1f of %d values, %d of %d never steady\n", cut / count, N,
                  never, count);
    assert_true(cut / count < 30);
    assert_true(never <= count / 50);
}

static void one_late_stall_is_no_warm_up(void **state) {
    (void)state;
    static double series[N];
    make(series, N, 0, 1, 77);
    series[400] = 50;
    struct pyr_steady steady = pyr_steady_cut(series, N);
    assert_false(steady.never_steady);
    assert_true(steady.cut < 100);
    for (size_t i = 0; i < N; i++)
        series[i] = i == 400 ? 50 : 1;
    steady = pyr_steady_cut(series, N);
    assert_false(steady.never_steady);
}

static void a_step_in_the_second_half_is_never_steady(void **state) {
    (void)state;
    static double series[N];
    make(series, N, 0, 1, 78);
    for (size_t i = 0; i < 400; i++)
        series[i] *= 2;
    struct pyr_steady steady = pyr_steady_cut(series, N);
    assert_true(steady.never_steady);
    assert_in_range(steady.cut, 390, 420);
    assert_non_null(steady.reason);
}

static void a_constant_series_is_steady_from_its_start(void **state) {
    (void)state;
    double series[60];
    for (size_t i = 0; i < 60; i++)
        series[i] = 5;
    struct pyr_steady steady = pyr_steady_cut(series, 60);
    assert_int_equal(steady.cut, 0);
    assert_false(steady.never_steady);
    assert_true(steady.tail.slope.value == 0 && steady.tail.slope.lo == 0);
    steady = pyr_steady_cut(series, 49);
    assert_false(steady.judged);
    assert_string_equal(steady.reason, "n<50");
}

static void theil_and_sen_know_the_slope_of_a_line(void **state) {
    (void)state;
    double x[40], y[40];
    for (size_t i = 0; i < 40; i++) {
        x[i] = 10 + 0.5 * (double)i;
        y[i] = 3 - 2 * x[i];
    }
    y[7] = 1000; /* one wild value moves nothing */
    struct pyr_slope trend = pyr_slope_of(x, y, 40);
    assert_true(fabs(trend.slope.value + 2) < 1e-9);
    assert_true(pyr_slope_falls(&trend) && !pyr_slope_rises(&trend));
    assert_true(trend.p < 1e-6 && trend.tau < -0.8);
    trend = pyr_slope_of(x, y, 9);
    assert_true(isnan(trend.slope.value) && !pyr_slope_rises(&trend));
    for (size_t i = 0; i < 40; i++)
        x[i] = 1;
    trend = pyr_slope_of(x, y, 40);
    assert_true(isnan(trend.slope.value));
}

static void the_slope_of_noise_excludes_zero_about_as_often_as_it_should(void **state) {
    (void)state;
    static const double rhos[] = {0, 0.5, 0.8};
    static double series[N];
    int count = replications(200);
    for (size_t k = 0; k < 3; k++) {
        int wrong = 0;
        for (int r = 0; r < count; r++) {
            struct pyr_rng rng;
            pyr_rng_init(&rng, 900 + (uint64_t)r);
            double z = pyr_rng_normal(&rng), keep = sqrt(1 - rhos[k] * rhos[k]);
            for (size_t i = 0; i < N; i++) {
                series[i] = z;
                z = rhos[k] * z + keep * pyr_rng_normal(&rng);
            }
            struct pyr_slope trend = pyr_slope_of(NULL, series, N);
            wrong += pyr_slope_rises(&trend) || pyr_slope_falls(&trend);
        }
        print_message("trend of AR(1) noise at lag-1 %.1f: %d of %d intervals exclude 0\n", rhos[k],
                      wrong, count);
        assert_true(wrong <= count / 10);
    }
}

static void growth_of_queue_and_latency_together_is_saturation(void **state) {
    (void)state;
    double rising[100], flat[100];
    struct pyr_rng rng;
    pyr_rng_init(&rng, 3);
    for (size_t i = 0; i < 100; i++) {
        rising[i] = 1 + 0.05 * (double)i + 0.1 * pyr_rng_normal(&rng);
        flat[i] = 1 + 0.1 * pyr_rng_normal(&rng);
    }
    struct pyr_slope up = pyr_slope_of(NULL, rising, 100);
    struct pyr_slope level = pyr_slope_of(NULL, flat, 100);
    struct pyr_slope unknown = pyr_slope_of(NULL, flat, 3);
    assert_true(pyr_is_saturating(&up, &up));
    assert_false(pyr_is_saturating(&up, &level));
    assert_false(pyr_is_saturating(&level, &up));
    assert_false(pyr_is_saturating(&up, &unknown));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_warm_up_is_cut_or_said_never_to_end),
        cmocka_unit_test(a_steady_series_keeps_nearly_all_and_is_called_steady),
        cmocka_unit_test(one_late_stall_is_no_warm_up),
        cmocka_unit_test(a_step_in_the_second_half_is_never_steady),
        cmocka_unit_test(a_constant_series_is_steady_from_its_start),
        cmocka_unit_test(theil_and_sen_know_the_slope_of_a_line),
        cmocka_unit_test(the_slope_of_noise_excludes_zero_about_as_often_as_it_should),
        cmocka_unit_test(growth_of_queue_and_latency_together_is_saturation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
