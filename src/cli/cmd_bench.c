/* SPDX-License-Identifier: MIT */
#include "cli/measure.h"
#include "cli/signals.h"

static bool run(const void *context, pyr_bench_progress_fn *progress, void *progress_context,
                struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    return pyr_bench_run(context, progress, progress_context, outcome, err);
}

int pyr_cmd_bench(struct pyr_cli *cli, struct pyr_err *err) {
    struct pyr_bench_options options = {.color = cli->color, .stop = pyr_signals_install()};
    if (!pyr_measure_prepare(cli, &options, err))
        return PYR_CLI_FAILED;
    return pyr_measure(cli, &options, run, &options, err);
}
