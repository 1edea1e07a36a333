/* SPDX-License-Identifier: MIT
 *
 * A suite without requests and without a target, as the ones to come: its observations become
 * metrics with intervals, in the table that it asked for, on a machine that was handed in.
 */
#include "support/support.h"

#include "base/buf.h"
#include "base/fs.h"
#include "record/runfile.h"
#include "report/formats.h"
#include "suite/session.h"

#include <string.h>

enum { VALUES = 40 };

/* Known answers: the load times are 1 to 40 ms in no order, the unload times all 7 ms. */
static void run_toy(struct pyr_session *s, size_t first, size_t last) {
    for (size_t i = first; i < last && !pyr_session_stopped(s); i++) {
        pyr_session_record_case(s, &s->plan->cases[i].record);
        for (uint32_t k = 0; k < VALUES; k++) {
            pyr_lane_observe(pyr_session_lane(s), PYR_M_LOAD_TIME, (uint32_t)i, k,
                             (double)(k * 7 % VALUES + 1) * 1e6);
            pyr_lane_observe(pyr_session_lane(s), PYR_M_UNLOAD_TIME, (uint32_t)i, k, 7e6);
        }
    }
}

static const struct pyr_suite toy = {
    .name = "toy",
    .summary = "a test",
    .needs = PYR_NEEDS_NOTHING,
    .run = run_toy,
    .columns = "load_time:p50=open,load_time:p90,unload_time:mean=shut,of_another_version",
};

/* As bench does, without the preset. */
static void drive(struct pyr_session *s, void *context) {
    (void)context;
    toy.run(s, 0, s->plan->case_count);
}

static void run_session(const struct pyr_root *root, struct pyr_bench_outcome *outcome) {
    char dir[512];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    struct pyr_plan_case cases[2] = {{.suite = &toy}, {.suite = &toy}};
    for (uint32_t i = 0; i < 2; i++) {
        cases[i].record.index = i;
        snprintf(cases[i].record.suite, sizeof cases[i].record.suite, "toy");
        snprintf(cases[i].record.id, sizeof cases[i].record.id, i ? "two" : "one");
    }
    const struct pyr_plan plan = {
        .preset = "quick", .cases = cases, .case_count = 2, .duration_ns = PYR_NS_PER_S};
    const struct pyr_bench_options options = {
        .output = dir, .seed = 1, .command_line = "t", .root = root};
    const struct pyr_session_progress nobody = {NULL, NULL};
    struct pyr_err err;
    assert_ok(err, pyr_session_run(&options, &plan, "unused", &nobody, drive, NULL, outcome, &err));
}

/* When the first observation of a metric was made. */
static uint64_t observed_ns(const char *path, enum pyr_metric metric) {
    struct pyr_runfile *file;
    struct pyr_block block;
    struct pyr_err err;
    uint64_t first = 0;
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    while (pyr_runfile_next(file, &block))
        for (size_t i = 0; block.type == PYR_BLOCK_OBSERVATIONS && i < block.count; i++) {
            const struct pyr_observation *one = (const struct pyr_observation *)block.items + i;
            if (one->metric == (uint32_t)metric && !first)
                first = one->time_ns;
        }
    pyr_runfile_close(file);
    return first;
}

static void the_machine_is_probed_before_and_after(void **state) {
    (void)state;
    struct pyr_bench_outcome outcome;
    run_session(NULL, &outcome);
    uint64_t before = observed_ns(outcome.run_path, PYR_M_MACHINE_LOOP_BEFORE);
    uint64_t between = observed_ns(outcome.run_path, PYR_M_LOAD_TIME);
    uint64_t after = observed_ns(outcome.run_path, PYR_M_MACHINE_LOOP_AFTER);
    assert_true(before > 0 && before < between && between < after);
    pyr_result_destroy(outcome.result);
}

static void a_suite_needs_no_target_and_shows_its_own_columns(void **state) {
    (void)state;
    struct pyr_bench_outcome outcome;
    run_session(NULL, &outcome);
    const struct pyr_result *result = outcome.result;
    assert_int_equal(result->suite_count, 1);
    const struct pyr_suite_result *suite = &result->suites[0];
    assert_string_equal(suite->name, "toy");
    assert_int_equal(suite->case_count, 2);
    assert_int_equal(suite->column_count, 3);
    assert_int_equal(suite->columns[0].statistic, PYR_Q_P50);
    assert_int_equal(suite->columns[1].statistic, PYR_Q_P90);
    assert_int_equal(suite->columns[2].statistic, PYR_COLUMN_MEAN);
    const struct pyr_metric_result *row = pyr_case_metric(&suite->cases[1], PYR_M_LOAD_TIME);
    assert_non_null(row);
    assert_int_equal(row->n, VALUES);
    assert_near(row->quantile[PYR_Q_P50].value, 20e6, 1);
    assert_true(row->quantile[PYR_Q_P50].lo < 20e6 && row->quantile[PYR_Q_P50].hi > 20e6);

    struct pyr_buf text = {0};
    struct pyr_err err;
    const struct pyr_report_options plain = {.width = 80};
    assert_ok(err, pyr_report_terminal(result, &plain, &text, &err));
    assert_non_null(strstr(pyr_buf_text(&text), "case"));
    assert_non_null(strstr(pyr_buf_text(&text), "open"));
    assert_non_null(strstr(pyr_buf_text(&text), "shut"));
    assert_non_null(strstr(pyr_buf_text(&text), "7.00"));
    assert_null(strstr(pyr_buf_text(&text), "0 requests"));
    pyr_buf_deinit(&text);
    pyr_result_destroy(outcome.result);
}

static void a_session_reads_the_machine_that_it_was_handed(void **state) {
    (void)state;
    const struct pyr_root recorded = {PYR_TEST_DATA "/sample/container"};
    struct pyr_bench_outcome outcome;
    run_session(&recorded, &outcome);
    assert_non_null(strstr(outcome.result->meta_json, "Fictive CPU"));
    pyr_result_destroy(outcome.result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machine_is_probed_before_and_after),
        cmocka_unit_test(a_suite_needs_no_target_and_shows_its_own_columns),
        cmocka_unit_test(a_session_reads_the_machine_that_it_was_handed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
