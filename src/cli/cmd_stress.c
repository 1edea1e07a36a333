/* SPDX-License-Identifier: MIT */
#include "cli/measure.h"
#include "cli/signals.h"
#include "suite/stress.h"

#include <string.h>
#include <unistd.h>

/* The documents' --production-load: half an hour, at most 100 at once. */
enum { PRODUCTION_S = 1800, PRODUCTION_MOST = 100 };

static bool run(const void *context, pyr_bench_progress_fn *progress, void *progress_context,
                struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    return pyr_stress_run(context, progress, progress_context, outcome, err);
}

static bool check(const struct pyr_args *args, struct pyr_err *err) {
    if (pyr_given(args, PYR_OPT_BREAKING_POINT) &&
        (pyr_given(args, PYR_OPT_PATTERN) || pyr_given(args, PYR_OPT_PRODUCTION_LOAD)))
        return pyr_fail(err, PYR_E_USAGE,
                        "--breaking-point searches with levels of its own: leave --pattern and "
                        "--production-load out");
    if (pyr_given(args, PYR_OPT_PRODUCTION_LOAD) && pyr_given(args, PYR_OPT_PATTERN))
        return pyr_fail(err, PYR_E_USAGE, "--production-load is a pattern: leave --pattern out");
    return true;
}

static void fill(const struct pyr_args *args, struct pyr_stress_options *o) {
    const struct pyr_option_value *v = args->values;
    o->pattern = v[PYR_OPT_PATTERN].text;
    o->most = v[PYR_OPT_MAX_CONCURRENCY].number;
    o->breaking_point = pyr_given(args, PYR_OPT_BREAKING_POINT);
    o->spike_height = v[PYR_OPT_SPIKE_HEIGHT].real;
    o->spike_period_ns = v[PYR_OPT_SPIKE_PERIOD].number;
    o->spike_width_ns = v[PYR_OPT_SPIKE_WIDTH].number;
    if (pyr_given(args, PYR_OPT_PRODUCTION_LOAD)) {
        o->pattern = "production";
        if (!o->most)
            o->most = PRODUCTION_MOST;
        if (!o->bench.duration_ns)
            o->bench.duration_ns = PRODUCTION_S * PYR_NS_PER_S;
    }
    if (pyr_given(args, PYR_OPT_CPU_STRESS))
        o->pressure.cpu_threads = 1;
    if (pyr_given(args, PYR_OPT_MEMORY_STRESS))
        o->pressure.memory_bytes = UINT64_MAX;
    o->pressure.io = pyr_given(args, PYR_OPT_IO_STRESS);
    /* The documents' stress takes clients at a rate each; here that is an open loop. */
    if (o->bench.clients && o->bench.rate <= 0) {
        if (!o->most)
            o->most = o->bench.clients;
        o->bench.clients = 0;
    }
}

int pyr_cmd_stress(struct pyr_cli *cli, struct pyr_err *err) {
    struct pyr_stress_options options = {
        .bench = {.color = cli->color, .stop = pyr_signals_install()}};
    if (!check(&cli->args, err) || !pyr_measure_prepare(cli, &options.bench, err))
        return PYR_CLI_FAILED;
    fill(&cli->args, &options);
    return pyr_measure(cli, &options.bench, run, &options, err);
}
