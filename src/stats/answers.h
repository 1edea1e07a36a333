/* SPDX-License-Identifier: MIT
 *
 * What the answers of a case were made of, and what a reader of its token figures must know: how
 * many tokens an event carries, whether the stream was one at all. Private to the analysis.
 */
#ifndef PYR_STATS_ANSWERS_H
#define PYR_STATS_ANSWERS_H

#include "base/arena.h"
#include "stats/collect.h"
#include "stats/result.h"

enum { PYR_ANSWER_REMARKS_MAX = 5 };

/* Fills in result->kinds and result->with_output, over the ok requests of the measured phase. */
void pyr_answers_count(const struct pyr_case_data *data, struct pyr_case_result *result);
/* Sentences, in the arena; returns how many. After pyr_answers_count. */
size_t pyr_answers_remark(const struct pyr_case_data *data, const struct pyr_case_result *result,
                          struct pyr_arena *arena, const char *out[PYR_ANSWER_REMARKS_MAX]);

#endif
