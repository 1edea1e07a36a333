/* SPDX-License-Identifier: MIT
 *
 * A result as Prometheus reads it: text format 0.0.4 and OpenMetrics 1.0, which share everything
 * but their rules about names and endings.
 *
 * Names come from metric.def: pyrometer_NAME_UNIT in base units (seconds, bytes, joules, ratios).
 * A distribution is a summary, with its intervals as a gauge beside it, and where the values are
 * kept a histogram too, whose boundaries are powers of the square root of two nanoseconds.
 *
 * Source: prometheus/docs, instrumenting/exposition_formats; OpenMetrics 1.0 specification.
 */
#ifndef PYR_REPORT_EXPOSITION_H
#define PYR_REPORT_EXPOSITION_H

#include "base/buf.h"
#include "record/metric.h"

/* What a metric's name ends in, "_seconds", "_ratio", "" for counts; and the factor into it. */
const char *pyr_exposition_suffix(enum pyr_unit unit);
double pyr_exposition_factor(enum pyr_unit unit);
/* Appends "pyrometer_ttft_sched_seconds"; a name that ends in its unit keeps it once. */
void pyr_exposition_name(struct pyr_buf *buf, enum pyr_metric metric);

#endif
