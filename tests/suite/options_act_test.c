/* SPDX-License-Identifier: MIT
 *
 * Each option of a benchmark, from the words of a command line to where it acts. The driver here is
 * a spy: it is told what to do, notes it and does nothing. A row without a check of its own, or one
 * that is named as seen elsewhere, fails the last test.
 */
#include "support/support.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/commands.h"
#include "load/driver.h"
#include "suite/bench_options.h"
#include "suite/plan.h"

#include <string.h>

/* --- the spy --------------------------------------------------------------------------------- */

enum { ASKED = 8 };

/* What reached the driver with the last case. */
static struct seen {
    struct pyr_load_plan plan;
    struct pyr_target_info target;
    char arrival[16];
    uint64_t second_due_ns; /* of a played schedule */
    uint32_t cases, prompt_tokens, output_tokens, session;
    double common; /* share of the first prompt that the second begins with */
} seen;

struct pyr_load {
    struct pyr_target *target;
};

const char *const pyr_phase_names[PYR_PHASE_COUNT] = {"warmup", "measured", "drain"};

bool pyr_load_open(const struct pyr_load_config *config, struct pyr_load **load,
                   struct pyr_err *err) {
    static struct pyr_load spy;
    (void)err;
    spy.target = config->target;
    *load = &spy;
    return true;
}

void pyr_load_close(struct pyr_load *load) {
    (void)load;
}

bool pyr_load_run(struct pyr_load *load, const struct pyr_load_plan *plan,
                  struct pyr_workload *workload, struct pyr_load_result *result,
                  struct pyr_err *err) {
    (void)err;
    struct pyr_slot slots[2] = {0};
    uint32_t cases = seen.cases;
    memset(&seen, 0, sizeof seen);
    seen.cases = cases + 1;
    seen.plan = *plan;
    load->target->ops->describe(load->target, &seen.target);
    if (plan->open_loop)
        snprintf(seen.arrival, sizeof seen.arrival, "%s", plan->arrivals.kind->name);
    if (plan->arrivals.schedule_count > 1)
        seen.second_due_ns = plan->arrivals.schedule_ns[1];
    for (uint32_t i = 0; i < 2; i++)
        pyr_workload_next(workload, plan->concurrency > 1 ? i : 0, &slots[i]);
    seen.prompt_tokens = slots[0].record.prompt_tokens;
    seen.output_tokens = slots[0].output_tokens;
    seen.session = slots[1].record.session;
    uint32_t same = 0, count = slots[0].prompt.token_count;
    while (plan->concurrency > 1 && same < count && same < slots[1].prompt.token_count &&
           slots[0].prompt.tokens[same] == slots[1].prompt.tokens[same])
        same++;
    seen.common = count ? (double)same / count : 0;
    memset(result, 0, sizeof *result);
    return true;
}

/* --- from the words ----------------------------------------------------------------------------
 */

static char dir[256];
static const char *const common[] = {"--no-calibrate", "--suite", "concurrent"};

static const struct pyr_command *bench(void) {
    const struct pyr_command *c = pyr_commands;
    while (strcmp(c->name, "bench") != 0)
        c++;
    return c;
}

/* Runs the benchmark that the line asks for (split at blanks, FILE... below the test's folder). */
static void run(const char *line) {
    char *words[32];
    int count = 0;
    struct pyr_cli cli = {.arena = pyr_arena_create(), .command = bench()};
    char *rest = pyr_arena_strdup(cli.arena, line), *word;
    for (size_t i = 0; i < 3; i++)
        words[count++] = pyr_arena_strdup(cli.arena, common[i]);
    while ((word = strsep(&rest, " ")))
        if (*word)
            words[count++] = strncmp(word, "FILE", 4) == 0
                                 ? pyr_arena_printf(cli.arena, "%s/%s", dir, word)
                                 : word;
    struct pyr_err err;
    /* The line's own suite comes last, and wins by being parsed alone. */
    int skip = strstr(line, "--suite") ? 3 : 0;
    assert_ok(err, pyr_args_parse(&cli, count - skip, words + skip, &err));
    assert_ok(err, pyr_args_check(&cli.args, &err));
    struct pyr_bench_options *o = cli.options;
    o->no_calibrate = true;
    o->target = "sim:context=4096";
    o->output = o->output ? o->output : dir;
    o->command_line = "test";
    struct pyr_bench_outcome outcome = {0};
    seen.cases = 0;
    /* That nothing was answered is no matter here. */
    (void)pyr_bench_run(o, NULL, NULL, &outcome, &err);
    pyr_result_destroy(outcome.result);
    pyr_arena_destroy(cli.arena);
}

static double number_at(const void *base, size_t offset, size_t size) {
    const void *field = (const char *)base + offset;
    return size == 1   ? *(const uint8_t *)field
           : size == 4 ? *(const uint32_t *)field
                       : (double)*(const uint64_t *)field;
}

#define PLAN(field) offsetof(struct seen, plan.field), sizeof seen.plan.field
#define SEEN(field) offsetof(struct seen, field), sizeof seen.field

/* Whole numbers, durations and flags, by where they are to be found. */
static const struct {
    const char *name, *line;
    size_t offset, size;
    double expected;
} whole[] = {
    {"--start", "--start spread", PLAN(start), PYR_START_SPREAD},
    {"--start", "--start burst", PLAN(start), PYR_START_BURST},
    {"--think-time", "--think-time 40ms", PLAN(think_ns), 4e7},
    {"--heed-retry-after", "--heed-retry-after", PLAN(heed_retry_after), 1},
    {"--timeout", "--timeout 3s", PLAN(limits.total_ns), 3e9},
    {"--timeout-connect", "--timeout-connect 4s", PLAN(limits.connect_ns), 4e9},
    {"--timeout-first", "--timeout-first 5s", PLAN(limits.first_token_ns), 5e9},
    {"--timeout-between", "--timeout-between 6s", PLAN(limits.between_tokens_ns), 6e9},
    {"--drain", "--drain 7s", PLAN(drain_ns), 7e9},
    {"--cancel-after", "--cancel-share 0.5 --cancel-after 8s", PLAN(cancel_after_ns), 8e9},
    {"--exact-output", "--exact-output", PLAN(short_is_error), 1},
    {"--requests", "--requests 77", PLAN(requests), 77},
    {"--warmup", "--warmup 9", PLAN(warmup_requests), 9},
    {"--warmup", "--warmup 9s", PLAN(warmup_ns), 9e9},
    {"--level-time", "--level-time 11s", PLAN(duration_ns), 11e9},
    {"--concurrency", "--concurrency 3", PLAN(concurrency), 3},
    {"--concurrency", "--concurrency 3,5", SEEN(cases), 2},
    {"--threads", "--threads 3", SEEN(target.threads), 3},
    {"--prompt-tokens", "--prompt-tokens 33", SEEN(prompt_tokens), 33},
    {"--output-tokens", "--output-tokens 21", SEEN(output_tokens), 21},
    {"--prompts", "--prompts FILE.txt --concurrency 1", SEEN(cases), 1},
    {"--sessions", "--sessions FILE.jsonl --concurrency 1", SEEN(session), 1},
    {"--trace", "--trace FILE.trace", SEEN(second_due_ns), 4e9},
    {"--trace", "--trace FILE.trace", SEEN(output_tokens), 6},
    {"--trace-speed", "--trace FILE.trace --trace-speed 2", SEEN(second_due_ns), 2e9},
    {"--preset", "--preset full", SEEN(cases), 25},
};

static void whole_numbers_reach_the_driver(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        run("--concurrency 2");
        double before = number_at(&seen, whole[i].offset, whole[i].size);
        run(whole[i].line);
        double after = number_at(&seen, whole[i].offset, whole[i].size);
        if (after != whole[i].expected)
            fail_msg("%s: %.0f reached the driver, not %.0f", whole[i].line, after,
                     whole[i].expected);
        /* Else the check would hold without the option too. */
        if (before == after && whole[i].expected != 1)
            fail_msg("%s: is what comes without it", whole[i].line);
    }
}

static void the_rest_reaches_the_driver(void **state) {
    (void)state;
    run("--temperature 0.5");
    assert_near((double)seen.plan.temperature, 0.5, 0);
    run("--cancel-share 25% --cancel-after 2s");
    assert_near(seen.plan.cancel_share, 0.25, 0);
    run("--rate 5");
    assert_true(seen.plan.open_loop);
    assert_near(seen.plan.arrivals.rate, 5, 0);
    assert_string_equal(seen.arrival, "poisson");
    run("--rate 5 --clients 3");
    assert_near(seen.plan.arrivals.rate, 15, 0);
    run("--rate 5 --arrival gamma --arrival-cv 2");
    assert_string_equal(seen.arrival, "gamma");
    assert_near(seen.plan.arrivals.cv, 2, 0);
    run("--concurrency 2 --prompt-tokens 100 --shared-prefix 0.5");
    assert_near(seen.common, 0.5, 0.05);
    run("--concurrency 2 --prompt-tokens 100");
    assert_true(seen.common < 0.2);
    run("--seed 1");
    uint64_t seed = seen.plan.seed;
    run("--seed 2");
    assert_true(seed != seen.plan.seed);
    run("--engine-option step_ms=3");
    assert_non_null(strstr(seen.target.description, "3 ms"));
    run("--suite inference");
    assert_int_equal(seen.plan.concurrency, 1);
    /* Whatever a case may take, the run takes no longer. */
    run("--concurrency 2");
    assert_true(seen.plan.duration_ns > 5 * PYR_NS_PER_S);
    run("--concurrency 2 --duration 5s");
    assert_true(seen.plan.duration_ns <= 5 * PYR_NS_PER_S);
}

/* No driver sees where the engine lies: the plan hands it to whoever opens the target. */
static void the_engines_folder_reaches_the_target(void **state) {
    (void)state;
    char words[2][300] = {"--engine-dir", ""}, *argv[] = {words[0], words[1]};
    struct pyr_cli cli = {.arena = pyr_arena_create(), .command = bench()};
    struct pyr_plan plan;
    struct pyr_err err;
    snprintf(words[1], sizeof words[1], "%s", dir);
    assert_ok(err, pyr_args_parse(&cli, 2, argv, &err));
    assert_ok(err, pyr_plan_make(cli.options, 1, true, cli.arena, &plan, &err));
    assert_int_equal(plan.variants[0].option_count, 1);
    assert_string_equal(plan.variants[0].options[0].key, "engine_dir");
    assert_string_equal(plan.variants[0].options[0].value, dir);
    pyr_arena_destroy(cli.arena);
}

/* Options that do not act through the driver, and the test that sees them act. */
static const struct {
    const char *name, *where;
} elsewhere[] = {
    {"--isolate", "tests/cli/bench.sh"},      {"--runs", "tests/cli/judge.sh"},
    {"--slo", "tests/cli/bench.sh"},          {"--no-calibrate", "tests/cli/bench.sh"},
    {"--output", "tests/cli/bench.sh"},       {"--format", "tests/cli/bench.sh"},
    {"--requests-log", "tests/cli/bench.sh"},
};
/* Seen by the two tests above. */
static const char *const by_hand[] = {
    "--temperature", "--cancel-share",  "--rate",  "--clients",       "--arrival",  "--arrival-cv",
    "--seed",        "--shared-prefix", "--suite", "--engine-option", "--duration", "--engine-dir",
};

static bool is_followed(const char *name) {
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (strcmp(whole[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < sizeof by_hand / sizeof *by_hand; i++)
        if (strcmp(by_hand[i], name) == 0)
            return true;
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        static const struct pyr_root root = {PYR_TEST_DATA};
        struct pyr_buf text = {0};
        char path[128];
        struct pyr_err err;
        if (strcmp(elsewhere[i].name, name) != 0)
            continue;
        snprintf(path, sizeof path, "/../../%s", elsewhere[i].where);
        assert_ok(err, pyr_fs_read(&root, path, 1 << 20, &text, &err));
        bool there = strstr(pyr_buf_text(&text), name) != NULL;
        pyr_buf_deinit(&text);
        return there;
    }
    return false;
}

static void no_option_is_left_out(void **state) {
    (void)state;
    const struct pyr_option_row *row;
    for (size_t i = 0; (row = pyr_bench_option_at(i)); i++)
        if (!is_followed(row->name))
            fail_msg("%s is followed by no test from the command line to where it acts", row->name);
}

static int write_files(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
    } files[] = {
        {"FILE.txt", "one prompt\nanother\n"},
        {"FILE.jsonl", "{\"conversations\": [{\"from\": \"human\", \"value\": \"a\"}, {\"from\": "
                       "\"gpt\", \"value\": \"b\"}, {\"from\": \"human\", \"value\": \"c\"}, "
                       "{\"from\": \"gpt\", \"value\": \"d\"}]}\n"},
        {"FILE.trace", "{\"timestamp\": 0, \"input_length\": 8, \"output_length\": 6, "
                       "\"hash_ids\": [1]}\n{\"timestamp\": 4000, \"input_length\": 8, "
                       "\"output_length\": 6, \"hash_ids\": [2]}\n"},
    };
    struct pyr_err err;
    if (!pyr_test_temp_dir(dir, sizeof dir))
        return -1;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, files[i].name);
        if (!pyr_fs_write_whole(path, files[i].text, strlen(files[i].text), &err))
            return -1;
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_reach_the_driver),
        cmocka_unit_test(the_rest_reaches_the_driver),
        cmocka_unit_test(the_engines_folder_reaches_the_target),
        cmocka_unit_test(no_option_is_left_out),
    };
    return cmocka_run_group_tests(tests, write_files, NULL);
}
