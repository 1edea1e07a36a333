/* SPDX-License-Identifier: MIT
 *
 * Where a run leaves its files.
 *
 * --output PATH is a folder when it exists as one, ends in '/' or has no extension; else it names
 * the results file itself. Beside the stable names there is a folder of its own for each run:
 *
 *     benchmark_results/results.json
 *     benchmark_results/history/20261120T235959Z/run.pyr
 *     benchmark_results/history/20261120T235959Z/results.json
 */
#ifndef PYR_SUITE_OUTPUTS_H
#define PYR_SUITE_OUTPUTS_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <time.h>

struct pyr_outputs {
    char dir[PATH_MAX];     /* the folder of the stable names */
    char results[PATH_MAX]; /* results.json, or the file the user named */
    char history[PATH_MAX]; /* this run's own folder */
    char run[PATH_MAX];     /* its run file */
    bool made_dir;          /* dir was not there before */
};

/* Works the names out, makes the folders and checks that files can be created there, before
 * anything is measured. `output` NULL: `fallback`. Two runs in one second get "-2", "-3". */
bool pyr_outputs_prepare(const char *output, const char *fallback, time_t started,
                         struct pyr_outputs *outputs, struct pyr_err *err);

/* Takes the folders back that were made for a run of which nothing came; a folder that holds
 * anything, or that was there before, stays. */
void pyr_outputs_discard(const struct pyr_outputs *outputs);

#endif
