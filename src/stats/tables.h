/* SPDX-License-Identifier: MIT
 *
 * The tables that a run's suites want of themselves, as the run file's META names them: `tables`,
 * an object of suite to "METRIC[:STATISTIC][=HEADER],...". STATISTIC is value, mean or p50 to
 * p99_9; without one it is the value of a scalar and the p50 of a distribution. A report needs no
 * other knowledge of a suite, so that a run of a newer program still shows its table.
 */
#ifndef PYR_STATS_TABLES_H
#define PYR_STATS_TABLES_H

#include "stats/result.h"

/* Sets the columns of suites (count). A metric or statistic that this program does not know is left
 * out. */
void pyr_tables_read(const char *meta_json, struct pyr_arena *arena,
                     struct pyr_suite_result *suites, size_t count);

/* One list of columns, in the arena; returns their number. */
size_t pyr_columns_parse(const char *text, struct pyr_arena *arena,
                         const struct pyr_suite_column **columns);

#endif
