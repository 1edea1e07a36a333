/* SPDX-License-Identifier: MIT
 *
 * Calibration against the real server in its own process, small. What is asserted holds on any
 * machine: everything is accounted for, and no time is judged. label: threads
 */
#include "support/support.h"

#include "base/clock.h"
#include "record/runfile.h"
#include "suite/calibrate.h"

#include <dirent.h>
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

static void every_token_is_held_against_its_true_time(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_err err;
    for (int uniform = 0; uniform < 2; uniform++) {
        struct pyr_calibrate_options options = small();
        struct pyr_calibration seen;
        options.uniform = uniform;
        assert_ok(err, pyr_calibrate_run(arena, &options, &seen, &err));
        assert_int_equal(seen.failed, 0);
        assert_int_equal(seen.unmatched, 0);
        assert_int_equal(seen.events, seen.requests * TOKENS);
        /* 80 streams a second for 0.3 s. */
        assert_in_range(seen.ttft.count, 23, 25);
        assert_int_equal(seen.itl.count, seen.ttft.count * (TOKENS - 1));
        assert_true(seen.pacing.count <= seen.ttft.count);
        assert_true(seen.coalesced_share >= 0 && seen.coalesced_share <= 1);
        assert_true(seen.cpu_ns_per_event > 0);
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

static void what_was_seen_stands_in_the_run_file(void **state) {
    (void)state;
    char dir[256], path[300];
    double values[10000];
    struct pyr_clock clock = {0};
    struct pyr_recorder *recorder;
    struct pyr_runfile *file;
    struct pyr_block block;
    struct pyr_err err;
    size_t counts[PYR_METRIC_COUNT] = {0};
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    for (size_t i = 0; i < 10000; i++)
        values[i] = (double)i;
    const struct pyr_calibration seen = {.ttft = {values, 100},
                                         .itl = {values, 10000},
                                         .pacing = {values, 90},
                                         .cpu_ns_per_event = 2000,
                                         .coalesced_share = 0.25};
    const struct pyr_recorder_config config = {
        .path = path, .lanes = 1, .inline_writer = true, .meta_json = "{}"};
    assert_ok(err, pyr_recorder_open(&config, &clock, &recorder, &err));
    pyr_calibrate_observe(&seen, pyr_recorder_lane(recorder, 0));
    assert_ok(err, pyr_recorder_close(recorder, &err));
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    while (pyr_runfile_next(file, &block)) {
        const struct pyr_observation *list = block.items;
        for (size_t i = 0; block.type == PYR_BLOCK_OBSERVATIONS && i < block.count; i++) {
            counts[list[i].metric]++;
            assert_int_equal(list[i].case_index, PYR_NO_CASE);
            if (list[i].metric == PYR_M_EVENTS_PER_CORE)
                assert_near(list[i].value, 500000, 1e-6);
        }
    }
    pyr_runfile_close(file);
    assert_int_equal(counts[PYR_M_TTFT_ERROR], 100);
    assert_in_range(counts[PYR_M_ITL_ERROR], 3000, 4001);
    assert_int_equal(counts[PYR_M_PACING_LATENESS], 90);
    assert_int_equal(counts[PYR_M_CPU_PER_EVENT], 1);
    assert_int_equal(counts[PYR_M_EVENTS_PER_CORE], 1);
    assert_int_equal(counts[PYR_M_COALESCED_SHARE], 1);
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
        cmocka_unit_test(what_was_seen_stands_in_the_run_file),
        cmocka_unit_test(a_program_that_is_no_server_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
