/* SPDX-License-Identifier: MIT
 *
 * The same benchmark several times, each in a process of its own: this program is started again
 * with the command's own options, so that what differs from run to run (addresses, placement, page
 * cache) differs here too. Used by `baseline` and by `bench --runs`.
 */
#ifndef PYR_CLI_REPEAT_H
#define PYR_CLI_REPEAT_H

#include "cli/commands.h"
#include "store/kept.h"

#include <jansson.h>

struct pyr_repeat {
    uint64_t runs;
    uint64_t seed;        /* of the first run; the others follow */
    uint64_t duration_ns; /* of each run; 0: what the preset says */
    const char *output;   /* a folder: results of each run in its history/ */
    const char *group;    /* in the history */
};

struct pyr_repeated {
    json_t *results; /* an array: results.json of each whole run; released by the caller */
    const struct pyr_kept_run *runs; /* (count), in the command's arena */
    size_t count;
    int worst_exit; /* the largest of 0, 3, 4, 5 that a run ended with */
    int signal;     /* that ended it early, or 0 */
};

/* The group of the runs: --group, else "KIND-" and the time. */
const char *pyr_repeat_group(struct pyr_cli *cli, const char *kind);

/* The folder as files below it are named: without the slashes at its end. */
const char *pyr_repeat_folder(struct pyr_cli *cli, const char *said);

/* Fails when a run fails (its own message stands on standard error before). */
bool pyr_repeat_bench(struct pyr_cli *cli, const struct pyr_repeat *repeat,
                      struct pyr_repeated *repeated, struct pyr_err *err);

#endif
