/* SPDX-License-Identifier: MIT */
#include "suite/stress_options.h"

#include "base/parse.h"

#include <math.h>
#include <string.h>

enum { LEVEL_MOST = 100000, LEVELS_MOST = 64 };

/* "1,8,32" are in flight, "2/s,5/s" rates; not both. */
static bool read_levels(const char *text, void *into, struct pyr_arena *arena,
                        struct pyr_err *err) {
    struct pyr_stress_options *o = into;
    size_t rates = 0, room = 1, count = 0;
    for (const char *c = text; *c; c++)
        room += *c == ',';
    double *loads = pyr_arena_array(arena, room, sizeof *loads);
    char *rest = pyr_arena_strdup(arena, text), *item;
    while ((item = strsep(&rest, ","))) {
        size_t length = strlen(item);
        bool rate = length > 2 && strcmp(item + length - 2, "/s") == 0;
        if (rate)
            item[length - 2] = '\0';
        double *load = &loads[count++];
        if (!pyr_parse_double(item, load, err))
            return false;
        if (!(*load > 0) || (!rate && (*load != floor(*load) || *load > LEVEL_MOST)))
            return pyr_fail(err, PYR_E_USAGE,
                            "'%s' is no level; give whole numbers in flight up to %d, or rates as "
                            "2.5/s",
                            item, LEVEL_MOST);
        rates += rate;
    }
    if (rates && rates != count)
        return pyr_fail(err, PYR_E_USAGE,
                        "some are rates and some are not; give all as 2/s or none");
    if (count > LEVELS_MOST)
        return pyr_fail(err, PYR_E_USAGE, "%zu levels; give at most %d", count, LEVELS_MOST);
    o->loads = loads;
    o->load_count = count;
    for (size_t i = 0; rates && i < count; i++)
        o->bench.rate = fmax(o->bench.rate, loads[i]);
    return true;
}

static bool choose_production(const char *text, void *into, struct pyr_arena *arena,
                              struct pyr_err *err) {
    struct pyr_stress_options *o = into;
    (void)text, (void)arena, (void)err;
    o->pattern = PYR_PATTERN_PRODUCTION;
    return true;
}

static bool press_cpu(const char *text, void *into, struct pyr_arena *arena, struct pyr_err *err) {
    struct pyr_stress_options *o = into;
    (void)text, (void)arena, (void)err;
    o->pressure.cpu_threads = 1;
    return true;
}

static bool press_memory(const char *text, void *into, struct pyr_arena *arena,
                         struct pyr_err *err) {
    struct pyr_stress_options *o = into;
    (void)text, (void)arena, (void)err;
    o->pressure.memory_bytes = UINT64_MAX;
    return true;
}

/* `production` has an option of its own. */
static const char *const patterns[] = {"steady", "ramp", "spike", "random", "soak", NULL};

#define AT(field) offsetof(struct pyr_stress_options, field)

static const struct pyr_option_row rows[] = {
    {.name = "--pattern",
     .aliases = {"--load-pattern"},
     .kind = PYR_OPTION_TEXT,
     .offset = AT(pattern),
     .choices = patterns,
     .argument = "NAME",
     .group = PYR_GROUP_LOAD,
     .help = "steady (default), ramp, spike, random or soak"},
    {.name = "--max-concurrency",
     .letter = 'c',
     .aliases = {"--max-load"},
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(most),
     .least = 1,
     .most = 100000,
     .argument = "N",
     .group = PYR_GROUP_LOAD,
     .help = "requests in flight at most (default 50; with --rate or --trace none)"},
    {.name = "--breaking-point",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(breaking_point),
     .group = PYR_GROUP_LOAD,
     .help = "search for the highest load that holds the goals"},
    {.name = "--sweep",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(sweep),
     .group = PYR_GROUP_LOAD,
     .help = "level after level up to the most, for throughput against latency and goodput against "
             "load; with --rate ten even steps"},
    {.name = "--levels",
     .kind = PYR_OPTION_OWN,
     .read = read_levels,
     .argument = "LIST",
     .group = PYR_GROUP_LOAD,
     .help = "of --sweep: requests in flight (1,8,32), or a second (2/s,5/s)"},
    {.name = "--production-load",
     .kind = PYR_OPTION_OWN,
     .read = choose_production,
     .group = PYR_GROUP_LOAD,
     .help = "a working day in short: 30 minutes, at most 100 at once"},
    {.name = "--spike-height",
     .kind = PYR_OPTION_REAL,
     .offset = AT(spike_height),
     .argument = "X",
     .group = PYR_GROUP_LOAD,
     .help = "spike: times the base (default 3)"},
    {.name = "--spike-period",
     .kind = PYR_OPTION_DURATION,
     .offset = AT(spike_period_ns),
     .argument = "S",
     .group = PYR_GROUP_LOAD,
     .help = "spike: from one to the next (default 30s)"},
    {.name = "--spike-width",
     .kind = PYR_OPTION_DURATION,
     .offset = AT(spike_width_ns),
     .argument = "S",
     .group = PYR_GROUP_LOAD,
     .help = "spike: how long each lasts (default a fifth of the period)"},
    {.name = "--cpu-stress",
     .kind = PYR_OPTION_OWN,
     .read = press_cpu,
     .group = PYR_GROUP_LOAD,
     .help = "a thread that computes beside the load"},
    {.name = "--memory-stress",
     .kind = PYR_OPTION_OWN,
     .read = press_memory,
     .group = PYR_GROUP_LOAD,
     .help = "hold four fifths of the usable memory beside the load"},
    {.name = "--io-stress",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(pressure.io),
     .group = PYR_GROUP_LOAD,
     .help = "write and sync a file beside the load"},
};

const struct pyr_option_table pyr_stress_option_table = PYR_OPTION_TABLE("stress", rows);
