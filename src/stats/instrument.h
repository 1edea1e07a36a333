/* SPDX-License-Identifier: MIT
 *
 * What calibration found, beside what was measured: is the instrument's own error small against
 * the figures of this run, and how much of what it can carry did the run ask of it? Private to the
 * analysis. docs/calibrate.md
 */
#ifndef PYR_STATS_INSTRUMENT_H
#define PYR_STATS_INSTRUMENT_H

#include "stats/collect.h"
#include "stats/result.h"

bool pyr_is_calibration(const struct pyr_case *plan);

/* One load's entry, from the case's observations and marks. `plan` outlives the result. */
void pyr_calibration_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                          struct pyr_case_result *result);

/* Fills instrument and instrument_notes of a result that has its suites and calibrations.
 * `loose`: metrics of observations of no case. */
void pyr_instrument_make(struct pyr_result *result, const struct pyr_metric_result *loose,
                         size_t loose_count);

#endif
