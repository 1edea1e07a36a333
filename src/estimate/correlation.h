/* SPDX-License-Identifier: MIT
 *
 * How long a run remembers, and what its intervals may claim for that. A queue that is long stays
 * long, so that values near in time say nearly the same; all intervals of quantiles and means take
 * their variance from pyr_long_run_variance and their degrees of freedom from here.
 *
 * docs/method/quantiles.md has the rules, their sources and their coverage on known queues.
 */
#ifndef PYR_ESTIMATE_CORRELATION_H
#define PYR_ESTIMATE_CORRELATION_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many parts a series is cut into for pyr_long_run_variance, at most. */
enum { PYR_PARTS = 128 };
/* As many values as one takes. */
enum { PYR_SERIES_MAX = 512 };
/* How many independent looks at the requests in flight give an interval a degree of freedom. */
enum { PYR_SPANS_A_DEGREE = 10 };

/* n Var(mean) of a series in order of time, of which a mean of n values is made: for independent
 * values their variance. The greater of two estimates: the sum of the autocovariances as far as the
 * sums of neighbouring pairs stay positive, and fall (Geyer's initial monotone sequence, 1992),
 * corrected for the mean being the series' own; and ten batch means. 0 for fewer than 20 values and
 * for equal ones. Looks at lags up to n/4. */
double pyr_long_run_variance(const double *series, size_t n);

/* Student's degrees of freedom of an interval of a q-quantile of n values whose variance is `vif`
 * times that of independent ones: a third of the effective number of values on the thin side, over
 * the share (vif - 1) / vif of the variance that their clusters make; at most 19. Few clusters of
 * exceedances tell little of how large clusters are. `limit` is that of the run
 * (pyr_correlation_limit). */
double pyr_quantile_degrees(uint64_t n, double q, double vif, double limit);

/* How many correlation times n <= PYR_SERIES_MAX readings of the number in flight span; 0 below 20
 * readings. */
double pyr_spans_of_points(const double *in_flight, size_t n);

/* The values before `at` differ in the mean from those behind by more than their correlation makes
 * likely (3 standard errors). True where too few are behind to tell. */
bool pyr_means_differ(const double *series, size_t n, size_t at);

/* One request of an open loop. */
struct pyr_flight {
    uint64_t start_ns, end_ns; /* scheduled, last content or closed */
    uint64_t first_ns;         /* first content; 0: none came */
};

/* What the requests in flight of an open loop at one rate say of a window. */
struct pyr_correlation {
    double time_s;  /* integrated correlation time of the number in flight */
    double spans;   /* how many of these the window holds */
    double answers; /* how many mean latencies it holds (Little's law: requests / mean in flight) */
    double load;    /* the offered rate times what one more in flight adds to the wait for the first
                     * token: 0 far below capacity, 1 at the capacity of a queue */
    double degrees; /* Student's; below 1 the window is too short for an interval */
    double longer;  /* how many times as long a window would do; at most 1: this one does */
};

/* Of the window [from_ns, to_ns) with from < to. `flights` by start, all of the case that may
 * overlap it. Unknown below 20 starts in the window: everything NaN. Takes memory for a while;
 * O(n). */
struct pyr_correlation pyr_correlation_of(const struct pyr_flight *flights, size_t n,
                                          uint64_t from_ns, uint64_t to_ns);

/* When a load that started empty with flights[0] has settled: the first start at which as many are
 * in flight as at the mean start of the window (the crossing of the mean, Fishman 1973), and not
 * before four mean latencies. from_ns when that was before the window or never came. */
uint64_t pyr_settled_ns(const struct pyr_flight *flights, size_t n, uint64_t from_ns,
                        uint64_t to_ns);

/* The degrees, INFINITY where nothing is known (or NULL is given). */
double pyr_correlation_limit(const struct pyr_correlation *correlation);

/* Why the window is too short, and what would do: "requests in flight stay alike for 5.3 s, of
 * which this run holds 11: 4.2 times as long would do". In the arena. */
const char *pyr_correlation_tell(const struct pyr_correlation *correlation,
                                 struct pyr_arena *arena);

#endif
