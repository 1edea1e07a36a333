/* SPDX-License-Identifier: MIT
 *
 * Goals held against results. A goal is met or missed only by the end of an interval that it needs
 * (a most: met when the upper end is within it, missed when the lower end is beyond it); what lies
 * across the limit, or has no such end, is undecided.
 */
#ifndef PYR_STATS_GOALS_H
#define PYR_STATS_GOALS_H

#include "stats/result.h"

/* True when the goal is meant for the case: it names its suite, or it names none and the suite has
 * no goals of its own. */
bool pyr_goal_applies(const struct pyr_goal *goal, const struct pyr_case *plan);

/* What the goal looks at, of one case; unknown where it was not measured there. */
struct pyr_estimate pyr_goal_seen(const struct pyr_goal *goal, const struct pyr_case_result *one);

enum pyr_goal_verdict pyr_goal_verdict(const struct pyr_goal *goal,
                                       const struct pyr_estimate *seen);

/* The same for a case. A quantile whose interval does not decide is asked once more by counting:
 * "p95 at most L" says that at most 5 % lie beyond L, and a share can be decided far from its limit
 * where the quantile's own interval is still open (exact binomial, 2.5 % each side, at the
 * effective number of values). */
enum pyr_goal_verdict pyr_goal_decide(const struct pyr_goal *goal,
                                      const struct pyr_case_result *one);

/* Judges every goal over all cases of the result, an "at most" by its worst case and an "at least"
 * by its best (what the target can do), and sets the grade. A case whose every request failed meets
 * nothing: a goal that only such a case, or at most all but such a case, would meet is unknown.
 * The grade:
 * of the decided goals at least 90 % met is EXCELLENT, 80 % GOOD, 60 % ACCEPTABLE, below POOR;
 * UNGRADED when simulated, partial or without a decided goal. */
void pyr_goals_judge(const struct pyr_goal *goals, size_t count, struct pyr_result *result);

/* "saw 10.2 [9.8, ?] ms" in the unit that people use, in the arena. */
const char *pyr_goal_saw(const struct pyr_goal *goal, const struct pyr_estimate *seen,
                         struct pyr_arena *arena);

/* Rules of thumb, each citing the number that triggered it. */
void pyr_recommend(struct pyr_result *result);

#endif
