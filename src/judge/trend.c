/* SPDX-License-Identifier: MIT */
#include "judge/trend.h"

#include "judge/compare_rows.h"

#include <math.h>
#include <string.h>

struct finder {
    struct pyr_store *store;
    struct pyr_arena *arena;
    const struct pyr_trend_options *options;
    struct pyr_store_filter filter;
    double noise_floor;
    const struct pyr_kept_run *newest;
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

/* The last mark ends what was before the first run of its revision. */
static size_t start_of(const struct pyr_store_point *points, size_t count) {
    size_t start = 0;
    for (size_t i = 0; i < count; i++)
        if (points[i].expected && (i == 0 || !points[i - 1].expected ||
                                   strcmp(points[i].revision, points[i - 1].revision) != 0))
            start = i;
    return start;
}

/* The reference that every point from `start` on has a ratio to, or NULL. */
static const char *reference_of(const struct pyr_store_point *points, size_t start, size_t count) {
    const char *reference = points[start].reference;
    for (size_t i = start; reference && i < count; i++)
        if (!points[i].reference || strcmp(points[i].reference, reference) != 0 ||
            !(points[i].ratio.value > 0))
            reference = NULL;
    return reference;
}

static void choose_values(struct finder *f, struct pyr_trend *trend) {
    trend->reference = reference_of(trend->points, trend->start, trend->point_count);
    struct pyr_estimate *values =
        pyr_arena_array(f->arena, trend->point_count, sizeof *trend->values);
    for (size_t i = 0; i < trend->point_count; i++)
        values[i] = trend->reference ? trend->points[i].ratio : trend->points[i].at;
    trend->values = values;
}

static void search(struct finder *f, struct pyr_trend *trend) {
    size_t n = trend->point_count - trend->start;
    double *values = pyr_arena_array(f->arena, n, sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = trend->values[trend->start + i].value;
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
    *trend = (struct pyr_trend){.newest = f->newest,
                                .suite = kept->suite,
                                .case_id = kept->id,
                                .metric = metric,
                                .statistic = statistic,
                                .points = points,
                                .point_count = count,
                                .start = start_of(points, count)};
    choose_values(f, trend);
    search(f, trend);
    return true;
}

/* The rows that a comparison would gate; or all rows of one metric that the user named. */
static bool find_in_case(struct finder *f, const struct pyr_kept_case *kept, struct pyr_err *err) {
    bool groups_taken[PYR_COMPARE_GROUPS] = {false};
    struct pyr_compare_rows rows;
    pyr_compare_rows_fill(&rows);
    for (size_t i = 0; i < rows.count; i++) {
        const struct pyr_compare_row *row = &rows.items[i];
        enum pyr_metric metric = pyr_metric_by_load(row->metric, kept->open_loop);
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

/* The trends of the environment whose newest run this is. */
static bool find_in_environment(struct finder *f, const struct pyr_kept_run *newest,
                                struct pyr_err *err) {
    struct pyr_kept_run *last;
    if (!pyr_store_load(f->store, f->arena, newest->id, false, &last, err))
        return false;
    f->newest = newest;
    f->filter.fingerprint_hash = newest->fingerprint_hash;
    f->filter.origin = newest->origin;
    f->noise_floor = isnan(newest->noise_floor.value) ? 0 : newest->noise_floor.value;
    for (size_t i = 0; i < last->case_count; i++)
        if (!f->options->case_id || strcmp(last->cases[i].id, f->options->case_id) == 0)
            if (!find_in_case(f, &last->cases[i], err))
                return false;
    return true;
}

/* Runs without a fingerprint are files of other tools: each tool is an environment of its own. */
static bool is_new_environment(const struct pyr_kept_run *runs, size_t i, size_t count) {
    const char *hash = runs[i].fingerprint_hash;
    for (size_t later = i + 1; later < count; later++) {
        const char *other = runs[later].fingerprint_hash;
        if (hash && other ? strcmp(hash, other) == 0
                          : !hash && !other && strcmp(runs[i].origin, runs[later].origin) == 0)
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
    const struct pyr_store_filter wanted = f.filter;
    struct pyr_kept_run *runs;
    size_t found;
    *count = 0;
    if (!pyr_store_list(store, arena, &wanted, &runs, &found, err))
        return false;
    if (found == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "the history holds no such run; 'pyrometer history' lists what is there");
    for (size_t i = found; i-- > 0;) {
        if (is_new_environment(runs, i, found) && !find_in_environment(&f, &runs[i], err))
            return false;
        if (!options->all_environments)
            break;
    }
    *trends = f.trends;
    *count = f.count;
    return true;
}
