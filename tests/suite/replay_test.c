/* SPDX-License-Identifier: MIT
 *
 * Recorded traffic and sessions as a whole job, in virtual time on the sim target.
 */
#include "support/support.h"

#include "base/fs.h"
#include "record/runfile.h"
#include "suite/bench.h"

#include <string.h>

static char dir[512], path[600];

static int make_dir(void **state) {
    (void)state;
    if (!pyr_test_temp_dir(dir, sizeof dir))
        return -1;
    snprintf(path, sizeof path, "%s/requests", dir);
    return 0;
}

static void write_file(const char *text) {
    struct pyr_err err;
    assert_ok(err, pyr_fs_write_whole(path, text, strlen(text), &err));
}

static struct pyr_bench_options options_of(void) {
    return (struct pyr_bench_options){.target = "sim:step_ms=1,per_seq_ms=0,jitter_pct=0",
                                      .output = dir,
                                      .seed = 1,
                                      .preset = "quick",
                                      .command_line = "t"};
}

static const struct pyr_case_result *only_case(const struct pyr_result *result, const char *id) {
    assert_int_equal(result->suite_count, 1);
    assert_int_equal(result->suites[0].case_count, 1);
    assert_string_equal(result->suites[0].cases[0].plan->id, id);
    return &result->suites[0].cases[0];
}

static double mean(const struct pyr_case_result *one, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(one, metric);
    assert_non_null(row);
    return row->mean.value;
}

/* The engine's steps are in the run file, in virtual time as in real: by its law one that only
 * decodes takes a millisecond. 240 prompts, and three tokens each after the first. */
static void check_steps(const char *run_path) {
    struct pyr_runfile *file;
    struct pyr_block block;
    struct pyr_err err;
    uint64_t prompt_rows = 0, decode_rows = 0, last_ns = 0;
    assert_ok(err, pyr_runfile_open(run_path, &file, &err));
    while (pyr_runfile_next(file, &block))
        for (size_t i = 0; block.type == PYR_BLOCK_STEPS && i < block.count; i++) {
            const struct pyr_step *step = &((const struct pyr_step *)block.items)[i];
            assert_true(step->start_ns >= last_ns && step->sequences > 0);
            last_ns = step->end_ns;
            prompt_rows += step->prompt_rows;
            decode_rows += step->decode_rows;
            if (step->prompt_rows == 0)
                assert_int_equal(last_ns - step->start_ns, PYR_NS_PER_MS);
        }
    pyr_runfile_close(file);
    assert_in_range(decode_rows, 240 * 3, 260 * 3); /* and the warm-up's */
    assert_in_range(prompt_rows, 240 * 195, 260 * 205);
}

/* A request each half second for two minutes, played twice as fast: longer than the preset's own
 * time, and played to its end all the same. */
static void a_trace_is_played_to_its_end(void **state) {
    (void)state;
    char text[240 * 80];
    size_t used = 0;
    for (int i = 0; i < 240; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "{\"timestamp\": %d, \"input_length\": %d, "
                                 "\"output_length\": 4}\n",
                                 i * 500, i % 2 ? 100 : 300);
    write_file(text);
    struct pyr_bench_options options = options_of();
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    options.trace = path;
    options.trace_speed = 2;
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_case_result *one = only_case(outcome.result, "trace/x2");
    assert_string_equal(one->plan->arrival, "trace");
    assert_int_equal(one->total, 240);
    assert_int_equal(one->ok, 240);
    assert_near(one->plan->rate, 4, 1e-9);
    assert_near(one->whole_s, 60, 1e-3);
    assert_near(mean(one, PYR_M_PROMPT_TOKENS), 200, 2);
    assert_near(mean(one, PYR_M_OUTPUT_TOKENS), 4, 0);
    assert_null(pyr_case_metric(one, PYR_M_ARRIVAL_DISPERSION));
    check_steps(outcome.run_path);
    pyr_result_destroy(outcome.result);
}

static void sessions_are_held_turn_by_turn(void **state) {
    (void)state;
    write_file("{\"messages\": [{\"role\": \"user\", \"content\": \"one two\"},"
               " {\"role\": \"assistant\", \"content\": \"three four\"},"
               " {\"role\": \"user\", \"content\": \"five\"},"
               " {\"role\": \"assistant\", \"content\": \"six\"}]}\n");
    static const uint64_t levels[] = {2};
    struct pyr_bench_options options = options_of();
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    options.sessions = path;
    options.suite = "concurrent";
    options.concurrency = levels;
    options.concurrency_count = 1;
    options.requests = 40;
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_case_result *one = only_case(outcome.result, "sessions/c2");
    assert_int_equal(one->ok, 40);
    bool told = false;
    for (size_t i = 0; i < outcome.result->warning_count; i++)
        told |= strstr(outcome.result->warnings[i], "the file's own answers") != NULL;
    assert_true(told);
    pyr_result_destroy(outcome.result);
}

static void what_a_trace_decides_is_not_asked_for_beside_it(void **state) {
    (void)state;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    write_file("TIMESTAMP,ContextTokens,GeneratedTokens\n1,1,x\n");
    struct pyr_bench_options options = options_of();
    options.trace = path;
    assert_false(pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_non_null(strstr(err.text, "--trace"));
    assert_non_null(strstr(err.text, ":2: GeneratedTokens is no number"));
    options.rate = 3;
    assert_false(pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    assert_non_null(strstr(err.text, "--rate"));
    options = options_of();
    options.trace = path;
    options.suite = "inference";
    assert_false(pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    options = options_of();
    options.sessions = path;
    options.rate = 3;
    assert_false(pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_is_played_to_its_end),
        cmocka_unit_test(sessions_are_held_turn_by_turn),
        cmocka_unit_test(what_a_trace_decides_is_not_asked_for_beside_it),
    };
    return cmocka_run_group_tests(tests, make_dir, NULL);
}
