/* SPDX-License-Identifier: MIT
 *
 * How much the harness itself carries: closed loop on a target that costs nothing, everything
 * pinned to one core, the run file written as in a real run. "null:direct" is load and recorder
 * alone, "null:" adds serving and the null model.
 *
 *     build/release/bench/load [TARGET [IN_FLIGHT [OUTPUT_TOKENS [SECONDS [CPU]]]]]
 *
 * CPU -1: not pinned. Claims (one core, 64 in flight): 200,000 one-token requests/s and 2,000,000
 * tokens/s in 64-token requests.
 */
#include "load/driver.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct bench {
    const char *spec;
    uint32_t in_flight, output_tokens;
    double seconds;
    char path[300];
};

static bool run_case(const struct bench *bench, struct pyr_target *target,
                     struct pyr_recorder *recorder, struct pyr_load_result *result,
                     struct pyr_err *err) {
    const struct pyr_load_config config = {
        .target = target,
        .max_in_flight = bench->in_flight,
        .recorder = recorder,
        .lane = pyr_recorder_lane(recorder, 0),
        .engine_lane = pyr_recorder_lane(recorder, 1),
    };
    const struct pyr_prompt_class class = {"bench", pyr_length_fixed(16),
                                           pyr_length_fixed(bench->output_tokens), 1};
    const struct pyr_workload_options options = {
        .classes = &class, .class_count = 1, .max_in_flight = bench->in_flight, .seed = 1};
    const struct pyr_load_plan plan = {
        .concurrency = bench->in_flight,
        .warmup_ns = PYR_NS_PER_S / 2,
        .duration_ns = (uint64_t)(bench->seconds * 1e9),
        .drain_ns = PYR_NS_PER_S,
        .exact_output = true,
        .seed = 1,
    };
    struct pyr_load *load = NULL;
    struct pyr_workload *workload = NULL;
    bool ok = pyr_workload_create(&options, target, &workload, err) &&
              pyr_load_open(&config, &load, err) &&
              pyr_load_run(load, &plan, workload, result, err);
    pyr_load_close(load);
    pyr_workload_destroy(workload);
    return ok;
}

static bool run(struct bench *bench, struct pyr_err *err) {
    const struct pyr_clock clock = {0};
    const struct pyr_recorder_config record = {.path = bench->path, .lanes = 2};
    const struct pyr_target_config config = {
        .spec = bench->spec, .threads = 1, .tokens_per_sequence = 16 + bench->output_tokens};
    struct pyr_recorder *recorder;
    struct pyr_target *target;
    if (!pyr_recorder_open(&record, &clock, &recorder, err))
        return false;
    if (!pyr_target_open(&config, false, &target, err)) {
        pyr_recorder_close(recorder, NULL);
        return false;
    }
    struct pyr_load_result result;
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    bool ok = run_case(bench, target, recorder, &result, err);
    getrusage(RUSAGE_SELF, &after);
    target->ops->close(target);
    ok = pyr_recorder_close(recorder, ok ? err : NULL) && ok;
    if (!ok)
        return false;
    double seconds = (double)(result.ended_ns - result.started_ns) / 1e9;
    double requests = (double)result.outcomes[PYR_OUTCOME_OK] / seconds;
    double cpu_s = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec -
                            before.ru_stime.tv_sec) +
                   (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec +
                            after.ru_stime.tv_usec - before.ru_stime.tv_usec) /
                       1e6;
    printf("%s, %u in flight, %u tokens: %.0f requests/s, %.0f tokens/s, %.3f us a request, "
           "CPU %.0f %%, %llu not ok\n",
           bench->spec, bench->in_flight, bench->output_tokens, requests,
           requests * bench->output_tokens, 1e6 / requests, 100 * cpu_s / seconds,
           (unsigned long long)(result.records - result.outcomes[PYR_OUTCOME_OK]));
    return true;
}

int main(int argc, char **argv) {
    struct bench bench = {
        .spec = argc > 1 ? argv[1] : "null:direct",
        .in_flight = argc > 2 ? (uint32_t)atoi(argv[2]) : 64,
        .output_tokens = argc > 3 ? (uint32_t)atoi(argv[3]) : 1,
        .seconds = argc > 4 ? atof(argv[4]) : 2,
    };
    int cpu = argc > 5 ? atoi(argv[5]) : 0;
    if (bench.in_flight < 1 || bench.output_tokens < 1 || bench.seconds <= 0)
        return 2;
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    snprintf(bench.path, sizeof bench.path, "/tmp/pyrometer-bench-load.%ld.pyr", (long)getpid());
    struct pyr_err err;
    bool ok = run(&bench, &err);
    unlink(bench.path);
    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    return !ok;
}
