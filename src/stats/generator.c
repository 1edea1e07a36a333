/* SPDX-License-Identifier: MIT */
#include "stats/generator.h"

#include "stats/capacity.h"
#include "stats/window.h"

#include <math.h>

/* As the design has it: late is beyond the larger of these two, and of a hundred requests that were
 * due one may be missing. */
static const double late_most_ns = 1e6, late_share_of_ttft = 0.05;
enum { MISSING_ONE_IN = 100 };

/* Of the whole measured phase: a freeze is no less of one because the steady window begins after
 * it. */
static const struct pyr_metric_result *whole_metric(const struct pyr_case_result *one,
                                                    enum pyr_metric metric) {
    for (size_t i = 0; i < one->whole_count; i++)
        if (one->whole[i].metric == metric)
            return &one->whole[i];
    return NULL;
}

static double median_ns(const struct pyr_case_result *one, enum pyr_metric metric) {
    const struct pyr_metric_result *row = whole_metric(one, metric);
    return row ? row->quantile[PYR_Q_P50].value : (double)NAN;
}

/* By the target's own time to first token: the one from the schedule holds our lateness, and
 * would excuse it. */
static double late_limit_ns(const struct pyr_case_result *one) {
    double ttft = fmin(median_ns(one, PYR_M_TTFT_SENT), median_ns(one, PYR_M_TTFT_SCHED));
    return fmax(late_most_ns, late_share_of_ttft * ttft); /* fmax takes a number over NaN */
}

static const char *check_lateness(const struct pyr_case_result *one, double limit_ns,
                                  struct pyr_arena *arena) {
    const struct pyr_metric_result *late = whole_metric(one, PYR_M_PACING_LATENESS);
    if (!late)
        return NULL;
    double p99 = late->quantile[PYR_Q_P99].value;
    if (isnan(p99))
        p99 = late->max; /* fewer than 100 requests */
    if (p99 <= limit_ns)
        return NULL;
    return pyr_arena_printf(arena,
                            "%s: this program sent its requests late, p99 %.*f ms against at most "
                            "%.3g ms: the machine is too busy to generate this load",
                            one->plan->id, p99 < 100e6 ? 1 : 0, p99 * 1e-6, limit_ns * 1e-6);
}

/* Requests that were due and went out after the measured time, or never. */
struct missing {
    uint64_t waited; /* all our slots were in flight */
    uint64_t idle;   /* a slot was free: we did not get to run */
};

static struct missing count_missing(const struct pyr_case_data *data, double limit_ns) {
    struct missing missing = {0, 0};
    uint64_t end_ns = data->measured.end_ns + (uint64_t)limit_ns;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        if (!pyr_in_span(data->measured, r) || (r->dispatched_ns && r->dispatched_ns <= end_ns))
            continue;
        if (r->flags & PYR_REQUEST_WAITED)
            missing.waited++;
        else
            missing.idle++;
    }
    return missing;
}

const char *pyr_generator_invalid(const struct pyr_case_data *data,
                                  const struct pyr_case_result *one, struct pyr_arena *arena) {
    uint64_t local = one->outcomes[PYR_OUTCOME_LOCAL];
    if (local * MISSING_ONE_IN > one->total)
        return pyr_arena_printf(arena,
                                "%s: %llu of %llu requests failed by a limit of this machine (file "
                                "descriptors, ports, memory), not of the target",
                                one->plan->id, (unsigned long long)local,
                                (unsigned long long)one->total);
    if (!data->plan->open_loop || one->total == 0)
        return NULL;
    double limit_ns = late_limit_ns(one);
    struct missing missing = count_missing(data, limit_ns);
    if (missing.idle * MISSING_ONE_IN > one->total)
        return pyr_arena_printf(arena,
                                "%s: %llu of %llu requests went out after their time or never, "
                                "with nothing in their way: this program did not get to run",
                                one->plan->id, (unsigned long long)missing.idle,
                                (unsigned long long)one->total);
    /* A cap of the user's own is meant to hold requests back, and a level of a search to be more
     * than the target carries. */
    if (data->plan->concurrency == 0 && !pyr_case_is_level(one->plan) &&
        (missing.waited + missing.idle) * MISSING_ONE_IN > one->total)
        return pyr_arena_printf(arena,
                                "%s: %llu of %llu requests went out after their time or never: "
                                "the target holds as many as this program sends at once; give "
                                "the most at once yourself (--concurrency, in stress "
                                "--max-concurrency), or a lower rate",
                                one->plan->id, (unsigned long long)missing.waited,
                                (unsigned long long)one->total);
    return check_lateness(one, limit_ns, arena);
}
