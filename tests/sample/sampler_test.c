/* SPDX-License-Identifier: MIT */
/* label: threads (the sampler starts its own) */
#include "support/support.h"

#include "record/recorder.h"
#include "record/runfile.h"
#include "sample/sampler.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char step1[] = PYR_TEST_DATA "/sample/sampler/step1";
static const char step2[] = PYR_TEST_DATA "/sample/sampler/step2";

/* Two steps a second apart on a recorded machine, written through a recorder and read back. */
struct recorded {
    struct pyr_reading samples[16];
    size_t count;
    struct pyr_sampler_summary summary;
};

static void take_two_steps(pid_t pid, struct recorded *recorded) {
    char dir[256], path[300];
    struct pyr_err err;
    uint64_t now_ns = PYR_NS_PER_S;
    const struct pyr_clock clock = {&now_ns};
    struct pyr_root root = {step1};
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    const struct pyr_recorder_config recording = {
        .path = path, .lanes = 1, .inline_writer = true, .meta_json = "{}"};
    struct pyr_recorder *recorder;
    assert_ok(err, pyr_recorder_open(&recording, &clock, &recorder, &err));
    const struct pyr_sampler_config config = {.root = &root,
                                              .clock = &clock,
                                              .pid = pid,
                                              .own_pid = 50,
                                              .lane = pyr_recorder_lane(recorder, 0)};
    struct pyr_sampler *sampler;
    assert_ok(err, pyr_sampler_create(&config, &sampler, &err));
    pyr_sampler_set_case(sampler, 3);
    pyr_sampler_step(sampler);
    root.prefix = step2;
    now_ns += PYR_NS_PER_S;
    pyr_sampler_step(sampler);
    pyr_sampler_summarise(sampler, &recorded->summary);
    pyr_sampler_destroy(sampler);
    assert_ok(err, pyr_recorder_close(recorder, &err));
    struct pyr_runfile *file;
    struct pyr_block block;
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    recorded->count = 0;
    while (pyr_runfile_next(file, &block))
        for (size_t i = 0; block.type == PYR_BLOCK_SAMPLES && i < block.count; i++)
            recorded->samples[recorded->count++] = ((const struct pyr_reading *)block.items)[i];
    pyr_runfile_close(file);
    unlink(path);
    rmdir(dir);
}

static double last_of(const struct recorded *recorded, enum pyr_metric metric) {
    double value = (double)NAN;
    for (size_t i = 0; i < recorded->count; i++) {
        assert_int_equal(recorded->samples[i].case_index, 3);
        if (recorded->samples[i].metric == (uint32_t)metric)
            value = recorded->samples[i].value;
    }
    return value;
}

static void a_worker_is_the_target_and_this_program_the_harness(void **state) {
    (void)state;
    struct recorded recorded;
    take_two_steps(60, &recorded);
    double page = (double)sysconf(_SC_PAGESIZE);
    assert_near(last_of(&recorded, PYR_M_RSS), 1500 * page, 1e-9);
    assert_near(last_of(&recorded, PYR_M_CPU_UTILIZATION), 0.5 / 2, 1e-9); /* 50 ticks on 2 CPUs */
    assert_near(last_of(&recorded, PYR_M_HARNESS_CPU), 0.15, 1e-9);
    assert_near(recorded.summary.target_cpus, 0.5, 1e-9);
    assert_near(recorded.summary.harness_cpus, 0.15, 1e-9);
    assert_near(recorded.summary.others_cpus, 1.5 - 0.65, 1e-9);
    assert_near(recorded.summary.steal_share, 10.0 / 200, 1e-9);
    assert_int_equal(recorded.summary.samples, 2);
    assert_int_equal(recorded.summary.failed, 0);
    assert_int_equal(recorded.summary.rss_max_bytes, 1500 * (uint64_t)page);
}

static void inside_one_process_the_engines_threads_are_the_target(void **state) {
    (void)state;
    struct recorded recorded;
    take_two_steps(50, &recorded);
    assert_near(last_of(&recorded, PYR_M_CPU_UTILIZATION), (0.8 + 0.4) / 2, 1e-9);
    assert_near(last_of(&recorded, PYR_M_HARNESS_CPU), 0.15, 1e-9);
    assert_near(recorded.summary.target_cpus, 1.2, 1e-9);
}

static void a_target_that_is_gone_is_counted_and_no_value_is_made_up(void **state) {
    (void)state;
    struct recorded recorded;
    take_two_steps(77, &recorded);
    assert_true(isnan(last_of(&recorded, PYR_M_RSS)));
    assert_true(isnan(last_of(&recorded, PYR_M_CPU_UTILIZATION)));
    assert_near(last_of(&recorded, PYR_M_HARNESS_CPU), 0.15, 1e-9);
    assert_int_equal(recorded.summary.failed, 2);
}

static void without_a_target_the_machine_alone_is_watched(void **state) {
    (void)state;
    struct recorded recorded;
    take_two_steps(0, &recorded);
    assert_int_equal(recorded.count, 1);
    assert_int_equal(recorded.summary.failed, 0);
}

static void threads_are_told_apart_by_name(void **state) {
    (void)state;
    assert_true(pyr_sampler_is_harness(7, 7, "anything"));
    assert_true(pyr_sampler_is_harness(7, 8, "pyr-load-0"));
    assert_false(pyr_sampler_is_harness(7, 8, "pyr-engine"));
    assert_false(pyr_sampler_is_harness(7, 8, "pyrometer"));
}

static void the_thread_samples_this_process_until_it_is_stopped(void **state) {
    (void)state;
    static const struct pyr_root live = {""};
    const struct pyr_clock clock = {0};
    const struct pyr_sampler_config config = {.root = &live,
                                              .clock = &clock,
                                              .pid = getpid(),
                                              .own_pid = getpid(),
                                              .interval_ns = PYR_NS_PER_MS};
    struct pyr_sampler *sampler;
    struct pyr_sampler_summary summary;
    struct pyr_err err;
    assert_ok(err, pyr_sampler_create(&config, &sampler, &err));
    assert_ok(err, pyr_sampler_start(sampler, &err));
    uint64_t until = pyr_now_ns(&clock) + 20 * PYR_NS_PER_MS;
    while (pyr_now_ns(&clock) < until)
        sched_yield();
    pyr_sampler_set_case(sampler, 1);
    pyr_sampler_stop(sampler);
    pyr_sampler_stop(sampler); /* again is harmless */
    pyr_sampler_summarise(sampler, &summary);
    pyr_sampler_destroy(sampler);
    assert_true(summary.samples >= 2); /* the first and the one at the stop */
    assert_int_equal(summary.failed, 0);
    assert_true(summary.rss_max_bytes > 0);
    assert_true(summary.harness_cpus >= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_is_the_target_and_this_program_the_harness),
        cmocka_unit_test(inside_one_process_the_engines_threads_are_the_target),
        cmocka_unit_test(a_target_that_is_gone_is_counted_and_no_value_is_made_up),
        cmocka_unit_test(without_a_target_the_machine_alone_is_watched),
        cmocka_unit_test(threads_are_told_apart_by_name),
        cmocka_unit_test(the_thread_samples_this_process_until_it_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
