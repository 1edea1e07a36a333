/* SPDX-License-Identifier: MIT */
#include "cli/measure.h"
#include "cli/signals.h"

#include "base/clock.h"
#include "suite/bench_options.h"
#include "suite/stress_options.h"
#include "target/http_options.h"

#include <string.h>

#define BENCH offsetof(struct pyr_stress_options, bench)
const struct pyr_option_set pyr_stress_set = {sizeof(struct pyr_stress_options),
                                              {{&pyr_bench_target_options, BENCH, false},
                                               {&pyr_http_option_table, BENCH, true},
                                               {&pyr_bench_run_options, BENCH, false},
                                               {&pyr_stress_option_table, 0, false}}};

/* The documents' --production-load: half an hour, at most 100 at once. */
enum { PRODUCTION_S = 1800, PRODUCTION_MOST = 100 };

static bool run(const void *context, pyr_bench_progress_fn *progress, void *progress_context,
                struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    return pyr_stress_run(context, progress, progress_context, outcome, err);
}

/* What the documents' spellings mean together. */
static void complete(struct pyr_stress_options *o) {
    if (o->pattern && strcmp(o->pattern, PYR_PATTERN_PRODUCTION) == 0) {
        if (!o->most)
            o->most = PRODUCTION_MOST;
        if (!o->bench.duration_ns)
            o->bench.duration_ns = PRODUCTION_S * PYR_NS_PER_S;
    }
    /* The documents' stress takes clients at a rate each; here that is an open loop. */
    if (o->bench.clients && o->bench.rate <= 0) {
        if (!o->most)
            o->most = o->bench.clients;
        o->bench.clients = 0;
    }
}

int pyr_cmd_stress(struct pyr_cli *cli, struct pyr_err *err) {
    struct pyr_stress_options *options = cli->options;
    options->bench.color = cli->color;
    options->bench.stop = pyr_signals_install();
    if (!pyr_measure_prepare(cli, &options->bench, err))
        return PYR_CLI_FAILED;
    complete(options);
    return pyr_measure(cli, run, options, err);
}
