/* SPDX-License-Identifier: MIT
 *
 * How much the whole harness can carry: load, the hand-over to the engine's thread, serving, the
 * engine that costs nothing, recorder and run file, all pinned to one core.
 *
 *     build/release/bench/harness [SECONDS=3] [TARGET=null:] [CORE=0]
 */
#include "load/driver.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROMPT_TOKENS = 16, MOST = 64, CONTEXT = 128 };

static void die(const struct pyr_err *err) {
    fprintf(stderr, "harness: %s\n", err->text);
    exit(1);
}

struct rig {
    struct pyr_recorder *recorder;
    struct pyr_target *target;
    struct pyr_load *load;
    char folder[64], path[80];
};

static void rig_start(struct rig *rig, const char *spec, struct pyr_clock *clock) {
    struct pyr_err err;
    snprintf(rig->folder, sizeof rig->folder, "/tmp/pyrometer-harness-XXXXXX");
    if (!mkdtemp(rig->folder)) {
        pyr_fail(&err, PYR_E_IO, "/tmp: no folder can be made");
        die(&err);
    }
    snprintf(rig->path, sizeof rig->path, "%s/run.pyr", rig->folder);
    struct pyr_recorder_config recorder = {.path = rig->path, .lanes = 2, .meta_json = "{}"};
    struct pyr_target_config target = {
        .spec = spec, .threads = 1, .sequences = MOST, .tokens_per_sequence = CONTEXT};
    if (!pyr_recorder_open(&recorder, clock, &rig->recorder, &err) ||
        !pyr_target_open(&target, false, &rig->target, &err))
        die(&err);
    struct pyr_load_config load = {.target = rig->target,
                                   .max_in_flight = MOST,
                                   .recorder = rig->recorder,
                                   .lane = pyr_recorder_lane(rig->recorder, 0),
                                   .engine_lane = pyr_recorder_lane(rig->recorder, 1)};
    if (!pyr_load_open(&load, &rig->load, &err))
        die(&err);
}

static void rig_stop(struct rig *rig) {
    struct pyr_err err;
    pyr_load_close(rig->load);
    rig->target->ops->close(rig->target);
    if (!pyr_recorder_close(rig->recorder, &err))
        die(&err);
    unlink(rig->path);
    rmdir(rig->folder);
}

static void measure(const char *spec, uint32_t in_flight, uint32_t output_tokens, double seconds) {
    struct pyr_clock clock = {0};
    struct pyr_err err;
    struct rig rig;
    struct pyr_load_result result;
    struct pyr_workload *workload;
    rig_start(&rig, spec, &clock);
    struct pyr_prompt_class lengths = {.name = "bench",
                                       .prompt_tokens = pyr_length_fixed(PROMPT_TOKENS),
                                       .output_tokens = pyr_length_fixed(output_tokens)};
    struct pyr_workload_options options = {
        .classes = &lengths, .class_count = 1, .max_in_flight = MOST, .seed = 1};
    if (!pyr_workload_create(&options, rig.target, &workload, &err))
        die(&err);
    struct pyr_load_plan plan = {.concurrency = in_flight,
                                 .warmup_ns = PYR_NS_PER_S / 2,
                                 .duration_ns = (uint64_t)(seconds * 1e9),
                                 .drain_ns = PYR_NS_PER_S,
                                 .exact_output = true,
                                 .seed = 1};
    if (!pyr_load_run(rig.load, &plan, workload, &result, &err))
        die(&err);
    double window_s = (double)(result.ended_ns - result.started_ns) / 1e9;
    double rate = (double)result.outcomes[PYR_OUTCOME_OK] / window_s;
    printf("%s  %2u in flight, %2u token(s): %9.0f requests/s  %10.0f tokens/s%s\n", spec,
           in_flight, output_tokens, rate, rate * output_tokens,
           result.outcomes[PYR_OUTCOME_OK] == result.records ? "" : "  SOME FAILED");
    pyr_workload_destroy(workload);
    rig_stop(&rig);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 3;
    const char *spec = argc > 2 ? argv[2] : "null:";
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)(argc > 3 ? atoi(argv[3]) : 0), &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        perror("harness: not pinned");
    measure(spec, 64, 1, seconds);
    measure(spec, 64, 64, seconds);
    measure(spec, 1, 1, seconds);
    measure(spec, 1, 64, seconds);
    return 0;
}
