/* SPDX-License-Identifier: MIT
 *
 * How long a target takes from nothing: a fresh process, a load from disk, the first token. Each
 * part is an observation of its own, each repetition starts over.
 */
#include "suite/startup.h"

#include "sample/pagecache.h"
#include "suite/planner.h"
#include "suite/session.h"

#include <stdio.h>
#include <string.h>

/* Six repetitions are the least for a two-sided interval of a median. */
enum { COLD_LOADS = 6, WARM_LOADS = 6 };

/* The one request after a load. Its records go nowhere: only its first token is observed. */
struct first_request {
    uint64_t sent_ns, first_content_ns;
};

static void keep_stamps(void *context, const struct pyr_slot *slot) {
    struct first_request *first = context;
    if (slot->record.outcome == PYR_OUTCOME_OK) {
        first->sent_ns = slot->record.sent_ns;
        first->first_content_ns = slot->record.first_content_ns;
    }
}

static bool send_one(struct pyr_session *s, struct pyr_target *target, struct first_request *first,
                     struct pyr_err *err) {
    const struct pyr_prompt_class *class = &s->plan->classes[0];
    struct pyr_recorder_config nowhere = {.lanes = 2, .inline_writer = true};
    struct pyr_workload_options wanted = {
        .classes = class, .class_count = 1, .requests = 1, .max_in_flight = 1};
    wanted.seed = s->options->seed;
    struct pyr_recorder *recorder = NULL;
    struct pyr_workload *workload = NULL;
    struct pyr_load *load = NULL;
    struct pyr_load_result result;
    bool ok = pyr_recorder_open(&nowhere, &s->clock, &recorder, err);
    struct pyr_load_config config = {.target = target, .max_in_flight = 1, .recorder = recorder};
    if (ok) {
        config.lane = pyr_recorder_lane(recorder, 0);
        config.engine_lane = pyr_recorder_lane(recorder, 1);
    }
    ok = ok && pyr_workload_create(&wanted, target, &workload, err) &&
         pyr_load_open(&config, &load, err);
    struct pyr_load_plan plan = {.concurrency = 1,
                                 .requests = 1,
                                 .exact_output = true,
                                 .stop = s->options->stop,
                                 .ended = keep_stamps,
                                 .ended_context = first};
    ok = ok && pyr_load_run(load, &plan, workload, &result, err);
    pyr_load_close(load);
    pyr_workload_destroy(workload);
    if (recorder) {
        struct pyr_err dropped;
        pyr_recorder_close(recorder, &dropped);
    }
    if (ok && first->first_content_ns == 0)
        return pyr_fail(err, PYR_E_ENGINE, "the first request gave no token");
    return ok;
}

static bool cold_start(struct pyr_session *s, uint32_t index, uint32_t repetition,
                       struct pyr_err *err) {
    struct pyr_target_config config = pyr_session_target_config(s, s->plan->cases[index].variant);
    struct pyr_target *target;
    struct pyr_target_info info;
    struct first_request first = {0, 0};
    if (!pyr_pagecache_drop(s->options->target, err))
        return false;
    uint64_t began = pyr_clock_real_ns();
    if (!pyr_target_open(&config, true, &target, err))
        return false;
    target->ops->describe(target, &info);
    bool ok = send_one(s, target, &first, err);
    target->ops->close(target);
    if (!ok)
        return false;
    struct pyr_lane *lane = pyr_session_lane(s);
    if (info.spawn_ns)
        pyr_lane_observe(lane, PYR_M_SPAWN_TIME, index, repetition, (double)info.spawn_ns);
    if (info.load_ns)
        pyr_lane_observe(lane, PYR_M_LOAD_TIME_COLD, index, repetition, (double)info.load_ns);
    pyr_lane_observe(lane, PYR_M_FIRST_REQUEST, index, repetition,
                     (double)(first.first_content_ns - first.sent_ns));
    pyr_lane_observe(lane, PYR_M_COLD_START, index, repetition,
                     (double)(first.first_content_ns - began));
    return true;
}

static bool warm_load(struct pyr_session *s, uint32_t index, uint32_t repetition,
                      struct pyr_err *err) {
    struct pyr_target_config config = pyr_session_target_config(s, s->plan->cases[index].variant);
    struct pyr_target *target;
    struct pyr_target_info info;
    /* The kernel may drop idle page cache at any time, so it is filled before each load. */
    if (!pyr_pagecache_warm(s->options->target, err))
        return false;
    uint64_t began = pyr_clock_real_ns();
    if (!pyr_target_open(&config, s->options->isolate, &target, err))
        return false;
    uint64_t opened = pyr_clock_real_ns();
    target->ops->describe(target, &info);
    uint64_t closing = pyr_clock_real_ns();
    target->ops->close(target);
    uint64_t closed = pyr_clock_real_ns();
    struct pyr_lane *lane = pyr_session_lane(s);
    pyr_lane_observe(lane, PYR_M_LOAD_TIME, index, repetition,
                     (double)(info.load_ns ? info.load_ns : opened - began));
    pyr_lane_observe(lane, PYR_M_UNLOAD_TIME, index, repetition, (double)(closed - closing));
    return true;
}

static void tell(struct pyr_session *s, const struct pyr_plan_case *one, double share) {
    struct pyr_bench_progress now = {.suite = one->record.suite,
                                     .case_id = one->record.id,
                                     .case_index = one->record.index,
                                     .case_count = (uint32_t)s->plan->case_count};
    now.elapsed_s = (double)(pyr_clock_real_ns() - s->started_ns) * 1e-9;
    now.remaining_s = now.ttft_p50_ns = now.latency_p50_ns = now.latency_p90_ns = (double)NAN;
    now.case_share = share;
    if (s->progress)
        s->progress(s->progress_context, &now);
}

/* Loads may take a quarter of the run's time; a slow machine makes fewer, and the intervals say so.
 */
static bool may_load(const struct pyr_session *s) {
    return !pyr_session_stopped(s) &&
           pyr_clock_real_ns() - s->started_ns < (s->deadline_ns - s->started_ns) / 4;
}

static void measure(struct pyr_session *s, const struct pyr_plan_case *one) {
    uint32_t index = one->record.index, loads = COLD_LOADS + WARM_LOADS;
    struct pyr_err err;
    pyr_session_record_case(s, &one->record);
    for (uint32_t i = 0; i < COLD_LOADS && may_load(s); i++) {
        tell(s, one, (double)i / loads);
        if (!cold_start(s, index, i, &err)) {
            pyr_session_warn(s, index, "cold start not measured: %s", err.text);
            break;
        }
    }
    for (uint32_t i = 0; i < WARM_LOADS && may_load(s); i++) {
        tell(s, one, (double)(COLD_LOADS + i) / loads);
        if (!warm_load(s, index, i, &err)) {
            pyr_session_warn(s, index, "warm load not measured: %s", err.text);
            break;
        }
    }
}

static void run(struct pyr_session *s, size_t first, size_t last) {
    for (size_t i = first; i < last; i++)
        measure(s, &s->plan->cases[i]);
}

static bool plan(struct pyr_planner *p, uint32_t variant, struct pyr_err *err) {
    if (!p->target_is_file)
        return true;
    struct pyr_plan_case *one = pyr_planner_add(p, variant, err);
    if (!one)
        return false;
    pyr_planner_name(p, one, "startup", "threads=%u", p->plan->variants[variant].threads);
    return true;
}

const struct pyr_suite pyr_suite_startup = {
    .name = "startup",
    .summary = "cold and warm loads of a model file, a fresh process, the first token",
    .part_of = "inference",
    .needs = PYR_NEEDS_TARGET_CLOSED,
    .plan = plan,
    .run = run,
};
