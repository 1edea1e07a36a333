/* SPDX-License-Identifier: MIT
 *
 * Does less go out of a target than comes in? For an open loop at one rate: in a steady state as
 * many requests end as are offered, and beyond capacity what ends a second is the capacity, however
 * much is offered. The second is far steadier than the arrivals are, so that it is told from the
 * offered rate much sooner than the growth of the queue is told from chance.
 *
 * docs/method/capacity.md has the rule and what it does to targets of known capacity.
 */
#ifndef PYR_STATS_OVERLOAD_H
#define PYR_STATS_OVERLOAD_H

#include "estimate/estimate.h"
#include "stats/collect.h"

#include <stdbool.h>
#include <stddef.h>

enum { PYR_FLOW_POINTS = 64 };

/* What flowed until an instant. */
struct pyr_flow_point {
    double time_s, in_flight;     /* at its end; what waits in our own queue is in flight too */
    double ended;                 /* since the start, however they ended */
    double ttft_ns, first_tokens; /* sums over the first tokens since the point before */
};

struct pyr_overload {
    bool found;
    double seconds;                  /* looked at; 0: too short to tell */
    struct pyr_estimate ended_per_s; /* two-sided 99.5 % interval of batch means */
    double in_flight[2], ttft_ns[2]; /* means over the first and the last third */
};

/* Points by time, those before `from_s` left out: until the first requests have ended what is in
 * flight grows in any case. `rate` is what is offered a second. Errs with at most 0.25 % a call
 * when batches of a tenth of the time are independent. */
struct pyr_overload pyr_overload_test(const struct pyr_flow_point *points, size_t n, double from_s,
                                      double rate);

/* The load of a case is one rate all the time: neither a curve nor recorded traffic. */
bool pyr_stands_still(const struct pyr_case_data *data);

/* The same for the measured phase of a case that has ended. Not found where the asked rate moves
 * and in a closed loop. */
struct pyr_overload pyr_overload_of_case(const struct pyr_case_data *data);

/* Until when a target fills up, from its answers in the order of their end: call with each. */
struct pyr_filling {
    size_t answers;
    double until_s; /* since the start, at the earliest */
};
void pyr_filling_add(struct pyr_filling *filling, const struct pyr_request *request);

/* "over 9.4 s 17.1/s [16.5, 17.6] ended of 20/s offered, ..." */
void pyr_overload_tell(const struct pyr_overload *overload, double rate, char *text, size_t room);

#endif
