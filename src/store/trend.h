/* SPDX-License-Identifier: MIT
 *
 * A series of the history and where its level changed: plain data that judge finds (judge/trend.h)
 * and report shows.
 */
#ifndef PYR_STORE_TREND_H
#define PYR_STORE_TREND_H

#include "estimate/changes.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct pyr_trend_change {
    struct pyr_change change;
    const struct pyr_store_point *at; /* the first point of the new level */
    bool worse;                       /* by the metric's direction */
};

struct pyr_trend {
    const struct pyr_kept_run *newest; /* of its environment, without its cases */
    const char *suite, *case_id;
    enum pyr_metric metric;
    int statistic;         /* of store/kept.h */
    const char *reference; /* what `values` are ratios to, or NULL */
    const struct pyr_store_point *points;
    const struct pyr_estimate *values; /* (point_count): of the points, or their ratios */
    size_t point_count;
    size_t start; /* the first point of the last mark's revision: from there on was searched */
    const struct pyr_trend_change *changes;
    size_t change_count;
    bool reduced_power; /* neighbours resemble each other */
    bool suspected;     /* the last three points stand out, no more than that */
};

#endif
