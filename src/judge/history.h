/* SPDX-License-Identifier: MIT
 *
 * Runs in and out of the history: a result with its fingerprint into the store, and whatever names
 * runs on a command line (a run file, a folder, a result file, an id) into the shape in which they
 * are compared.
 */
#ifndef PYR_JUDGE_HISTORY_H
#define PYR_JUDGE_HISTORY_H

#include "base/arena.h"
#include "base/err.h"
#include "stats/comparison.h"
#include "stats/result.h"
#include "store/kept.h"

#include <stdbool.h>
#include <stddef.h>

/* A result as it is kept, with its fingerprint; `revision` and `group` may be NULL. */
struct pyr_kept_run *pyr_history_run(struct pyr_arena *arena, const struct pyr_result *result,
                                     const char *revision, const char *group);

/* A comparison in pairs as it is kept: the current side's numbers, each with its ratio to the
 * baseline as its reference. `meta_json` is that of suite/meta.h, and outlives the run. */
struct pyr_kept_run *pyr_history_pairs(struct pyr_arena *arena,
                                       const struct pyr_comparison *comparison,
                                       const char *meta_json, const char *revision,
                                       const char *group);

/* Adds it to the history at `where` (store/store.h). */
bool pyr_history_keep(const char *where, const struct pyr_kept_run *run, struct pyr_err *err);

/* The runs that `spec` names, oldest first, in the arena:
 *
 *   a run file or a folder that holds run.pyr     that run, worked out again
 *   a result file (store/import.h)                what is in it
 *   a folder with baseline_results.json or results.json   that file
 *   group:NAME                                    the whole runs of a group in the history
 *   an id, the unique beginning of one, latest    that run of the history
 *
 * `where` is the history, NULL for none. */
bool pyr_history_find(struct pyr_arena *arena, const char *where, const char *spec,
                      struct pyr_kept_run **runs, size_t *count, struct pyr_err *err);

#endif
