/* SPDX-License-Identifier: MIT
 *
 * Recorded traffic and sessions through the driver, in virtual time against a target of set law.
 */
#include "support/fake_target.h"
#include "support/support.h"

#include "base/fs.h"
#include "load/driver.h"
#include "load/trace.h"
#include "record/runfile.h"

#include <string.h>
#include <unistd.h>

#define MS PYR_NS_PER_MS
#define S PYR_NS_PER_S

enum { REQUESTS_MAX = 64, SLOTS = 16 };

static struct pyr_err err;
static struct pyr_request seen[REQUESTS_MAX];
static size_t count;
static struct pyr_load_result result;
static char dir[256];

static void read_back(const char *path) {
    struct pyr_runfile *file;
    struct pyr_block block;
    memset(seen, 0, sizeof seen);
    count = 0;
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    while (pyr_runfile_next(file, &block)) {
        const struct pyr_request *requests = block.items;
        for (size_t i = 0; block.type == PYR_BLOCK_REQUESTS && i < block.count; i++) {
            assert_true(requests[i].ordinal < REQUESTS_MAX);
            seen[requests[i].ordinal] = requests[i];
            count++;
        }
    }
    pyr_runfile_close(file);
}

static void run(const struct pyr_load_plan *plan, struct pyr_workload_options options) {
    char path[300];
    uint64_t now_ns = 1000 * S;
    struct pyr_fake_target target;
    const struct pyr_clock clock = {&now_ns};
    const struct pyr_prompt_class class = {"test", pyr_length_fixed(20), pyr_length_fixed(4), 1};
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    const struct pyr_recorder_config record = {.path = path, .lanes = 1, .inline_writer = true};
    struct pyr_recorder *recorder;
    struct pyr_load *load;
    struct pyr_workload *workload;
    assert_ok(err, pyr_recorder_open(&record, &clock, &recorder, &err));
    pyr_fake_target_init(&target, (struct pyr_fake_law){.service_ns = 5 * MS}, &now_ns);
    const struct pyr_load_config config = {.target = &target.base,
                                           .max_in_flight = SLOTS,
                                           .recorder = recorder,
                                           .lane = pyr_recorder_lane(recorder, 0),
                                           .virtual_now_ns = &now_ns};
    options.classes = &class;
    options.class_count = 1;
    options.max_in_flight = SLOTS;
    assert_ok(err, pyr_load_open(&config, &load, &err));
    assert_ok(err, pyr_workload_create(&options, &target.base, &workload, &err));
    assert_ok(err, pyr_load_run(load, plan, workload, &result, &err));
    pyr_workload_destroy(workload);
    pyr_load_close(load);
    assert_ok(err, pyr_recorder_close(recorder, &err));
    read_back(path);
    unlink(path);
}

static uint64_t due(size_t i) {
    return seen[i].scheduled_ns - result.started_ns;
}

static const char recorded[] =
    "{\"timestamp\": 500, \"input_length\": 30, \"output_length\": 2}\n"
    "{\"timestamp\": 600, \"input_length\": 700, \"output_length\": 3, \"hash_ids\": [1, 2]}\n"
    "{\"timestamp\": 600, \"input_length\": 40, \"output_length\": 4}\n"
    "{\"timestamp\": 850, \"input_length\": 50, \"output_length\": 5}\n";

static void replay(struct pyr_load_plan plan) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_trace trace;
    assert_ok(err, pyr_trace_parse(arena, "t", recorded, strlen(recorded), 2, &trace, NULL, &err));
    plan.open_loop = true;
    plan.arrivals = (struct pyr_arrival_options){.kind = &pyr_arrival_trace,
                                                 .rate = trace.rate,
                                                 .schedule_ns = trace.due_ns,
                                                 .schedule_count = trace.count};
    plan.drain_ns = S;
    run(&plan, (struct pyr_workload_options){.trace = &trace});
    pyr_arena_destroy(arena);
}

static void a_trace_is_played_at_its_own_times(void **state) {
    (void)state;
    replay((struct pyr_load_plan){0});
    assert_int_equal(count, 4);
    static const uint64_t at_ms[] = {0, 50, 50, 175};
    static const uint32_t prompts[] = {30, 700, 40, 50};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(due(i), at_ms[i] * MS);
        assert_int_equal(seen[i].dispatched_ns, seen[i].scheduled_ns);
        assert_int_equal(seen[i].prompt_tokens, prompts[i]);
        assert_int_equal(seen[i].asked_tokens, i + 2);
        assert_int_equal(seen[i].output_tokens, i + 2);
        assert_int_equal(seen[i].outcome, PYR_OUTCOME_OK);
        assert_int_equal(seen[i].phase, PYR_PHASE_MEASURED);
    }
    assert_int_equal(result.end, PYR_LOAD_ENDED_ARRIVALS);
    /* A mean gap after the last: when one more would have been due. */
    assert_int_equal(result.measured_end_ns - result.started_ns, 175 * MS + 175 * MS / 3);
}

static void a_trace_can_be_cut_and_capped(void **state) {
    (void)state;
    replay((struct pyr_load_plan){.requests = 2});
    assert_int_equal(count, 2);
    assert_int_equal(result.end, PYR_LOAD_ENDED_REQUESTS);
    /* One at a time: the second of an instant waits for the first and keeps its time. */
    replay((struct pyr_load_plan){.concurrency = 1});
    assert_int_equal(count, 4);
    assert_int_equal(due(2), 50 * MS);
    assert_int_equal(seen[2].dispatched_ns - result.started_ns, 55 * MS);
    assert_true(seen[2].flags & PYR_REQUEST_WAITED);
}

static void the_first_of_a_trace_can_be_warm_up(void **state) {
    (void)state;
    replay((struct pyr_load_plan){.warmup_requests = 1});
    assert_int_equal(count, 4);
    assert_int_equal(seen[0].phase, PYR_PHASE_WARMUP);
    assert_int_equal(seen[1].phase, PYR_PHASE_MEASURED);
    assert_int_equal(result.measured_start_ns - result.started_ns, 50 * MS);
}

/* Three turns, one turn, two turns. */
static const char conversations[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"be kind\"},"
    " {\"role\": \"user\", \"content\": \"one\"}, {\"role\": \"assistant\", \"content\": \"aaa\"},"
    " {\"role\": \"user\", \"content\": \"two\"}, {\"role\": \"assistant\", \"content\": \"bbb\"},"
    " {\"role\": \"user\", \"content\": \"six\"}]}\n"
    "{\"conversations\": [{\"from\": \"gpt\", \"value\": \"nobody asked\"}]}\n"
    "{\"prompt\": \"ten\"}\n"
    "{\"conversations\": [{\"from\": \"human\", \"value\": \"red\"},"
    " {\"from\": \"gpt\", \"value\": \"ccc ddd\"}, {\"from\": \"human\", \"value\": \"box\"},"
    " {\"from\": \"gpt\", \"value\": \"eee\"}]}\n";

static void each_user_has_one_session_at_a_time(void **state) {
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "%s/sessions.jsonl", dir);
    assert_ok(err, pyr_fs_write_whole(path, conversations, strlen(conversations), &err));
    const struct pyr_load_plan plan = {
        .concurrency = 2, .requests = 8, .think_ns = 10 * MS, .drain_ns = S};
    run(&plan,
        (struct pyr_workload_options){
            .prompts_path = path, .sessions = true, .output_from_file = true, .requests = 8});
    unlink(path);
    assert_int_equal(count, 8);
    /* User 1: turns 0, 1, 2 of the first session, then the first session again. User 2: "ten", both
     * turns of the last, then "ten" again. */
    static const uint16_t turns[] = {0, 0, 1, 0, 2, 1, 0, 0};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(seen[i].session, turns[i]);
        assert_int_equal(due(i), i / 2 * 15 * MS); /* service and think time */
    }
    /* A turn carries what went before it, with the file's own answers. */
    assert_true(seen[2].prompt_tokens > seen[0].prompt_tokens + 2);
    assert_true(seen[4].prompt_tokens > seen[2].prompt_tokens + 2);
    assert_int_equal(seen[6].prompt_hash, seen[0].prompt_hash);
    assert_int_equal(seen[7].prompt_hash, seen[1].prompt_hash);
    assert_int_equal(seen[3].asked_tokens, 2); /* "ccc ddd" */
    assert_int_equal(seen[1].asked_tokens, 4); /* no answer in the file: the class's */
}

static int make_dir(void **state) {
    (void)state;
    return pyr_test_temp_dir(dir, sizeof dir) ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_is_played_at_its_own_times),
        cmocka_unit_test(a_trace_can_be_cut_and_capped),
        cmocka_unit_test(the_first_of_a_trace_can_be_warm_up),
        cmocka_unit_test(each_user_has_one_session_at_a_time),
    };
    return cmocka_run_group_tests(tests, make_dir, NULL);
}
