/* SPDX-License-Identifier: MIT */
/* The one shape in which every estimator of this room answers: a value and its two-sided interval.
 *
 * Unknown is NaN, never 0: `value` is NaN when the sample cannot give it, `lo` or `hi` is NaN when
 * that end is open (the sample cannot bound it). `reason` is then a short text such as "n<368";
 * it is static text or lies in the arena of the result, and is NULL only when all three are known.
 * Intervals are 95 % two-sided unless the function that fills them says otherwise. */
#ifndef PYR_ESTIMATE_ESTIMATE_H
#define PYR_ESTIMATE_ESTIMATE_H

#include <math.h>
#include <stdbool.h>

struct pyr_estimate {
    double value;
    double lo;
    double hi;
    const char *reason;
};

/* Nothing is known, for this reason. */
static inline struct pyr_estimate pyr_estimate_unknown(const char *reason) {
    return (struct pyr_estimate){.value = NAN, .lo = NAN, .hi = NAN, .reason = reason};
}

static inline bool pyr_estimate_is_known(const struct pyr_estimate *estimate) {
    return !isnan(estimate->value);
}

/* True when both ends are finite: the only estimates that a verdict or a goal may use. */
static inline bool pyr_estimate_is_bounded(const struct pyr_estimate *estimate) {
    return !isnan(estimate->value) && !isnan(estimate->lo) && !isnan(estimate->hi);
}

#endif
