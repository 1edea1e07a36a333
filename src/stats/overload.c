/* SPDX-License-Identifier: MIT */
#include "stats/overload.h"

#include "base/mem.h"
#include "estimate/dist.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ten batches: fewer make Student's quantile wide, more make each too short to be independent. */
enum { BATCHES = 10, FIRST_ANSWERS = 16, ENDED_LEAST = 5 * BATCHES };
/* What a look may err by: six of them over a level come to 1.5 %. */
static const double alpha = 0.0025;
/* Of the offered rate: what is in flight must grow by this at least, and the TTFT by a fifth.
 * Chance and a queue on its way to a high but steady level do less; a target beyond capacity does
 * more. */
static const double growth_least = 0.02;
static const double ttft_rise = 1.2;

void pyr_filling_add(struct pyr_filling *filling, const struct pyr_request *request) {
    if (request->last_content_ns < request->scheduled_ns)
        return;
    double took_s = (double)(request->last_content_ns - request->scheduled_ns) * 1e-9;
    /* Later answers took longer for the queue that is looked for; how long one was written does not
     * hold the queue. */
    double written_s = request->last_content_ns > request->first_content_ns
                           ? (double)(request->last_content_ns - request->first_content_ns) * 1e-9
                           : 0;
    double until_s = filling->answers++ < FIRST_ANSWERS ? 2 * took_s : written_s;
    filling->until_s = fmax(filling->until_s, until_s);
}

static double mean_ttft(const struct pyr_flow_point *points, size_t n) {
    double sum = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        sum += points[i].ttft_ns;
        count += points[i].first_tokens;
    }
    return sum / count; /* NaN where none came */
}

static double mean_in_flight(const struct pyr_flow_point *points, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += points[i].in_flight / (double)n;
    return sum;
}

/* What ends a second, from batches of equally many points behind points[0]. */
static struct pyr_estimate ended_per_s(const struct pyr_flow_point *points, size_t n) {
    size_t each = n / BATCHES;
    double seconds = points[n].time_s - points[0].time_s, squares = 0;
    double mean = (points[n].ended - points[0].ended) / seconds;
    for (size_t i = 0; i < BATCHES; i++) {
        const struct pyr_flow_point *a = &points[i * each], *b = a + each;
        double off = (b->ended - a->ended) / (b->time_s - a->time_s) - mean;
        squares += off * off;
    }
    double reach =
        pyr_student_quantile(1 - alpha, BATCHES - 1) * sqrt(squares / (BATCHES - 1) / BATCHES);
    /* However regular they are, one request more or less may have ended in time. */
    reach = fmax(reach, 1 / seconds);
    return (struct pyr_estimate){.value = mean, .lo = mean - reach, .hi = mean + reach};
}

struct pyr_overload pyr_overload_test(const struct pyr_flow_point *points, size_t n, double from_s,
                                      double rate) {
    struct pyr_overload test = {.found = false};
    for (; n > 0 && points->time_s < from_s; points++)
        n--;
    if (n < BATCHES + 1)
        return test;
    size_t counted = (n - 1) / BATCHES * BATCHES, third = counted / 3;
    points += n - 1 - counted; /* the first is where counting starts */
    const struct pyr_flow_point *late = points + 1 + counted - third;
    test.seconds = points[counted].time_s - points[0].time_s;
    test.ended_per_s = ended_per_s(points, counted);
    test.in_flight[0] = mean_in_flight(points + 1, third);
    test.in_flight[1] = mean_in_flight(late, third);
    test.ttft_ns[0] = mean_ttft(points + 1, third);
    test.ttft_ns[1] = mean_ttft(late, third);
    double growth = (test.in_flight[1] - test.in_flight[0]) / (test.seconds * 2 / 3);
    test.found = points[counted].ended - points[0].ended >= ENDED_LEAST &&
                 test.ended_per_s.hi < rate && growth > growth_least * rate &&
                 test.ttft_ns[1] > ttft_rise * test.ttft_ns[0];
    return test;
}

/* --- a case that has ended ------------------------------------------------------------------- */

static size_t point_of(struct pyr_span span, uint64_t at_ns) {
    double share = (double)(at_ns - span.start_ns) / (double)(span.end_ns - span.start_ns);
    size_t point = (size_t)(share * PYR_FLOW_POINTS);
    return point < PYR_FLOW_POINTS ? point : PYR_FLOW_POINTS - 1;
}

static bool in_span(struct pyr_span span, uint64_t at_ns) {
    return at_ns >= span.start_ns && at_ns < span.end_ns;
}

/* Adds what each request did in each point; sums over points are for the caller. */
static void add_request(struct pyr_span span, const struct pyr_request *r,
                        struct pyr_flow_point *points) {
    if (r->scheduled_ns < span.start_ns)
        points[0].in_flight++;
    else if (in_span(span, r->scheduled_ns))
        points[point_of(span, r->scheduled_ns)].in_flight++;
    if (r->closed_ns && r->closed_ns < span.start_ns)
        points[0].in_flight--;
    if (in_span(span, r->closed_ns)) {
        points[point_of(span, r->closed_ns)].in_flight--;
        points[point_of(span, r->closed_ns)].ended++;
    }
    if (in_span(span, r->first_content_ns) && r->first_content_ns > r->scheduled_ns) {
        struct pyr_flow_point *point = &points[point_of(span, r->first_content_ns)];
        point->ttft_ns += (double)(r->first_content_ns - r->scheduled_ns);
        point->first_tokens++;
    }
}

static int by_end(const void *a, const void *b) {
    const struct pyr_request *x = *(const struct pyr_request *const *)a;
    const struct pyr_request *y = *(const struct pyr_request *const *)b;
    return (x->closed_ns > y->closed_ns) - (x->closed_ns < y->closed_ns);
}

static double filled_s(const struct pyr_case_data *data) {
    const struct pyr_request **ended = pyr_xcalloc(data->count + 1, sizeof *ended);
    struct pyr_filling filling = {0};
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++)
        if (data->requests[i].outcome == PYR_OUTCOME_OK &&
            data->requests[i].closed_ns < data->measured.end_ns)
            ended[n++] = &data->requests[i];
    qsort(ended, n, sizeof *ended, by_end);
    for (size_t i = 0; i < n; i++)
        pyr_filling_add(&filling, ended[i]);
    pyr_free(ended);
    return filling.until_s;
}

bool pyr_stands_still(const struct pyr_case_data *data) {
    size_t marks = 0;
    for (size_t i = 0; i < data->mark_count; i++)
        if (data->marks[i].kind == PYR_MARK_ASKED_RATE)
            marks += data->marks[i].value == data->plan->rate ? 1 : 2;
    return marks == 1 && data->plan->rate > 0 && strcmp(data->plan->arrival, "trace") != 0;
}

struct pyr_overload pyr_overload_of_case(const struct pyr_case_data *data) {
    struct pyr_flow_point points[PYR_FLOW_POINTS] = {0};
    double width_s = (double)(data->measured.end_ns - data->measured.start_ns) * 1e-9;
    if (!data->plan->open_loop || !pyr_stands_still(data) || !(width_s > 0))
        return (struct pyr_overload){.found = false};
    for (size_t i = 0; i < data->count; i++)
        add_request(data->measured, &data->requests[i], points);
    for (size_t i = 0; i < PYR_FLOW_POINTS; i++) {
        points[i].time_s = width_s * (double)(i + 1) / PYR_FLOW_POINTS;
        if (i == 0)
            continue;
        points[i].in_flight += points[i - 1].in_flight;
        points[i].ended += points[i - 1].ended;
    }
    return pyr_overload_test(points, PYR_FLOW_POINTS, filled_s(data), data->plan->rate);
}

void pyr_overload_tell(const struct pyr_overload *overload, double rate, char *text, size_t room) {
    snprintf(text, room,
             "over %.1f s %.3g/s [%.3g, %.3g] ended of %.3g/s offered, in flight went from %.3g to "
             "%.3g and TTFT from %.3g to %.3g ms",
             overload->seconds, overload->ended_per_s.value, overload->ended_per_s.lo,
             overload->ended_per_s.hi, rate, overload->in_flight[0], overload->in_flight[1],
             overload->ttft_ns[0] * 1e-6, overload->ttft_ns[1] * 1e-6);
}
