/* SPDX-License-Identifier: MIT
 *
 * The metrics of one window of one case, from its collected records. Private to the analysis.
 */
#ifndef PYR_STATS_WINDOW_H
#define PYR_STATS_WINDOW_H

#include "stats/collect.h"
#include "stats/result.h"
#include "stats/spikes.h"

struct pyr_window {
    const struct pyr_case_data *data;
    struct pyr_span span;
    const struct pyr_chunk_sums *sums; /* of the same span */
    const struct pyr_goal *goals;      /* those that hold for this case's suite */
    size_t goal_count;
    bool level; /* the load is meant to stay level and was carried: Little's law must hold */
    double requests_a_draw; /* so many say no more than one: users keep their places; 0: unknown */
};

/* All metrics that the records can give, in the order of metric.def, in the arena. */
void pyr_window_metrics(const struct pyr_window *window, struct pyr_arena *arena,
                        const struct pyr_metric_result **metrics, size_t *count);

/* Metrics from observations and histograms alone (cases without requests, the instrument). */
void pyr_observed_metrics(const struct pyr_observed *observed, struct pyr_arena *arena,
                          const struct pyr_metric_result **metrics, size_t *count);

/* The spikes among the window's latencies (from schedule in open loop, from sent in closed loop);
 * returns their number of latencies, 0: *spikes is not filled. */
size_t pyr_window_spikes(const struct pyr_window *window, struct pyr_arena *arena,
                         struct pyr_spikes *spikes);

/* True when the request was scheduled inside the span, a window of the measured phase or all of it.
 * At an instant at which the phase changed its own phase decides. */
bool pyr_in_span(struct pyr_span span, const struct pyr_request *request);

#endif
