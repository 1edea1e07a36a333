/* SPDX-License-Identifier: MIT
 *
 * Change points of the history: for each number that a comparison would gate, its series over the
 * runs of one environment, and where its level changed (estimate/changes.h). A mark on a revision
 * says that a change there was meant: the series starts anew at the first run of it.
 *
 * Where every run of a series was measured beside the same reference (compare --ab REFERENCE X),
 * the ratio to it is what is searched: the drift of the machine is not in it.
 */
#ifndef PYR_JUDGE_TREND_H
#define PYR_JUDGE_TREND_H

#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"
#include "store/trend.h"

#include <stdbool.h>
#include <stddef.h>

struct pyr_trend_options {
    const struct pyr_store_filter *filter; /* NULL: all runs */
    bool all_environments;                 /* each by itself; else the newest run's alone */
    const char *case_id;                   /* NULL: all cases */
    enum pyr_metric metric;                /* PYR_METRIC_COUNT: all that a comparison gates */
    uint64_t seed;                         /* of the permutations */
};

/* The trends of the cases of the newest run of each environment, in the arena; the environment of
 * the newest run first. */
bool pyr_trends_find(struct pyr_store *store, struct pyr_arena *arena,
                     const struct pyr_trend_options *options, struct pyr_trend **trends,
                     size_t *count, struct pyr_err *err);

#endif
