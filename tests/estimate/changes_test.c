/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "estimate/changes.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 260 };

struct history {
    double values[MOST];
    size_t n;
};

/* Lognormal noise of CV 5 % and lag-1 autocorrelation rho about 1, times `step` from `at` on. */
static void make(struct history *history, size_t n, double rho, size_t at, double step,
                 uint64_t seed) {
    struct pyr_rng rng;
    pyr_rng_init(&rng, seed);
    double z = pyr_rng_normal(&rng), keep = sqrt(1 - rho * rho);
    history->n = n;
    for (size_t i = 0; i < n; i++) {
        history->values[i] = exp(0.05 * z) * (i >= at ? step : 1);
        z = rho * z + keep * pyr_rng_normal(&rng);
    }
}

static struct pyr_changes find(const struct history *history, uint64_t seed,
                               struct pyr_arena *arena) {
    const struct pyr_changes_options options = {.seed = seed, .noise_floor = NAN};
    struct pyr_changes changes;
    pyr_find_changes(history->values, history->n, &options, arena, &changes);
    return changes;
}

static int replications(int usual) {
    return getenv("PYR_LONG_TESTS") ? usual * 10 : usual;
}

static int count_false_alarms(double rho, int count) {
    int alarms = 0;
    struct pyr_arena *arena = pyr_arena_create();
    for (int r = 0; r < count; r++) {
        struct history history;
        make(&history, 50, rho, 0, 1, 4000 + (uint64_t)r);
        alarms += find(&history, (uint64_t)r, arena).count > 0;
    }
    pyr_arena_destroy(arena);
    return alarms;
}

static void a_flat_history_is_rarely_cut(void **state) {
    (void)state;
    int count = replications(200);
    int independent = count_false_alarms(0, count), related = count_false_alarms(0.4, count);
    print_message("false alarms in 50 flat points: %d of %d independent, %d of %d at lag-1 .4\n",
                  independent, count, related, count);
    assert_true(independent <= 0.02 * count);
    assert_true(related <= 0.03 * count);
}

static void a_step_of_15_percent_is_found_where_it_is(void **state) {
    (void)state;
    static const size_t sides[][2] = {{10, 10}, {25, 25}, {40, 10}};
    struct pyr_arena *arena = pyr_arena_create();
    for (size_t s = 0; s < 3; s++) {
        int found = 0, extra = 0, count = replications(s == 0 ? 60 : 20);
        for (int r = 0; r < count; r++) {
            struct history history;
            make(&history, sides[s][0] + sides[s][1], 0, sides[s][0], 1.15, 100 + (uint64_t)r);
            struct pyr_changes changes = find(&history, (uint64_t)r, arena);
            bool hit = false;
            for (size_t i = 0; i < changes.count; i++)
                hit |= labs((long)changes.items[i].index - (long)sides[s][0]) <= 2;
            found += hit;
            extra += changes.count > 1;
        }
        print_message(
            "+15 %% at CV 5 %%, %zu points before and %zu after: found within 2 in %d of %d, "
            "others beside it in %d\n",
            sides[s][0], sides[s][1], found, count, extra);
        assert_true(found >= 0.9 * count);
        assert_true(extra <= 0.05 * count);
    }
    pyr_arena_destroy(arena);
}

static void several_steps_are_found_across_windows(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct history history;
    make(&history, 260, 0, 70, 1.2, 5);
    for (size_t i = 180; i < 260; i++)
        history.values[i] *= 0.8;
    struct pyr_changes changes = find(&history, 1, arena);
    assert_int_equal(changes.count, 2);
    assert_in_range(changes.items[0].index, 68, 72);
    assert_in_range(changes.items[1].index, 178, 182);
    assert_near(changes.items[0].ratio, 1.2, 0.03);
    assert_near(changes.items[1].ratio, 0.8, 0.03);
    assert_true(changes.items[0].p < 0.001);
    pyr_arena_destroy(arena);
}

static void the_same_seed_finds_the_same_changes(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct history history;
    make(&history, 60, 0, 30, 1.1, 9);
    struct pyr_changes one = find(&history, 3, arena), two = find(&history, 3, arena);
    assert_int_equal(one.count, two.count);
    for (size_t i = 0; i < one.count; i++)
        assert_memory_equal(&one.items[i], &two.items[i], sizeof one.items[i]);
    pyr_arena_destroy(arena);
}

static void wandering_histories_are_said_to_be(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct history history;
    make(&history, 100, 0.7, 0, 1, 10);
    struct pyr_changes changes = find(&history, 1, arena);
    assert_true(changes.reduced_power);
    assert_true(changes.autocorrelation > 0.2);
    assert_int_equal(changes.block_length, 6); /* ceil(100^(1/3)) + 1 */
    pyr_arena_destroy(arena);
}

static void small_or_short_changes_are_not_reported(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct history history = {.n = 40};
    for (size_t i = 0; i < 40; i++)
        history.values[i] = i < 20 ? 1 : 1.02;
    struct pyr_changes changes = find(&history, 1, arena);
    assert_int_equal(changes.count, 0);
    for (size_t i = 20; i < 40; i++)
        history.values[i] = 1.05;
    changes = find(&history, 1, arena);
    assert_int_equal(changes.count, 1);
    assert_int_equal(changes.items[0].index, 20);
    const struct pyr_changes_options noisy = {.seed = 1, .noise_floor = 0.04};
    pyr_find_changes(history.values, 40, &noisy, arena, &changes);
    assert_near(changes.least_change, 0.08, 1e-15);
    assert_int_equal(changes.count, 0);
    history.n = 5;
    changes = find(&history, 1, arena);
    assert_int_equal(changes.count, 0);
    assert_true(isnan(changes.autocorrelation));
    pyr_arena_destroy(arena);
}

static void a_suspicion_needs_the_median_of_three(void **state) {
    (void)state;
    int wrong = 0, found = 0, spiked = 0, count = replications(300);
    for (int r = 0; r < count; r++) {
        struct history history;
        make(&history, 43, 0, 40, 1, 600 + (uint64_t)r);
        wrong += pyr_change_suspected(history.values, 43);
        history.values[42] *= 2;
        spiked += pyr_change_suspected(history.values, 43);
        make(&history, 43, 0, 40, 1.15, 600 + (uint64_t)r);
        found += pyr_change_suspected(history.values, 43);
    }
    print_message("median of 3: suspects %d of %d flat, %d with one wild value, %d with +15 %%\n",
                  wrong, count, spiked, found);
    assert_true(wrong <= 0.04 * count);
    assert_true(spiked <= 0.2 * count);
    assert_true(found >= 0.9 * count);
    static const double few[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 9, 9, 9};
    assert_false(pyr_change_suspected(few, 12));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flat_history_is_rarely_cut),
        cmocka_unit_test(a_step_of_15_percent_is_found_where_it_is),
        cmocka_unit_test(several_steps_are_found_across_windows),
        cmocka_unit_test(the_same_seed_finds_the_same_changes),
        cmocka_unit_test(wandering_histories_are_said_to_be),
        cmocka_unit_test(small_or_short_changes_are_not_reported),
        cmocka_unit_test(a_suspicion_needs_the_median_of_three),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
