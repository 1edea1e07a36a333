/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/clock.h"
#include "load/arrivals.h"

#include <math.h>
#include <string.h>

static struct pyr_arrivals start(const char *kind, double rate, double cv,
                                 const struct pyr_curve *curve, uint64_t seed) {
    struct pyr_arrival_options options = {
        .kind = pyr_arrival_kind_find(kind), .rate = rate, .cv = cv, .curve = curve, .seed = seed};
    struct pyr_err err;
    assert_non_null(options.kind);
    assert_ok(err, pyr_arrivals_check(&options, &err));
    struct pyr_arrivals arrivals;
    pyr_arrivals_init(&arrivals, &options);
    return arrivals;
}

/* Mean (s) and coefficient of variation of n gaps. */
static void gaps(struct pyr_arrivals *arrivals, size_t n, double *mean, double *cv) {
    double sum = 0, squares = 0, last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t at = pyr_arrivals_next(arrivals);
        double time_s = (double)at / 1e9, gap = time_s - last;
        assert_true(gap >= 0);
        last = time_s;
        sum += gap;
        squares += gap * gap;
    }
    *mean = sum / (double)n;
    *cv = sqrt(squares / (double)n - *mean * *mean) / *mean;
}

static void constant_arrivals_are_exact_after_a_million(void **state) {
    (void)state;
    struct pyr_arrivals arrivals = start("constant", 1000, 0, NULL, 1);
    for (uint64_t i = 0; i < 1000000; i++) {
        uint64_t at = pyr_arrivals_next(&arrivals), want = i * PYR_NS_PER_MS;
        assert_true(at + 1 >= want && at <= want + 1);
    }
}

static void poisson_gaps_have_a_dispersion_of_one(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct pyr_arrivals arrivals = start("poisson", 100, 0, NULL, seed);
        double mean, cv;
        gaps(&arrivals, 40000, &mean, &cv); /* standard error 0.5 % */
        assert_true(fabs(mean * 100 - 1) < 0.025);
        assert_true(fabs(cv - 1) < 0.04);
    }
}

static void gamma_gaps_have_the_asked_dispersion(void **state) {
    (void)state;
    static const double asked[] = {0.25, 0.5, 1, 2};
    for (size_t i = 0; i < 4; i++) {
        struct pyr_arrivals arrivals = start("gamma", 50, asked[i], NULL, 7 + i);
        double mean, cv;
        gaps(&arrivals, 60000, &mean, &cv);
        assert_true(fabs(mean * 50 - 1) < 0.05);
        assert_true(fabs(cv / asked[i] - 1) < 0.06);
    }
}

static void bursts_come_together_at_the_asked_mean_rate(void **state) {
    (void)state;
    struct pyr_arrivals arrivals = start("burst", 100, 0, NULL, 1);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(pyr_arrivals_next(&arrivals), i / 10 * 100 * PYR_NS_PER_MS);
}

static void the_same_seed_gives_the_same_schedule(void **state) {
    (void)state;
    struct pyr_arrivals a = start("poisson", 10, 0, NULL, 42),
                        b = start("poisson", 10, 0, NULL, 42),
                        c = start("poisson", 10, 0, NULL, 43);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t at = pyr_arrivals_next(&a);
        assert_int_equal(at, pyr_arrivals_next(&b));
        differs |= at != pyr_arrivals_next(&c);
    }
    assert_true(differs);
}

/* 0 -> 100/s over 10 s, 100/s for 10 s, a step to 0 for 10 s, then 50/s: the count until any time
 * is the curve's integral. */
static void a_rate_curve_is_followed_exactly(void **state) {
    (void)state;
    static const struct pyr_curve_knot points[] = {{0, 0},
                                                   {10 * PYR_NS_PER_S, 100},
                                                   {20 * PYR_NS_PER_S, 100},
                                                   {20 * PYR_NS_PER_S, 0},
                                                   {30 * PYR_NS_PER_S, 0},
                                                   {30 * PYR_NS_PER_S, 50}};
    const struct pyr_curve curve = {points, 6};
    struct pyr_arrivals arrivals = start("constant", 0, 0, &curve, 1);
    uint64_t count = 0, at;
    while ((at = pyr_arrivals_next(&arrivals)) < 40 * PYR_NS_PER_S) {
        double t = (double)at / 1e9;
        double integral = t < 10   ? 5 * t * t
                          : t < 20 ? 500 + 100 * (t - 10)
                          : t < 30 ? 1500
                                   : 1500 + 50 * (t - 30);
        assert_true(fabs(integral - (double)count) < 1e-3);
        assert_false(t > 20.0001 && t < 29.9999);
        count++;
    }
    assert_int_equal(count, 2000);
    assert_true(pyr_curve_value(&curve, 5 * PYR_NS_PER_S) == 50);
    assert_true(pyr_curve_value(&curve, 25 * PYR_NS_PER_S) == 0);
    assert_true(pyr_curve_value(&curve, 99 * PYR_NS_PER_S) == 50);
}

static void a_curve_that_ends_at_zero_has_a_last_arrival(void **state) {
    (void)state;
    static const struct pyr_curve_knot points[] = {{0, 10}, {PYR_NS_PER_S, 10}, {PYR_NS_PER_S, 0}};
    const struct pyr_curve curve = {points, 3};
    struct pyr_arrivals arrivals = start("constant", 0, 0, &curve, 1);
    int count = 0;
    while (pyr_arrivals_next(&arrivals) != PYR_NEVER)
        count++;
    assert_in_range(count, 10, 11);
    assert_true(pyr_arrivals_next(&arrivals) == PYR_NEVER);
}

static void impossible_rates_are_refused(void **state) {
    (void)state;
    struct pyr_err err;
    struct pyr_arrival_options options = {.kind = &pyr_arrival_poisson};
    assert_false(pyr_arrivals_check(&options, &err));
    options.rate = INFINITY;
    assert_false(pyr_arrivals_check(&options, &err));
    options.rate = 1;
    options.cv = -1;
    assert_false(pyr_arrivals_check(&options, &err));
    static const struct pyr_curve_knot back[] = {{5, 1}, {4, 1}};
    const struct pyr_curve curve = {back, 2};
    options.curve = &curve;
    assert_false(pyr_arrivals_check(&options, &err));
    assert_null(pyr_arrival_kind_find("weekly"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_arrivals_are_exact_after_a_million),
        cmocka_unit_test(poisson_gaps_have_a_dispersion_of_one),
        cmocka_unit_test(gamma_gaps_have_the_asked_dispersion),
        cmocka_unit_test(bursts_come_together_at_the_asked_mean_rate),
        cmocka_unit_test(the_same_seed_gives_the_same_schedule),
        cmocka_unit_test(a_rate_curve_is_followed_exactly),
        cmocka_unit_test(a_curve_that_ends_at_zero_has_a_last_arrival),
        cmocka_unit_test(impossible_rates_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
