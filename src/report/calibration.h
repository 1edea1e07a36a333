/* SPDX-License-Identifier: MIT
 *
 * How each format tells of the loads at which the instrument was held against a server of known
 * schedule (struct pyr_result.calibrations): its own error, its cost, or why there is none.
 */
#ifndef PYR_REPORT_CALIBRATION_H
#define PYR_REPORT_CALIBRATION_H

#include "base/arena.h"
#include "report/text.h"
#include "stats/result.h"

#include <jansson.h>

/* "highest: 32 streams, 1,240 token events/s, stepping together". */
void pyr_calibration_title(struct pyr_buf *buf, const struct pyr_case_result *one);

/* One load: its table, and a sentence on what it cost. Texts live in the arena. */
void pyr_calibration_terminal(const struct pyr_paper *paper, struct pyr_arena *arena,
                              const struct pyr_case_result *one);
/* Every load, and then how the run's figures compare with these errors. */
void pyr_calibrations_terminal(const struct pyr_paper *paper, struct pyr_arena *arena,
                               const struct pyr_result *result);

/* An entry of instrument.calibrations: docs/formats/results.md. */
json_t *pyr_calibration_json(const struct pyr_case_result *one);
/* Puts `calibrations` and `notes` into the object `instrument`, and the figures of the highest load
 * beside them, null where there are none. */
void pyr_calibrations_json(json_t *instrument, const struct pyr_result *result);

void pyr_calibrations_html(struct pyr_buf *out, const struct pyr_result *result);
void pyr_calibrations_markdown(struct pyr_buf *out, const struct pyr_result *result);

/* The instrument's other metrics, which a list of its own tells: those that the calibrations above
 * do not. Returns their number. */
size_t pyr_calibrations_leave(const struct pyr_result *result,
                              struct pyr_metric_result rows[PYR_METRIC_COUNT]);

#endif
