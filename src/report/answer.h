/* SPDX-License-Identifier: MIT
 *
 * The answer of a run, in at most a dozen lines: what was measured, whether it can be trusted, the
 * figures that people quote with their intervals, the goals, and what to do next. It stands at the
 * head of the terminal report, alone with --brief, and of the page, in the same words, and is true
 * when it is pasted elsewhere.
 */
#ifndef PYR_REPORT_ANSWER_H
#define PYR_REPORT_ANSWER_H

#include "base/arena.h"
#include "report/meta.h"
#include "report/text.h"
#include "stats/result.h"

enum { PYR_ANSWER_LINES = 32 };

struct pyr_answer_line {
    enum pyr_style style; /* of the name */
    const char *name;     /* "Trust"; "" goes on with the line before, "!" is a warning */
    const char *text;
};

struct pyr_answer {
    struct pyr_answer_line lines[PYR_ANSWER_LINES];
    size_t count;
};

/* The lines by themselves; their texts live in the arena. */
void pyr_answer_make(struct pyr_arena *arena, const struct pyr_result *result,
                     const struct pyr_report_meta *meta, struct pyr_answer *told);
/* The same on paper. Texts that are made on the way live in the arena. */
void pyr_answer_put(const struct pyr_paper *paper, struct pyr_arena *arena,
                    const struct pyr_result *result, const struct pyr_report_meta *meta);

#endif
