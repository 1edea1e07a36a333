/* SPDX-License-Identifier: MIT
 *
 * How long a run remembers, on series and queues of known memory.
 */
#include "support/support.h"

#include "base/mem.h"
#include "base/rng.h"
#include "estimate/correlation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES = 128, RUNS = 400 };

static void the_variance_of_a_mean_is_that_of_the_law(void **state) {
    (void)state;
    static const double lag1[] = {0, 0.3, 0.6, 0.8};
    struct pyr_rng rng;
    pyr_rng_init(&rng, 3);
    for (size_t k = 0; k < sizeof lag1 / sizeof *lag1; k++) {
        double r = lag1[k], series[SERIES], mean = 0;
        for (int run = 0; run < RUNS; run++) {
            double z = pyr_rng_normal(&rng);
            for (size_t i = 0; i < SERIES; i++) {
                series[i] = 100 + z;
                z = r * z + sqrt(1 - r * r) * pyr_rng_normal(&rng);
            }
            mean += pyr_long_run_variance(series, SERIES) / RUNS;
        }
        double truth = (1 + r) / (1 - r);
        print_message("lag-1 %.1f: %.2f, by the law %.2f\n", r, mean, truth);
        /* The greater of two estimates is above the truth on average; never far below it. */
        assert_true(mean > 0.95 * truth && mean < 1.7 * truth);
    }
}

static void a_series_that_is_short_or_equal_has_no_variance(void **state) {
    (void)state;
    double series[SERIES];
    for (size_t i = 0; i < SERIES; i++)
        series[i] = 7;
    assert_near(pyr_long_run_variance(series, SERIES), 0, 1e-12);
    series[3] = 9;
    assert_near(pyr_long_run_variance(series, 19), 0, 0);
    assert_true(pyr_long_run_variance(series, SERIES) > 0);
}

/* First come, first served: Poisson arrivals, `servers` that each take exponential times of mean
 * 1 s. */
static size_t play(double rate, size_t servers, size_t n, uint64_t seed,
                   struct pyr_flight *flights) {
    struct pyr_rng rng;
    pyr_rng_init(&rng, seed);
    double now = 0, *free_at = pyr_xcalloc(servers, sizeof *free_at);
    for (size_t i = 0; i < n; i++) {
        size_t next = 0;
        now += pyr_rng_exponential(&rng) / rate;
        for (size_t s = 1; s < servers; s++)
            next = free_at[s] < free_at[next] ? s : next;
        double start = fmax(now, free_at[next]);
        free_at[next] = start + pyr_rng_exponential(&rng);
        flights[i] = (struct pyr_flight){(uint64_t)(now * 1e9), (uint64_t)(free_at[next] * 1e9),
                                         (uint64_t)(start * 1e9) + 1000};
    }
    pyr_free(free_at);
    return n;
}

static int by_double(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The medians over seeds, the first tenth of each run left out. */
static struct pyr_correlation typical(double rate, size_t servers, size_t n) {
    enum { SEEDS = 21 };
    double time[SEEDS], spans[SEEDS], answers[SEEDS], load[SEEDS], degrees[SEEDS], longer[SEEDS];
    struct pyr_flight *flights = pyr_xcalloc(n, sizeof *flights);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        play(rate, servers, n, seed + 1, flights);
        struct pyr_correlation one =
            pyr_correlation_of(flights, n, flights[n / 10].start_ns, flights[n - 1].start_ns);
        time[seed] = one.time_s;
        spans[seed] = one.spans;
        answers[seed] = one.answers;
        load[seed] = one.load;
        degrees[seed] = one.degrees;
        longer[seed] = one.longer;
    }
    pyr_free(flights);
    double *all[] = {time, spans, answers, load, degrees, longer};
    for (size_t i = 0; i < 6; i++)
        qsort(all[i], SEEDS, sizeof(double), by_double);
    enum { MIDDLE = SEEDS / 2 };
    return (struct pyr_correlation){time[MIDDLE], spans[MIDDLE],   answers[MIDDLE],
                                    load[MIDDLE], degrees[MIDDLE], longer[MIDDLE]};
}

static void where_nobody_waits_a_run_remembers_two_service_times(void **state) {
    (void)state;
    /* M/M/inf: the autocorrelation is exp(-t), 2 s in sum. 10,000 requests at 10/s are 900 s. */
    struct pyr_correlation seen = typical(10, 200, 10000);
    print_message("time %.2f s, %.0f spans, %.0f answers, load %.2f, %.1f degrees\n", seen.time_s,
                  seen.spans, seen.answers, seen.load, seen.degrees);
    assert_near(seen.time_s, 2, 0.8);
    assert_near(seen.answers, 900, 60);
    assert_near(seen.load, 0, 0.02);
    assert_true(seen.degrees > 19 && seen.longer <= 1);
}

static void a_queue_tells_its_load_and_remembers_for_longer_the_fuller_it_is(void **state) {
    (void)state;
    struct pyr_correlation half = typical(0.5, 1, 10000), most = typical(0.9, 1, 10000);
    print_message("half: %.1f s, load %.2f; nine tenths: %.1f s, load %.2f\n", half.time_s,
                  half.load, most.time_s, most.load);
    assert_near(half.load, 0.5, 0.06);
    assert_near(most.load, 0.9, 0.06);
    assert_true(most.time_s > 6 * half.time_s);
    assert_true(half.degrees > 1);
}

static void a_run_that_is_short_beside_its_queue_says_how_long_would_do(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_correlation seen = typical(0.95, 1, 1000), few = typical(20, 200, 400);
    assert_true(seen.degrees < 1 && seen.longer > 10);
    assert_non_null(strstr(pyr_correlation_tell(&seen, arena), "of what the target carries"));
    /* 20 in flight on average: 360 requests are 18 latencies. */
    assert_true(few.degrees < 1);
    assert_true(few.longer >= 50.0 / 20);
    assert_non_null(strstr(pyr_correlation_tell(&few, arena), "mean latencies, fewer than 50"));
    pyr_arena_destroy(arena);
}

static void too_few_requests_say_nothing(void **state) {
    (void)state;
    struct pyr_flight flights[30];
    play(1, 1, 30, 1, flights);
    assert_true(isnan(pyr_correlation_of(flights, 19, 0, UINT64_C(1) << 40).degrees));
    assert_true(isnan(pyr_correlation_of(flights, 30, 5, 5).degrees));
    assert_true(
        isnan(pyr_correlation_of(flights, 30, UINT64_C(1) << 50, UINT64_C(1) << 51).time_s));
    assert_true(isinf(pyr_correlation_limit(NULL)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_variance_of_a_mean_is_that_of_the_law),
        cmocka_unit_test(a_series_that_is_short_or_equal_has_no_variance),
        cmocka_unit_test(where_nobody_waits_a_run_remembers_two_service_times),
        cmocka_unit_test(a_queue_tells_its_load_and_remembers_for_longer_the_fuller_it_is),
        cmocka_unit_test(a_run_that_is_short_beside_its_queue_says_how_long_would_do),
        cmocka_unit_test(too_few_requests_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
