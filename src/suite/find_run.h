/* SPDX-License-Identifier: MIT
 *
 * The run file that somebody means by what is at hand (the layout is that of suite/outputs.h).
 */
#ifndef PYR_SUITE_FIND_RUN_H
#define PYR_SUITE_FIND_RUN_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

/* `said`: a run file or its folder as it is, an output folder (the newest run below its history/, a
 * killed one too), or a results.json, which names its run. Fails with what was looked for. */
bool pyr_find_run(const char *said, char run[PATH_MAX], struct pyr_err *err);

#endif
