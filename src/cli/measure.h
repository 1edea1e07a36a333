/* SPDX-License-Identifier: MIT
 *
 * What the commands that measure a target have in common: options into a struct, the target found,
 * a job with a progress bar, its report on the terminal and its exit code.
 */
#ifndef PYR_CLI_MEASURE_H
#define PYR_CLI_MEASURE_H

#include "cli/cmds.h"
#include "suite/bench.h"

/* Fills the options from the command line and the configuration file and resolves the target;
 * options->stop and color are the caller's. */
bool pyr_measure_prepare(struct pyr_cli *cli, struct pyr_bench_options *options,
                         struct pyr_err *err);

typedef bool pyr_measure_job(const void *context, pyr_bench_progress_fn *progress,
                             void *progress_context, struct pyr_bench_outcome *outcome,
                             struct pyr_err *err);

/* Runs the job and tells what came of it; returns the exit code, or PYR_CLI_FAILED with err. */
int pyr_measure(struct pyr_cli *cli, pyr_measure_job *job, const void *context,
                struct pyr_err *err);

#endif
