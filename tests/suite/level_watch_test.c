/* SPDX-License-Identifier: MIT
 *
 * What ends a level before its time, fed request by request and tick by tick.
 */
#include "support/support.h"

#include "base/clock.h"
#include "base/rng.h"
#include "suite/level_watch.h"

#include <string.h>

#define MS PYR_NS_PER_MS
#define S PYR_NS_PER_S

static const struct pyr_goal goals[] = {
    {.metric = "latency_sent", .statistic = "p95", .label = "latency_p95=1s", .limit = 1e9},
    {.metric = "error_rate", .statistic = "value", .label = "error=5%", .limit = 0.05},
};

/* A level of 80 s on a target that takes `took` for each request, of which every `failing`-th
 * fails; what is in flight starts at `in_flight` and grows by `growth` a second beside noise. */
struct law {
    bool open_loop;
    double rate, in_flight, growth, ttft_growth;
    uint64_t took_ns;
    int failing;
};

static enum pyr_watch_verdict watch_it(const struct law *law, struct pyr_level_watch *watch,
                                       double *ended_s) {
    struct pyr_case plan = {.open_loop = law->open_loop, .rate = law->rate};
    struct pyr_rng rng;
    pyr_rng_init_stream(&rng, 7, 0);
    pyr_level_watch_init(watch, &plan, goals, 2, false, 80 * S);
    double since_last = 0, noise = 0, came = 0;
    int sent = 0;
    for (uint64_t at_ns = 0; at_ns < 80 * S && !watch->enough; at_ns += 100 * MS) {
        double at_s = (double)at_ns * 1e-9;
        for (since_last += law->rate / 10; since_last >= 1; since_last--) {
            struct pyr_request request = {.phase = PYR_PHASE_MEASURED,
                                          .scheduled_ns = S + at_ns,
                                          .sent_ns = S + at_ns,
                                          .closed_ns = S + at_ns + law->took_ns,
                                          .output_tokens = 4,
                                          .last_content_ns = S + at_ns + law->took_ns};
            double ttft_s = 0.1 + law->ttft_growth * at_s;
            request.first_content_ns = request.scheduled_ns + (uint64_t)(ttft_s * 1e9);
            came++;
            if (law->failing && ++sent % law->failing == 0)
                request.outcome = PYR_OUTCOME_RESET;
            pyr_level_watch_ended(watch, &request);
        }
        noise = 0.9 * noise + pyr_rng_normal(&rng);
        double now = law->in_flight + law->growth * at_s + noise;
        struct pyr_load_live live = {.phase = PYR_PHASE_MEASURED,
                                     .now_ns = S + at_ns,
                                     .measured_start_ns = S,
                                     .in_flight = now > 0 ? (uint64_t)now : 0};
        live.ended = came + law->in_flight > now ? (uint64_t)(came + law->in_flight - now) : 0;
        pyr_level_watch_tick(watch, &live);
        *ended_s = at_s;
    }
    return watch->verdict;
}

static void goals_that_are_met_end_a_closed_loop_and_no_open_one(void **state) {
    (void)state;
    struct pyr_level_watch watch;
    double ended_s;
    struct law law = {.rate = 40, .in_flight = 20, .took_ns = 300 * MS};
    assert_int_equal(watch_it(&law, &watch, &ended_s), PYR_WATCH_MET);
    assert_near(ended_s, 10, 0.2);
    assert_non_null(strstr(watch.why, "all goals are met"));
    law.open_loop = true;
    assert_int_equal(watch_it(&law, &watch, &ended_s), PYR_WATCH_GOES_ON);
}

static void a_goal_that_is_missed_ends_both(void **state) {
    (void)state;
    struct pyr_level_watch watch;
    double ended_s;
    struct law slow = {.rate = 40, .in_flight = 20, .took_ns = 1300 * MS, .open_loop = true};
    assert_int_equal(watch_it(&slow, &watch, &ended_s), PYR_WATCH_MISSED);
    assert_non_null(strstr(watch.why, "latency_p95=1s"));
    assert_near(ended_s, 10, 0.2);
    struct law failing = {.rate = 40, .in_flight = 20, .took_ns = 300 * MS, .failing = 5};
    assert_int_equal(watch_it(&failing, &watch, &ended_s), PYR_WATCH_MISSED);
    assert_non_null(strstr(watch.why, "latency_p95=1s")); /* a fifth never came */
}

static void too_few_requests_decide_nothing(void **state) {
    (void)state;
    struct pyr_level_watch watch;
    double ended_s;
    struct law rare = {.rate = 0.5, .in_flight = 1, .took_ns = 300 * MS};
    assert_int_equal(watch_it(&rare, &watch, &ended_s), PYR_WATCH_GOES_ON);
}

static void a_queue_that_grows_is_seen_with_its_evidence(void **state) {
    (void)state;
    struct pyr_level_watch watch;
    double ended_s;
    struct law law = {.open_loop = true,
                      .rate = 40,
                      .in_flight = 20,
                      .growth = 4,
                      .ttft_growth = 0.02,
                      .took_ns = 300 * MS};
    assert_int_equal(watch_it(&law, &watch, &ended_s), PYR_WATCH_SATURATED);
    assert_near(ended_s, 20, 0.2); /* the first look at what flows */
    assert_non_null(strstr(watch.why, "ended of 40/s offered"));
    assert_non_null(strstr(watch.why, "] ended"));
    /* Growth alone may be longer answers, and growth of a hundredth of the rate a queue that fills.
     */
    law.ttft_growth = 0;
    assert_int_equal(watch_it(&law, &watch, &ended_s), PYR_WATCH_GOES_ON);
    law.ttft_growth = 0.02;
    law.growth = 0.4;
    assert_int_equal(watch_it(&law, &watch, &ended_s), PYR_WATCH_GOES_ON);
    /* A closed loop cannot take in more than goes out. */
    law.growth = 4;
    law.open_loop = false;
    assert_int_equal(watch_it(&law, &watch, &ended_s), PYR_WATCH_MET);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goals_that_are_met_end_a_closed_loop_and_no_open_one),
        cmocka_unit_test(a_goal_that_is_missed_ends_both),
        cmocka_unit_test(too_few_requests_decide_nothing),
        cmocka_unit_test(a_queue_that_grows_is_seen_with_its_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
