/* SPDX-License-Identifier: MIT
 *
 * The history for people: its runs, one of them, and its series with their changes of level. Texts
 * that are worked out go into the arena.
 */
#ifndef PYR_REPORT_HISTORY_H
#define PYR_REPORT_HISTORY_H

#include "base/arena.h"
#include "report/text.h"
#include "store/kept.h"
#include "store/trend.h"

void pyr_report_history_list(const struct pyr_paper *paper, struct pyr_arena *arena,
                             const struct pyr_kept_run *runs, size_t count);
/* A run with its cases and all that is kept of them. */
void pyr_report_history_run(const struct pyr_paper *paper, struct pyr_arena *arena,
                            const struct pyr_kept_run *run);
/* What a run measured, by name. */
const char *pyr_report_history_target(struct pyr_arena *arena, const struct pyr_kept_run *run);

/* Each series as a line of bars; the changes of level, and what a search could not see. */
void pyr_report_trends_plot(const struct pyr_paper *paper, struct pyr_arena *arena,
                            const struct pyr_trend *trends, size_t count);
void pyr_report_trends_changes(const struct pyr_paper *paper, struct pyr_arena *arena,
                               const struct pyr_trend *trends, size_t count);
/* A line a run and number: time, commit and then columns, as change-point programs take it. */
void pyr_report_trends_csv(struct pyr_buf *out, struct pyr_arena *arena,
                           const struct pyr_trend *trends, size_t count);

#endif
