/* SPDX-License-Identifier: MIT
 *
 * compare --ab and --confirm: two sides measured now, both alive.
 */
#ifndef PYR_CLI_AB_H
#define PYR_CLI_AB_H

#include "cli/commands.h"
#include "stats/comparison.h"
#include "store/kept.h"

/* Options of compare beside the shared ones. */
struct pyr_compare_words {
    const char *current;
    bool report, ab, confirm;
    uint64_t pairs, duration_ns, concurrency, prompt_tokens, output_tokens, seed; /* both alive */
};

/* Two targets or two commands, by the command's options. `signal`: that ended it early, or 0. */
bool pyr_ab_sides(struct pyr_cli *cli, const struct pyr_compare_words *words, const char *a,
                  const char *b, struct pyr_comparison **comparison, int *signal,
                  struct pyr_err *err);

/* What a run measured, as a side of --ab ("TARGET KEY=VALUE ..."); NULL when it does not say. */
const char *pyr_ab_side_of(struct pyr_arena *arena, const struct pyr_kept_run *run);

/* Judges the first metric of `doubted` again in pairs, on the targets of the two runs and the
 * workload of its case, and gives that comparison, marked as confirmed. */
bool pyr_ab_confirm(struct pyr_cli *cli, const struct pyr_compare_words *words,
                    const struct pyr_kept_run *before, const struct pyr_kept_run *now,
                    const struct pyr_comparison *doubted, struct pyr_comparison **comparison,
                    struct pyr_err *err);

#endif
