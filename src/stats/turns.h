/* SPDX-License-Identifier: MIT
 *
 * Sessions of several turns, turn by turn: a later turn has a longer prompt, of which a prefix
 * cache knows most. Private to the analysis.
 */
#ifndef PYR_STATS_TURNS_H
#define PYR_STATS_TURNS_H

#include "stats/collect.h"
#include "stats/result.h"

/* Fills result->turns in the arena; nothing where no request is a later turn. Requests of the
 * steady window. */
void pyr_turns_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                    struct pyr_case_result *result);

#endif
