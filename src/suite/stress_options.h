/* SPDX-License-Identifier: MIT
 *
 * The options that stress has beside those of a benchmark (suite/bench_options.h), as rows over
 * struct pyr_stress_options.
 */
#ifndef PYR_SUITE_STRESS_OPTIONS_H
#define PYR_SUITE_STRESS_OPTIONS_H

#include "base/options.h"
#include "suite/stress.h"

/* The pattern that --production-load stands for. */
#define PYR_PATTERN_PRODUCTION "production"

extern const struct pyr_option_table pyr_stress_option_table;

#endif
