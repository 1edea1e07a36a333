/* SPDX-License-Identifier: MIT
 *
 * Was the generator itself the bottleneck of a case? What failed by a limit of this machine, and in
 * open loop what was done late or not at all, is not the load that was asked for, and no figure
 * of such a case is the target's. Private to the analysis. docs/method/pacing.md
 */
#ifndef PYR_STATS_GENERATOR_H
#define PYR_STATS_GENERATOR_H

#include "stats/collect.h"
#include "stats/result.h"

/* Why the case is not valid, in a sentence of the arena; NULL: it is. */
const char *pyr_generator_invalid(const struct pyr_case_data *data,
                                  const struct pyr_case_result *one, struct pyr_arena *arena);

#endif
