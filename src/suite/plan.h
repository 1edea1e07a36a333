/* SPDX-License-Identifier: MIT
 *
 * What a benchmark will do, worked out before anything runs: the options of the user over those of
 * the preset, spread out into variants (ways to open the target) and cases (one workload at one
 * load).
 */
#ifndef PYR_SUITE_PLAN_H
#define PYR_SUITE_PLAN_H

#include "base/arena.h"
#include "base/err.h"
#include "load/arrivals.h"
#include "load/workload.h"
#include "record/run.h"
#include "suite/bench.h"
#include "suite/pattern.h"
#include "suite/suite.h"

#include <stddef.h>
#include <stdint.h>

/* One way to open the target: compute threads and one choice of each swept option. */
struct pyr_variant {
    uint32_t threads;
    const struct pyr_option *options;
    size_t option_count;
    const char *label; /* "" for the only one, else "threads=2/flash_attn=on" */
};

/* What may end a case before its time (suite/level_watch.h). */
enum pyr_case_watch {
    PYR_WATCH_NOTHING,
    PYR_WATCH_SATURATION,
    PYR_WATCH_LEVEL /* that, and its goals */
};

struct pyr_plan_case {
    const struct pyr_suite *suite; /* that runs it */
    struct pyr_case record;        /* index, suite, id, params, ... as it will be written */
    uint32_t variant;
    const struct pyr_prompt_class *prompt_class; /* of plan->classes; NULL: no requests */
    uint64_t requests, warmup_requests, warmup_ns, level_time_ns;
    const struct pyr_pattern *pattern; /* asked load over time; NULL: constant */
    enum pyr_case_watch watch;
    uint64_t salt; /* 0; another one for each further try of the same load, so that it draws anew */
};

struct pyr_plan {
    const char *preset;
    const struct pyr_prompt_class *classes;
    size_t class_count;
    const struct pyr_variant *variants;
    size_t variant_count;
    struct pyr_plan_case *cases; /* (case_count) by variant, then suite, then load */
    size_t case_count;
    const struct pyr_goal *goals;
    size_t goal_count;
    const struct pyr_arrival_kind *arrival; /* open loop, or NULL */
    const struct pyr_trace *trace;          /* that is played, or NULL */
    uint64_t duration_ns;                   /* of the whole run */
    bool needs_target;                      /* a suite of it does */
    const char *const *skipped;             /* sentences: suites that this version does not have */
    size_t skipped_count;
    struct pyr_left_out left_out; /* of the trace */
};

/* The preset that the options mean; NULL, with err, when there is none of that name. */
const struct pyr_preset *pyr_plan_preset(const struct pyr_bench_options *options,
                                         struct pyr_err *err);

/* `compute_threads`: what the machine offers when the user names none. `target_is_file`: it is a
 * model file that can be loaded cold. */
bool pyr_plan_make(const struct pyr_bench_options *options, uint32_t compute_threads,
                   bool target_is_file, struct pyr_arena *arena, struct pyr_plan *plan,
                   struct pyr_err *err);

#endif
