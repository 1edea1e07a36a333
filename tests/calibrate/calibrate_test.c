/* SPDX-License-Identifier: MIT
 *
 * Calibration against the real server in its own process, small. What is asserted holds on any
 * machine: everything is accounted for, and no time is judged. label: threads
 */
#include "support/support.h"

#include "base/clock.h"
#include "calibrate/calibrate.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STREAMS = 8, TOKENS = 10 };

static struct pyr_calibrate_options small(void) {
    return (struct pyr_calibrate_options){.program = PYR_TEST_PROGRAM,
                                          .streams = STREAMS,
                                          .tokens_per_s = 100,
                                          .tokens = TOKENS,
                                          .duration_ns = 300 * PYR_NS_PER_MS};
}

/* Of the pass without pacing, whatever the load (suite/calibrate.c). */
enum { PLAIN_STREAMS = 200, PLAIN_TOKENS = 20 };

static void every_token_is_held_against_its_true_time(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_err err;
    for (int way = 0; way < 3; way++) {
        struct pyr_calibrate_options options = small();
        struct pyr_calibration seen;
        options.uniform = way == 1;
        options.unix_socket = way == 2;
        assert_ok(err, pyr_calibrate_run(arena, &options, &seen, &err));
        assert_int_equal(seen.failed, 0);
        assert_int_equal(seen.unmatched, 0);
        assert_int_equal(seen.events,
                         (seen.requests - PLAIN_STREAMS) * TOKENS + PLAIN_STREAMS * PLAIN_TOKENS);
        /* 80 streams a second for 0.3 s. */
        assert_in_range(seen.ttft.count, 23, 25);
        assert_int_equal(seen.itl.count, seen.ttft.count * (TOKENS - 1));
        assert_true(seen.pacing.count <= seen.ttft.count);
        assert_true(seen.coalesced_share >= 0 && seen.coalesced_share <= 1);
        assert_true(seen.cpu_ns_per_event > 0);
        assert_true(seen.events_per_s > 0 && seen.events_per_s < 2 * STREAMS * 100);
        assert_true(seen.seconds > 0.3);
        /* Nothing arrives before it was sent, but for how well two clocks can be compared. */
        for (size_t i = 0; i < seen.user.count; i++)
            assert_true(seen.user.ns[i] > 0);
        for (size_t i = 0; i < seen.ttft.count; i++)
            assert_true(seen.ttft.ns[i] > -1e6);
        for (size_t i = 0; i < seen.pacing.count; i++)
            assert_true(seen.pacing.ns[i] >= 0);
    }
    pyr_arena_destroy(arena);
}

static void in_process_there_is_pacing_and_cost_and_no_error_of_arrival(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_calibrate_options options = small();
    struct pyr_calibration seen;
    struct pyr_err err;
    options.in_process = true;
    assert_ok(err, pyr_calibrate_run(arena, &options, &seen, &err));
    assert_int_equal(seen.failed, 0);
    assert_int_equal(seen.ttft.count + seen.itl.count + seen.kernel.count + seen.user.count, 0);
    assert_in_range(seen.pacing.count, 1, 25);
    assert_true(seen.cpu_ns_per_event > 0);
    assert_true(isnan(seen.coalesced_share));
    pyr_arena_destroy(arena);
}

static size_t count_of(const struct pyr_case_result *one, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(one, metric);
    return row ? row->n : 0;
}

static void what_was_seen_stands_in_the_run_file(void **state) {
    (void)state;
    char dir[256], path[300];
    double values[10000];
    struct pyr_clock clock = {0};
    struct pyr_recorder *recorder;
    struct pyr_result *result;
    struct pyr_err err;
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    for (size_t i = 0; i < 10000; i++)
        values[i] = (double)i;
    const struct pyr_calibrate_options options = small();
    const struct pyr_calibration seen = {.ttft = {values, 100},
                                         .itl = {values, 10000},
                                         .pacing = {values, 90},
                                         .kernel = {values + 1000, 70},
                                         .user = {values + 3000, 80},
                                         .cpu_ns_per_event = 2000,
                                         .events_per_s = 790,
                                         .coalesced_share = 0.25};
    const struct pyr_recorder_config config = {
        .path = path, .lanes = 1, .inline_writer = true, .meta_json = "{}"};
    assert_ok(err, pyr_recorder_open(&config, &clock, &recorder, &err));
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    pyr_calibrate_record(&options, &seen, "highest", 0, lane);
    pyr_calibrate_record_missing(NULL, "warm-up", "a reason", 1, lane);
    assert_ok(err, pyr_recorder_close(recorder, &err));
    assert_ok(err, pyr_result_make(path, &result, &err));
    assert_int_equal(result->suite_count, 0);
    assert_int_equal(result->calibration_count, 2);
    const struct pyr_case_result *one = &result->calibrations[0];
    assert_string_equal(one->plan->id, "highest");
    assert_int_equal(one->plan->concurrency, STREAMS);
    assert_near(one->plan->rate, 80, 1e-9);
    assert_non_null(strstr(one->plan->params, "events_per_second=800;tokens_per_request=10;"
                                              "steps=together;transport=loopback TCP;"));
    assert_int_equal(count_of(one, PYR_M_TTFT_ERROR), 100);
    assert_in_range(count_of(one, PYR_M_ITL_ERROR), 3000, 4001);
    assert_int_equal(count_of(one, PYR_M_PACING_LATENESS), 90);
    assert_int_equal(count_of(one, PYR_M_ARRIVAL_ERROR), 70);
    assert_near(pyr_case_metric(one, PYR_M_ARRIVAL_ERROR)->min, 1000, 2);
    assert_int_equal(count_of(one, PYR_M_ARRIVAL_ERROR_USER), 80);
    assert_near(pyr_case_metric(one, PYR_M_ARRIVAL_ERROR_USER)->min, 3000, 5);
    assert_near(pyr_case_metric(one, PYR_M_CPU_PER_EVENT)->value.value, 2000, 1e-6);
    assert_near(pyr_case_metric(one, PYR_M_EVENTS_PER_CORE)->value.value, 500000, 1e-6);
    assert_near(pyr_case_metric(one, PYR_M_EVENT_RATE)->value.value, 790, 1e-9);
    assert_near(pyr_case_metric(one, PYR_M_COALESCED_SHARE)->value.value, 0.25, 1e-9);
    assert_string_equal(result->calibrations[1].warnings[0], "a reason");
    pyr_result_destroy(result);
}

static void a_load_that_cannot_be_had_leaves_the_others(void **state) {
    (void)state;
    struct pyr_calibrate_options levels[2] = {small(), small()};
    struct pyr_result *result;
    struct pyr_err err;
    levels[0].program = "/nonexistent/program";
    levels[1].in_process = true;
    assert_ok(err, pyr_calibrate_levels(levels, 2, NULL, NULL, &result, &err));
    assert_int_equal(result->calibration_count, 2);
    assert_int_equal(result->calibrations[0].metric_count, 0);
    assert_non_null(strstr(result->calibrations[0].warnings[0], "No such file"));
    assert_true(result->calibrations[1].metric_count > 0);
    pyr_result_destroy(result);
}

static void a_program_that_is_no_server_is_told_and_leaves_nothing(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_calibrate_options options = small();
    struct pyr_calibration seen;
    struct pyr_err err;
    char dir[256];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    setenv("TMPDIR", dir, 1);
    options.program = "/bin/true";
    assert_false(pyr_calibrate_run(arena, &options, &seen, &err));
    assert_non_null(strstr(err.text, "does not start"));
    options.program = "/nonexistent/program";
    assert_false(pyr_calibrate_run(arena, &options, &seen, &err));
    DIR *left = opendir(dir);
    struct dirent *entry;
    while ((entry = readdir(left)))
        assert_true(entry->d_name[0] == '.');
    closedir(left);
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_token_is_held_against_its_true_time),
        cmocka_unit_test(in_process_there_is_pacing_and_cost_and_no_error_of_arrival),
        cmocka_unit_test(what_was_seen_stands_in_the_run_file),
        cmocka_unit_test(a_load_that_cannot_be_had_leaves_the_others),
        cmocka_unit_test(a_program_that_is_no_server_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
