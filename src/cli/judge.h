/* SPDX-License-Identifier: MIT
 *
 * What the commands that judge and keep runs share: where the history is, what is compared with
 * what and how it is told.
 */
#ifndef PYR_CLI_JUDGE_H
#define PYR_CLI_JUDGE_H

#include "cli/ab.h"
#include "cli/commands.h"
#include "stats/comparison.h"
#include "stats/result.h"

#include <stdbool.h>

/* The history of this command: --history, else the environment, else the state folder. NULL when
 * there is no place for one. */
const char *pyr_judge_history(struct pyr_cli *cli);

/* Keeps a result there unless --no-history was given. A history that cannot be written is told on
 * standard error and nothing more: the run file holds the run. */
void pyr_judge_keep(struct pyr_cli *cli, const struct pyr_result *result);

/* Likewise a comparison in pairs that began at that instant. */
void pyr_judge_keep_pairs(struct pyr_cli *cli, const struct pyr_comparison *comparison,
                          uint64_t started_unix_ns);

/* The run file of a run in the history: by id, or (NULL) of the newest that has one. */
bool pyr_judge_run_file(struct pyr_cli *cli, const char *id, const char **path,
                        struct pyr_err *err);

/* Compares what the two specs name (judge/history.h) by the command's options. */
bool pyr_judge_compare(struct pyr_cli *cli, const char *baseline, const char *current,
                       struct pyr_comparison **comparison, struct pyr_err *err);

/* With --confirm, unless nothing changed: the verdict of a rerun in pairs in its place. */
bool pyr_judge_confirm(struct pyr_cli *cli, const struct pyr_compare_words *words,
                       const char *baseline, const char *current,
                       struct pyr_comparison **comparison, struct pyr_err *err);

/* With --baseline: compares what `current` names with it and prints that. The exit code of a run
 * that ended with `code`: its own where that is not 0, else the comparison's. */
int pyr_judge_against(struct pyr_cli *cli, const char *current, int code, struct pyr_err *err);

#endif
