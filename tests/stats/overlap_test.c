/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "stats/overlap.h"

#include <math.h>
#include <string.h>

static void two_that_overlap_are_counted_by_time(void **state) {
    (void)state;
    uint64_t starts[] = {10, 20}, ends[] = {30, 40}, scratch[2];
    struct pyr_overlap seen = pyr_overlap_of(starts, ends, scratch, 2, 0, 50);
    assert_near(seen.mean, 40.0 / 50, 1e-12);
    assert_near(seen.mean_active, 40.0 / 30, 1e-12);
    assert_int_equal(seen.max, 2);
}

static void the_window_cuts_what_reaches_beyond_it(void **state) {
    (void)state;
    uint64_t starts[] = {0, 90, 300}, ends[] = {20, 200, 400}, scratch[3];
    struct pyr_overlap seen = pyr_overlap_of(starts, ends, scratch, 3, 10, 110);
    assert_near(seen.mean, 0.3, 1e-12);
    assert_int_equal(seen.max, 1);
}

static void touching_intervals_do_not_overlap(void **state) {
    (void)state;
    uint64_t starts[] = {0, 10, 20}, ends[] = {10, 20, 30}, scratch[3];
    assert_int_equal(pyr_overlap_of(starts, ends, scratch, 3, 0, 30).max, 1);
}

static void nothing_open_has_no_active_mean(void **state) {
    (void)state;
    uint64_t starts[] = {5}, ends[] = {5}, scratch[1];
    struct pyr_overlap seen = pyr_overlap_of(starts, ends, scratch, 1, 0, 10);
    assert_true(seen.mean == 0 && seen.mean_active != seen.mean_active && seen.max == 0);
}

/* The same by counting every instant. */
static void random_intervals_match_a_count_of_every_instant(void **state) {
    (void)state;
    enum { N = 60, T = 500 };
    struct pyr_rng rng;
    pyr_rng_init(&rng, 7);
    for (int round = 0; round < 50; round++) {
        uint64_t starts[N], ends[N], scratch[N];
        unsigned open[T] = {0};
        for (int i = 0; i < N; i++) {
            starts[i] = pyr_rng_below(&rng, T);
            ends[i] = starts[i] + pyr_rng_below(&rng, T - starts[i] + 1);
            for (uint64_t t = starts[i]; t < ends[i]; t++)
                open[t]++;
        }
        double area = 0, active = 0;
        unsigned most = 0;
        for (int t = 100; t < 400; t++) {
            area += open[t];
            active += open[t] > 0;
            most = open[t] > most ? open[t] : most;
        }
        struct pyr_overlap seen = pyr_overlap_of(starts, ends, scratch, N, 100, 400);
        assert_near(seen.mean, area / 300, 1e-9);
        assert_near(seen.mean_active, area / active, 1e-9);
        assert_int_equal(seen.max, most);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_overlap_are_counted_by_time),
        cmocka_unit_test(the_window_cuts_what_reaches_beyond_it),
        cmocka_unit_test(touching_intervals_do_not_overlap),
        cmocka_unit_test(nothing_open_has_no_active_mean),
        cmocka_unit_test(random_intervals_match_a_count_of_every_instant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
