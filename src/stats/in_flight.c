/* SPDX-License-Identifier: MIT */
#include "stats/in_flight.h"

#include "base/mem.h"
#include "stats/overload.h"

#include <math.h>
#include <stdlib.h>

static int by_start(const void *a, const void *b) {
    const struct pyr_flight *x = a, *y = b;
    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

/* All of the case in order of schedule; returns their number. */
static size_t flights_of(const struct pyr_case_data *data, struct pyr_flight *flights) {
    size_t n = 0;
    bool in_order = true;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        uint64_t end = r->last_content_ns ? r->last_content_ns : r->closed_ns;
        if (end < r->scheduled_ns)
            continue;
        in_order &= n == 0 || flights[n - 1].start_ns <= r->scheduled_ns;
        flights[n++] = (struct pyr_flight){r->scheduled_ns, end, r->first_content_ns};
    }
    if (!in_order)
        qsort(flights, n, sizeof *flights, by_start);
    return n;
}

bool pyr_correlation_of_window(const struct pyr_case_data *data, struct pyr_span span,
                               struct pyr_correlation *out) {
    if (!data->plan->open_loop || !pyr_stands_still(data))
        return false;
    struct pyr_flight *flights = pyr_xcalloc(data->count, sizeof *flights);
    *out = pyr_correlation_of(flights, flights_of(data, flights), span.start_ns, span.end_ns);
    pyr_free(flights);
    return !isnan(out->degrees);
}

uint64_t pyr_window_opens_ns(const struct pyr_case_data *data, struct pyr_span span) {
    if (!data->plan->open_loop || !pyr_stands_still(data))
        return span.start_ns;
    struct pyr_flight *flights = pyr_xcalloc(data->count, sizeof *flights);
    size_t n = flights_of(data, flights);
    uint64_t opens = pyr_settled_ns(flights, n, span.start_ns, span.end_ns);
    pyr_free(flights);
    return opens - span.start_ns > (span.end_ns - span.start_ns) / 2 ? span.start_ns : opens;
}
