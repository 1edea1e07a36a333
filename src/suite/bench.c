/* SPDX-License-Identifier: MIT */
#include "suite/bench.h"

#include "base/fs.h"
#include "sample/machine.h"
#include "suite/session.h"

#include <string.h>

static bool same_group(const struct pyr_plan_case *a, const struct pyr_plan_case *b) {
    return a->variant == b->variant && a->suite == b->suite;
}

/* The target as the suite needs it: open in the variant, or not there at all. */
static bool ready_target(struct pyr_session *s, const struct pyr_plan_case *one) {
    bool open = one->suite->needs == PYR_NEEDS_TARGET;
    if (s->target && (!open || s->variant != one->variant))
        pyr_session_close_target(s);
    return !open || s->target || pyr_session_open_target(s, one->variant, &s->broken);
}

static void run_groups(struct pyr_session *s, void *context) {
    (void)context;
    const struct pyr_plan *plan = s->plan;
    for (size_t first = 0; first < plan->case_count && !pyr_session_stopped(s);) {
        const struct pyr_plan_case *one = &plan->cases[first];
        size_t last = first + 1;
        while (last < plan->case_count && same_group(one, &plan->cases[last]))
            last++;
        if (!ready_target(s, one))
            return;
        one->suite->run(s, first, last);
        first = last;
    }
    pyr_session_calibrate(s);
}

bool pyr_bench_run(const struct pyr_bench_options *options, pyr_bench_progress_fn *progress,
                   void *progress_context, struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    memset(outcome, 0, sizeof *outcome);
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_machine_limits limits;
    pyr_machine_limits(options->root ? options->root : &pyr_root_live, &limits);
    struct pyr_plan plan;
    struct pyr_session_progress told = {progress, progress_context};
    bool is_file = options->target && pyr_fs_is_file(options->target);
    bool ok =
        pyr_plan_make(options, limits.compute_threads, is_file, arena, &plan, err) &&
        pyr_session_run(options, &plan, "benchmark_results", &told, run_groups, NULL, outcome, err);
    pyr_arena_destroy(arena);
    return ok;
}
