/* SPDX-License-Identifier: MIT
 *
 * Goals as people write them: "ttft_p99=500ms,itl_p99=50ms,error=1%,tok_s=30".
 *
 * A goal is METRIC[_STATISTIC]=LIMIT. METRIC is a name of metric.def or one of the short names
 * ttft, latency, error, rps, tok_s. STATISTIC is mean, p50 ... p99, p99_9; without one a
 * distribution is held at its p99. Whether the limit is a most or a least follows from the metric.
 * LIMIT is a duration for times, a percentage or a fraction for ratios, a size for bytes, else a
 * number.
 */
#ifndef PYR_SUITE_GOALS_H
#define PYR_SUITE_GOALS_H

#include "base/arena.h"
#include "base/err.h"
#include "record/run.h"

#include <stddef.h>

/* Reads a comma-separated list into the arena. `user`: missing one is exit 3. */
bool pyr_goals_parse(struct pyr_arena *arena, const char *text, bool user, struct pyr_goal **goals,
                     size_t *count, struct pyr_err *err);

#endif
