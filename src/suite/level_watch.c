/* SPDX-License-Identifier: MIT */
#include "suite/level_watch.h"

#include "estimate/correlation.h"
#include "estimate/dist.h"
#include "stats/goals.h"
#include "stats/request_metrics.h"
#include "stats/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What each look may err by, a side. */
static const double alpha = 0.005;
/* Fewer say too little of how far neighbours resemble each other. */
enum { REQUESTS_LEAST = 30 };

/* --- counting -------------------------------------------------------------------------------- */

static void add_value(struct pyr_watch_batches *b, double value) {
    if (b->count == PYR_WATCH_BATCHES) {
        for (size_t i = 0; i < PYR_WATCH_BATCHES / 2; i++)
            b->sum[i] = b->sum[2 * i] + b->sum[2 * i + 1];
        b->count = PYR_WATCH_BATCHES / 2;
        b->size *= 2;
    }
    if (b->fill == 0)
        b->sum[b->count] = 0;
    b->sum[b->count] += value;
    if (++b->fill == b->size) {
        b->count++;
        b->fill = 0;
    }
    b->n++;
    b->total += value;
    b->squares += value * value;
}

/* How much the variance of the mean exceeds that of independent values, at least 1. */
static double inflation(const struct pyr_watch_batches *b) {
    double n = (double)b->n, mean = b->total / n, means[PYR_WATCH_BATCHES];
    double variance = (b->squares - n * mean * mean) / (n - 1);
    for (size_t i = 0; i < b->count; i++)
        means[i] = b->sum[i] / (double)b->size;
    double long_run = (double)b->size * pyr_long_run_variance(means, b->count);
    return variance > 0 ? fmax(1, long_run / variance) : 1;
}

static double quantile_level(const char *statistic) {
    for (int i = 0; i < PYR_Q_COUNT; i++)
        if (strcmp(statistic, pyr_quantile_names[i]) == 0)
            return pyr_quantile_levels[i];
    return 0;
}

static bool take_goal(struct pyr_watch_goal *into, const struct pyr_goal *goal) {
    enum pyr_metric metric = pyr_metric_find(goal->metric);
    *into = (struct pyr_watch_goal){.goal = goal, .values = {.size = 1}};
    if (metric == PYR_M_ERROR_RATE) {
        into->share = goal->limit;
        return !goal->at_least;
    }
    double level = quantile_level(goal->statistic);
    into->metric = pyr_request_metric_find(metric);
    into->share = 1 - level;
    return level > 0 && into->metric && into->metric->ok_only && !goal->at_least;
}

void pyr_level_watch_init(struct pyr_level_watch *watch, const struct pyr_case *plan,
                          const struct pyr_goal *goals, size_t goal_count, bool saturation_only,
                          uint64_t time_ns) {
    *watch = (struct pyr_level_watch){.plan = plan,
                                      .all_counted = true,
                                      .saturation_only = saturation_only,
                                      .time_ns = time_ns,
                                      .point_ticks = 1};
    for (size_t i = 0; i < goal_count; i++) {
        if (!pyr_goal_applies(&goals[i], plan))
            continue;
        if (watch->goal_count < PYR_WATCH_GOALS &&
            take_goal(&watch->goals[watch->goal_count], &goals[i]))
            watch->goal_count++;
        else
            watch->all_counted = false;
    }
}

static void add_first_token(struct pyr_level_watch *watch, const struct pyr_request *request) {
    uint64_t from_ns = watch->plan->open_loop ? request->scheduled_ns : request->sent_ns;
    if (watch->point_count == 0 || request->first_content_ns <= from_ns)
        return;
    struct pyr_flow_point *point = &watch->points[watch->point_count - 1];
    point->ttft_ns += (double)(request->first_content_ns - from_ns);
    point->first_tokens++;
}

void pyr_level_watch_ended(struct pyr_level_watch *watch, const struct pyr_request *request) {
    bool ok = request->outcome == PYR_OUTCOME_OK;
    if (ok) {
        pyr_filling_add(&watch->filling, request);
        add_first_token(watch, request);
    }
    if (request->phase != PYR_PHASE_MEASURED)
        return;
    for (size_t i = 0; i < watch->goal_count; i++) {
        struct pyr_watch_goal *one = &watch->goals[i];
        if (!one->metric) {
            if (request->outcome == PYR_OUTCOME_CANCELLED)
                continue;
            one->n++;
            one->beyond += !ok;
            add_value(&one->values, !ok);
            continue;
        }
        double value = ok ? one->metric->of(request, watch->plan) : (double)NAN;
        if (!ok && one->metric->awaited && request->outcome != PYR_OUTCOME_CANCELLED) {
            one->n++; /* it never came */
            one->beyond++;
        }
        if (isnan(value))
            continue;
        one->n++;
        one->beyond += value > one->goal->limit;
        add_value(&one->values, value);
    }
}

/* --- looking --------------------------------------------------------------------------------- */

/* At the requests in flight of an open loop: requests of one excursion of its queue are one piece
 * of evidence, however many they are. */
static double independent_looks(const struct pyr_level_watch *watch) {
    double in_flight[PYR_FLOW_POINTS];
    for (size_t i = 0; i < watch->point_count; i++)
        in_flight[i] = watch->points[i].in_flight;
    return watch->plan->open_loop ? pyr_spans_of_points(in_flight, watch->point_count)
                                  : (double)INFINITY;
}

static enum pyr_watch_verdict decide_goal(const struct pyr_watch_goal *one, uint64_t in_flight,
                                          double looks) {
    if (looks < 1)
        return PYR_WATCH_GOES_ON;
    double vif = fmax(inflation(&one->values), (double)one->n / looks);
    double n = (double)(one->n + in_flight) / vif;
    double beyond = (double)one->beyond / vif;
    if (one->n < REQUESTS_LEAST)
        return PYR_WATCH_GOES_ON;
    uint64_t fewest = (uint64_t)floor(beyond);
    if (fewest > 0 && 1 - pyr_binomial_cdf(fewest - 1, (uint64_t)n, one->share) <= alpha)
        return PYR_WATCH_MISSED;
    uint64_t most = (uint64_t)ceil(beyond + (double)in_flight / vif);
    return pyr_binomial_cdf(most, (uint64_t)n, one->share) <= alpha ? PYR_WATCH_MET
                                                                    : PYR_WATCH_GOES_ON;
}

static void look_at_goals(struct pyr_level_watch *watch, uint64_t in_flight) {
    double looks = independent_looks(watch);
    bool all_met = watch->all_counted && watch->goal_count > 0 && !watch->plan->open_loop;
    for (size_t i = 0; i < watch->goal_count; i++) {
        const struct pyr_watch_goal *one = &watch->goals[i];
        enum pyr_watch_verdict verdict = decide_goal(one, in_flight, looks);
        all_met &= verdict == PYR_WATCH_MET;
        if (verdict != PYR_WATCH_MISSED)
            continue;
        watch->verdict = PYR_WATCH_MISSED;
        snprintf(watch->why, sizeof watch->why, "%s: %llu of %llu requests beyond it",
                 one->goal->label, (unsigned long long)one->beyond, (unsigned long long)one->n);
        return;
    }
    if (!all_met)
        return;
    watch->verdict = PYR_WATCH_MET;
    snprintf(watch->why, sizeof watch->why, "all goals are met by %llu requests",
             (unsigned long long)watch->goals[0].n);
}

static void look_at_flow(struct pyr_level_watch *watch) {
    double rate = watch->plan->rate;
    struct pyr_overload test =
        pyr_overload_test(watch->points, watch->point_count, watch->filling.until_s, rate);
    if (!test.found)
        return;
    watch->verdict = PYR_WATCH_SATURATED;
    pyr_overload_tell(&test, rate, watch->why, sizeof watch->why);
}

/* --- ticks ----------------------------------------------------------------------------------- */

static struct pyr_flow_point *current_point(struct pyr_level_watch *watch) {
    if (watch->point_count > 0 && watch->last_ticks < watch->point_ticks)
        return &watch->points[watch->point_count - 1];
    if (watch->point_count == PYR_FLOW_POINTS) {
        for (size_t i = 0; i < PYR_FLOW_POINTS / 2; i++) {
            const struct pyr_flow_point *a = &watch->points[2 * i], *b = a + 1;
            watch->points[i] = *b;
            watch->points[i].ttft_ns += a->ttft_ns;
            watch->points[i].first_tokens += a->first_tokens;
        }
        watch->point_count = PYR_FLOW_POINTS / 2;
        watch->point_ticks *= 2;
    }
    struct pyr_flow_point *last = &watch->points[watch->point_count++];
    *last = (struct pyr_flow_point){0};
    watch->last_ticks = 0;
    return last;
}

static bool is_due(unsigned look, const uint8_t *eighths, unsigned count, uint64_t since_ns,
                   uint64_t time_ns) {
    return look < count && since_ns >= time_ns / 8 * eighths[look];
}

void pyr_level_watch_tick(struct pyr_level_watch *watch, const struct pyr_load_live *live) {
    static const uint8_t for_goals[] = {1, 2, 4}, for_flow[] = {2, 3, 4, 5, 6, 7};
    if (live->phase != PYR_PHASE_MEASURED || watch->enough)
        return;
    uint64_t since_ns = live->now_ns - live->measured_start_ns;
    double queued = (double)live->behind_ns * 1e-9 * watch->plan->rate;
    struct pyr_flow_point *point = current_point(watch);
    point->time_s = (double)since_ns * 1e-9;
    point->in_flight = (double)live->in_flight + queued;
    point->ended = (double)live->ended;
    watch->last_ticks++;
    if (is_due(watch->looks_at_flow, for_flow, sizeof for_flow, since_ns, watch->time_ns)) {
        watch->looks_at_flow++;
        if (watch->plan->open_loop)
            look_at_flow(watch);
    }
    if (is_due(watch->looks_at_goals, for_goals, sizeof for_goals, since_ns, watch->time_ns)) {
        watch->looks_at_goals++;
        if (watch->verdict == PYR_WATCH_GOES_ON && !watch->saturation_only)
            look_at_goals(watch, live->measured_in_flight);
    }
    watch->enough = watch->verdict != PYR_WATCH_GOES_ON;
}
