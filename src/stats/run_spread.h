/* SPDX-License-Identifier: MIT
 *
 * One number of a case over several runs, each a process of its own: what one further run is held
 * against. judge makes it, report shows it.
 */
#ifndef PYR_STATS_RUN_SPREAD_H
#define PYR_STATS_RUN_SPREAD_H

#include "record/metric.h"

#include <stdbool.h>
#include <stddef.h>

struct pyr_run_spread {
    const char *suite, *case_id;
    enum pyr_metric metric;
    const char *statistic;    /* "value", "mean", "p50", ... */
    bool judged_by;           /* a comparison would gate it */
    size_t count;             /* of runs that have it */
    double mean, least, most; /* in the metric's unit; the mean is geometric */
    double cv;                /* sd of the logarithms; NaN of one run alone */
};

#endif
