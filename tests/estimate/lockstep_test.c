/* SPDX-License-Identifier: MIT
 *
 * Lockstep against users whose phases are known.
 */
#include "support/support.h"

#include "base/mem.h"
#include "base/rng.h"
#include "estimate/lockstep.h"

#include <math.h>
#include <stdlib.h>

#define ROUND_NS 1e9

enum { ROUNDS = 12 };

static int by_time(const void *a, const void *b) {
    const struct pyr_send *x = a, *y = b;
    return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

/* User u sends in each round at phase(u) of it, or anew at random where `drawn`. */
static struct pyr_lockstep of_phases(uint32_t users, double (*phase)(uint32_t user, uint32_t users),
                                     bool drawn, uint64_t seed) {
    struct pyr_send *sends = pyr_xcalloc((size_t)users * ROUNDS, sizeof *sends);
    struct pyr_rng rng;
    pyr_rng_init(&rng, seed);
    size_t count = 0;
    for (uint32_t r = 0; r < ROUNDS; r++)
        for (uint32_t u = 0; u < users; u++) {
            double at = r + (drawn ? pyr_rng_unit(&rng) : phase(u, users));
            sends[count++] = (struct pyr_send){(uint64_t)(at * ROUND_NS), u};
        }
    qsort(sends, count, sizeof *sends, by_time);
    struct pyr_lockstep seen = pyr_lockstep_of(sends, count, users);
    pyr_free(sends);
    return seen;
}

static double all_at_once(uint32_t user, uint32_t users) {
    (void)user;
    (void)users;
    return 0.25;
}

static double evenly(uint32_t user, uint32_t users) {
    return (double)user / users;
}

static double in_fours(uint32_t user, uint32_t users) {
    return (double)(user / 4 * 4) / users;
}

/* A place of his own for each user, and never another. */
static double somewhere(uint32_t user, uint32_t users) {
    return (double)(pyr_mix64(user + users) >> 11) * 0x1p-53;
}

static void a_burst_is_a_burst_of_all(void **state) {
    (void)state;
    static const uint32_t users[] = {2, 8, 32, 1000};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        struct pyr_lockstep seen = of_phases(users[i], all_at_once, false, 1);
        assert_true(seen.found);
        assert_near(seen.index, 1, 1e-9);
        assert_near(seen.burst, users[i], 1e-9);
        assert_near(seen.round_ns, ROUND_NS, 1);
    }
}

static void groups_are_seen_though_no_two_of_them_meet(void **state) {
    (void)state;
    struct pyr_lockstep seen = of_phases(32, in_fours, false, 1);
    assert_true(seen.found);
    assert_near(seen.index, 1, 1e-9);
    assert_near(seen.burst, 4, 1e-9);
}

static void users_who_are_spread_do_not_move_in_step(void **state) {
    (void)state;
    static const uint32_t users[] = {2, 8, 32, 128};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        struct pyr_lockstep seen = of_phases(users[i], evenly, false, 1);
        assert_false(seen.found);
        assert_near(seen.burst, 1, 1e-9);
    }
    /* Frozen, but no more together than by chance. */
    struct pyr_lockstep frozen = of_phases(128, somewhere, false, 1);
    assert_near(frozen.index, 1, 1e-9);
    assert_true(frozen.burst < 2);
    assert_false(frozen.found);
}

static void independent_users_are_together_by_chance_only(void **state) {
    (void)state;
    for (uint32_t users = 4; users <= 256; users *= 4) {
        double index = 0, burst = 0, by_chance = 0;
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct pyr_lockstep seen = of_phases(users, NULL, true, seed);
            assert_false(seen.found);
            index += isnan(seen.index) ? 0 : seen.index / 20;
            burst += seen.burst / 20;
            by_chance += seen.by_chance / 20;
        }
        assert_true(index < 0.2);
        assert_near(burst, by_chance, 0.1 * by_chance);
    }
}

/* Rounds of one length are kept places, whether or not anybody meets. */
static void places_are_kept_where_rounds_are_of_one_length(void **state) {
    (void)state;
    struct pyr_lockstep even = of_phases(8, evenly, false, 1);
    struct pyr_lockstep drawn = of_phases(8, NULL, true, 1);
    assert_near(even.round_cv, 0, 1e-6);
    assert_true(pyr_places_are_kept(&even));
    assert_near(drawn.round_cv, 0.41, 0.1); /* of 1 + the difference of two uniform phases */
    assert_false(pyr_places_are_kept(&drawn));
    struct pyr_send alone[] = {{0, 0}, {10, 0}, {20, 0}};
    struct pyr_lockstep one = pyr_lockstep_of(alone, 3, 1);
    assert_false(pyr_places_are_kept(&one));
}

static void what_says_nothing_is_unknown(void **state) {
    (void)state;
    struct pyr_send alone[] = {{0, 0}, {10, 0}, {20, 0}};
    struct pyr_lockstep seen = pyr_lockstep_of(alone, 3, 1);
    assert_true(isnan(seen.index) && isnan(seen.burst) && !seen.found);
    struct pyr_send once[] = {{0, 0}, {0, 1}, {0, 2}};
    seen = pyr_lockstep_of(once, 3, 3);
    assert_true(isnan(seen.index) && isnan(seen.burst) && !seen.found);
    seen = pyr_lockstep_of(NULL, 0, 8);
    assert_true(isnan(seen.index) && !seen.found);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_a_burst_of_all),
        cmocka_unit_test(groups_are_seen_though_no_two_of_them_meet),
        cmocka_unit_test(users_who_are_spread_do_not_move_in_step),
        cmocka_unit_test(independent_users_are_together_by_chance_only),
        cmocka_unit_test(places_are_kept_where_rounds_are_of_one_length),
        cmocka_unit_test(what_says_nothing_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
