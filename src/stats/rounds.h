/* SPDX-License-Identifier: MIT
 *
 * The rounds of a closed loop's users: whether they move in step, and what a start of all at once
 * did. docs/method/closed-loops.md. Private to the analysis.
 */
#ifndef PYR_STATS_ROUNDS_H
#define PYR_STATS_ROUNDS_H

#include "stats/collect.h"
#include "stats/result.h"

/* Fills result->lockstep, in_step, first_wave and burst; after the phases. Nothing for an open
 * loop, a load that is meant to vary, and records that do not say whose a request is. */
void pyr_rounds_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                     struct pyr_case_result *result);

#endif
