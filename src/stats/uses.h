/* SPDX-License-Identifier: MIT
 *
 * What is done with each metric's numbers: the columns behind the source in record/metric.def, as
 * lists in their order. A table, a tracker, a comparison ask here and name no metric themselves.
 */
#ifndef PYR_STATS_USES_H
#define PYR_STATS_USES_H

#include "record/metric.h"

#include <stdbool.h>
#include <stddef.h>

enum pyr_use_kind {
    PYR_USE_NONE,
    PYR_USE_SHOWN,
    PYR_USE_OF_ONE,
    PYR_USE_OF_MANY,
    PYR_USE_TRACKED,
    PYR_USE_COMPARED,
    PYR_USE_LEVEL,
    PYR_USE_OPEN_LOOP,
    PYR_USE_PER_REQUEST,
    PYR_USE_READ_OFF,
    PYR_USE_INSTRUMENT_ERROR,
    PYR_USE_INSTRUMENT_COST
};

enum pyr_figure_group {
    PYR_FIGURES_SHORT,  /* of the next, those that fit one table of a terminal; no set of its own */
    PYR_FIGURES_SPEED,  /* what people ask for first */
    PYR_FIGURES_MORE,   /* what explains it */
    PYR_FIGURES_DETAIL, /* the rest, for reports with room */
    PYR_FIGURES_MACHINE /* what it cost: CPU, memory, energy */
};

struct pyr_use {
    enum pyr_use_kind kind;
    enum pyr_metric metric;
    int rank;
    int statistic; /* PYR_Q_..., PYR_COLUMN_VALUE or PYR_COLUMN_MEAN (stats/result.h) */
    int set;       /* SHOWN: enum pyr_figure_group; COMPARED: its set; OPEN_LOOP: that metric */
    const char *text, *label; /* SHOWN: header; others: key; INSTRUMENT_ERROR: label */
    double number;            /* COMPARED: floor; INSTRUMENT_COST: factor */
};

enum { PYR_USES_MAX = 64 };

/* All uses of a kind in the order of their ranks; returns their number. */
size_t pyr_uses_of(enum pyr_use_kind kind, struct pyr_use uses[PYR_USES_MAX]);
bool pyr_metric_is(enum pyr_metric metric, enum pyr_use_kind kind);
/* What a metric means in a case: in open loop the user's wait begins with the schedule. */
enum pyr_metric pyr_metric_by_load(enum pyr_metric metric, bool open_loop);
/* The other way round: a time from the schedule as the same from the sending. */
enum pyr_metric pyr_metric_of_either(enum pyr_metric metric);

#endif
