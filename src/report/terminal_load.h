/* SPDX-License-Identifier: MIT
 *
 * The parts of the terminal report that tell of load: levels, phases of a pattern, turns of a
 * session, drift of a soak, how punctual the sending was. Private to report.
 */
#ifndef PYR_REPORT_TERMINAL_LOAD_H
#define PYR_REPORT_TERMINAL_LOAD_H

#include "base/arena.h"
#include "report/text.h"
#include "stats/result.h"

/* True for a suite whose cases are levels of a search: their table takes the place of its own. */
bool pyr_terminal_is_levels(const struct pyr_suite_result *suite);

/* "Levels" and what they say together; nothing where the run made no search. Texts that are made on
 * the way live in the arena. */
void pyr_terminal_levels(const struct pyr_paper *paper, struct pyr_arena *arena,
                         const struct pyr_result *result, const char *plus_minus);

/* What belongs below the figures of a suite. */
void pyr_terminal_load_parts(const struct pyr_paper *paper, struct pyr_arena *arena,
                             const struct pyr_suite_result *suite, const char *plus_minus);

#endif
