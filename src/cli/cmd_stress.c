/* SPDX-License-Identifier: MIT */
#include "base/parse.h"
#include "cli/measure.h"
#include "cli/signals.h"
#include "suite/stress.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* The documents' --production-load: half an hour, at most 100 at once. */
enum { PRODUCTION_S = 1800, PRODUCTION_MOST = 100 };
enum { LEVEL_MOST = 100000, LEVELS_MOST = 64 };

static bool run(const void *context, pyr_bench_progress_fn *progress, void *progress_context,
                struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    return pyr_stress_run(context, progress, progress_context, outcome, err);
}

/* "1,8,32" are in flight, "2/s,5/s" rates; not both. */
static bool fill_levels(const struct pyr_args *args, struct pyr_arena *arena,
                        struct pyr_stress_options *o, struct pyr_err *err) {
    const struct pyr_option_value *given = &args->values[PYR_OPT_LEVELS];
    if (!given->spelling)
        return true;
    size_t rates = 0, room = 1;
    for (const char *c = given->text; *c; c++)
        room += *c == ',';
    double *loads = pyr_arena_array(arena, room, sizeof *loads);
    char *rest = pyr_arena_strdup(arena, given->text), *item;
    while ((item = strsep(&rest, ","))) {
        size_t length = strlen(item);
        bool rate = length > 2 && strcmp(item + length - 2, "/s") == 0;
        if (rate)
            item[length - 2] = '\0';
        double *load = &loads[o->load_count++];
        if (!pyr_parse_double(item, load, err))
            return pyr_err_prefix(err, "%s", given->spelling);
        if (!(*load > 0) || (!rate && (*load != floor(*load) || *load > LEVEL_MOST)))
            return pyr_fail(err, PYR_E_USAGE,
                            "%s: '%s' is no level; give whole numbers in flight up to %d, or "
                            "rates as 2.5/s",
                            given->spelling, item, LEVEL_MOST);
        rates += rate;
    }
    if (rates && rates != o->load_count)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: some are rates and some are not; give all as 2/s or none",
                        given->spelling);
    if (o->load_count > LEVELS_MOST)
        return pyr_fail(err, PYR_E_USAGE, "%s: %zu levels; give at most %d", given->spelling,
                        o->load_count, LEVELS_MOST);
    o->loads = loads;
    for (size_t i = 0; rates && i < o->load_count; i++)
        o->bench.rate = fmax(o->bench.rate, loads[i]);
    return true;
}

static void fill(const struct pyr_args *args, struct pyr_stress_options *o) {
    const struct pyr_option_value *v = args->values;
    o->pattern = v[PYR_OPT_PATTERN].text;
    o->most = v[PYR_OPT_MAX_CONCURRENCY].number;
    o->breaking_point = pyr_given(args, PYR_OPT_BREAKING_POINT);
    o->sweep = pyr_given(args, PYR_OPT_SWEEP);
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
    if (!pyr_measure_prepare(cli, &options.bench, err) ||
        !fill_levels(&cli->args, cli->arena, &options, err))
        return PYR_CLI_FAILED;
    fill(&cli->args, &options);
    return pyr_measure(cli, &options.bench, run, &options, err);
}
