/* SPDX-License-Identifier: MIT */
#include "stats/timeline.h"

#include "base/clock.h"
#include "base/mem.h"
#include "estimate/sample.h"
#include "stats/rates.h"

#include <math.h>
#include <string.h>

enum {
    BINS_MAX = 120, /* about one every ten pixels of a wide chart */
    BINS_MIN = 20
};

size_t pyr_timeline_bins(struct pyr_span measured) {
    uint64_t seconds = (measured.end_ns - measured.start_ns) / PYR_NS_PER_S;
    if (measured.end_ns == measured.start_ns)
        return 0;
    return seconds > BINS_MAX ? BINS_MAX : seconds < BINS_MIN ? BINS_MIN : (size_t)seconds;
}

static size_t bin_of(struct pyr_span span, uint64_t at, size_t bins) {
    double share = (double)(at - span.start_ns) / (double)(span.end_ns - span.start_ns);
    size_t bin = (size_t)(share * (double)bins);
    return bin < bins ? bin : bins - 1;
}

/* Median of the values of requests that ended in each bin: keys of (bin, value) sorted together,
 * the value cut to what fits beside the bin number. */
static void medians(const struct pyr_case_data *data, struct pyr_timeline_point *points,
                    size_t bins, bool ttft) {
    enum { VALUE_BITS = 56 }; /* 834 days in nanoseconds */
    uint64_t *keys = pyr_xcalloc(data->count * 2, sizeof *keys);
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        uint64_t end = ttft ? r->first_content_ns : r->last_content_ns;
        uint64_t start = data->plan->open_loop ? r->scheduled_ns : r->sent_ns;
        if (r->outcome != PYR_OUTCOME_OK || end < data->measured.start_ns ||
            end >= data->measured.end_ns || start == 0 || end < start)
            continue;
        uint64_t value = end - start;
        keys[n++] = (uint64_t)bin_of(data->measured, end, bins) << VALUE_BITS |
                    (value & ((UINT64_C(1) << VALUE_BITS) - 1));
    }
    pyr_sort_keys(keys, keys + data->count, n);
    for (size_t i = 0; i < n;) {
        size_t bin = (size_t)(keys[i] >> VALUE_BITS), first = i;
        while (i < n && keys[i] >> VALUE_BITS == bin)
            i++;
        uint64_t mask = (UINT64_C(1) << VALUE_BITS) - 1;
        double median = (double)(keys[first + (i - first - 1) / 2] & mask);
        if (ttft) {
            points[bin].ttft_median_ns = median;
        } else {
            points[bin].latency_median_ns = median;
            points[bin].latency_max_ns = (double)(keys[i - 1] & mask);
            points[bin].ok = i - first;
        }
    }
    pyr_free(keys);
}

/* Adds a request's share of time in flight to the bins that it crosses. */
static void add_flight(const struct pyr_case_data *data, struct pyr_timeline_point *points,
                       size_t bins, uint64_t start, uint64_t end) {
    struct pyr_span span = data->measured;
    if (start == 0 || end <= span.start_ns || start >= span.end_ns || end <= start)
        return;
    start = start < span.start_ns ? span.start_ns : start;
    end = end > span.end_ns ? span.end_ns : end;
    double width = (double)(span.end_ns - span.start_ns) / (double)bins;
    size_t last = bin_of(span, end - 1, bins);
    for (size_t bin = bin_of(span, start, bins); bin <= last; bin++) {
        double from = fmax((double)(start - span.start_ns), (double)bin * width);
        double to = fmin((double)(end - span.start_ns), (double)(bin + 1) * width);
        points[bin].in_flight += fmax(to - from, 0) / width;
    }
}

/* --- the asked curve ------------------------------------------------------------------------- */

/* Walks along the marks of one kind, which are the knots of straight lines. */
struct asked {
    const struct pyr_case_data *data;
    enum pyr_mark_kind kind;
    size_t next;                        /* mark to look at */
    const struct pyr_mark *last, *then; /* knots around the instant; NULL: none */
};

static const struct pyr_mark *next_knot(struct asked *asked) {
    while (asked->next < asked->data->mark_count) {
        const struct pyr_mark *mark = &asked->data->marks[asked->next++];
        if (mark->kind == asked->kind)
            return mark;
    }
    return NULL;
}

static struct asked asked_start(const struct pyr_case_data *data, enum pyr_mark_kind kind) {
    struct asked asked = {.data = data, .kind = kind};
    asked.then = next_knot(&asked);
    return asked;
}

/* What was asked for at that instant, NaN when nothing; instants must not go back. */
static double asked_at(struct asked *asked, uint64_t at_ns) {
    while (asked->then && asked->then->time_ns <= at_ns) {
        asked->last = asked->then;
        asked->then = next_knot(asked);
    }
    if (!asked->last)
        return asked->then ? asked->then->value : (double)NAN;
    if (!asked->then)
        return asked->last->value;
    double share = (double)(at_ns - asked->last->time_ns) /
                   (double)(asked->then->time_ns - asked->last->time_ns);
    return asked->last->value + share * (asked->then->value - asked->last->value);
}

static bool is_asked(const struct pyr_case_data *data, enum pyr_mark_kind kind) {
    return data->plan->open_loop == (kind == PYR_MARK_ASKED_RATE);
}

/* The mean over a span, from as many instants as tell a ramp from a step. */
static double asked_mean(const struct pyr_case_data *data, enum pyr_mark_kind kind,
                         struct pyr_span span) {
    enum { INSTANTS = 64 };
    struct asked asked = asked_start(data, kind);
    double sum = 0, width = (double)(span.end_ns - span.start_ns) / INSTANTS;
    if (!is_asked(data, kind))
        return NAN;
    for (int i = 0; i < INSTANTS; i++)
        sum += asked_at(&asked, span.start_ns + (uint64_t)((i + 0.5) * width));
    if (!isnan(sum))
        return sum / INSTANTS;
    return kind == PYR_MARK_ASKED_RATE ? data->plan->rate : (double)data->plan->concurrency;
}

static void add_asked(const struct pyr_case_data *data, struct pyr_timeline_point *points,
                      size_t bins) {
    double width = (double)(data->measured.end_ns - data->measured.start_ns) / (double)bins;
    for (size_t bin = 0; bin < bins; bin++) {
        uint64_t start = data->measured.start_ns + (uint64_t)((double)bin * width);
        struct pyr_span span = {start, start + (uint64_t)width};
        points[bin].asked_rate = asked_mean(data, PYR_MARK_ASKED_RATE, span);
        points[bin].asked_concurrency = asked_mean(data, PYR_MARK_ASKED_CONCURRENCY, span);
    }
}

/* --- phases ---------------------------------------------------------------------------------- */

/* By its number for a phase of the driver, by schedule for those that lie across them. */
static bool is_of_phase(const struct pyr_phase_span *phase, const struct pyr_request *request) {
    if (phase->number < PYR_PHASE_COUNT)
        return request->phase == phase->number;
    return request->scheduled_ns >= phase->span.start_ns &&
           request->scheduled_ns < phase->span.end_ns;
}

/* The latencies (or times to first token) of what was scheduled in the phase, sorted into `keys`,
 * which holds twice as many as there are requests. */
static size_t sorted_between(const struct pyr_case_data *data, const struct pyr_phase_span *phase,
                             bool ttft, uint64_t *keys) {
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        uint64_t end = ttft ? r->first_content_ns : r->last_content_ns;
        uint64_t start = data->plan->open_loop ? r->scheduled_ns : r->sent_ns;
        if (r->outcome == PYR_OUTCOME_OK && is_of_phase(phase, r) && start > 0 && end >= start)
            keys[n++] = end - start;
    }
    pyr_sort_keys(keys, keys + data->count, n);
    return n;
}

static double at_share(const uint64_t *keys, size_t n, double q) {
    return n ? (double)keys[(size_t)ceil(q * (double)n) - 1] : (double)NAN;
}

static double mean_in_flight(const struct pyr_case_data *data, struct pyr_span span) {
    double sum_ns = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        uint64_t end = r->last_content_ns ? r->last_content_ns : r->closed_ns;
        uint64_t from = r->sent_ns > span.start_ns ? r->sent_ns : span.start_ns;
        uint64_t to = end < span.end_ns ? end : span.end_ns;
        sum_ns += r->sent_ns > 0 && to > from ? (double)(to - from) : 0;
    }
    return span.end_ns > span.start_ns ? sum_ns / (double)(span.end_ns - span.start_ns)
                                       : (double)NAN;
}

static void fill_phase(const struct pyr_case_data *data, struct pyr_case_flow *all,
                       const struct pyr_phase_span *of, uint64_t *keys,
                       struct pyr_phase_result *phase) {
    struct pyr_span span = of->span;
    for (size_t i = 0; i < data->count; i++) {
        if (!is_of_phase(of, &data->requests[i]))
            continue;
        phase->requests++;
        phase->ok += data->requests[i].outcome == PYR_OUTCOME_OK;
    }
    size_t n = sorted_between(data, of, false, keys);
    phase->latency_p50_ns = at_share(keys, n, 0.5);
    phase->latency_p90_ns = at_share(keys, n, 0.9);
    n = sorted_between(data, of, true, keys);
    phase->ttft_p50_ns = at_share(keys, n, 0.5);
    struct pyr_flow flow;
    phase->rate = pyr_case_flow_in(all, span, &flow)
                      ? pyr_case_flow_rate(all, &flow, pyr_amount_ok, NULL).value
                  : phase->seconds > 0 ? 0
                                       : (double)NAN;
    phase->in_flight = mean_in_flight(data, span);
    phase->asked_rate = asked_mean(data, PYR_MARK_ASKED_RATE, span);
    phase->asked_concurrency = asked_mean(data, PYR_MARK_ASKED_CONCURRENCY, span);
}

static void make_phases(const struct pyr_case_data *data, struct pyr_arena *arena,
                        struct pyr_case_result *result) {
    struct pyr_phase_result *phases = pyr_arena_array(arena, data->phase_count, sizeof *phases);
    uint64_t origin = data->phase_count ? data->phases[0].span.start_ns : 0;
    uint64_t *keys = pyr_xcalloc(data->count * 2 + 1, sizeof *keys);
    struct pyr_case_flow all;
    pyr_case_flow_make(data, &all);
    for (size_t k = 0; k < data->phase_count; k++) {
        const struct pyr_phase_span *span = &data->phases[k];
        struct pyr_phase_result *phase = &phases[k];
        phase->name = pyr_arena_strdup(arena, span->name);
        phase->of_pattern = span->number >= PYR_PHASE_OF_PATTERN;
        phase->start_s = (double)(span->span.start_ns - origin) * 1e-9;
        phase->seconds = (double)(span->span.end_ns - span->span.start_ns) * 1e-9;
        fill_phase(data, &all, span, keys, phase);
    }
    pyr_case_flow_free(&all);
    pyr_free(keys);
    result->phases = phases;
    result->phase_count = data->phase_count;
}

void pyr_timeline_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                       struct pyr_case_result *result) {
    make_phases(data, arena, result);
    size_t bins = data->timeline_bins;
    if (bins == 0 || data->count == 0)
        return;
    struct pyr_timeline_point *points = pyr_arena_array(arena, bins, sizeof *points);
    double width_s =
        (double)(data->measured.end_ns - data->measured.start_ns) * 1e-9 / (double)bins;
    for (size_t i = 0; i < bins; i++) {
        points[i].start_s = (double)i * width_s;
        points[i].width_s = width_s;
        points[i].output_tokens = data->timeline_tokens[i];
        points[i].latency_median_ns = points[i].latency_max_ns = points[i].ttft_median_ns = NAN;
    }
    medians(data, points, bins, false);
    medians(data, points, bins, true);
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        uint64_t end = r->last_content_ns ? r->last_content_ns : r->closed_ns;
        add_flight(data, points, bins, r->sent_ns, end);
        if (r->outcome != PYR_OUTCOME_OK && r->outcome != PYR_OUTCOME_CANCELLED &&
            r->closed_ns >= data->measured.start_ns && r->closed_ns < data->measured.end_ns)
            points[bin_of(data->measured, r->closed_ns, bins)].failed++;
    }
    add_asked(data, points, bins);
    result->timeline = points;
    result->timeline_count = bins;
}
