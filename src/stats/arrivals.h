/* SPDX-License-Identifier: MIT
 *
 * A self-check of a run: did the requests arrive as the process that was asked for.
 * docs/method/arrivals.md.
 */
#ifndef PYR_STATS_ARRIVALS_H
#define PYR_STATS_ARRIVALS_H

#include "estimate/estimate.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_arrival_check {
    uint64_t n; /* arrivals; n - 1 gaps */
    double rate_per_s;
    /* Coefficient of variation of the gaps, and where 99.9 % of runs of the asked process lie. */
    double cv, cv_expected, cv_lo, cv_hi;
    bool cv_fits;
    /* Index of dispersion: variance over mean of the counts in equal windows of about 20 arrivals;
     * 1 for a Poisson process, near cv^2 for other renewal processes (Source: Cox, Renewal Theory,
     * 1962, variance of the equilibrium process). NaN below 10 windows. */
    double dispersion, dispersion_lo, dispersion_hi;
    bool dispersion_fits;
    const char *reason; /* static text; NULL when both are known */
};

/* times_ns: n rising instants. cv_asked: 0 for constant, 1 for Poisson, 1/sqrt(shape) for gamma
 * gaps. tolerance: how far the cv of a constant process may be from 0 (0.05 is usual): the process
 * has no spread of its own, what is seen is pacing. Needs 31 arrivals. */
struct pyr_arrival_check pyr_check_arrivals(const uint64_t *times_ns, size_t n, double cv_asked,
                                            double tolerance);

#endif
