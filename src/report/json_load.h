/* SPDX-License-Identifier: MIT
 *
 * The parts of results.json that tell of load: phases, turns, drift, levels. Private to report.
 */
#ifndef PYR_REPORT_JSON_LOAD_H
#define PYR_REPORT_JSON_LOAD_H

#include "stats/result.h"

#include <jansson.h>

/* {"value":, "lo":, "hi":, "reason":} times `factor`. */
json_t *pyr_json_estimate(const struct pyr_estimate *at, double factor);

json_t *pyr_json_phases(const struct pyr_case_result *result);
json_t *pyr_json_turns(const struct pyr_case_result *result); /* null: no sessions */
json_t *pyr_json_own_queue(const struct pyr_case_result *result);
/* Of a closed loop: whether its users move in step. */
json_t *pyr_json_lockstep(const struct pyr_case_result *result);
json_t *pyr_json_drift(const struct pyr_case_result *result); /* null: no soak */
/* The object "stress_test"; `stress` may be NULL. */
json_t *pyr_json_stress(const struct pyr_stress_result *stress);

#endif
