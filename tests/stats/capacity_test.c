/* SPDX-License-Identifier: MIT
 *
 * One level, judged from figures made by hand.
 */
#include "support/support.h"

#include "stats/capacity.h"

#include <math.h>
#include <string.h>

static const struct pyr_goal p95 = {
    .metric = "latency_sent", .statistic = "p95", .label = "latency_p95=1s", .limit = 1e9};
static const struct pyr_goal_result goals[] = {{.goal = &p95}};

/* So many latencies of which the 95th percentile is known as [lo, hi]; NaN: not bounded. */
static struct pyr_metric_result latency(uint64_t n, double value, double lo, double hi) {
    struct pyr_metric_result row = {.metric = PYR_M_LATENCY_SENT, .n = n, .vif = 1};
    row.quantile[PYR_Q_P95] = (struct pyr_estimate){value, lo, hi, isnan(hi) ? "n<72" : NULL};
    return row;
}

static struct pyr_level judge(const struct pyr_case_result *one, struct pyr_arena *arena) {
    return pyr_level_judge(one, goals, 1, arena);
}

static void the_steady_window_decides_and_the_whole_where_that_is_too_short(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    const struct pyr_case plan = {.suite = "stress", .id = "level c4", .concurrency = 4};
    struct pyr_metric_result steady = latency(40, 2e7, 1e7, NAN),
                             whole = latency(400, 2e7, 1e7, 3e7);
    struct pyr_case_result one = {
        .plan = &plan, .total = 400, .ok = 400, .metrics = &steady, .metric_count = 1};
    struct pyr_level level = judge(&one, arena);
    assert_int_equal(level.verdict, PYR_LEVEL_UNDECIDED);
    assert_string_equal(level.by, "latency_p95=1s");
    assert_string_equal(level.evidence, "latency_p95=1s: saw 20.0 [10.0, ?] ms of 40 requests");
    one.whole = &whole;
    one.whole_count = 1;
    level = judge(&one, arena);
    assert_int_equal(level.verdict, PYR_LEVEL_PASSED);
    assert_null(level.evidence);
    /* What the window has decided stays. */
    steady = latency(400, 2e9, 1.5e9, 3e9);
    level = judge(&one, arena);
    assert_int_equal(level.verdict, PYR_LEVEL_FAILED);
    assert_string_equal(level.evidence, "latency_p95=1s: saw 2000 [1500, 3000] ms of 400 requests");
    pyr_arena_destroy(arena);
}

static void what_ended_a_level_early_is_its_evidence_where_it_is_of_the_same_goal(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    const struct pyr_case plan = {.suite = "stress", .id = "level c4", .concurrency = 4};
    struct pyr_metric_result steady = latency(400, 2e9, 1.5e9, 3e9);
    struct pyr_case_result one = {
        .plan = &plan, .total = 400, .ok = 400, .metrics = &steady, .metric_count = 1};
    one.ended_early = "latency_p95=1s: 47 of 50 requests beyond it";
    assert_string_equal(judge(&one, arena).evidence, one.ended_early);
    one.ended_early = "all goals are met by 50 requests";
    assert_non_null(strstr(judge(&one, arena).evidence, "saw 2000"));
    pyr_arena_destroy(arena);
}

static void a_level_without_a_good_end_or_sent_late_says_so(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    const struct pyr_case plan = {.suite = "stress", .id = "level r4", .open_loop = 1, .rate = 4};
    struct pyr_case_result one = {.plan = &plan, .total = 30};
    struct pyr_level level = judge(&one, arena);
    assert_int_equal(level.verdict, PYR_LEVEL_FAILED);
    assert_string_equal(level.by, "no request ended well");
    assert_string_equal(level.evidence, "none of 30 requests");
    one.late = "level r4: this program sent its requests late";
    level = judge(&one, arena);
    assert_int_equal(level.verdict, PYR_LEVEL_UNDECIDED);
    assert_string_equal(level.evidence, "this program sent its requests late");
    one = (struct pyr_case_result){.plan = &plan, .total = 30, .ok = 30, .saturating = true};
    level = judge(&one, arena);
    assert_string_equal(level.by, "over-saturated");
    assert_string_equal(level.evidence,
                        "over-saturated: requests in flight and TTFT both kept rising");
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_steady_window_decides_and_the_whole_where_that_is_too_short),
        cmocka_unit_test(what_ended_a_level_early_is_its_evidence_where_it_is_of_the_same_goal),
        cmocka_unit_test(a_level_without_a_good_end_or_sent_late_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
