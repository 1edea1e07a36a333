/* SPDX-License-Identifier: MIT
 *
 * A baseline for people: what its runs show and how much they vary.
 */
#ifndef PYR_REPORT_BASELINE_H
#define PYR_REPORT_BASELINE_H

#include "base/buf.h"
#include "report/text.h"
#include "stats/run_spread.h"

#include <jansson.h>

/* All numbers (count) of the runs, as Markdown. `results`: an array of results.json objects. */
void pyr_report_baseline_markdown(const json_t *results, const struct pyr_run_spread *spreads,
                                  size_t count, struct pyr_buf *out);
/* What a further run will be judged by; and what it cannot be judged by, because too few of the
 * `runs` have it. */
void pyr_report_baseline_terminal(const struct pyr_run_spread *spreads, size_t count, size_t runs,
                                  const struct pyr_paper *paper);

#endif
