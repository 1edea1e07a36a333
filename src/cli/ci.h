/* SPDX-License-Identifier: MIT
 *
 * --ci: what a CI job wants beside the terminal's text. JUnit and Markdown files, and where the job
 * runs on GitHub Actions a step summary ($GITHUB_STEP_SUMMARY) and annotations on standard output.
 */
#ifndef PYR_CLI_CI_H
#define PYR_CLI_CI_H

#include "cli/commands.h"
#include "stats/comparison.h"
#include "suite/bench.h"

/* Adds the formats, and makes the preset's goals the user's unless there are others. Without --ci
 * these do nothing. */
void pyr_ci_prepare(struct pyr_cli *cli, struct pyr_bench_options *options);
bool pyr_ci_tell_result(struct pyr_cli *cli, const struct pyr_result *result, struct pyr_err *err);
/* `folder`: where comparison_report.* go. */
bool pyr_ci_tell_comparison(struct pyr_cli *cli, const struct pyr_comparison *comparison,
                            const char *folder, struct pyr_err *err);

#endif
