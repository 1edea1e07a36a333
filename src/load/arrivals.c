/* SPDX-License-Identifier: MIT */
#include "load/arrivals.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

enum { BURST_SIZE_DEFAULT = 10 };

const struct pyr_arrival_kind *const pyr_arrival_kinds[] = {
    &pyr_arrival_constant, &pyr_arrival_poisson, &pyr_arrival_gamma, &pyr_arrival_burst, NULL};

const struct pyr_arrival_kind pyr_arrival_trace = {"trace", "the instants of a recorded trace",
                                                   NULL};

const struct pyr_arrival_kind *pyr_arrival_kind_find(const char *name) {
    for (size_t i = 0; pyr_arrival_kinds[i]; i++)
        if (strcmp(pyr_arrival_kinds[i]->name, name) == 0)
            return pyr_arrival_kinds[i];
    return NULL;
}

static bool check_curve(const struct pyr_curve *curve, struct pyr_err *err) {
    if (curve->count == 0)
        return pyr_fail(err, PYR_E_USAGE, "a rate curve needs a point");
    for (size_t i = 0; i < curve->count; i++) {
        const struct pyr_curve_knot *point = &curve->points[i];
        if (!(point->value >= 0) || !isfinite(point->value))
            return pyr_fail(err, PYR_E_USAGE, "a rate of %g/s cannot be asked for", point->value);
        if (i > 0 && point->time_ns < point[-1].time_ns)
            return pyr_fail(err, PYR_E_USAGE, "the points of a rate curve must go forward in time");
    }
    return true;
}

bool pyr_arrivals_check(const struct pyr_arrival_options *options, struct pyr_err *err) {
    if (options->schedule_ns)
        return options->schedule_count > 0 ||
               pyr_fail(err, PYR_E_USAGE, "a schedule needs an instant");
    if (options->curve)
        return check_curve(options->curve, err);
    if (!(options->rate > 0) || !isfinite(options->rate))
        return pyr_fail(err, PYR_E_USAGE, "a rate of %g/s cannot be asked for; use one above 0",
                        options->rate);
    if (options->cv < 0 || !isfinite(options->cv))
        return pyr_fail(err, PYR_E_USAGE,
                        "a coefficient of variation of %g cannot be; use one above 0", options->cv);
    return true;
}

void pyr_arrivals_init(struct pyr_arrivals *arrivals, const struct pyr_arrival_options *options) {
    *arrivals = (struct pyr_arrivals){.options = *options};
    if (arrivals->options.cv == 0)
        arrivals->options.cv = 1;
    if (arrivals->options.burst_size == 0)
        arrivals->options.burst_size = BURST_SIZE_DEFAULT;
    pyr_rng_init(&arrivals->rng, options->seed);
    if (options->curve)
        pyr_curve_walk_init(&arrivals->walk, options->curve);
}

uint64_t pyr_arrivals_next(struct pyr_arrivals *arrivals) {
    if (arrivals->options.schedule_ns)
        return arrivals->drawn < arrivals->options.schedule_count
                   ? arrivals->options.schedule_ns[arrivals->drawn++]
                   : PYR_NEVER;
    double gap = arrivals->options.kind->gap(arrivals);
    arrivals->drawn++;
    if (arrivals->options.curve) {
        arrivals->time_s = pyr_curve_walk_area(&arrivals->walk, gap);
    } else {
        arrivals->expected += gap;
        arrivals->time_s = arrivals->expected / arrivals->options.rate;
    }
    double time_ns = arrivals->time_s * (double)PYR_NS_PER_S;
    return time_ns < 0x1p62 ? (uint64_t)llround(time_ns) : PYR_NEVER;
}
