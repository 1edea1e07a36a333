/* SPDX-License-Identifier: MIT
 *
 * Where a run settles, whether it ever does, and whether it drifts.
 * docs/method/steady.md has the rules, their sources and what they do to known series.
 */
#ifndef PYR_ESTIMATE_STEADY_H
#define PYR_ESTIMATE_STEADY_H

#include "estimate/estimate.h"

#include <stddef.h>

/* The trend of a series: Theil and Sen's slope with Sen's interval, Mann and Kendall's test. Long
 * series are first averaged into at most 128 successive groups. The variance of the test statistic
 * is inflated by (1+r)/(1-r) for a positive lag-1 autocorrelation r of the residuals. */
struct pyr_slope {
    struct pyr_estimate slope; /* per unit of x */
    double tau;                /* -1 .. 1; NaN when unknown */
    double p;                  /* two-sided; NaN when unknown */
    double autocorrelation;    /* lag 1, of the residuals */
};

/* x rises (NULL: 0, 1, 2, ...). Unknown below 10 points. */
struct pyr_slope pyr_slope_of(const double *x, const double *y, size_t n);

static inline bool pyr_slope_rises(const struct pyr_slope *trend) {
    return trend->slope.lo > 0;
}

static inline bool pyr_slope_falls(const struct pyr_slope *trend) {
    return trend->slope.hi < 0;
}

struct pyr_steady {
    size_t n, cut;         /* values [cut, n) are the steady part; cut is a multiple of 5 */
    bool judged;           /* false below 50 values: cut is then 0 and the reason says so */
    bool never_steady;     /* no steady part can be trusted; cut is still where MSER-5 puts it */
    const char *reason;    /* static text; NULL when judged and steady */
    struct pyr_slope tail; /* of the part after the cut; filled when judged */
};

/* MSER-5: of all cuts at a multiple of 5 the one that gives the rest the least standard error of
 * its mean, taken over means of 5. Values further from the median than 5 robust sigmas (and 5 %)
 * are drawn in to there first, so that one stall late in the run does not pass for a warm-up.
 * Never steady: the cut is beyond n/2, or beyond n/3 while the rest still has a trend. */
struct pyr_steady pyr_steady_cut(const double *series, size_t n);

/* The target takes in more than it gives out: requests in flight and the time to first token both
 * rise over the kept window. False when either is unknown. */
bool pyr_is_saturating(const struct pyr_slope *in_flight, const struct pyr_slope *ttft);

#endif
