/* SPDX-License-Identifier: MIT */
#include "stats/spikes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "estimate/summary.h"

#include <assert.h>

enum { LEAST = 20, LEAST_GAPS = 8, BATCHES = 20 };

/* The MAD of ln x about the median m, as the factor exp(MAD): walking outwards from the middle, the
 * next closer of the two sides by ratio, until half of the values are passed. */
static double mad_factor(const struct pyr_sample *latency, size_t middle) {
    double m = (double)latency->sorted[middle];
    size_t left = middle, right = middle + 1, n = latency->n;
    double factor = 1;
    for (size_t taken = 1; taken < (n + 1) / 2; taken++) {
        double below = left > 0 ? m / (double)latency->sorted[left - 1] : (double)INFINITY;
        double above = right < n ? (double)latency->sorted[right] / m : (double)INFINITY;
        if (below < above)
            left--;
        else
            right++;
        factor = fmin(below, above);
    }
    return factor;
}

/* The share above a limit, with the clustering that the order shows. */
static struct pyr_estimate share_above(const struct pyr_sample *latency, double limit,
                                       uint64_t *count) {
    size_t per_batch = latency->n / BATCHES, first = latency->n - per_batch * BATCHES;
    uint64_t hits[BATCHES] = {0};
    *count = 0;
    for (size_t i = 0; i < latency->n; i++) {
        bool above = (double)latency->in_order[i] > limit;
        *count += above;
        if (above && i >= first)
            hits[(i - first) / per_batch]++;
    }
    return pyr_proportion(*count, latency->n, pyr_vif_of_hits(hits, BATCHES, per_batch));
}

static void find_events(const struct pyr_sample *latency, const uint64_t *start_ns,
                        struct pyr_arena *arena, struct pyr_spikes *out) {
    uint64_t *events = pyr_arena_array(arena, out->robust_count, sizeof *events);
    uint64_t last_end = 0, run_end = 0;
    size_t requests = 0;
    for (size_t i = 0; i < latency->n; i++) {
        uint64_t end = start_ns[i] + latency->in_order[i];
        if (end > run_end)
            run_end = end;
        if ((double)latency->in_order[i] <= out->robust_limit_ns)
            continue;
        if (out->event_count == 0 || start_ns[i] > last_end) {
            events[out->event_count++] = end;
            requests = 0;
        }
        if (end < events[out->event_count - 1])
            events[out->event_count - 1] = end;
        if (end > last_end)
            last_end = end;
        requests++;
        if (requests > out->worst_event_requests) {
            out->worst_event_requests = requests;
            out->worst_event_ns = events[out->event_count - 1];
        }
    }
    out->event_ns = events;
    double minutes = (double)(run_end - start_ns[0]) / (60.0 * (double)PYR_NS_PER_S);
    if (minutes > 0)
        out->events_per_minute = (double)out->event_count / minutes;
}

static void find_period(struct pyr_spikes *out) {
    if (out->event_count < 3)
        return;
    size_t gaps = out->event_count - 1;
    double *gap = pyr_xcalloc(gaps, sizeof *gap);
    for (size_t i = 0; i < gaps; i++)
        gap[i] = (double)(out->event_ns[i + 1] - out->event_ns[i]) / (double)PYR_NS_PER_S;
    pyr_sort_doubles(gap, gaps);
    out->period_s = pyr_median_of_sorted(gap, gaps);
    for (size_t i = 0; i < gaps; i++)
        gap[i] = fabs(gap[i] - out->period_s);
    pyr_sort_doubles(gap, gaps);
    out->period_spread_s = pyr_median_of_sorted(gap, gaps);
    out->periodic = gaps >= LEAST_GAPS && out->period_spread_s <= 0.1 * out->period_s;
    pyr_free(gap);
}

void pyr_find_spikes(const struct pyr_sample *latency, const uint64_t *start_ns,
                     struct pyr_arena *arena, struct pyr_spikes *out) {
    assert(!latency->is_double);
    *out = (struct pyr_spikes){.n = latency->n,
                               .three_sigma = pyr_estimate_unknown("n<20"),
                               .robust = pyr_estimate_unknown("n<20"),
                               .three_sigma_limit_ns = NAN,
                               .robust_limit_ns = NAN,
                               .events_per_minute = NAN,
                               .period_s = NAN,
                               .period_spread_s = NAN};
    if (latency->n < LEAST)
        return;
    struct pyr_summary summary;
    pyr_summarise(latency, &summary);
    out->three_sigma_limit_ns = summary.mean.value + 3 * summary.sd;
    out->three_sigma = share_above(latency, out->three_sigma_limit_ns, &out->three_sigma_count);
    size_t middle = (latency->n + 1) / 2 - 1;
    double median = (double)latency->sorted[middle];
    if (median == 0) {
        out->robust.reason = "the median is 0";
        return;
    }
    double limit = median * pow(mad_factor(latency, middle), 5 * 1.4826);
    /* "at least" twice and "at least" 1 ms above: for whole ns, above the one before. */
    limit = fmax(limit, 2 * median - 1);
    limit = fmax(limit, median + (double)PYR_NS_PER_MS - 1);
    out->robust_limit_ns = limit;
    out->robust = share_above(latency, limit, &out->robust_count);
    out->events_per_minute = 0;
    find_events(latency, start_ns, arena, out);
    find_period(out);
}
