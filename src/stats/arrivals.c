/* SPDX-License-Identifier: MIT */
#include "stats/arrivals.h"

#include "base/clock.h"
#include "estimate/dist.h"

#include <assert.h>
#include <math.h>

enum { LEAST_GAPS = 30, LEAST_WINDOWS = 10, PER_WINDOW = 20 };

/* A self-check that cries wolf is worse than none: 99.9 % two-sided. */
static const double alarm = 0.001;

static void check_gaps(const uint64_t *times_ns, struct pyr_arrival_check *out, double tolerance) {
    double gaps = (double)out->n - 1;
    double mean = (double)(times_ns[out->n - 1] - times_ns[0]) / gaps, squares = 0;
    out->rate_per_s = (double)PYR_NS_PER_S / mean;
    for (size_t i = 1; i < out->n; i++) {
        double off = (double)(times_ns[i] - times_ns[i - 1]) - mean;
        squares += off * off;
    }
    out->cv = sqrt(squares / (gaps - 1)) / mean;
    /* Delta method for gamma gaps of this cv: var(cv) = cv^2 (1 + cv^2) / (2 gaps). */
    double c = out->cv_expected;
    double reach = -pyr_normal_quantile(alarm / 2) * c * sqrt((1 + c * c) / (2 * gaps));
    out->cv_lo = fmax(c - reach, 0);
    out->cv_hi = c + fmax(reach, tolerance);
    out->cv_fits = out->cv >= out->cv_lo && out->cv <= out->cv_hi;
}

static void check_counts(const uint64_t *times_ns, struct pyr_arrival_check *out,
                         double tolerance) {
    size_t windows = out->n / PER_WINDOW;
    if (windows < LEAST_WINDOWS) {
        out->reason = "n<200";
        return;
    }
    /* A window starts at the first arrival; the last arrival closes the last one. */
    double width = (double)(times_ns[out->n - 1] - times_ns[0]) / (double)windows;
    double mean = (double)(out->n - 1) / (double)windows, squares = 0;
    size_t i = 0;
    for (size_t w = 1; w <= windows; w++) {
        size_t from = i;
        while (i < out->n - 1 && (double)(times_ns[i] - times_ns[0]) < width * (double)w)
            i++;
        double off = (double)(i - from) - mean;
        squares += off * off;
    }
    double df = (double)windows - 1;
    out->dispersion = squares / df / mean;
    double c2 = out->cv_expected * out->cv_expected;
    /* Counts of a renewal process in finite windows: cv^2 + (1 - cv^4)/(6 mean) for gamma gaps; the
     * last part (a window's edge cuts a gap) lies between 0 and 1/4 for evenly spaced ones. */
    double expected = c2 + (1 - c2 * c2) / (6 * mean), edge = 1 / (4 * mean);
    double lo = expected * pyr_chi2_quantile(alarm / 2, df) / df - edge;
    double hi = expected * pyr_chi2_quantile(1 - alarm / 2, df) / df + edge;
    out->dispersion_lo = fmax(lo, 0);
    out->dispersion_hi = hi + tolerance * tolerance;
    out->dispersion_fits =
        out->dispersion >= out->dispersion_lo && out->dispersion <= out->dispersion_hi;
}

struct pyr_arrival_check pyr_check_arrivals(const uint64_t *times_ns, size_t n, double cv_asked,
                                            double tolerance) {
    assert(cv_asked >= 0 && tolerance >= 0);
    struct pyr_arrival_check out = {.n = n,
                                    .rate_per_s = NAN,
                                    .cv = NAN,
                                    .cv_expected = cv_asked,
                                    .cv_lo = NAN,
                                    .cv_hi = NAN,
                                    .dispersion = NAN,
                                    .dispersion_lo = NAN,
                                    .dispersion_hi = NAN,
                                    .reason = "n<31"};
    if (n < LEAST_GAPS + 1)
        return out;
    if (times_ns[n - 1] == times_ns[0]) {
        out.reason = "all at one time";
        return out;
    }
    out.reason = NULL;
    check_gaps(times_ns, &out, tolerance);
    check_counts(times_ns, &out, tolerance);
    return out;
}
