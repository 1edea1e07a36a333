/* SPDX-License-Identifier: MIT
 *
 * Is less coming out than goes in? Against queues of known capacity, and against what resembles one
 * that is too small without being it.
 */
#include "support/support.h"

#include "base/rng.h"
#include "stats/overload.h"

#include <math.h>
#include <string.h>

enum { SEEDS = 200 };

/* A queue with one server, first come first served. */
struct law {
    double rate, capacity; /* a second */
    double service_cv;     /* of lognormal service times */
    double seconds;
    bool regular;                  /* arrivals evenly spaced; else Poisson */
    double pause_s, pause_every_s; /* nothing moves for so long, every so often */
};

/* Points of the queue after a warm-up of a tenth. */
static size_t play(const struct law *law, uint64_t seed, struct pyr_flow_point *points) {
    struct pyr_rng rng;
    pyr_rng_init_stream(&rng, seed, 9);
    double now = -law->seconds / 10, free_at = now, width = law->seconds / PYR_FLOW_POINTS;
    memset(points, 0, PYR_FLOW_POINTS * sizeof *points);
    for (;;) {
        now += law->regular ? 1 / law->rate : pyr_rng_exponential(&rng) / law->rate;
        if (now >= law->seconds)
            break;
        double starts = fmax(now, free_at);
        if (law->pause_every_s > 0 && fmod(starts + 1e4, law->pause_every_s) < law->pause_s)
            starts += law->pause_s - fmod(starts + 1e4, law->pause_every_s);
        double ends = starts + pyr_rng_lognormal(&rng, law->service_cv) / law->capacity;
        free_at = ends;
        for (size_t i = 0; i < PYR_FLOW_POINTS; i++) {
            double until = width * (double)(i + 1);
            points[i].in_flight += now < until && ends >= until;
            points[i].ended += ends < until;
        }
        if (starts >= 0 && starts < law->seconds) {
            struct pyr_flow_point *point = &points[(size_t)(starts / width)];
            point->ttft_ns += (starts - now) * 1e9 + 1e6;
            point->first_tokens++;
        }
    }
    for (size_t i = 0; i < PYR_FLOW_POINTS; i++)
        points[i].time_s = width * (double)(i + 1);
    return PYR_FLOW_POINTS;
}

static double found_share(const struct law *law, double share_of_time) {
    struct pyr_flow_point points[PYR_FLOW_POINTS];
    int found = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        size_t n = play(law, seed, points);
        n = (size_t)((double)n * share_of_time);
        found += pyr_overload_test(points, n, 0, law->rate).found;
    }
    return (double)found / SEEDS;
}

static void a_queue_below_its_capacity_is_not_called_overloaded(void **state) {
    (void)state;
    static const double loads[] = {0.5, 0.8, 0.9, 0.95};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        struct law law = {.rate = 20 * loads[i], .capacity = 20, .service_cv = 0.3, .seconds = 30};
        assert_true(found_share(&law, 0.25) <= 0.01);
        assert_true(found_share(&law, 0.5) <= 0.01);
        assert_true(found_share(&law, 1) <= 0.01);
        law.service_cv = 1;
        assert_true(found_share(&law, 0.5) <= 0.01);
        law.regular = true;
        assert_true(found_share(&law, 0.5) <= 0.01);
    }
}

static void a_queue_that_pauses_and_catches_up_is_not_called_overloaded(void **state) {
    (void)state;
    struct law law = {.rate = 14,
                      .capacity = 20,
                      .service_cv = 0.3,
                      .seconds = 30,
                      .pause_s = 1,
                      .pause_every_s = 7};
    assert_true(found_share(&law, 0.25) <= 0.01);
    assert_true(found_share(&law, 0.5) <= 0.01);
    assert_true(found_share(&law, 1) <= 0.01);
}

static void a_tenth_too_much_is_seen_within_the_level(void **state) {
    (void)state;
    struct law law = {.rate = 24, .capacity = 20, .service_cv = 0.3, .seconds = 30};
    assert_true(found_share(&law, 0.5) >= 0.95);
    law.rate = 22;
    assert_true(found_share(&law, 1) >= 0.85);
    law.regular = true; /* no chance in what comes: sooner */
    assert_true(found_share(&law, 0.5) >= 0.85);
}

static void too_few_points_and_a_filling_target_tell_nothing(void **state) {
    (void)state;
    struct law law = {.rate = 40, .capacity = 20, .service_cv = 0.3, .seconds = 30};
    struct pyr_flow_point points[PYR_FLOW_POINTS];
    size_t n = play(&law, 1, points);
    assert_true(pyr_overload_test(points, n, 0, law.rate).found);
    assert_false(pyr_overload_test(points, 10, 0, law.rate).found);
    assert_false(pyr_overload_test(points, n, 28, law.rate).found);
    assert_false(pyr_overload_test(points, 0, 0, law.rate).found);
    /* What fills up: less goes out than comes in, and nobody waits longer for it. */
    for (size_t i = 0; i < n; i++)
        points[i].ttft_ns = points[i].first_tokens * 1e6;
    assert_false(pyr_overload_test(points, n, 0, law.rate).found);
}

static void the_evidence_names_what_ended_against_what_was_offered(void **state) {
    (void)state;
    /* 10/s come and 8/s go, without any chance. */
    struct pyr_flow_point points[PYR_FLOW_POINTS];
    for (size_t i = 0; i < PYR_FLOW_POINTS; i++) {
        double t = 0.5 * (double)(i + 1);
        points[i] = (struct pyr_flow_point){t, 2 * t, 8 * t, (1 + t) * 1e9, 1};
    }
    struct pyr_overload test = pyr_overload_test(points, PYR_FLOW_POINTS, 0, 10);
    assert_true(test.found);
    assert_near(test.seconds, 30, 1e-9);
    assert_near(test.ended_per_s.value, 8, 1e-9);
    assert_near(test.ended_per_s.hi, 8 + 1 / 30.0, 1e-9); /* no finer than one request */
    assert_near(test.in_flight[0], 14.5, 1e-9);           /* at 2.5 to 12 s */
    char text[200];
    pyr_overload_tell(&test, 10, text, sizeof text);
    assert_non_null(strstr(text, "over 30.0 s 8/s [7.97, 8.03] ended of 10/s offered"));
}

static void the_first_answers_say_how_long_a_target_fills_up(void **state) {
    (void)state;
    struct pyr_filling filling = {0};
    struct pyr_request one = {.scheduled_ns = 0, .first_content_ns = 1e9, .last_content_ns = 3e9};
    pyr_filling_add(&filling, &one);
    assert_near(filling.until_s, 6, 1e-9);
    for (int i = 0; i < 15; i++)
        pyr_filling_add(&filling, &one);
    /* A late one may have waited in the queue that is looked for; how long it was written counts.
     */
    one.first_content_ns = 90e9;
    one.last_content_ns = 100e9;
    pyr_filling_add(&filling, &one);
    assert_near(filling.until_s, 10, 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_below_its_capacity_is_not_called_overloaded),
        cmocka_unit_test(a_queue_that_pauses_and_catches_up_is_not_called_overloaded),
        cmocka_unit_test(a_tenth_too_much_is_seen_within_the_level),
        cmocka_unit_test(too_few_points_and_a_filling_target_tell_nothing),
        cmocka_unit_test(the_evidence_names_what_ended_against_what_was_offered),
        cmocka_unit_test(the_first_answers_say_how_long_a_target_fills_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
