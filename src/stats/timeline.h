/* SPDX-License-Identifier: MIT
 *
 * The timeline and the phases of a case, for display. Private to the analysis.
 */
#ifndef PYR_STATS_TIMELINE_H
#define PYR_STATS_TIMELINE_H

#include "stats/collect.h"
#include "stats/result.h"

/* Fills result->timeline and result->phases in the arena. */
void pyr_timeline_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                       struct pyr_case_result *result);

/* How many bins a case of that length gets; collect counts its tokens in as many. */
size_t pyr_timeline_bins(struct pyr_span measured);

#endif
