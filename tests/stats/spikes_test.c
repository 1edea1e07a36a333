/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/mem.h"
#include "base/rng.h"
#include "stats/spikes.h"

#include <math.h>
#include <string.h>

struct made {
    uint64_t *latency, *sorted, *start, *scratch;
    struct pyr_sample sample;
    struct pyr_arena *arena;
};

static struct made make(size_t n) {
    struct made made = {.latency = pyr_xcalloc(n, 8),
                        .sorted = pyr_xcalloc(n, 8),
                        .start = pyr_xcalloc(n, 8),
                        .scratch = pyr_xcalloc(n, 8),
                        .arena = pyr_arena_create()};
    made.sample = (struct pyr_sample){.in_order = made.latency, .sorted = made.sorted, .n = n};
    return made;
}

static struct pyr_spikes find(struct made *made) {
    memcpy(made->sorted, made->latency, made->sample.n * sizeof *made->sorted);
    pyr_sort_keys(made->sorted, made->scratch, made->sample.n);
    struct pyr_spikes spikes;
    pyr_find_spikes(&made->sample, made->start, made->arena, &spikes);
    return spikes;
}

static void unmake(struct made *made) {
    pyr_free(made->latency);
    pyr_free(made->sorted);
    pyr_free(made->start);
    pyr_free(made->scratch);
    pyr_arena_destroy(made->arena);
}

static void a_heavy_tail_alone_has_no_robust_spikes(void **state) {
    (void)state;
    enum { LARGE = 1000000 };
    struct made made = make(LARGE);
    struct pyr_rng rng;
    pyr_rng_init(&rng, 8);
    for (size_t i = 0; i < LARGE; i++) {
        made.latency[i] = (uint64_t)(2e7 * exp(pyr_rng_normal(&rng)));
        made.start[i] = i * 10000000;
    }
    struct pyr_spikes spikes = find(&made);
    assert_true(spikes.robust_count <= 2); /* 3e-7 of them on paper */
    assert_int_equal(spikes.event_count, spikes.robust_count);
    /* Mean + 3 sd of a lognormal of sigma 1: 1.8 % lie beyond. */
    assert_true(fabs(spikes.three_sigma.value - 0.018) < 0.003);
    assert_true(spikes.robust.lo <= 2.9e-7 && spikes.robust.hi < 1e-5);
    assert_false(spikes.periodic);
    unmake(&made);
}

static void stalls_at_regular_times_are_found_with_their_period(void **state) {
    (void)state;
    enum { N = 24000 };
    struct made made = make(N);
    struct pyr_rng rng;
    pyr_rng_init(&rng, 9);
    /* 200 requests a second of about 20 ms; every 5 s nothing moves for 50 ms. */
    for (size_t i = 0; i < N; i++) {
        made.start[i] = i * 5000000;
        made.latency[i] = (uint64_t)(2e7 * pyr_rng_lognormal(&rng, 0.1));
        uint64_t end = made.start[i] + made.latency[i];
        uint64_t stall = end / 5000000000u * 5000000000u;
        bool stalled = stall >= 5000000000u && made.start[i] < stall + 50000000 && end >= stall;
        if (stalled)
            made.latency[i] += 50000000;
    }
    struct pyr_spikes spikes = find(&made);
    print_message("stall every 5 s: %zu events, every %.3f s (spread %.4f s), share %.4f\n",
                  spikes.event_count, spikes.period_s, spikes.period_spread_s, spikes.robust.value);
    assert_in_range(spikes.event_count, 21, 25);
    assert_true(spikes.periodic);
    assert_true(fabs(spikes.period_s / 5 - 1) < 0.02);
    assert_true(spikes.worst_event_requests >= 3);
    assert_true(fabs(spikes.events_per_minute / 12 - 1) < 0.1);
    for (size_t i = 1; i < spikes.event_count; i++)
        assert_true(spikes.event_ns[i] > spikes.event_ns[i - 1]);
    assert_true(spikes.robust.lo < spikes.robust.value && spikes.robust.hi > spikes.robust.value);
    unmake(&made);
}

static void random_spikes_have_no_period(void **state) {
    (void)state;
    enum { N = 20000 };
    struct made made = make(N);
    int periodic = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct pyr_rng rng;
        pyr_rng_init(&rng, seed);
        for (size_t i = 0; i < N; i++) {
            made.start[i] = i * 100000000;
            made.latency[i] = (uint64_t)(2e7 * pyr_rng_lognormal(&rng, 0.1));
            if (pyr_rng_unit(&rng) < 0.001)
                made.latency[i] *= 10;
        }
        struct pyr_spikes spikes = find(&made);
        periodic += spikes.periodic;
        assert_in_range(spikes.robust_count, 5, 45);
        assert_int_equal(spikes.event_count, spikes.robust_count);
    }
    assert_int_equal(periodic, 0);
    unmake(&made);
}

static void a_spike_must_be_twice_the_median_and_a_millisecond_above(void **state) {
    (void)state;
    struct made made = make(1000);
    for (size_t i = 0; i < 1000; i++) {
        made.start[i] = i * 1000000000;
        made.latency[i] = 10000000;
    }
    made.latency[500] = 19999999;
    struct pyr_spikes spikes = find(&made);
    assert_int_equal(spikes.robust_count, 0);
    assert_int_equal(spikes.three_sigma_count, 1);
    made.latency[500] = 20000000;
    spikes = find(&made);
    assert_int_equal(spikes.robust_count, 1);
    assert_int_equal(spikes.event_ns[0], 500020000000u);
    for (size_t i = 0; i < 1000; i++)
        made.latency[i] = i == 500 ? 1009999 : 10000;
    spikes = find(&made);
    assert_int_equal(spikes.robust_count, 0);
    made.latency[500]++;
    spikes = find(&made);
    assert_int_equal(spikes.robust_count, 1);
    unmake(&made);
}

static void too_few_or_zero_values_are_unknown(void **state) {
    (void)state;
    struct made made = make(30);
    struct pyr_spikes spikes = find(&made);
    assert_true(isnan(spikes.robust.value));
    assert_string_equal(spikes.robust.reason, "the median is 0");
    assert_true(spikes.three_sigma.value == 0);
    made.sample.n = 19;
    spikes = find(&made);
    assert_string_equal(spikes.three_sigma.reason, "n<20");
    unmake(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heavy_tail_alone_has_no_robust_spikes),
        cmocka_unit_test(stalls_at_regular_times_are_found_with_their_period),
        cmocka_unit_test(random_spikes_have_no_period),
        cmocka_unit_test(a_spike_must_be_twice_the_median_and_a_millisecond_above),
        cmocka_unit_test(too_few_or_zero_values_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
