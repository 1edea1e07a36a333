/* SPDX-License-Identifier: MIT */
#include "estimate/flow.h"

#include "base/clock.h"
#include "estimate/dist.h"

#include <assert.h>
#include <string.h>

enum { LEAST_BATCHES = 3 };

static double seconds_between(uint64_t from_ns, uint64_t to_ns) {
    return (double)(to_ns - from_ns) / (double)PYR_NS_PER_S;
}

static double own_time_s(const struct pyr_flow_input *of, size_t i) {
    return seconds_between(of->starts[i], of->ends[i]);
}

static bool runs_inside(const struct pyr_flow *flow, size_t i) {
    return flow->of.starts[i] < flow->to_ns && flow->of.ends[i] > flow->from_ns;
}

static bool is_sent_inside(const struct pyr_flow *flow, size_t i) {
    return flow->of.starts[i] >= flow->from_ns && flow->of.starts[i] < flow->to_ns;
}

bool pyr_flow_counts(const struct pyr_flow *flow, size_t i) {
    return flow->by_running ? runs_inside(flow, i) : is_sent_inside(flow, i);
}

static double time_inside_s(const struct pyr_flow *flow, size_t i) {
    if (!runs_inside(flow, i))
        return 0;
    uint64_t start = flow->of.starts[i], end = flow->of.ends[i];
    return seconds_between(start > flow->from_ns ? start : flow->from_ns,
                           end < flow->to_ns ? end : flow->to_ns);
}

/* --- the part of the window --------------------------------------------------------------------
 */

/* The requests sent inside the window, before the part is chosen. */
struct look {
    uint64_t sent, first_start_ns; /* the first of the whole flow */
    uint64_t last_start_ns;
    double mean_s, sd_s;
    bool ends_empty;
};

static struct look look_at(const struct pyr_flow *flow) {
    struct look look = {.first_start_ns = UINT64_MAX, .ends_empty = true};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < flow->of.n; i++) {
        uint64_t start_ns = flow->of.starts[i], end_ns = flow->of.ends[i];
        look.ends_empty &= !(start_ns < flow->to_ns && end_ns > flow->to_ns);
        if (start_ns < look.first_start_ns)
            look.first_start_ns = start_ns;
        if (!is_sent_inside(flow, i))
            continue;
        look.sent++;
        sum += own_time_s(&flow->of, i);
        squares += own_time_s(&flow->of, i) * own_time_s(&flow->of, i);
        if (start_ns > look.last_start_ns)
            look.last_start_ns = start_ns;
    }
    look.mean_s = look.sent ? sum / (double)look.sent : 0;
    look.sd_s =
        look.sent ? sqrt(fmax(squares / (double)look.sent - look.mean_s * look.mean_s, 0)) : 0;
    return look;
}

/* An open loop begins with nothing in flight and fills while the first requests run: by then nearly
 * all that it will hold is there. */
static void leave_out_the_filling(struct pyr_flow *flow, const struct look *look) {
    double window_s = seconds_between(flow->from_ns, flow->to_ns);
    if (look->mean_s * (double)look->sent < window_s)
        return; /* below one in flight there is nothing to fill */
    double fill_ns = (look->mean_s + 2 * look->sd_s) * (double)PYR_NS_PER_S;
    double filled_ns = (double)look->first_start_ns + fill_ns;
    uint64_t middle_ns = flow->from_ns + (flow->to_ns - flow->from_ns) / 2;
    flow->filling = filled_ns > (double)middle_ns;
    if (flow->filling)
        flow->from_ns = middle_ns;
    else if (filled_ns > (double)flow->from_ns)
        flow->from_ns = (uint64_t)filled_ns;
}

/* A closed loop that has run dry. Where too little of the window lies before the last request sent,
 * the mean time before that stands for it: it had the same load. */
static void leave_out_the_tail(struct pyr_flow *flow, const struct look *look) {
    double least_ns = look->mean_s * (double)PYR_NS_PER_S, last_ns = (double)look->last_start_ns;
    uint64_t from_ns = flow->from_ns;
    if (last_ns - (double)from_ns < least_ns / 2)
        from_ns = last_ns - least_ns > (double)look->first_start_ns ? (uint64_t)(last_ns - least_ns)
                                                                    : look->first_start_ns;
    flow->burst = last_ns - (double)from_ns < least_ns / 2;
    if (flow->burst)
        return;
    flow->from_ns = from_ns;
    flow->to_ns = look->last_start_ns + 1;
}

static void take_part(struct pyr_flow *flow) {
    const struct look look = look_at(flow);
    if (look.sent == 0)
        return;
    if (flow->of.open_loop) {
        leave_out_the_filling(flow, &look);
        return;
    }
    if (look.ends_empty)
        leave_out_the_tail(flow, &look);
}

static void add_own_times(struct pyr_flow *flow) {
    flow->sent = 0;
    flow->own_s = 0;
    for (size_t i = 0; i < flow->of.n; i++) {
        if (!pyr_flow_counts(flow, i))
            continue;
        flow->sent++;
        flow->own_s += own_time_s(&flow->of, i);
    }
}

/* --- batches -----------------------------------------------------------------------------------
 */

static void choose_batches(struct pyr_flow *flow) {
    double least_s = flow->mean_s * (flow->of.open_loop ? 2 : 1);
    double fitting = least_s > 0 ? flow->seconds / least_s : PYR_FLOW_BATCHES;
    flow->batches = fitting >= PYR_FLOW_BATCHES ? PYR_FLOW_BATCHES : (size_t)fitting;
    if (flow->batches < LEAST_BATCHES)
        flow->batches = LEAST_BATCHES;
    if (flow->batches > flow->sent)
        flow->batches = (size_t)flow->sent;
}

static size_t batch_at(const struct pyr_flow *flow, uint64_t time_ns) {
    if (time_ns <= flow->from_ns)
        return 0;
    double share = seconds_between(flow->from_ns, time_ns) / flow->seconds;
    size_t batch = (size_t)(share * (double)flow->batches);
    return batch < flow->batches ? batch : flow->batches - 1;
}

static void add_flight(struct pyr_flow *flow, size_t i) {
    double inside_s = time_inside_s(flow, i), batch_s = flow->seconds / (double)flow->batches;
    uint64_t start_ns = flow->of.starts[i];
    double at_s = start_ns > flow->from_ns ? seconds_between(flow->from_ns, start_ns) : 0;
    flow->flight_s += inside_s;
    for (size_t b = batch_at(flow, start_ns); b < flow->batches && inside_s > 0; b++) {
        double room_s = fmax((double)(b + 1) * batch_s - at_s, 0);
        double part_s = b + 1 < flow->batches ? fmin(inside_s, room_s) : inside_s;
        flow->batch_flight_s[b] += part_s;
        inside_s -= part_s;
        at_s += part_s;
    }
}

bool pyr_flow_of(struct pyr_flow *flow, const struct pyr_flow_input *input, uint64_t from_ns,
                 uint64_t to_ns) {
    assert(from_ns < to_ns);
    *flow = (struct pyr_flow){.of = *input, .from_ns = from_ns, .to_ns = to_ns};
    take_part(flow);
    add_own_times(flow);
    if (flow->sent == 0) {
        flow->by_running = true;
        add_own_times(flow);
    }
    if (flow->sent == 0)
        return false;
    flow->seconds = seconds_between(flow->from_ns, flow->to_ns);
    flow->mean_s = flow->own_s / (double)flow->sent;
    choose_batches(flow);
    for (size_t i = 0; i < flow->of.n; i++)
        add_flight(flow, i);
    flow->in_flight = flow->flight_s / flow->seconds;
    return true;
}

/* --- rates -------------------------------------------------------------------------------------
 */

/* Half of a 95 % interval of a sum, from the parts that it falls into. */
static double reach_of_sum(const double *parts, size_t count) {
    double mean = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        mean += parts[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (parts[i] - mean) * (parts[i] - mean);
    double variance = squares * (double)count / (double)(count - 1);
    return pyr_student_quantile(0.975, (double)count - 1) * sqrt(variance);
}

/* How far the amount of the part may be from its mean. Its first-order error is the sum of
 * scale (amount - per_second time) over the requests and of per_second x the time in flight. */
static double reach_of(const struct pyr_flow *flow, const double *amounts, double per_second,
                       double scale) {
    double one = per_second * flow->mean_s;
    double both[PYR_FLOW_BATCHES], sent[PYR_FLOW_BATCHES] = {0}, squares = 0;
    for (size_t b = 0; b < flow->batches; b++)
        both[b] = per_second * flow->batch_flight_s[b];
    for (size_t i = 0; i < flow->of.n; i++) {
        if (!pyr_flow_counts(flow, i))
            continue;
        size_t batch = batch_at(flow, flow->of.starts[i]);
        double off = scale * (amounts[i] - per_second * own_time_s(&flow->of, i));
        both[batch] += off;
        sent[batch] += scale * amounts[i];
        squares += off * off;
    }
    double reach = reach_of_sum(both, flow->batches), n = (double)flow->sent;
    if (flow->of.open_loop) /* an edge between two arrivals may lie anywhere */
        return fmax(fmax(reach, reach_of_sum(sent, flow->batches)), one);
    double one_by_one = pyr_student_quantile(0.975, n - 1) * sqrt(squares * n / (n - 1));
    return fmax(reach, one_by_one);
}

static const char *why_unbounded(const struct pyr_flow *flow) {
    return flow->sent < 2     ? "n<2"
           : flow->burst      ? "one burst: hardly a user was sent a second request"
           : flow->filling    ? "too short: an open loop that began empty had not filled by half"
           : flow->by_running ? "no request was sent inside the window"
                              : NULL;
}

struct pyr_estimate pyr_flow_rate(const struct pyr_flow *flow, const double *amounts) {
    double sum = 0;
    for (size_t i = 0; i < flow->of.n; i++)
        if (pyr_flow_counts(flow, i))
            sum += amounts[i];
    /* Requests that take no time have no edges to cross. */
    double scale = flow->own_s > 0 ? flow->flight_s / flow->own_s : 1;
    struct pyr_estimate rate = pyr_estimate_unknown(NULL);
    rate.value = scale * sum / flow->seconds;
    rate.reason = why_unbounded(flow);
    if (rate.reason)
        return rate;
    double per_second = flow->own_s > 0 ? sum / flow->own_s : 0;
    double reach = reach_of(flow, amounts, per_second, scale) / flow->seconds;
    rate.lo = fmax(rate.value - reach, 0);
    rate.hi = rate.value + reach;
    return rate;
}

struct pyr_estimate pyr_flow_littles_ratio(const struct pyr_flow *flow) {
    double shares = 0, squares = 0;
    size_t crossing = 0;
    if (!(flow->own_s > 0) || flow->by_running)
        return pyr_estimate_unknown(flow->by_running ? "no request was sent inside the window"
                                                     : "the requests took no time");
    for (size_t i = 0; i < flow->of.n; i++) {
        double inside_s = time_inside_s(flow, i), own_s = own_time_s(&flow->of, i);
        bool crosses = flow->of.starts[i] < flow->from_ns || flow->of.ends[i] > flow->to_ns;
        if (inside_s > 0) {
            shares += inside_s / own_s;
            crossing += crosses;
        }
        double size = own_s / flow->mean_s;
        if (pyr_flow_counts(flow, i))
            squares += size * (1 - size) * (1 - size) / (double)flow->sent;
    }
    if (!(shares > 0))
        return pyr_estimate_unknown("nothing was in flight");
    double ratio = flow->flight_s / (shares * flow->mean_s);
    /* An edge cuts a request in proportion to its length and anywhere, so that one counts by
     * U x (1 - length / mean) too little, U uniform. */
    double reach = 2 * ratio * sqrt((double)crossing * squares / 3) / shares;
    return (struct pyr_estimate){.value = ratio, .lo = fmax(ratio - reach, 0), .hi = ratio + reach};
}
