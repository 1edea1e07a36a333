/* SPDX-License-Identifier: MIT
 *
 * The META block of a run file: what was planned, on what, by which command. The keys are listed in
 * docs/formats/results.md.
 */
#ifndef PYR_SUITE_META_H
#define PYR_SUITE_META_H

#include "suite/plan.h"
#include "target/target.h"

struct pyr_comparison; /* stats/comparison.h */

/* JSON text, to be released with pyr_free. `started_unix_ns`: wall clock. */
char *pyr_meta_make(const struct pyr_bench_options *options, const struct pyr_plan *plan,
                    const struct pyr_root *root, const struct pyr_target_info *target,
                    uint64_t started_unix_ns);

/* The same for a comparison in pairs that is kept in the history. What it names as the target is
 * the reference (the baseline), since the other side is what changes from run to run. */
char *pyr_meta_of_pairs(const struct pyr_comparison *comparison, const char *command,
                        uint64_t started_unix_ns);

#endif
