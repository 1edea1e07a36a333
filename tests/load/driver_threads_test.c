/* SPDX-License-Identifier: MIT
 *
 * The driver in real time: against a target that answers at once, and against serving on a thread
 * of its own with the recorder's writer beside it (label: threads). Nothing here depends on how
 * fast the machine is.
 */
#include "support/support.h"

#include "load/driver.h"
#include "record/runfile.h"

#include <string.h>
#include <unistd.h>

struct bench {
    const char *spec;
    struct pyr_load_plan plan;
    uint32_t in_flight;
    struct pyr_load_result result;
    uint64_t requests, chunks, freezes; /* as the run file has them */
};

static void read_back(struct bench *bench, const char *path) {
    struct pyr_runfile *file;
    struct pyr_block block;
    struct pyr_err err;
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    while (pyr_runfile_next(file, &block)) {
        const struct pyr_request *requests = block.items;
        const struct pyr_mark *marks = block.items;
        for (size_t i = 0; block.type == PYR_BLOCK_REQUESTS && i < block.count; i++) {
            const struct pyr_request *r = &requests[i];
            assert_int_equal(r->outcome, PYR_OUTCOME_OK);
            assert_true(r->scheduled_ns <= r->dispatched_ns);
            assert_true(r->dispatched_ns <= r->sent_ns);
            assert_true(r->sent_ns <= r->first_content_ns);
            assert_true(r->first_content_ns <= r->last_content_ns);
            assert_true(r->last_content_ns <= r->closed_ns);
            assert_int_equal(r->output_tokens, r->asked_tokens);
        }
        for (size_t i = 0; block.type == PYR_BLOCK_MARKS && i < block.count; i++)
            bench->freezes += marks[i].kind == PYR_MARK_FREEZE;
        bench->requests += block.type == PYR_BLOCK_REQUESTS ? block.count : 0;
        bench->chunks += block.type == PYR_BLOCK_CHUNKS ? block.count : 0;
    }
    assert_null(pyr_runfile_partial(file));
    pyr_runfile_close(file);
}

static void run_case(struct bench *bench) {
    char dir[256], path[300];
    struct pyr_err err;
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    const struct pyr_clock clock = {0};
    const struct pyr_recorder_config record = {.path = path, .lanes = 2, .chunk_slots = 1024};
    const struct pyr_target_config open = {
        .spec = bench->spec, .threads = 1, .sequences = 16, .tokens_per_sequence = 64};
    struct pyr_recorder *recorder;
    struct pyr_target *target;
    assert_ok(err, pyr_recorder_open(&record, &clock, &recorder, &err));
    assert_ok(err, pyr_target_open(&open, false, &target, &err));
    const struct pyr_load_config config = {.target = target,
                                           .max_in_flight = bench->in_flight,
                                           .recorder = recorder,
                                           .lane = pyr_recorder_lane(recorder, 0),
                                           .engine_lane = pyr_recorder_lane(recorder, 1)};
    const struct pyr_prompt_class class = {"test", pyr_length_fixed(12), pyr_length_fixed(5), 1};
    const struct pyr_workload_options options = {.classes = &class,
                                                 .class_count = 1,
                                                 .requests = 100,
                                                 .max_in_flight = bench->in_flight,
                                                 .seed = 1};
    struct pyr_load *load;
    struct pyr_workload *workload;
    assert_ok(err, pyr_workload_create(&options, target, &workload, &err));
    assert_ok(err, pyr_load_open(&config, &load, &err));
    bench->plan.drain_ns = 60 * PYR_NS_PER_S;
    bench->plan.exact_output = true;
    for (int twice = 0; twice < 2; twice++) {
        assert_ok(err, pyr_load_run(load, &bench->plan, workload, &bench->result, &err));
        assert_int_equal(bench->result.outcomes[PYR_OUTCOME_OK], bench->result.records);
        bench->plan.first_ordinal += bench->result.records;
    }
    pyr_load_close(load);
    pyr_workload_destroy(workload);
    target->ops->close(target);
    assert_ok(err, pyr_recorder_close(recorder, &err));
    read_back(bench, path);
    assert_int_equal(bench->requests, bench->plan.first_ordinal);
    assert_int_equal(bench->chunks, 5 * bench->requests);
    unlink(path);
    rmdir(dir);
}

static void a_closed_loop_runs_through_serving(void **state) {
    (void)state;
    struct bench bench = {.spec = "null:", .in_flight = 64};
    bench.plan.concurrency = 64;
    bench.plan.requests = 2000;
    bench.plan.warmup_requests = 64;
    run_case(&bench);
    assert_int_equal(bench.result.records, 2064);
}

static void an_open_loop_is_paced_with_and_without_spinning(void **state) {
    (void)state;
    static const char *const specs[] = {"null:direct", "null:"};
    for (int i = 0; i < 4; i++) {
        struct bench bench = {.spec = specs[i / 2], .in_flight = 32};
        bench.plan.open_loop = true;
        bench.plan.arrivals =
            (struct pyr_arrival_options){.kind = &pyr_arrival_poisson, .rate = 5000, .seed = 2};
        bench.plan.requests = 500;
        bench.plan.spin = i % 2;
        run_case(&bench);
        assert_int_equal(bench.result.records, 500);
        assert_true(bench.result.measured_end_ns > bench.result.measured_start_ns);
    }
}

/* A callback that holds the driver for longer than any wait for a core explains. */
static void dawdle(void *context, const struct pyr_load_live *live) {
    bool *done = context;
    if (*done)
        return;
    *done = true;
    uint64_t until_ns = live->now_ns + 50 * PYR_NS_PER_MS;
    while (pyr_clock_real_ns() < until_ns) {
    }
}

static void a_freeze_of_our_own_is_noticed_and_marked(void **state) {
    (void)state;
    bool done = false;
    struct bench bench = {.spec = "null:direct", .in_flight = 4};
    bench.plan.concurrency = 1;
    bench.plan.think_ns = PYR_NS_PER_MS;
    bench.plan.duration_ns = 300 * PYR_NS_PER_MS;
    bench.plan.live = dawdle;
    bench.plan.live_context = &done;
    run_case(&bench);
    assert_true(bench.freezes >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_loop_runs_through_serving),
        cmocka_unit_test(an_open_loop_is_paced_with_and_without_spinning),
        cmocka_unit_test(a_freeze_of_our_own_is_noticed_and_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
