/* SPDX-License-Identifier: MIT
 *
 * The files of a baseline, from its runs: baseline_results.json (all runs, what compare reads),
 * performance_targets.json (the goals, as --targets reads them) and baseline_report.md.
 */
#ifndef PYR_JUDGE_BASELINE_H
#define PYR_JUDGE_BASELINE_H

#include "base/buf.h"
#include "base/err.h"
#include "stats/run_spread.h"
#include "store/kept.h"

#include <jansson.h>

/* `results`: an array of results.json objects, one a run. `report`: baseline_report.md.
 * `targets`: the text of the file of goals that the user gave, or NULL. Written whole or not at
 * all, each. A baseline that lies there already is moved to history/TIME/baseline_results.json
 * first, TIME being when it was written. */
bool pyr_baseline_write(const char *folder, const json_t *results, const char *report,
                        const char *targets, struct pyr_err *err);

/* Several runs of one thing as JSON text: what baseline_results.json and runs.json hold. */
void pyr_baseline_json(const json_t *results, struct pyr_buf *out);
/* How much each number of the last run's cases that a comparison knows varied over all runs, in the
 * arena; returns how many. */
size_t pyr_baseline_spreads(struct pyr_arena *arena, const struct pyr_kept_run *runs, size_t count,
                            const struct pyr_run_spread **spreads);

#endif
