/* SPDX-License-Identifier: MIT
 *
 * Whether memory or latency creeps over a soak: a leak, a cache that fills, a machine that warms.
 * Private to the analysis.
 */
#ifndef PYR_STATS_DRIFT_H
#define PYR_STATS_DRIFT_H

#include "stats/collect.h"
#include "stats/result.h"

/* Fills result->drift of a soak, from its timeline and its samples of memory; the first tenth is
 * left out, for a target that fills its buffers does not leak. */
void pyr_drift_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                    struct pyr_case_result *result);

#endif
