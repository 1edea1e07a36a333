/* SPDX-License-Identifier: MIT
 *
 * What the parts of a start are called. A spy stands where the page cache, the target and the
 * driver are: a load takes what the page cache says, cold 900 ms and warm 30 ms, a process 50 ms
 * and a first token 11 ms, so that no two can be taken for each other.
 */
#include "support/support.h"

#include "base/fs.h"
#include "load/driver.h"
#include "record/runfile.h"
#include "sample/pagecache.h"
#include "suite/bench.h"

#include <string.h>

#define MS PYR_NS_PER_MS

static struct {
    bool cold; /* the page cache was dropped and not filled since */
    uint32_t dropped, warmed, opened_isolated, opened_inside, closed;
} spy;

bool pyr_pagecache_drop(const char *path, struct pyr_err *err) {
    (void)path, (void)err;
    spy.cold = true;
    spy.dropped++;
    return true;
}

bool pyr_pagecache_warm(const char *path, struct pyr_err *err) {
    (void)path, (void)err;
    spy.cold = false;
    spy.warmed++;
    return true;
}

bool pyr_pagecache_resident(const char *path, double *share, struct pyr_err *err) {
    (void)path, (void)err;
    *share = spy.cold ? 0 : 1;
    return true;
}

static void describe(struct pyr_target *target, struct pyr_target_info *info) {
    (void)target;
    *info = (struct pyr_target_info){
        .load_ns = (spy.cold ? 900 : 30) * MS, .spawn_ns = 50 * MS, .threads = 1, .streams = true};
    snprintf(info->kind, sizeof info->kind, "local");
}

static int64_t count_tokens(struct pyr_target *target, const char *text, size_t bytes) {
    (void)target, (void)text;
    return (int64_t)bytes;
}

static void close_target(struct pyr_target *target) {
    (void)target;
    spy.closed++;
}

static const struct pyr_target_ops ops = {
    .describe = describe, .count_tokens = count_tokens, .close = close_target};

const struct pyr_target_ops *const pyr_targets[] = {NULL};

bool pyr_target_open(const struct pyr_target_config *config, bool isolate,
                     struct pyr_target **target, struct pyr_err *err) {
    static struct pyr_target one = {&ops};
    (void)config, (void)err;
    *(isolate ? &spy.opened_isolated : &spy.opened_inside) += 1;
    *target = &one;
    return true;
}

const char *const pyr_phase_names[PYR_PHASE_COUNT] = {"warmup", "measured", "drain"};

struct pyr_load {
    int unused;
};

bool pyr_load_open(const struct pyr_load_config *config, struct pyr_load **load,
                   struct pyr_err *err) {
    static struct pyr_load one;
    (void)config, (void)err;
    *load = &one;
    return true;
}

void pyr_load_close(struct pyr_load *load) {
    (void)load;
}

bool pyr_load_run(struct pyr_load *load, const struct pyr_load_plan *plan,
                  struct pyr_workload *workload, struct pyr_load_result *result,
                  struct pyr_err *err) {
    (void)load, (void)workload, (void)err;
    struct pyr_slot slot = {.record = {.outcome = PYR_OUTCOME_OK}};
    slot.record.sent_ns = pyr_clock_real_ns() + 1000 * MS;
    slot.record.first_content_ns = slot.record.sent_ns + 11 * MS;
    memset(result, 0, sizeof *result);
    plan->ended(plan->ended_context, &slot);
    return true;
}

static const struct {
    enum pyr_metric metric;
    uint32_t count;
    double least, most;
} expected[] = {
    {PYR_M_LOAD_TIME_COLD, 6, 900e6, 900e6},
    {PYR_M_LOAD_TIME, 6, 30e6, 30e6},
    {PYR_M_SPAWN_TIME, 6, 50e6, 50e6},
    {PYR_M_FIRST_REQUEST, 6, 11e6, 11e6},
    /* From before the process to the first token, which the spy puts a second away. */
    {PYR_M_COLD_START, 6, 1011e6, 30e9},
    /* The spy closes at once. */
    {PYR_M_UNLOAD_TIME, 6, 0, 1e9},
};

static void each_part_of_a_start_has_its_own_name(void **state) {
    (void)state;
    char dir[256], model[300];
    struct pyr_err err;
    struct pyr_bench_outcome outcome = {0};
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(model, sizeof model, "%s/any.gguf", dir);
    assert_ok(err, pyr_fs_write_whole(model, "x", 1, &err));
    const struct pyr_bench_options options = {.target = model,
                                              .output = dir,
                                              .suite = "startup",
                                              .seed = 1,
                                              .command_line = "t",
                                              .no_calibrate = true};
    memset(&spy, 0, sizeof spy);
    (void)pyr_bench_run(&options, NULL, NULL, &outcome, &err);
    assert_non_null(outcome.result);
    const struct pyr_case_result *one = &outcome.result->suites[0].cases[0];
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const struct pyr_metric_result *row = pyr_case_metric(one, expected[i].metric);
        const char *name = pyr_metric_info(expected[i].metric)->name;
        if (!row)
            fail_msg("no %s", name);
        if (row->n != expected[i].count || row->min < expected[i].least ||
            row->max > expected[i].most)
            fail_msg("%s: %llu values from %g to %g", name, (unsigned long long)row->n, row->min,
                     row->max);
    }
    /* Cold ones in a process of their own, warm ones as the user asked. */
    assert_int_equal(spy.dropped, 6);
    assert_int_equal(spy.warmed, 6);
    assert_int_equal(spy.opened_isolated, 6);
    assert_true(spy.opened_inside >= 6);
    assert_int_equal(spy.closed, spy.opened_isolated + spy.opened_inside);
    pyr_result_destroy(outcome.result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_of_a_start_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
