/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/mem.h"
#include "base/rng.h"
#include "estimate/summary.h"
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

#define MS 1000000u
#define S 1000000000u

/* A request a second of 10 ms, but for those that are made spikes. */
static struct made even(size_t n) {
    struct made made = make(n);
    for (size_t i = 0; i < n; i++) {
        made.start[i] = 7 * (uint64_t)S + i * S;
        made.latency[i] = 10 * MS;
    }
    return made;
}

static void events_are_what_overlaps(void **state) {
    (void)state;
    struct made made = even(60);
    /* Two of one event: the second ends first. */
    made.latency[10] = 100 * MS;
    made.start[11] = made.start[10] + 50 * MS;
    made.latency[11] = 30 * MS;
    made.latency[20] = 100 * MS;
    /* Three of one: each begins at the end of the one before. */
    made.latency[30] = 100 * MS;
    made.start[31] = made.start[30] + 100 * MS;
    made.latency[31] = 40 * MS;
    made.start[32] = made.start[31] + 40 * MS;
    made.latency[32] = 60 * MS;
    /* Two events: the second begins after the first has ended. */
    made.latency[40] = 100 * MS;
    made.start[41] = made.start[40] + 101 * MS;
    made.latency[41] = 100 * MS;
    struct pyr_spikes spikes = find(&made);
    assert_int_equal(spikes.robust_count, 8);
    assert_int_equal(spikes.event_count, 5);
    const uint64_t expected[] = {made.start[11] + 30 * MS, made.start[20] + 100 * MS,
                                 made.start[30] + 100 * MS, made.start[40] + 100 * MS,
                                 made.start[41] + 100 * MS};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(spikes.event_ns[i], expected[i]);
    assert_int_equal(spikes.worst_event_requests, 3);
    assert_int_equal(spikes.worst_event_ns, expected[2]);
    /* From the first start to the last end: 59.01 s. */
    assert_near(spikes.events_per_minute, 5 / (59.01 / 60), 1e-9);
    /* A later event of as many requests is not the worst of them. */
    made.start[51] = made.start[50] + 5 * MS;
    made.start[52] = made.start[50] + 6 * MS;
    made.latency[50] = made.latency[51] = made.latency[52] = 100 * MS;
    spikes = find(&made);
    assert_int_equal(spikes.worst_event_ns, expected[2]);
    unmake(&made);
}

/* Ten of the 20 others lie within a factor of 1.2 of the median, the tenth at it: the MAD of ln x
 * is ln 1.2, on whichever side its values lie. */
static void the_limit_is_the_medians_by_the_mad(void **state) {
    (void)state;
    static const double factors[] = {1,    1 / 1.01, 1.02, 1 / 1.03, 1.04, 1 / 1.05, 1.06,
                                     1.07, 1 / 1.08, 1.09, 1.2,      1.5,  1.5,      1.5,
                                     1.5,  1 / 1.5,  0.5,  0.5,      0.5,  0.5,      0.5};
    for (int turned = 0; turned < 2; turned++) {
        struct made made = make(21);
        for (size_t i = 0; i < 21; i++) {
            double factor = turned ? 1 / factors[i] : factors[i];
            made.start[i] = i * S;
            made.latency[i] = (uint64_t)(1e8 * factor + 0.5);
        }
        struct pyr_spikes spikes = find(&made);
        assert_near(spikes.robust_limit_ns, 1e8 * pow(1.2, 5 * 1.4826), 1e8 * 1e-6);
        unmake(&made);
    }
}

/* Spikes that come together say less about their share than as many that come apart. The first ten
 * of 410 belong to no batch of the 20. */
static void a_share_of_clustered_spikes_is_less_sure(void **state) {
    (void)state;
    double width[2];
    for (int clustered = 0; clustered < 2; clustered++) {
        struct made made = even(410);
        for (size_t i = 0; i < 20; i++)
            made.latency[clustered ? 10 + 7 * 20 + i : 10 + 20 * i] = 100 * MS;
        struct pyr_spikes spikes = find(&made);
        assert_int_equal(spikes.robust_count, 20);
        assert_near(spikes.robust.value, 20.0 / 410, 1e-12);
        width[clustered] = spikes.robust.hi - spikes.robust.lo;
        unmake(&made);
    }
    assert_true(width[1] > 2 * width[0]);
    /* One in each batch is no cluster: Wilson's interval at n. */
    struct pyr_estimate plain = pyr_proportion(20, 410, 1);
    assert_near(width[0], plain.hi - plain.lo, 1e-12);
}

static void a_period_wants_eight_gaps_and_is_their_median(void **state) {
    (void)state;
    for (size_t events = 8; events <= 9; events++) {
        struct made made = even(200);
        for (size_t i = 0; i < events; i++)
            made.latency[5 + 20 * i] = 100 * MS;
        struct pyr_spikes spikes = find(&made);
        assert_int_equal(spikes.event_count, events);
        assert_near(spikes.period_s, 20, 1e-9);
        assert_near(spikes.period_spread_s, 0, 1e-9);
        assert_true(spikes.periodic == (events == 9));
        unmake(&made);
    }
    /* 19 and 21 s in turn: one off 20 is regular, and so is one off a tenth at most. */
    for (size_t off = 1; off <= 3; off++) {
        struct made uneven = even(200);
        for (size_t i = 0; i < 9; i++)
            uneven.latency[5 + 20 * i + (i % 2) * off] = 100 * MS;
        struct pyr_spikes found = find(&uneven);
        assert_near(found.period_s, 20, 1e-9);
        assert_near(found.period_spread_s, (double)off, 1e-9);
        assert_true(found.periodic == (off <= 2));
        unmake(&uneven);
    }
    /* Gaps of 30, 2 and 9 s: the median is 9, the deviations 21, 7 and 0. */
    struct made made = even(100);
    made.latency[5] = made.latency[35] = made.latency[37] = made.latency[46] = 100 * MS;
    struct pyr_spikes spikes = find(&made);
    assert_near(spikes.period_s, 9, 1e-9);
    assert_near(spikes.period_spread_s, 7, 1e-9);
    /* Three have two, which say something; within a tenth of the median is regular, but few. */
    made.latency[46] = 10 * MS;
    spikes = find(&made);
    assert_near(spikes.period_s, 16, 1e-9);
    assert_false(spikes.periodic);
    /* Two events have one gap, which says nothing. */
    made.latency[35] = 10 * MS;
    spikes = find(&made);
    assert_true(isnan(spikes.period_s));
    unmake(&made);
}

static void without_a_spike_there_is_no_event(void **state) {
    (void)state;
    struct made made = even(100);
    struct pyr_spikes spikes = find(&made);
    assert_int_equal(spikes.event_count, 0);
    assert_near(spikes.events_per_minute, 0, 0);
    assert_true(isnan(spikes.period_s));
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
        cmocka_unit_test(events_are_what_overlaps),
        cmocka_unit_test(the_limit_is_the_medians_by_the_mad),
        cmocka_unit_test(a_share_of_clustered_spikes_is_less_sure),
        cmocka_unit_test(a_period_wants_eight_gaps_and_is_their_median),
        cmocka_unit_test(without_a_spike_there_is_no_event),
        cmocka_unit_test(too_few_or_zero_values_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
