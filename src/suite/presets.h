/* SPDX-License-Identifier: MIT
 *
 * Presets as plain data: what `--preset NAME` (alias `--type`) means. A preset fills what the user
 * did not say. In every preset time is the limit and the number of requests is the cap: a case
 * ends when either is reached, and what was cut is printed.
 *
 * Their goals are shown and never make a run fail; only goals that the user named do.
 */
#ifndef PYR_SUITE_PRESETS_H
#define PYR_SUITE_PRESETS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A class of prompts: how long, and how many tokens of output are asked. */
struct pyr_preset_class {
    const char *name; /* "short", "p100": part of a case's id */
    uint32_t prompt_tokens, output_tokens;
};

struct pyr_preset {
    const char *name, *summary;
    const char *suites; /* comma-separated, in the order in which they run */
    const struct pyr_preset_class *classes;
    size_t class_count;
    const uint64_t *levels; /* requests in flight, ascending */
    size_t level_count;
    uint64_t requests;        /* of a case: the cap */
    uint64_t warmup_requests; /* of a case */
    uint64_t level_time_ns;   /* of a case: the limit */
    uint64_t duration_ns;     /* of the whole run: the limit */
    const char *goals;        /* as pyr_goals_parse reads them */
    bool energy;              /* energy counters are read */

    const uint64_t *stress_levels; /* suite "stress" */
    size_t stress_level_count;
    uint64_t stress_ns;
    uint64_t index_size, queries, top_k; /* suite "retrieval" */
};

/* NULL when there is none of that name. */
const struct pyr_preset *pyr_preset_find(const char *name);
/* All of them, in the order of --help. */
extern const struct pyr_preset pyr_presets[];
extern const size_t pyr_preset_count;

/* Fails for a name that is none, with the nearest and all others. */
bool pyr_preset_fail(const char *name, struct pyr_err *err);

#endif
