/* SPDX-License-Identifier: MIT */
#include "suite/trend.h"

#include "suite/compare_rows.h"

#include <math.h>
#include <string.h>

struct finder {
    struct pyr_store *store;
    struct pyr_arena *arena;
    const struct pyr_trend_options *options;
    struct pyr_store_filter filter;
    double noise_floor;
    struct pyr_trend *trends;
    size_t count, capacity;
};

static struct pyr_trend *next_trend(struct finder *f) {
    if (f->count == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 32;
        struct pyr_trend *grown = pyr_arena_array(f->arena, capacity, sizeof *grown);
        if (f->count)
            memcpy(grown, f->trends, f->count * sizeof *grown);
        f->trends = grown;
        f->capacity = capacity;
    }
    return &f->trends[f->count++];
}

/* The last mark ends what was before it. */
static size_t start_of(const struct pyr_store_point *points, size_t count) {
    size_t start = 0;
    for (size_t i = 0; i < count; i++)
        if (points[i].expected)
            start = i;
    return start;
}

static void search(struct finder *f, struct pyr_trend *trend) {
    size_t n = trend->point_count - trend->start;
    double *values = pyr_arena_array(f->arena, n, sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = trend->points[trend->start + i].at.value;
    const struct pyr_changes_options options = {.seed = f->options->seed,
                                                .noise_floor = f->noise_floor};
    struct pyr_changes found;
    pyr_find_changes(values, n, &options, f->arena, &found);
    struct pyr_trend_change *changes = pyr_arena_array(f->arena, found.count, sizeof *changes);
    bool higher = pyr_metric_info(trend->metric)->better == PYR_BETTER_HIGHER;
    for (size_t i = 0; i < found.count; i++)
        changes[i] =
            (struct pyr_trend_change){.change = found.items[i],
                                      .at = &trend->points[trend->start + found.items[i].index],
                                      .worse = (found.items[i].ratio > 1) != higher};
    trend->changes = changes;
    trend->change_count = found.count;
    trend->reduced_power = found.reduced_power;
    trend->suspected = found.count == 0 && pyr_change_suspected(values, n);
}

static bool find_one(struct finder *f, const struct pyr_kept_case *kept, enum pyr_metric metric,
                     int statistic, struct pyr_err *err) {
    struct pyr_store_point *points;
    size_t count;
    if (!pyr_store_series(f->store, f->arena, kept->suite, kept->id, metric, statistic, &f->filter,
                          &points, &count, err))
        return false;
    if (count == 0)
        return true;
    struct pyr_trend *trend = next_trend(f);
    *trend = (struct pyr_trend){.suite = kept->suite,
                                .case_id = kept->id,
                                .metric = metric,
                                .statistic = statistic,
                                .points = points,
                                .point_count = count,
                                .start = start_of(points, count)};
    search(f, trend);
    return true;
}

/* The rows that a comparison would gate; or all rows of one metric that the user named. */
static bool find_in_case(struct finder *f, const struct pyr_kept_case *kept, struct pyr_err *err) {
    bool groups_taken[PYR_COMPARE_GROUPS] = {false};
    for (size_t i = 0; i < pyr_compare_row_count; i++) {
        const struct pyr_compare_row *row = &pyr_compare_rows[i];
        enum pyr_metric metric = pyr_compare_by_load(row->metric, kept->open_loop);
        const struct pyr_kept_metric *there = pyr_kept_metric(kept, metric);
        if (!there || !(there->at[row->statistic].value > 0))
            continue;
        if (f->options->metric != PYR_METRIC_COUNT ? f->options->metric != metric
                                                   : row->group == 0 || groups_taken[row->group])
            continue;
        groups_taken[row->group] = true;
        if (!find_one(f, kept, metric, row->statistic, err))
            return false;
    }
    return true;
}

bool pyr_trends_find(struct pyr_store *store, struct pyr_arena *arena,
                     const struct pyr_trend_options *options, struct pyr_trend **trends,
                     size_t *count, struct pyr_err *err) {
    struct finder f = {.store = store, .arena = arena, .options = options};
    if (options->filter)
        f.filter = *options->filter;
    struct pyr_store_filter newest = f.filter;
    newest.newest = 1;
    struct pyr_kept_run *last;
    size_t found;
    *count = 0;
    if (!pyr_store_list(store, arena, &newest, &last, &found, err))
        return false;
    if (found == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "the history holds no such run; 'pyrometer history' lists what is there");
    if (!pyr_store_load(store, arena, last->id, false, &last, err))
        return false;
    if (!f.filter.fingerprint_hash)
        f.filter.fingerprint_hash = last->fingerprint_hash;
    f.noise_floor = isnan(last->noise_floor.value) ? 0 : last->noise_floor.value;
    for (size_t i = 0; i < last->case_count; i++)
        if (!options->case_id || strcmp(last->cases[i].id, options->case_id) == 0)
            if (!find_in_case(&f, &last->cases[i], err))
                return false;
    *trends = f.trends;
    *count = f.count;
    return true;
}
