/* SPDX-License-Identifier: MIT */
#include "suite/bench.h"

#include "base/fs.h"
#include "sample/machine.h"
#include "suite/calibrate.h"
#include "suite/session.h"

#include <string.h>

static bool same_group(const struct pyr_plan_case *a, const struct pyr_plan_case *b) {
    return a->variant == b->variant && a->kind == b->kind &&
           strcmp(a->record.suite, b->record.suite) == 0;
}

/* How large the load is for which the instrument's error is asked. */
enum { CALIBRATE_LEAST = 16, CALIBRATE_MOST = 1000, CALIBRATE_TOKENS = 20 };
#define CALIBRATE_TOKEN_RATE 20

/* At the highest level that is planned; only HTTP has an error worth knowing. */
static void calibrate(struct pyr_session *s) {
    uint32_t streams = CALIBRATE_LEAST;
    if (s->options->no_calibrate || strcmp(s->info.kind, "http") != 0)
        return;
    for (size_t i = 0; i < s->plan->case_count; i++) {
        const struct pyr_plan_case *one = &s->plan->cases[i];
        uint32_t asked = one->record.concurrency ? one->record.concurrency : CALIBRATE_MOST;
        if (one->kind == PYR_CASE_LOAD && asked > streams)
            streams = asked < CALIBRATE_MOST ? asked : CALIBRATE_MOST;
    }
    const struct pyr_calibrate_options options = {.streams = streams,
                                                  .tokens_per_s = CALIBRATE_TOKEN_RATE,
                                                  .tokens = CALIBRATE_TOKENS,
                                                  .duration_ns = 2 * PYR_NS_PER_S,
                                                  .spin = s->cpus_allowed > 1,
                                                  .stop = s->options->stop};
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_calibration seen;
    struct pyr_err err;
    if (pyr_calibrate_run(arena, &options, &seen, &err))
        pyr_calibrate_observe(&seen, pyr_session_lane(s));
    else if (!pyr_session_stopped(s))
        pyr_session_warn(s, PYR_NO_CASE, "the instrument's own error is not known: %s", err.text);
    pyr_arena_destroy(arena);
}

static void run_groups(struct pyr_session *s, void *context) {
    (void)context;
    const struct pyr_plan *plan = s->plan;
    calibrate(s);
    for (size_t first = 0; first < plan->case_count && !pyr_session_stopped(s);) {
        const struct pyr_plan_case *one = &plan->cases[first];
        size_t last = first + 1;
        while (last < plan->case_count && same_group(one, &plan->cases[last]))
            last++;
        if (one->kind == PYR_CASE_STARTUP) {
            pyr_session_close_target(s);
            pyr_startup_measure(s, one);
        } else {
            if (!s->target || s->variant != one->variant) {
                pyr_session_close_target(s);
                if (!pyr_session_open_target(s, one->variant, &s->broken))
                    return;
            }
            if (s->bandwidth == 0 || strcmp(one->record.suite, "inference") == 0)
                pyr_session_measure_bandwidth(s);
            pyr_cases_run(s, first, last);
        }
        first = last;
    }
}

bool pyr_bench_run(const struct pyr_bench_options *options, pyr_bench_progress_fn *progress,
                   void *progress_context, struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    static const struct pyr_root live = {""};
    memset(outcome, 0, sizeof *outcome);
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_machine_limits limits;
    pyr_machine_limits(&live, &limits);
    struct pyr_plan plan;
    struct pyr_session_progress told = {progress, progress_context};
    bool startup = pyr_fs_is_file(options->target);
    bool ok =
        pyr_plan_make(options, limits.compute_threads, startup, arena, &plan, err) &&
        pyr_session_run(options, &plan, "benchmark_results", &told, run_groups, NULL, outcome, err);
    pyr_arena_destroy(arena);
    return ok;
}
