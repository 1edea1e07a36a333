/* SPDX-License-Identifier: MIT
 *
 * Pooled tries against figures worked out by hand.
 */
#include "support/support.h"

#include "stats/tries.h"

#include <math.h>

enum { TRIES = 2 };

/* Tries of one rate: value, half-width and seconds. */
static struct pyr_estimate pool_rates(const double (*rates)[3], size_t count) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_metric_result rows[TRIES] = {0};
    struct pyr_case_result cases[TRIES] = {0};
    const struct pyr_case_result *tries[TRIES];
    for (size_t i = 0; i < count; i++) {
        rows[i].metric = PYR_M_REQUEST_THROUGHPUT;
        rows[i].n = 100;
        rows[i].value = (struct pyr_estimate){rates[i][0], rates[i][0] - rates[i][1],
                                              rates[i][0] + rates[i][1], NULL};
        if (isnan(rates[i][1]))
            rows[i].value.reason = "n<6";
        cases[i] = (struct pyr_case_result){
            .metrics = &rows[i], .metric_count = 1, .steady_s = rates[i][2], .total = 100};
        tries[i] = &cases[i];
    }
    const struct pyr_case_result *pooled = pyr_tries_pool(tries, count, arena);
    struct pyr_estimate value = pyr_case_metric(pooled, PYR_M_REQUEST_THROUGHPUT)->value;
    assert_int_equal(pooled->total, 100 * count);
    pyr_arena_destroy(arena);
    return value;
}

static void rates_are_weighted_by_their_time(void **state) {
    (void)state;
    struct pyr_estimate seen = pool_rates((const double[][3]){{10, 1, 30}, {10.4, 0.5, 90}}, 2);
    assert_near(seen.value, 10.3, 1e-9);
    assert_near(seen.hi - seen.value, sqrt(0.0625 + 0.140625), 1e-9);
    assert_near(seen.value - seen.lo, sqrt(0.0625 + 0.140625), 1e-9);
    assert_null(seen.reason);
}

static void tries_that_differ_by_more_than_they_say_widen_the_whole(void **state) {
    (void)state;
    struct pyr_estimate seen = pool_rates((const double[][3]){{10, 0.196, 60}, {12, 0.196, 60}}, 2);
    assert_near(seen.value, 11, 1e-9);
    /* Each is ten standard errors from the mean: Birge's ratio is the root of 200. */
    assert_near(seen.hi - seen.value, sqrt(200 * 2 * 0.25 * 0.196 * 0.196), 1e-3);
}

static void an_open_end_stays_open(void **state) {
    (void)state;
    struct pyr_estimate seen = pool_rates((const double[][3]){{10, 1, 30}, {11, NAN, 30}}, 2);
    assert_near(seen.value, 10.5, 1e-9);
    assert_true(isnan(seen.lo) && isnan(seen.hi));
    assert_string_equal(seen.reason, "n<6");
}

static void one_try_is_itself(void **state) {
    (void)state;
    struct pyr_estimate seen = pool_rates((const double[][3]){{10, 1, 30}}, 1);
    assert_near(seen.lo, 9, 0);
}

/* Values 1 .. 100 and 101 .. 200: the median of both is that of 1 .. 200. */
static void quantiles_are_those_of_all_values(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_metric_result rows[TRIES] = {0};
    struct pyr_case_result cases[TRIES] = {0};
    const struct pyr_case_result *tries[TRIES];
    for (uint64_t i = 0; i < TRIES; i++) {
        struct pyr_hist *hist = pyr_arena_alloc(arena, sizeof *hist);
        for (uint64_t k = 1; k <= 100; k++)
            pyr_hist_record(hist, 100 * i + k);
        rows[i] = (struct pyr_metric_result){.metric = PYR_M_TTFT_SENT, .n = 100, .hist = hist};
        for (int q = 0; q < PYR_Q_COUNT; q++)
            rows[i].quantile[q] = (struct pyr_estimate){100 * (double)i + 50, 40, 160, NULL};
        cases[i] = (struct pyr_case_result){.metrics = &rows[i], .metric_count = 1, .steady_s = 1};
        tries[i] = &cases[i];
    }
    const struct pyr_case_result *pooled = pyr_tries_pool(tries, TRIES, arena);
    const struct pyr_metric_result *row = pyr_case_metric(pooled, PYR_M_TTFT_SENT);
    assert_int_equal(row->n, 200);
    assert_near(row->quantile[PYR_Q_P50].value, 100, 0.5);
    assert_near(row->quantile[PYR_Q_P95].value, 190, 1);
    assert_true(row->quantile[PYR_Q_P50].lo < 50);
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_weighted_by_their_time),
        cmocka_unit_test(tries_that_differ_by_more_than_they_say_widen_the_whole),
        cmocka_unit_test(an_open_end_stays_open),
        cmocka_unit_test(one_try_is_itself),
        cmocka_unit_test(quantiles_are_those_of_all_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
