/* SPDX-License-Identifier: MIT
 *
 * Between the start and the end of a run our own code takes no memory: malloc and its kin are
 * counted (the linker's --wrap) while a case runs.
 */
#include "support/fake_target.h"
#include "support/support.h"

#include "load/driver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile bool counting; /* the compiler believes that malloc cannot see it */
static volatile uint64_t allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size) {
    allocations = allocations + counting;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
    allocations = allocations + counting;
    return __real_calloc(count, size);
}
void *__wrap_realloc(void *old, size_t size) {
    allocations = allocations + counting;
    return __real_realloc(old, size);
}
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    allocations = allocations + counting;
    return __real_mmap(at, size, protection, flags, fd, offset);
}

static void watch(void *context, const struct pyr_load_live *live) {
    uint64_t *sum = context;
    *sum += live->ended;
    if (live->latency_ns->count > 0)
        *sum += pyr_hist_at_rank(live->latency_ns, 1).lo;
}

/* One case on `target`; what it allocated between start and end, and that nothing failed. */
static void run_on(struct pyr_target *target, uint64_t *virtual_now_ns, struct pyr_load_plan plan,
                   uint64_t prompts_planned, const char *prompt_tokens) {
    char dir[256], path[300];
    uint64_t sum = 0;
    struct pyr_err err;
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    const struct pyr_clock clock = {virtual_now_ns};
    const struct pyr_recorder_config record = {
        .path = path, .lanes = 2, .chunk_slots = 1024, .inline_writer = virtual_now_ns != NULL};
    struct pyr_recorder *recorder;
    assert_ok(err, pyr_recorder_open(&record, &clock, &recorder, &err));
    const struct pyr_load_config config = {.target = target,
                                           .max_in_flight = 32,
                                           .recorder = recorder,
                                           .lane = pyr_recorder_lane(recorder, 0),
                                           .engine_lane = pyr_recorder_lane(recorder, 1),
                                           .virtual_now_ns = virtual_now_ns};
    struct pyr_prompt_class class = {.name = "test"};
    assert_ok(err, pyr_length_parse(prompt_tokens, &class.prompt_tokens, &err));
    assert_ok(err, pyr_length_parse("lognormal:8,4,1,32", &class.output_tokens, &err));
    const struct pyr_workload_options options = {.classes = &class,
                                                 .class_count = 1,
                                                 .requests = prompts_planned,
                                                 .max_in_flight = 32,
                                                 .seed = 1};
    struct pyr_load *load;
    struct pyr_workload *workload;
    struct pyr_load_result result;
    assert_ok(err, pyr_load_open(&config, &load, &err));
    assert_ok(err, pyr_workload_create(&options, target, &workload, &err));
    plan.live = watch;
    plan.live_context = &sum;
    plan.drain_ns = 60 * PYR_NS_PER_S;
    plan.warmup_requests = 100;
    plan.exact_output = true;
    allocations = 0;
    counting = true;
    bool ok = pyr_load_run(load, &plan, workload, &result, &err);
    counting = false;
    if (!ok)
        fail_msg("%s", err.text);
    assert_int_equal(allocations, 0);
    assert_int_equal(result.outcomes[PYR_OUTCOME_OK], plan.requests + 100);
    pyr_workload_destroy(workload);
    pyr_load_close(load);
    assert_ok(err, pyr_recorder_close(recorder, &err));
    unlink(path);
    rmdir(dir);
}

/* Prompts of recorded traffic are put together as they go out. */
static void a_trace_takes_no_memory_for_its_prompts(void **state) {
    (void)state;
    static const char lines[] =
        "{\"timestamp\": 0, \"input_length\": 5000, \"output_length\": 1, \"hash_ids\": [1, 2]}\n"
        "{\"timestamp\": 1, \"input_length\": 3, \"output_length\": 1}\n";
    for (int text_only = 0; text_only < 2; text_only++) {
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_trace trace;
        struct pyr_err err;
        struct pyr_fake_target target;
        struct pyr_workload *workload;
        assert_ok(err, pyr_trace_parse(arena, "t", lines, strlen(lines), 1, &trace, NULL, &err));
        pyr_fake_target_init(&target, (struct pyr_fake_law){.text_only = text_only}, NULL);
        const struct pyr_prompt_class class = {"t", pyr_length_fixed(1), pyr_length_fixed(1), 1};
        const struct pyr_workload_options options = {
            .classes = &class, .class_count = 1, .trace = &trace, .max_in_flight = 32};
        assert_ok(err, pyr_workload_create(&options, &target.base, &workload, &err));
        struct pyr_slot slot = {0};
        allocations = 0;
        counting = true;
        for (uint32_t i = 0; i < 1000; i++)
            pyr_workload_next(workload, i % 33, &slot);
        counting = false;
        assert_int_equal(allocations, 0);
        pyr_workload_destroy(workload);
        pyr_arena_destroy(arena);
    }
}

static void run(struct pyr_load_plan plan, uint64_t prompts_planned, const char *prompt_tokens) {
    uint64_t now_ns = 1;
    struct pyr_fake_target target;
    pyr_fake_target_init(&target, (struct pyr_fake_law){.service_ns = 1000000, .servers = 20},
                         &now_ns);
    run_on(&target.base, &now_ns, plan, prompts_planned, prompt_tokens);
}

/* The whole path: driver, target, serving, engine. */
static void the_null_and_sim_engines_take_no_memory_either(void **state) {
    (void)state;
    static const char *const specs[] = {"null:direct", "null:", "sim:step_ms=5,jitter_pct=5"};
    for (size_t i = 0; i < 3; i++) {
        uint64_t now_ns = 1, *clock = i == 2 ? &now_ns : NULL;
        const struct pyr_target_config config = {.spec = specs[i],
                                                 .threads = 1,
                                                 .sequences = 16,
                                                 .tokens_per_sequence = 128,
                                                 .virtual_now_ns = clock};
        struct pyr_target *target;
        struct pyr_err err;
        assert_ok(err, pyr_target_open(&config, false, &target, &err));
        run_on(target, clock, (struct pyr_load_plan){.concurrency = 32, .requests = 1000}, 0, "20");
        target->ops->close(target);
    }
}

static void a_closed_loop_takes_no_memory(void **state) {
    (void)state;
    run((struct pyr_load_plan){.concurrency = 32, .requests = 5000, .think_ns = 1000}, 5100, "16");
}

static void an_open_loop_takes_no_memory(void **state) {
    (void)state;
    run((struct pyr_load_plan){.open_loop = true,
                               .arrivals = {.kind = &pyr_arrival_gamma, .rate = 10000, .cv = 2},
                               .requests = 5000},
        5100, "16");
}

static void going_round_the_pool_takes_no_memory(void **state) {
    (void)state;
    run((struct pyr_load_plan){.concurrency = 16, .requests = 5000}, 0, "normal:100,20");
}

static void the_counter_counts(void **state) {
    (void)state;
    allocations = 0;
    counting = true;
    void *volatile memory = malloc(10);
    counting = false;
    free(memory);
    assert_int_equal(allocations, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_takes_no_memory_for_its_prompts),
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(a_closed_loop_takes_no_memory),
        cmocka_unit_test(an_open_loop_takes_no_memory),
        cmocka_unit_test(the_null_and_sim_engines_take_no_memory_either),
        cmocka_unit_test(going_round_the_pool_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
