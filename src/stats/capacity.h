/* SPDX-License-Identifier: MIT
 *
 * How much load a target carries: levels judged one by one, and the bracket that they make.
 *
 * A level is a case of the suite "stress" whose id begins with "level". It fails when a goal is
 * missed, when less than 95 % of the offered rate was delivered (open loop), or when less went out
 * than came in. It passes when every goal is met. What is in between is undecided, as is a level
 * that this program could not send on time; it widens the bracket: it counts neither as the last
 * pass nor as the first failure.
 */
#ifndef PYR_STATS_CAPACITY_H
#define PYR_STATS_CAPACITY_H

#include "stats/result.h"

/* `goals` are those of the run; the ones that do not apply to the case's suite are left out. What
 * is written lies in the arena. */
struct pyr_level pyr_level_judge(const struct pyr_case_result *one,
                                 const struct pyr_goal_result *goals, size_t goal_count,
                                 struct pyr_arena *arena);

/* Sets result->stress from its levels; nothing where it has none. A load that was tried several
 * times fails when one try failed, and passes when none did and one passed. */
void pyr_capacity_find(struct pyr_result *result);

/* True for a case that is a level of a search. */
bool pyr_case_is_level(const struct pyr_case *plan);

#endif
