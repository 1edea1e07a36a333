/* SPDX-License-Identifier: MIT
 *
 * Rates of a flow of requests, from when each was sent and when it ended, without the bias of the
 * window's edges. docs/method/rates.md derives and tests what follows.
 *
 * Counting the ends (or the starts) inside a window errs by up to all that is in flight, and
 * counting each request by the share of its own time inside it errs where requests differ in length
 * (a start in step holds no long one yet). What a request brings is therefore held against its own
 * time, and that against the time of all that was in flight:
 *
 *     rate = mean in flight x (sum of the amounts / sum of the times) of the requests sent inside
 *
 * which counts a request that lies inside as a whole, and what crosses an edge by its time beyond
 * it over the mean time. With one amount for each request it is Little's law. The ratio is unbiased
 * (to the order 1/n) whatever state the window begins or ends in, because a sum over requests up to
 * an instant that they do not foresee has the mean of their number times the mean of one.
 *
 * Sources: Little 1961; Wald 1944 on sums up to a stopping time; Glynn & Whitt 1989, Indirect
 * estimation via L = lambda W.
 */
#ifndef PYR_ESTIMATE_FLOW_H
#define PYR_ESTIMATE_FLOW_H

#include "estimate/estimate.h"

#include <stddef.h>
#include <stdint.h>

enum { PYR_FLOW_BATCHES = 20 };

/* Requests [0, n): sent at starts[i], ended at ends[i] >= starts[i], in any order, those outside
 * the window too. The arrays belong to the caller and must outlive the flow. */
struct pyr_flow_input {
    const uint64_t *starts, *ends;
    size_t n;
    bool open_loop;
};

struct pyr_flow {
    struct pyr_flow_input of;
    /* The part of the time that the rates are taken from, usually the window. A closed loop that
     * has run dry (nothing is in flight at the end) loses what follows the last request sent, and
     * where less than half a mean time is left, the mean time up to there stands for it, which lies
     * before the window. An open loop loses the mean time + 2 standard deviations after its first
     * request, in which it fills, but no more than to the window's middle. */
    uint64_t from_ns, to_ns;
    uint64_t sent; /* requests that stand for the flow: those sent inside, or when there are none,
                    * those that ran inside */
    double seconds, in_flight, mean_s; /* length, time-weighted mean, mean time of a request */
    bool burst;   /* a closed loop that sent all within half a mean time: no rate to speak of */
    bool filling; /* an open loop that had not filled by its middle */
    /* Private: */
    bool by_running;
    double flight_s, own_s; /* request-seconds inside the part; of the requests that stand for it */
    size_t batches;
    double batch_flight_s[PYR_FLOW_BATCHES];
};

/* Window [from_ns, to_ns), not empty. O(n), takes no memory. False when nothing ran inside. */
bool pyr_flow_of(struct pyr_flow *flow, const struct pyr_flow_input *input, uint64_t from_ns,
                 uint64_t to_ns);

/* True when request i is one of the `sent` that stand for the flow. */
bool pyr_flow_counts(const struct pyr_flow *flow, size_t i);

/* What the requests bring a second: amounts[i] each (1 for a count, 0 for one that does not count).
 * The interval is the wider of two. Batches of the part, equal in time and no shorter than a mean
 * time (open loop: two), hold what all requests at one time have in common; Student's t with their
 * number - 1, from 3 to 20 of them. In a closed loop the requests taken as independent; in an open
 * loop the amounts sent a batch, for what is in flight follows what is sent. Unbounded in a burst
 * and below two requests. */
struct pyr_estimate pyr_flow_rate(const struct pyr_flow *flow, const double *amounts);

/* Mean in flight / (rate x mean time), the rate counted apart from both, by the share of each
 * request's own time that lies inside. 1 when what crosses the edges of the window resembles what
 * was sent inside; off where it does not: too few mean times in the window, a request that hangs
 * through it, a load that is not level. The interval is what as many requests
 * at the edges, were they like those sent inside, leave open (two standard errors). */
struct pyr_estimate pyr_flow_littles_ratio(const struct pyr_flow *flow);

#endif
