/* SPDX-License-Identifier: MIT
 *
 * What a case brings a second: its requests as a flow (estimate/flow.h), from sent to the last
 * content, or to the close where none came. Private to the analysis.
 */
#ifndef PYR_STATS_RATES_H
#define PYR_STATS_RATES_H

#include "estimate/flow.h"
#include "stats/collect.h"

#include <stdbool.h>

/* The requests of a case that were sent, of all phases. */
struct pyr_case_flow {
    uint64_t *starts, *ends;
    double *amounts;                    /* (count), for the caller to fill */
    const struct pyr_request **request; /* (count) */
    size_t count;
    bool open_loop;
};

void pyr_case_flow_make(const struct pyr_case_data *data, struct pyr_case_flow *flow);
void pyr_case_flow_free(struct pyr_case_flow *flow);

/* False when nothing ran in the span, or the span is empty. */
bool pyr_case_flow_in(const struct pyr_case_flow *all, struct pyr_span span, struct pyr_flow *flow);

/* The rate of what `amount` says that each request brings. */
typedef double pyr_amount_fn(const void *context, const struct pyr_request *request);
struct pyr_estimate pyr_case_flow_rate(struct pyr_case_flow *all, const struct pyr_flow *flow,
                                       pyr_amount_fn *amount, const void *context);

/* Amounts: 1 for a request that ended ok. */
double pyr_amount_ok(const void *unused, const struct pyr_request *request);

/* Little's law as a gate. What is outside .95 .. 1.05 is told, outside .8 .. 1.25 it makes the
 * rates invalid, where the ratio's own interval lies outside too. Invalid takes a window with room
 * for the law, 20 requests and 5 mean times; in a shorter one the rates stand on their intervals.
 */
enum pyr_little { PYR_LITTLE_HOLDS, PYR_LITTLE_OFF, PYR_LITTLE_INVALID };
enum pyr_little pyr_little_judge(const struct pyr_estimate *ratio, uint64_t sent, double in_flight);

#endif
