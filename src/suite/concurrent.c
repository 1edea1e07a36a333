/* SPDX-License-Identifier: MIT
 *
 * Several in flight: each class of prompts at each level of a closed loop, at the rate of an open
 * one, or a trace as it was recorded.
 */
#include "suite/concurrent.h"

#include "suite/planner.h"
#include "suite/session.h"

#include <stdio.h>
#include <string.h>

enum { LEVEL_MOST = 100000 };

/* A trace is played to its end, unless the user said how much of it. */
static void play_trace(struct pyr_planner *p, struct pyr_plan_case *one, uint64_t level, char *load,
                       size_t load_size) {
    const struct pyr_bench_options *o = p->options;
    const struct pyr_trace *trace = p->plan->trace;
    if (!o->requests || one->requests > trace->count)
        one->requests = trace->count;
    if (!o->warmup_set)
        one->warmup_requests = 0;
    /* The end by its own schedule comes first: a mean gap after the last request. */
    uint64_t lasts_ns =
        trace->due_ns[trace->count - 1] + 60 * PYR_NS_PER_S + (uint64_t)(1e9 / trace->rate);
    if (!o->level_time_ns)
        one->level_time_ns = lasts_ns;
    if (!o->duration_ns)
        p->plan->duration_ns += lasts_ns;
    one->record.rate = trace->rate;
    int used = snprintf(load, load_size, "/x%g", o->trace_speed != 0 ? o->trace_speed : 1);
    if (level)
        snprintf(load + used, load_size - (size_t)used, "/c%llu", (unsigned long long)level);
}

static bool add_open(struct pyr_planner *p, uint32_t variant, const struct pyr_prompt_class *class,
                     uint64_t cap, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    struct pyr_plan_case *one = pyr_planner_add(p, variant, err);
    if (!one)
        return false;
    char load[64];
    one->record.open_loop = 1;
    one->record.rate = o->clients ? o->rate * (double)o->clients : o->rate;
    one->record.concurrency = (uint32_t)cap;
    snprintf(one->record.arrival, sizeof one->record.arrival, "%s", p->plan->arrival->name);
    snprintf(load, sizeof load, "/r%g", one->record.rate);
    if (p->plan->trace)
        play_trace(p, one, cap, load, sizeof load);
    pyr_planner_describe(p, one, class, load);
    return true;
}

static bool add_level(struct pyr_planner *p, uint32_t variant, const struct pyr_prompt_class *class,
                      uint64_t level, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    if (p->plan->arrival)
        return add_open(p, variant, class, level, err);
    if (level < 1 || level > LEVEL_MOST)
        return pyr_fail(err, PYR_E_USAGE, "--concurrency: %llu is not between 1 and %d",
                        (unsigned long long)level, LEVEL_MOST);
    char load[64];
    snprintf(load, sizeof load, "/c%llu", (unsigned long long)level);
    struct pyr_plan_case *one = pyr_planner_add_closed(p, variant, class, level, load, err);
    if (!one)
        return false;
    /* A level needs each of its users several times over, or it is all start and end. */
    if (!o->requests && one->requests < level * 4)
        one->requests = level * 4;
    if (!o->warmup_set && one->warmup_requests < level)
        one->warmup_requests = level;
    return true;
}

/* A preset with a strict time limit keeps to its middle class. */
static bool plan(struct pyr_planner *p, uint32_t variant, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    const uint64_t *levels = o->concurrency_count ? o->concurrency : p->preset->levels;
    size_t count = o->concurrency_count ? o->concurrency_count : p->preset->level_count;
    static const uint64_t no_cap[] = {0};
    if (p->plan->arrival && !o->concurrency_count) {
        levels = no_cap;
        count = 1;
    }
    bool one_class = strcmp(p->preset->name, "quick") == 0;
    size_t first = one_class ? p->plan->class_count / 2 : 0;
    size_t last = one_class ? first + 1 : p->plan->class_count;
    for (size_t c = first; c < last; c++)
        for (size_t i = 0; i < count; i++)
            if (!add_level(p, variant, &p->plan->classes[c], levels[i], err))
                return false;
    return true;
}

static void run(struct pyr_session *s, size_t first, size_t last) {
    if (s->bandwidth == 0)
        pyr_session_measure_bandwidth(s);
    pyr_cases_run(s, first, last);
}

const struct pyr_suite pyr_suite_concurrent = {
    .name = "concurrent",
    .summary = "latency, throughput and goodput over requests in flight",
    .by_load = true,
    .plan = plan,
    .run = run,
};
