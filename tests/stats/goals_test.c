/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "estimate/hist.h"
#include "stats/goals.h"

#include <string.h>

/* A result of `count` cases with a metric that every goal below is met by. */
struct fixture {
    struct pyr_arena *arena;
    struct pyr_case plans[2];
    struct pyr_metric_result metrics[2];
    struct pyr_case_result cases[2];
    struct pyr_suite_result suite;
    struct pyr_result result;
};

static void make(struct fixture *f, size_t count, const uint64_t *ok) {
    *f = (struct fixture){.arena = pyr_arena_create()};
    for (size_t i = 0; i < count; i++) {
        snprintf(f->plans[i].id, sizeof f->plans[i].id, "c%zu", i);
        snprintf(f->plans[i].suite, sizeof f->plans[i].suite, "concurrent");
        f->metrics[i] = (struct pyr_metric_result){
            .metric = PYR_M_HARNESS_CPU, .n = 1, .value = {.value = 0.1, .lo = 0.1, .hi = 0.1}};
        f->cases[i] = (struct pyr_case_result){.plan = &f->plans[i],
                                               .total = 10,
                                               .ok = ok[i],
                                               .with_output = ok[i],
                                               .metrics = &f->metrics[i],
                                               .metric_count = 1};
    }
    f->suite =
        (struct pyr_suite_result){.name = "concurrent", .cases = f->cases, .case_count = count};
    f->result = (struct pyr_result){.arena = f->arena, .suites = &f->suite, .suite_count = 1};
}

static const struct pyr_goal at_most = {
    .metric = "harness_cpu", .statistic = "value", .limit = 0.9};

static void a_run_that_measured_nothing_has_no_grade(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 1, (uint64_t[]){10});
    pyr_goals_judge(&at_most, 1, &f.result);
    assert_int_equal(f.result.grade, PYR_GRADE_EXCELLENT);
    pyr_arena_destroy(f.arena);

    make(&f, 1, (uint64_t[]){0});
    pyr_goals_judge(&at_most, 1, &f.result);
    assert_int_equal(f.result.grade, PYR_GRADE_UNGRADED);
    assert_int_equal(f.result.goals[0].verdict, PYR_GOAL_UNKNOWN);
    assert_non_null(strstr(f.result.goals[0].why, "every request of one case failed"));
    pyr_arena_destroy(f.arena);

    /* What was cancelled did not fail. */
    make(&f, 1, (uint64_t[]){0});
    f.cases[0].outcomes[PYR_OUTCOME_CANCELLED] = 10;
    pyr_goals_judge(&at_most, 1, &f.result);
    assert_int_equal(f.result.goals[0].verdict, PYR_GOAL_MET);
    pyr_arena_destroy(f.arena);
}

static void a_goal_for_all_loads_is_not_met_where_one_failed(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 2, (uint64_t[]){10, 0});
    pyr_goals_judge(&at_most, 1, &f.result);
    assert_int_equal(f.result.goals[0].verdict, PYR_GOAL_UNKNOWN);
    assert_string_equal(f.result.goals[0].case_id, "c1");
    pyr_arena_destroy(f.arena);

    /* What the target can do, it did at the other load. */
    struct pyr_goal at_least = at_most;
    at_least.at_least = true;
    at_least.limit = 0.05;
    make(&f, 2, (uint64_t[]){10, 0});
    f.metrics[0].value = (struct pyr_estimate){.value = 0.2, .lo = 0.2, .hi = 0.2};
    pyr_goals_judge(&at_least, 1, &f.result);
    assert_int_equal(f.result.goals[0].verdict, PYR_GOAL_MET);
    assert_string_equal(f.result.goals[0].case_id, "c0");
    pyr_arena_destroy(f.arena);
}

static void the_end_that_a_goal_needs_decides_it(void **state) {
    (void)state;
    static const struct {
        double value, lo, hi;
        enum pyr_goal_verdict most, least;
    } cases[] = {
        {9, 8, 9.9, PYR_GOAL_MET, PYR_GOAL_MISSED},
        {9, 8, 10, PYR_GOAL_MET, PYR_GOAL_UNDECIDED}, /* at the limit is within it */
        {10, 10, 12, PYR_GOAL_UNDECIDED, PYR_GOAL_MET},
        {11, 9, 12, PYR_GOAL_UNDECIDED, PYR_GOAL_UNDECIDED},
        {11, 10.1, 12, PYR_GOAL_MISSED, PYR_GOAL_MET},
        {9, 8, (double)NAN, PYR_GOAL_UNDECIDED, PYR_GOAL_UNDECIDED},
        {11, (double)NAN, 12, PYR_GOAL_UNDECIDED, PYR_GOAL_UNDECIDED},
        {(double)NAN, 8, 9, PYR_GOAL_UNKNOWN, PYR_GOAL_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct pyr_estimate seen = {
            .value = cases[i].value, .lo = cases[i].lo, .hi = cases[i].hi};
        const struct pyr_goal most = {.limit = 10}, least = {.limit = 10, .at_least = true};
        assert_int_equal(pyr_goal_verdict(&most, &seen), cases[i].most);
        assert_int_equal(pyr_goal_verdict(&least, &seen), cases[i].least);
    }
}

/* Of 1000 values so many lie beyond the goal's 100 ms; the quantile's own interval has no end. */
static enum pyr_goal_verdict by_counting(uint64_t beyond, double vif, const char *statistic,
                                         bool at_least) {
    const struct pyr_case plan = {.suite = "concurrent"};
    struct pyr_goal goal = {.limit = 100e6, .at_least = at_least};
    struct pyr_hist *hist = pyr_hist_create();
    pyr_hist_record_n(hist, 50000000, 1000 - beyond);
    pyr_hist_record_n(hist, 150000000, beyond);
    struct pyr_metric_result row = {.metric = PYR_M_TTFT_SENT, .n = 1000, .hist = hist, .vif = vif};
    for (int q = 0; q < PYR_Q_COUNT; q++)
        row.quantile[q] = (struct pyr_estimate){90e6, (double)NAN, (double)NAN, "open"};
    row.mean = row.quantile[0];
    const struct pyr_case_result one = {.plan = &plan, .metrics = &row, .metric_count = 1};
    snprintf(goal.metric, sizeof goal.metric, "ttft_sent");
    snprintf(goal.statistic, sizeof goal.statistic, "%s", statistic);
    enum pyr_goal_verdict verdict = pyr_goal_decide(&goal, &one);
    pyr_hist_destroy(hist);
    return verdict;
}

static void a_share_decides_where_the_quantile_cannot(void **state) {
    (void)state;
    /* p95 at most: 5 % may lie beyond. Binomial of 1000 and 0.05: at most 36 are 2.5 %, 65 and more
     * are. */
    assert_int_equal(by_counting(0, 1, "p95", false), PYR_GOAL_MET);
    assert_int_equal(by_counting(36, 1, "p95", false), PYR_GOAL_MET);
    assert_int_equal(by_counting(38, 1, "p95", false), PYR_GOAL_UNDECIDED);
    assert_int_equal(by_counting(50, 1, "p95", false), PYR_GOAL_UNDECIDED);
    assert_int_equal(by_counting(63, 1, "p95", false), PYR_GOAL_UNDECIDED);
    assert_int_equal(by_counting(65, 1, "p95", false), PYR_GOAL_MISSED);
    assert_int_equal(by_counting(500, 1, "p95", false), PYR_GOAL_MISSED);
    /* Of values that resemble their neighbours there are in effect fewer. */
    assert_int_equal(by_counting(36, 4, "p95", false), PYR_GOAL_UNDECIDED);
    assert_int_equal(by_counting(65, 4, "p95", false), PYR_GOAL_UNDECIDED);
    assert_int_equal(by_counting(10, 4, "p95", false), PYR_GOAL_MET);
    assert_int_equal(by_counting(100, 4, "p95", false), PYR_GOAL_MISSED);
    assert_int_equal(by_counting(100, 0.25, "p95", false), PYR_GOAL_MISSED); /* never more */
    assert_int_equal(by_counting(65, 1, "p90", false), PYR_GOAL_MET);
    /* A mean is no share, and neither is a least. */
    assert_int_equal(by_counting(0, 1, "mean", false), PYR_GOAL_UNDECIDED);
    assert_int_equal(by_counting(0, 1, "p95", true), PYR_GOAL_UNDECIDED);
}

/* Two cases whose value is told by (value, lo, hi); which one the goal is judged by. */
static void the_case_that_counts_is_the_worst_or_the_best(void **state) {
    (void)state;
    static const struct {
        double values[2][3];
        bool at_least;
        enum pyr_goal_verdict verdict;
        const char *id;
    } cases[] = {
        {{{0.5, 0.5, 0.5}, {0.95, 0.95, 0.95}}, false, PYR_GOAL_MISSED, "c1"},
        {{{0.95, 0.95, 0.95}, {0.5, 0.5, 0.5}}, false, PYR_GOAL_MISSED, "c0"},
        {{{0.5, 0.5, 0.5}, {0.6, 0.6, 0.6}}, false, PYR_GOAL_MET, "c1"},
        {{{0.6, 0.6, 0.6}, {0.5, 0.5, 0.5}}, false, PYR_GOAL_MET, "c0"},
        {{{0.6, 0.6, 0.6}, {0.6, 0.6, 0.6}}, false, PYR_GOAL_MET, "c0"},
        {{{0.5, 0.5, 0.5}, {0.85, 0.8, 0.95}}, false, PYR_GOAL_UNDECIDED, "c1"},
        {{{0.95, 0.92, 0.97}, {0.99, 0.8, 1}}, false, PYR_GOAL_MISSED, "c0"},
        {{{(double)NAN, 0, 0}, {0.5, 0.5, 0.5}}, false, PYR_GOAL_MET, "c1"},
        {{{0.5, 0.5, 0.5}, {(double)NAN, 0, 0}}, false, PYR_GOAL_MET, "c0"},
        {{{0.5, 0.5, 0.5}, {0.95, 0.95, 0.95}}, true, PYR_GOAL_MET, "c1"},
        {{{0.95, 0.95, 0.95}, {0.5, 0.5, 0.5}}, true, PYR_GOAL_MET, "c0"},
        {{{0.95, 0.8, 1}, {0.5, 0.5, 0.5}}, true, PYR_GOAL_UNDECIDED, "c0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        struct pyr_goal goal = at_most;
        goal.at_least = cases[i].at_least;
        make(&f, 2, (uint64_t[]){10, 10});
        for (size_t k = 0; k < 2; k++)
            f.metrics[k].value = (struct pyr_estimate){.value = cases[i].values[k][0],
                                                       .lo = cases[i].values[k][1],
                                                       .hi = cases[i].values[k][2]};
        pyr_goals_judge(&goal, 1, &f.result);
        if (f.result.goals[0].verdict != cases[i].verdict ||
            strcmp(f.result.goals[0].case_id, cases[i].id) != 0)
            fail_msg("row %zu: verdict %d of %s", i, (int)f.result.goals[0].verdict,
                     f.result.goals[0].case_id);
        pyr_arena_destroy(f.arena);
    }
}

static void a_goal_of_another_suite_is_not_judged_here(void **state) {
    (void)state;
    struct fixture f;
    struct pyr_goal goal = at_most;
    make(&f, 1, (uint64_t[]){10});
    assert_true(pyr_goal_applies(&goal, &f.plans[0]));
    snprintf(goal.suite, sizeof goal.suite, "stress");
    assert_false(pyr_goal_applies(&goal, &f.plans[0]));
    pyr_goals_judge(&goal, 1, &f.result);
    assert_int_equal(f.result.goals[0].verdict, PYR_GOAL_UNKNOWN);
    assert_non_null(strstr(f.result.goals[0].why, "not measured in this run"));
    snprintf(goal.suite, sizeof goal.suite, "concurrent");
    assert_true(pyr_goal_applies(&goal, &f.plans[0]));
    pyr_arena_destroy(f.arena);
}

static void a_grade_is_the_share_of_the_goals_met(void **state) {
    (void)state;
    static const enum pyr_grade grades[] = {
        [0] = PYR_GRADE_POOR,       [5] = PYR_GRADE_POOR, [6] = PYR_GRADE_ACCEPTABLE,
        [7] = PYR_GRADE_ACCEPTABLE, [8] = PYR_GRADE_GOOD, [9] = PYR_GRADE_EXCELLENT,
        [10] = PYR_GRADE_EXCELLENT};
    static const size_t tried[] = {0, 5, 6, 7, 8, 9, 10};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        struct fixture f;
        struct pyr_goal goals[10];
        make(&f, 1, (uint64_t[]){10});
        for (size_t k = 0; k < 10; k++) {
            goals[k] = at_most;
            goals[k].limit = k < tried[i] ? 0.9 : 0.05;
        }
        pyr_goals_judge(goals, 10, &f.result);
        assert_int_equal(f.result.grade, grades[tried[i]]);
        pyr_arena_destroy(f.arena);
    }
}

static void what_was_seen_has_three_digits(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "saw 0"},        {0.00049, "saw 0.00049"}, {0.0005, "saw 0.001"},
                 {0.5, "saw 0.500"},  {0.9994, "saw 0.999"},    {0.9995, "saw 1.00"},
                 {9.994, "saw 9.99"}, {9.995, "saw 10.0"},      {99.94, "saw 99.9"},
                 {99.95, "saw 100"},  {1234, "saw 1234"},       {9999999, "saw 9999999"},
                 {1e7, "saw 1e+07"},  {-9.995, "saw -10.0"}};
    struct pyr_arena *arena = pyr_arena_create();
    const struct pyr_goal goal = {.metric = "in_flight", .statistic = "value"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct pyr_estimate seen = {cases[i].value, cases[i].value, cases[i].value, NULL};
        assert_string_equal(pyr_goal_saw(&goal, &seen, arena), cases[i].text);
    }
    const struct pyr_estimate open = {10, 9, (double)NAN, NULL};
    assert_string_equal(pyr_goal_saw(&goal, &open, arena), "saw 10.0 [9.00, ?]");
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_measured_nothing_has_no_grade),
        cmocka_unit_test(a_goal_for_all_loads_is_not_met_where_one_failed),
        cmocka_unit_test(the_end_that_a_goal_needs_decides_it),
        cmocka_unit_test(a_share_decides_where_the_quantile_cannot),
        cmocka_unit_test(the_case_that_counts_is_the_worst_or_the_best),
        cmocka_unit_test(a_goal_of_another_suite_is_not_judged_here),
        cmocka_unit_test(a_grade_is_the_share_of_the_goals_met),
        cmocka_unit_test(what_was_seen_has_three_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
