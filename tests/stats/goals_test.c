/* SPDX-License-Identifier: MIT */
#include "support/support.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_measured_nothing_has_no_grade),
        cmocka_unit_test(a_goal_for_all_loads_is_not_met_where_one_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
