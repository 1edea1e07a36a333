/* SPDX-License-Identifier: MIT
 *
 * When the requests of an open loop are due: instants on an absolute schedule, a pure function of
 * (options, seed), worked out one at a time without memory. An arrival is never moved because an
 * earlier one was late.
 *
 * Every kind draws gaps of mean 1 in "expected arrivals"; the rate, constant or a curve, turns them
 * into time by inverting its integral (Source: Cinlar 1975, time change of a counting process), so
 * each kind works with each curve.
 *
 * A schedule of its own (a trace's) takes the place of kind, rate and curve.
 *
 * To add a kind: one file and one row in arrivals.c.
 */
#ifndef PYR_LOAD_ARRIVALS_H
#define PYR_LOAD_ARRIVALS_H

#include "base/err.h"
#include "base/rng.h"
#include "load/curve.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_arrivals;

struct pyr_arrival_kind {
    const char *name, *summary;
    /* The next gap in expected arrivals, mean 1 in the long run. */
    double (*gap)(struct pyr_arrivals *arrivals);
};

/* NULL-terminated. */
extern const struct pyr_arrival_kind *const pyr_arrival_kinds[];
/* NULL when there is none of that name. */
const struct pyr_arrival_kind *pyr_arrival_kind_find(const char *name);

struct pyr_arrival_options {
    const struct pyr_arrival_kind *kind;
    double rate;                   /* 1/s, > 0; not used with a curve */
    const struct pyr_curve *curve; /* of rates; NULL: constant. Outlives the arrivals. */
    double cv;           /* gamma: coefficient of variation of the gaps, > 0; 0: 1 (Poisson) */
    uint32_t burst_size; /* burst: arrivals at each instant; 0: 10 */
    uint64_t seed;
    /* Instants given one by one (a trace) instead of a kind, a rate and a curve: nanoseconds since
     * the start, rising. Outlives the arrivals. NULL: none. */
    const uint64_t *schedule_ns;
    size_t schedule_count;
};

struct pyr_arrivals { /* plain data; fields are private */
    struct pyr_arrival_options options;
    struct pyr_rng rng;
    struct pyr_curve_walk walk;
    uint64_t drawn;
    double expected; /* expected arrivals until the next one */
    double time_s;
};

bool pyr_arrivals_check(const struct pyr_arrival_options *options, struct pyr_err *err);
void pyr_arrivals_init(struct pyr_arrivals *arrivals, const struct pyr_arrival_options *options);
/* The next arrival in nanoseconds since the start, never before the one in front of it;
 * PYR_NEVER when the curve has no more. */
uint64_t pyr_arrivals_next(struct pyr_arrivals *arrivals);

extern const struct pyr_arrival_kind pyr_arrival_constant, pyr_arrival_poisson, pyr_arrival_gamma,
    pyr_arrival_burst;
/* What a schedule is called; it has no gaps to draw and is not in the table. */
extern const struct pyr_arrival_kind pyr_arrival_trace;

#endif
