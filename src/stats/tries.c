/* SPDX-License-Identifier: MIT */
#include "stats/tries.h"

#include "base/mem.h"
#include "estimate/dist.h"
#include "estimate/quantile.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* One figure of each try, and what each counts for. */
struct parts {
    struct pyr_estimate *at; /* (count) */
    double *weight;          /* (count), sum 1 */
    size_t count;
};

static double half_width(const struct parts *parts, double value, bool upper) {
    double squares = 0, off = 0;
    for (size_t i = 0; i < parts->count; i++) {
        const struct pyr_estimate *at = &parts->at[i];
        double h = upper ? at->hi - at->value : at->value - at->lo;
        squares += parts->weight[i] * parts->weight[i] * h * h;
        double se = h / PYR_Z975;
        if (se > 0)
            off += (at->value - value) * (at->value - value) / (se * se);
    }
    double birge = parts->count > 1 ? fmax(1, off / (double)(parts->count - 1)) : 1;
    return sqrt(squares * birge); /* NaN where an end is open */
}

/* `value`: of all together where that is known otherwise, else NaN. */
static struct pyr_estimate join(const struct parts *parts, double value) {
    double mean = 0;
    const char *reason = NULL;
    for (size_t i = 0; i < parts->count; i++) {
        mean += parts->weight[i] * parts->at[i].value;
        reason = reason ? reason : parts->at[i].reason;
    }
    if (isnan(mean))
        return (struct pyr_estimate){value, NAN, NAN, reason};
    value = isnan(value) ? mean : value;
    struct pyr_estimate joined = {value, value - half_width(parts, mean, false),
                                  value + half_width(parts, mean, true), NULL};
    if (!pyr_estimate_is_bounded(&joined))
        joined.reason = reason;
    return joined;
}

static void weigh(struct parts *parts, const struct pyr_case_result *const *tries,
                  const struct pyr_metric_result *const *rows, bool by_values) {
    double all = 0;
    for (size_t i = 0; i < parts->count; i++) {
        parts->weight[i] = by_values ? (double)rows[i]->n : tries[i]->steady_s;
        all += parts->weight[i];
    }
    for (size_t i = 0; i < parts->count; i++)
        parts->weight[i] = all > 0 ? parts->weight[i] / all : 1.0 / (double)parts->count;
}

/* NULL where a try keeps none. */
static const struct pyr_hist *merge(const struct pyr_metric_result *const *rows, size_t count,
                                    struct pyr_arena *arena) {
    struct pyr_err err;
    for (size_t i = 0; i < count; i++)
        if (!rows[i]->hist)
            return NULL;
    struct pyr_hist *all = pyr_arena_alloc(arena, sizeof *all);
    for (size_t i = 0; i < count; i++)
        if (!pyr_hist_merge(all, rows[i]->hist, &err))
            return NULL;
    return all->count ? all : NULL;
}

static struct pyr_metric_result pool_metric(const struct pyr_case_result *const *tries,
                                            const struct pyr_metric_result *const *rows,
                                            struct parts *parts, struct pyr_arena *arena) {
    size_t count = parts->count;
    struct pyr_metric_result pooled = *rows[count - 1];
    pooled.hist = merge(rows, count, arena);
    pooled.n = 0;
    for (size_t i = 0; i < count; i++) {
        pooled.n += rows[i]->n;
        pooled.min = fmin(pooled.min, rows[i]->min);
        pooled.max = fmax(pooled.max, rows[i]->max);
        parts->at[i] = rows[i]->value;
    }
    pooled.curve_count = 0;
    weigh(parts, tries, rows, false);
    pooled.value = join(parts, NAN);
    weigh(parts, tries, rows, true);
    for (size_t i = 0; i < count; i++)
        parts->at[i] = rows[i]->mean;
    pooled.mean = join(parts, NAN);
    for (int q = 0; q < PYR_Q_COUNT; q++) {
        for (size_t i = 0; i < count; i++)
            parts->at[i] = rows[i]->quantile[q];
        double value = NAN;
        if (pooled.hist) {
            uint64_t rank = pyr_quantile_rank(pooled.hist->count, pyr_quantile_levels[q]);
            value = pyr_hist_at_rank(pooled.hist, rank).value;
        }
        pooled.quantile[q] = join(parts, value);
    }
    return pooled;
}

const struct pyr_case_result *pyr_tries_pool(const struct pyr_case_result *const *tries,
                                             size_t count, struct pyr_arena *arena) {
    assert(count > 0);
    const struct pyr_case_result *last = tries[count - 1];
    if (count == 1)
        return last;
    struct pyr_case_result *pooled = pyr_arena_alloc(arena, sizeof *pooled);
    struct pyr_metric_result *metrics = pyr_arena_array(arena, last->metric_count, sizeof *metrics);
    const struct pyr_metric_result **rows = pyr_xcalloc(count, sizeof *rows);
    struct parts parts = {.count = count};
    parts.at = pyr_xcalloc(count, sizeof *parts.at);
    parts.weight = pyr_xcalloc(count, sizeof *parts.weight);
    *pooled = *last;
    pooled->metrics = metrics;
    pooled->metric_count = 0;
    for (size_t m = 0; m < last->metric_count; m++) {
        size_t there = 0;
        for (size_t i = 0; i < count; i++) {
            rows[i] = pyr_case_metric(tries[i], last->metrics[m].metric);
            there += rows[i] != NULL;
        }
        if (there == count)
            metrics[pooled->metric_count++] = pool_metric(tries, rows, &parts, arena);
    }
    pooled->total = pooled->ok = 0;
    pooled->whole_s = pooled->steady_s = 0;
    for (size_t i = 0; i < count; i++) {
        pooled->total += tries[i]->total;
        pooled->ok += tries[i]->ok;
        pooled->whole_s += tries[i]->whole_s;
        pooled->steady_s += tries[i]->steady_s;
    }
    pyr_free(rows);
    pyr_free(parts.at);
    pyr_free(parts.weight);
    return pooled;
}
