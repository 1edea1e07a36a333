/* SPDX-License-Identifier: MIT
 *
 * Goals as people write them: "ttft_p99=500ms,itl_p99=50ms,error=1%,tok_s=30".
 *
 * A goal is METRIC[_STATISTIC]=LIMIT. METRIC is a name of metric.def or one of the short names
 * ttft, latency, error, rps, tok_s. STATISTIC is mean, p50 ... p99, p99_9; without one a
 * distribution is held at its p99. Whether the limit is a most or a least follows from the metric.
 * LIMIT is a duration for times, a percentage or a fraction for ratios, a size for bytes, else a
 * number.
 *
 * A name of pyr_slo_presets may stand for goals, alone or among others:
 * "mlperf-llama2-70b-interactive,error=1%".
 */
#ifndef PYR_STATS_GOALS_TEXT_H
#define PYR_STATS_GOALS_TEXT_H

#include "base/arena.h"
#include "base/err.h"
#include "record/run.h"

#include <stddef.h>

/* Reads a comma-separated list into the arena. `user`: missing one is exit 3. */
bool pyr_goals_parse(struct pyr_arena *arena, const char *text, bool user, struct pyr_goal **goals,
                     size_t *count, struct pyr_err *err);

/* MLPerf Inference's limits for its server and interactive scenarios: p99 of TTFT and of TPOT.
 * Source: mlcommons/inference, mlperf.conf. NULL name ends the table. */
struct pyr_slo_preset {
    const char *name, *goals;
};
extern const struct pyr_slo_preset pyr_slo_presets[];

#endif
