/* SPDX-License-Identifier: MIT */
#include "suite/level_watch.h"

#include "stats/dist.h"
#include "stats/goals.h"
#include "stats/request_metrics.h"
#include "stats/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What each look may err by, a side. */
static const double alpha = 0.005;
/* Under this share of the offered rate a target is behind: stats/capacity.c holds the whole level
 * to the same. */
static const double growth_most = 0.05;
/* A queue that grows makes those behind it wait; in flight may also grow because answers do. */
static const double ttft_rise = 1.2;
/* Fewer say too little of how far neighbours resemble each other. */
enum { REQUESTS_LEAST = 30, BATCHES_LEAST = 8, POINTS_LEAST = 10, FIRST_ANSWERS = 16 };

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
    if (b->count < BATCHES_LEAST)
        return 1;
    double n = (double)b->n, mean = b->total / n, of_means = 0;
    double variance = (b->squares - n * mean * mean) / (n - 1);
    double batch_mean = 0;
    for (size_t i = 0; i < b->count; i++)
        batch_mean += b->sum[i] / (double)b->size / (double)b->count;
    for (size_t i = 0; i < b->count; i++) {
        double off = b->sum[i] / (double)b->size - batch_mean;
        of_means += off * off / ((double)b->count - 1);
    }
    return variance > 0 ? fmax(1, (double)b->size * of_means / variance) : 1;
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
    struct pyr_watch_point *point = &watch->points[watch->point_count - 1];
    point->ttft_ns += (double)(request->first_content_ns - from_ns);
    point->first_tokens++;
}

/* The first answers tell how long it takes until as many can go out as come in. */
static void note_length(struct pyr_level_watch *watch, const struct pyr_request *request) {
    if (watch->ended++ >= FIRST_ANSWERS || request->last_content_ns < request->scheduled_ns)
        return;
    double took_s = (double)(request->last_content_ns - request->scheduled_ns) * 1e-9;
    watch->filled_s = fmax(watch->filled_s, 2 * took_s);
}

void pyr_level_watch_ended(struct pyr_level_watch *watch, const struct pyr_request *request) {
    bool ok = request->outcome == PYR_OUTCOME_OK;
    if (ok) {
        note_length(watch, request);
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
        if (isnan(value))
            continue;
        one->n++;
        one->beyond += value > one->goal->limit;
        add_value(&one->values, value);
    }
}

/* --- looking --------------------------------------------------------------------------------- */

static enum pyr_watch_verdict decide_goal(const struct pyr_watch_goal *one, uint64_t in_flight) {
    double vif = inflation(&one->values), n = (double)(one->n + in_flight) / vif;
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
    bool all_met = watch->all_counted && watch->goal_count > 0 && !watch->plan->open_loop;
    for (size_t i = 0; i < watch->goal_count; i++) {
        const struct pyr_watch_goal *one = &watch->goals[i];
        enum pyr_watch_verdict verdict = decide_goal(one, in_flight);
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

/* The mean of the steps between points per second, with a two-sided interval at the look's error.
 * What is in flight wanders like a sum of independent steps when more comes in than goes out, and
 * no further than such a sum when it does not: Student's interval of the mean step holds for both.
 */
static struct pyr_estimate growth(const struct pyr_watch_point *points, size_t n) {
    double sum = 0, squares = 0;
    double seconds = (points[n - 1].time_s - points[0].time_s) / (double)(n - 1);
    for (size_t i = 1; i < n; i++) {
        double step = points[i].in_flight - points[i - 1].in_flight;
        sum += step;
        squares += step * step;
    }
    double steps = (double)(n - 1), mean = sum / steps;
    double variance = fmax(squares - steps * mean * mean, 0) / (steps - 1);
    double reach = pyr_student_quantile(1 - alpha, steps - 1) * sqrt(variance / steps);
    return (struct pyr_estimate){
        .value = mean / seconds, .lo = (mean - reach) / seconds, .hi = (mean + reach) / seconds};
}

/* Mean time to first token over points, NaN where none came. */
static double mean_ttft(const struct pyr_watch_point *points, size_t n) {
    double sum = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        sum += points[i].ttft_ns;
        count += points[i].first_tokens;
    }
    return sum / count;
}

static void look_at_growth(struct pyr_level_watch *watch) {
    const struct pyr_watch_point *points = watch->points;
    size_t n = watch->point_count;
    /* Until the first requests have ended what is in flight grows in any case. */
    for (; n > 0 && points->time_s < watch->filled_s; points++)
        n--;
    if (n < POINTS_LEAST)
        return;
    struct pyr_estimate queue = growth(points, n);
    double before = mean_ttft(points, n / 3), after = mean_ttft(points + n - n / 3, n / 3);
    if (!(queue.lo > growth_most * watch->plan->rate) || !(after > ttft_rise * before))
        return;
    watch->verdict = PYR_WATCH_SATURATED;
    snprintf(watch->why, sizeof watch->why,
             "over %.1f s requests in flight grew by %.3g/s [%.3g, %.3g] of %.3g/s offered, "
             "and TTFT from %.3g to %.3g ms",
             points[n - 1].time_s - points[0].time_s, queue.value, queue.lo, queue.hi,
             watch->plan->rate, before * 1e-6, after * 1e-6);
}

/* --- ticks ----------------------------------------------------------------------------------- */

static struct pyr_watch_point *current_point(struct pyr_level_watch *watch) {
    struct pyr_watch_point *last =
        watch->point_count ? &watch->points[watch->point_count - 1] : NULL;
    if (last && last->ticks < watch->point_ticks)
        return last;
    if (watch->point_count == PYR_WATCH_POINTS) {
        for (size_t i = 0; i < PYR_WATCH_POINTS / 2; i++) {
            const struct pyr_watch_point *a = &watch->points[2 * i], *b = a + 1;
            watch->points[i] = (struct pyr_watch_point){
                .time_s = b->time_s,
                .in_flight = b->in_flight,
                .ticks = a->ticks + b->ticks,
                .ttft_ns = a->ttft_ns + b->ttft_ns,
                .first_tokens = a->first_tokens + b->first_tokens,
            };
        }
        watch->point_count = PYR_WATCH_POINTS / 2;
        watch->point_ticks *= 2;
    }
    last = &watch->points[watch->point_count++];
    *last = (struct pyr_watch_point){0};
    return last;
}

void pyr_level_watch_tick(struct pyr_level_watch *watch, const struct pyr_load_live *live) {
    if (live->phase != PYR_PHASE_MEASURED || watch->enough)
        return;
    uint64_t since_ns = live->now_ns - live->measured_start_ns;
    double queued = (double)live->behind_ns * 1e-9 * watch->plan->rate;
    struct pyr_watch_point *point = current_point(watch);
    point->time_s = (double)since_ns * 1e-9;
    point->in_flight = (double)live->in_flight + queued;
    point->ticks++;
    if (watch->looks == PYR_WATCH_LOOKS ||
        since_ns < watch->time_ns >> (PYR_WATCH_LOOKS - watch->looks))
        return;
    watch->looks++;
    /* At the first look queues may still be on their way to where they stay. */
    if (watch->plan->open_loop && watch->looks > 1)
        look_at_growth(watch);
    if (watch->verdict == PYR_WATCH_GOES_ON && !watch->saturation_only)
        look_at_goals(watch, live->measured_in_flight);
    watch->enough = watch->verdict != PYR_WATCH_GOES_ON;
}
