/* SPDX-License-Identifier: MIT
 *
 * Watches one level of a search or a sweep while it runs, so that it need not take all of its time.
 * The whole is for the analysis.
 *
 * - A goal that can be counted request by request (a quantile of a metric that a request has by
 *   itself, an error rate) is decided by an exact binomial test at the effective number of
 *   requests, at 1/8, 1/4 and 1/2 of the time. Each look spends 0.5 % a side, so that with the 2.5
 * % of the analysis at the end no side has more than 4 %. Requests still in flight count as beyond
 * the limit where the goal would be met: the slow ones end last.
 *   The effective number follows the long-run variance of the values (estimate/correlation.h); in
 * an open loop it is at most the number of correlation times of the requests in flight so far.
 * - One goal missed ends the level. All goals met end it in closed loop only: in an open loop a
 *   queue may still be on its way to where it would miss them.
 * - Open loop, at each eighth from 2/8 to 7/8: less goes out than comes in (stats/overload.h),
 *   whatever the goals.
 *
 * docs/method/capacity.md. Nothing is allocated; one thread.
 */
#ifndef PYR_SUITE_LEVEL_WATCH_H
#define PYR_SUITE_LEVEL_WATCH_H

#include "load/driver.h"
#include "record/run.h"
#include "stats/overload.h"

#include <stddef.h>
#include <stdint.h>

enum { PYR_WATCH_GOALS = 8, PYR_WATCH_BATCHES = 64 };

enum pyr_watch_verdict { PYR_WATCH_GOES_ON, PYR_WATCH_MET, PYR_WATCH_MISSED, PYR_WATCH_SATURATED };

/* Successive values in at most 64 batches of equal size: how far neighbours resemble each other. */
struct pyr_watch_batches {
    double sum[PYR_WATCH_BATCHES];
    size_t count;        /* full ones; the one behind them is being filled */
    uint64_t size, fill; /* values a batch; values in the last */
    uint64_t n;
    double total, squares;
};

struct pyr_watch_goal {
    const struct pyr_goal *goal;
    const struct pyr_request_metric *metric; /* NULL: the error rate */
    double share;                            /* that may lie beyond the limit */
    uint64_t n, beyond;
    struct pyr_watch_batches values;
};

struct pyr_level_watch {
    const struct pyr_case *plan;
    struct pyr_watch_goal goals[PYR_WATCH_GOALS];
    size_t goal_count;
    bool all_counted; /* every goal of the case is among them */
    bool saturation_only;
    uint64_t time_ns;
    unsigned looks_at_goals, looks_at_flow;
    struct pyr_flow_point points[PYR_FLOW_POINTS]; /* neighbouring ticks of the driver */
    size_t point_count;
    unsigned point_ticks, last_ticks; /* ticks a point; of the last one so far */
    struct pyr_filling filling;
    enum pyr_watch_verdict verdict;
    bool enough; /* for the driver's plan */
    char why[200];
};

/* `goals` outlive it. `saturation_only`: the level is there to be measured, and only one that has
 * no steady state is cut short. `time_ns` is that of the whole level. */
void pyr_level_watch_init(struct pyr_level_watch *watch, const struct pyr_case *plan,
                          const struct pyr_goal *goals, size_t goal_count, bool saturation_only,
                          uint64_t time_ns);
/* Each request when it has ended, those of the warm-up too. */
void pyr_level_watch_ended(struct pyr_level_watch *watch, const struct pyr_request *request);
/* Each tick of the driver. Sets `enough` when the level may end. */
void pyr_level_watch_tick(struct pyr_level_watch *watch, const struct pyr_load_live *live);

#endif
