/* SPDX-License-Identifier: MIT
 *
 * A server's /metrics: Prometheus text, version 0.0.4.
 */
#ifndef PYR_SERVING_OPENAI_METRICS_H
#define PYR_SERVING_OPENAI_METRICS_H

#include "base/buf.h"
#include "serving/openai.h"

struct pyr_openai_stats {
    struct pyr_serving_counters counters;
    uint32_t running, waiting; /* answers that have a sequence, and those that wait for one */
};

void pyr_openai_metrics(const struct pyr_openai_totals *totals,
                        const struct pyr_openai_stats *stats, const struct pyr_serving_info *info,
                        struct pyr_buf *out);

#endif
