/* SPDX-License-Identifier: MIT
 *
 * Change points of the history: for each number that a comparison would gate, its series over the
 * runs of one environment, and where its level changed (stats/changes.h). A mark on a revision says
 * that a change there was meant: the series starts anew at it.
 */
#ifndef PYR_SUITE_TREND_H
#define PYR_SUITE_TREND_H

#include "base/arena.h"
#include "base/err.h"
#include "stats/changes.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct pyr_trend_change {
    struct pyr_change change;
    const struct pyr_store_point *at; /* the first point of the new level */
    bool worse;                       /* by the metric's direction */
};

struct pyr_trend {
    const char *suite, *case_id;
    enum pyr_metric metric;
    int statistic; /* of store/kept.h */
    const struct pyr_store_point *points;
    size_t point_count;
    size_t start; /* the first point after the last mark: what was searched */
    const struct pyr_trend_change *changes;
    size_t change_count;
    bool reduced_power; /* neighbours resemble each other */
    bool suspected;     /* the last three points stand out, no more than that */
};

struct pyr_trend_options {
    const struct pyr_store_filter *filter; /* whose fingerprint_hash NULL is the newest run's */
    const char *case_id;                   /* NULL: all cases */
    enum pyr_metric metric;                /* PYR_METRIC_COUNT: all that a comparison gates */
    uint64_t seed;                         /* of the permutations */
};

/* The trends of the cases of the newest run, in the arena. */
bool pyr_trends_find(struct pyr_store *store, struct pyr_arena *arena,
                     const struct pyr_trend_options *options, struct pyr_trend **trends,
                     size_t *count, struct pyr_err *err);

#endif
