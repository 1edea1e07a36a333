/* SPDX-License-Identifier: MIT
 *
 * The metrics that each request has by itself, as a table: how each follows from the stamps.
 */
#ifndef PYR_STATS_REQUEST_METRICS_H
#define PYR_STATS_REQUEST_METRICS_H

#include "record/metric.h"
#include "record/run.h"

#include <stdbool.h>

struct pyr_request_metric {
    enum pyr_metric metric;
    bool whole;   /* whole nanoseconds or tokens; else a rate, kept as a double */
    bool ok_only; /* failures are never latencies */
    bool curve;   /* worth a percentile plot */
    bool awaited; /* a time that whoever asked waits for: a failure is one that never came */
    /* The value, or NaN where the request does not have it. */
    double (*of)(const struct pyr_request *request, const struct pyr_case *plan);
};

extern const struct pyr_request_metric pyr_request_metrics[];
extern const int pyr_request_metric_count;

/* The row of a metric, or NULL. */
const struct pyr_request_metric *pyr_request_metric_find(enum pyr_metric metric);

#endif
