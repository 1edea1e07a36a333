/* SPDX-License-Identifier: MIT
 *
 * The whole job in virtual time: options in, files out, on the sim target whose law is known.
 */
#include "support/support.h"

#include "base/fs.h"
#include "record/runfile.h"
#include "suite/bench.h"

#include <signal.h>
#include <string.h>

static char dir[512];

static int make_dir(void **state) {
    (void)state;
    return pyr_test_temp_dir(dir, sizeof dir) ? 0 : -1;
}

static struct pyr_bench_options sim_options(const char *spec) {
    return (struct pyr_bench_options){
        .target = spec, .output = dir, .seed = 1, .command_line = "t"};
}

static const struct pyr_case_result *find_case(const struct pyr_result *result, const char *id) {
    for (size_t s = 0; s < result->suite_count; s++)
        for (size_t c = 0; c < result->suites[s].case_count; c++)
            if (strcmp(result->suites[s].cases[c].plan->id, id) == 0)
                return &result->suites[s].cases[c];
    fail_msg("no case %s", id);
    return NULL;
}

static double value(const struct pyr_case_result *one, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(one, metric);
    if (!row)
        fail_msg("%s has no %s", one->plan->id, pyr_metric_info(metric)->name);
    return row->value.value;
}

static void the_quick_preset_leaves_its_files(void **state) {
    (void)state;
    struct pyr_bench_options options =
        sim_options("sim:step_ms=10,per_seq_ms=0,jitter_pct=0,prefill_tok_s=10000");
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_true(pyr_fs_is_file(outcome.results_path));
    assert_true(pyr_fs_is_file(outcome.run_path));
    assert_true(outcome.result->simulated);
    assert_int_equal(outcome.result->grade, PYR_GRADE_UNGRADED);
    const struct pyr_case_result *one = find_case(outcome.result, "short");
    assert_int_equal(one->total, one->ok);
    /* Each of 15 steps after the prompt's takes 10 ms. */
    assert_near(pyr_case_metric(one, PYR_M_ITL)->mean.value, 10e6, 1e3);
    pyr_result_destroy(outcome.result);
}

static void levels_keep_as_many_in_flight_as_they_say(void **state) {
    (void)state;
    static const uint64_t levels[] = {1, 4, 16};
    struct pyr_bench_options options = sim_options("sim:step_ms=5,per_seq_ms=1");
    options.suite = "concurrent";
    options.concurrency = levels;
    options.concurrency_count = 3;
    options.requests = 200;
    options.preset = "quick";
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_near(value(find_case(outcome.result, "medium/c1"), PYR_M_IN_FLIGHT), 1, 0.02);
    assert_near(value(find_case(outcome.result, "medium/c4"), PYR_M_IN_FLIGHT), 4, 0.1);
    assert_near(value(find_case(outcome.result, "medium/c16"), PYR_M_IN_FLIGHT), 16, 0.5);
    pyr_result_destroy(outcome.result);
}

static void a_target_that_serialises_is_told(void **state) {
    (void)state;
    static const uint64_t levels[] = {8};
    struct pyr_bench_options options = sim_options("sim:step_ms=5,serialize=1");
    options.suite = "concurrent";
    options.concurrency = levels;
    options.concurrency_count = 1;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_non_null(find_case(outcome.result, "medium/c8")->serialises);
    pyr_result_destroy(outcome.result);
}

static void a_signal_leaves_a_partial_result(void **state) {
    (void)state;
    static volatile sig_atomic_t stop = SIGINT;
    struct pyr_bench_options options = sim_options("sim:step_ms=5");
    options.stop = &stop;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_int_equal(outcome.signal, SIGINT);
    assert_true(outcome.result->interrupted);
    assert_true(pyr_fs_is_file(outcome.results_path));
    pyr_result_destroy(outcome.result);
}

/* From the first to the last instant that a run file tells of. */
static double span_s(const char *path) {
    struct pyr_runfile *file;
    struct pyr_err err;
    struct pyr_block block;
    uint64_t first = UINT64_MAX, last = 0;
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    while (pyr_runfile_next(file, &block))
        for (size_t i = 0; block.type == PYR_BLOCK_MARKS && i < block.count; i++) {
            const struct pyr_mark *mark = &((const struct pyr_mark *)block.items)[i];
            first = mark->time_ns < first ? mark->time_ns : first;
            last = mark->time_ns > last ? mark->time_ns : last;
        }
    pyr_runfile_close(file);
    return (double)(last - first) * 1e-9;
}

/* A target that does not answer: not even its warm-up comes to an end. */
static void a_run_ends_by_its_duration_and_the_drain(void **state) {
    (void)state;
    struct pyr_bench_options options = sim_options("sim:step_ms=100");
    options.preset = "quick";
    static const uint64_t one[] = {1};
    options.suite = "concurrent";
    options.concurrency = one;
    options.concurrency_count = 1;
    options.duration_ns = 10 * PYR_NS_PER_S;
    options.drain_ns = 5 * PYR_NS_PER_S;
    options.output_tokens = "1000"; /* 100 s */
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_false(pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_true(span_s(outcome.run_path) >= 10 && span_s(outcome.run_path) <= 15.5);
    pyr_result_destroy(outcome.result);
}

static void when_all_requests_fail_the_run_fails_and_keeps_its_files(void **state) {
    (void)state;
    struct pyr_bench_options options = sim_options("sim:step_ms=5,fail_share=1");
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_false(pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_non_null(strstr(err.text, "failed"));
    assert_true(pyr_fs_is_file(outcome.results_path));
    pyr_result_destroy(outcome.result);
}

static void a_missed_goal_of_the_user_is_told_and_one_of_the_preset_is_not(void **state) {
    (void)state;
    struct pyr_bench_options options = sim_options("sim:step_ms=50");
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_false(outcome.missed_goal);
    pyr_result_destroy(outcome.result);
    options.slo = "ttft_p50=1ms";
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_true(outcome.missed_goal);
    pyr_result_destroy(outcome.result);
}

static void nonsense_is_refused_before_anything_runs(void **state) {
    (void)state;
    struct pyr_bench_options options = sim_options("sim:step_ms=5");
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    options.preset = "quik";
    assert_false(pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    options.preset = NULL;
    options.suite = "nonsense";
    assert_false(pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    options.suite = NULL;
    options.arrival = "poisson";
    assert_false(pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_non_null(strstr(err.text, "--rate"));
    assert_null(outcome.result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_quick_preset_leaves_its_files),
        cmocka_unit_test(levels_keep_as_many_in_flight_as_they_say),
        cmocka_unit_test(a_target_that_serialises_is_told),
        cmocka_unit_test(a_signal_leaves_a_partial_result),
        cmocka_unit_test(a_run_ends_by_its_duration_and_the_drain),
        cmocka_unit_test(when_all_requests_fail_the_run_fails_and_keeps_its_files),
        cmocka_unit_test(a_missed_goal_of_the_user_is_told_and_one_of_the_preset_is_not),
        cmocka_unit_test(nonsense_is_refused_before_anything_runs),
    };
    return cmocka_run_group_tests(tests, make_dir, NULL);
}
