/* SPDX-License-Identifier: MIT */
#include "stats/request_metrics.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* Two stamps' difference; unknown while either is, or when they are out of order (which would be
 * broken code in a target and must not become a huge number). */
static double between(uint64_t from_ns, uint64_t to_ns) {
    if (from_ns == 0 || to_ns == 0 || to_ns < from_ns)
        return NAN;
    return (double)(to_ns - from_ns);
}

static double ttft_sched(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return between(r->scheduled_ns, r->first_content_ns);
}

static double ttft_sent(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return between(r->sent_ns, r->first_content_ns);
}

static double ttfb(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return between(r->sent_ns, r->first_byte_ns);
}

static double ttfo(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return between(r->scheduled_ns, r->first_output_ns);
}

static double tpot(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    /* A single chunk with all tokens says nothing about the time between them. */
    uint32_t tokens = pyr_request_streamed_tokens(r);
    if (tokens < 2 || r->chunks < 2)
        return NAN;
    return between(r->first_content_ns, r->last_content_ns) / (tokens - 1);
}

static double latency_sched(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return between(r->scheduled_ns, r->last_content_ns);
}

static double latency_sent(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return between(r->sent_ns, r->last_content_ns);
}

static double queue_time(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return between(r->dispatched_ns, r->admitted_ns);
}

static double service_time(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return between(r->admitted_ns, r->last_content_ns);
}

static double own_queue_time(const struct pyr_request *r, const struct pyr_case *plan) {
    /* Only an open loop with a cap can make a scheduled request wait for us. */
    return plan->open_loop && plan->concurrency ? between(r->scheduled_ns, r->dispatched_ns)
                                                : (double)NAN;
}

static double prefill_rate(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    double ns = between(r->admitted_ns, r->prefilled_ns);
    return ns > 0 && r->prompt_tokens > 0 ? r->prompt_tokens / (ns * 1e-9) : (double)NAN;
}

static double decode_rate(const struct pyr_request *r, const struct pyr_case *plan) {
    double ns = tpot(r, plan);
    return ns > 0 ? 1e9 / ns : (double)NAN;
}

static double prompt_tokens(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return r->prompt_tokens > 0 ? r->prompt_tokens : (double)NAN;
}

static double output_tokens(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    return pyr_request_tokens(r);
}

static double tokens_per_event(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    if (!pyr_request_is_counted(r) || r->events == 0)
        return NAN;
    return (double)pyr_request_streamed_tokens(r) / r->events;
}

static double cached_share(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    bool known = (r->flags & PYR_REQUEST_CACHED) && r->usage_prompt_tokens > 0 &&
                 r->usage_cached_tokens <= r->usage_prompt_tokens;
    return known ? (double)r->usage_cached_tokens / r->usage_prompt_tokens : (double)NAN;
}

static double reasoning_share(const struct pyr_request *r, const struct pyr_case *plan) {
    (void)plan;
    bool known = (r->flags & PYR_REQUEST_REASONED) && pyr_request_is_counted(r) &&
                 r->usage_reasoning_tokens <= r->usage_output_tokens;
    return known ? (double)r->usage_reasoning_tokens / r->usage_output_tokens : (double)NAN;
}

static double pacing_lateness(const struct pyr_request *r, const struct pyr_case *plan) {
    if (!plan->open_loop || (r->flags & PYR_REQUEST_WAITED))
        return NAN;
    return between(r->scheduled_ns, r->dispatched_ns);
}

const struct pyr_request_metric pyr_request_metrics[] = {
    {PYR_M_TTFT_SCHED, true, true, true, true, ttft_sched},
    {PYR_M_TTFT_SENT, true, true, true, true, ttft_sent},
    {PYR_M_TTFB, true, true, false, false, ttfb},
    {PYR_M_TTFO, true, true, false, true, ttfo},
    {PYR_M_TPOT, false, true, false, true, tpot},
    {PYR_M_LATENCY_SCHED, true, true, true, true, latency_sched},
    {PYR_M_LATENCY_SENT, true, true, true, true, latency_sent},
    {PYR_M_QUEUE_TIME, true, true, false, false, queue_time},
    {PYR_M_SERVICE_TIME, true, true, false, false, service_time},
    {PYR_M_OWN_QUEUE_TIME, true, true, false, false, own_queue_time},
    {PYR_M_PREFILL_RATE, false, true, false, false, prefill_rate},
    {PYR_M_DECODE_RATE, false, true, false, false, decode_rate},
    {PYR_M_PROMPT_TOKENS, true, true, false, false, prompt_tokens},
    {PYR_M_OUTPUT_TOKENS, true, true, false, false, output_tokens},
    {PYR_M_TOKENS_PER_EVENT, false, true, false, false, tokens_per_event},
    {PYR_M_CACHED_SHARE, false, true, false, false, cached_share},
    {PYR_M_REASONING_SHARE, false, true, false, false, reasoning_share},
    {PYR_M_PACING_LATENESS, true, false, false, false, pacing_lateness},
};

const int pyr_request_metric_count = sizeof pyr_request_metrics / sizeof *pyr_request_metrics;

const struct pyr_request_metric *pyr_request_metric_find(enum pyr_metric metric) {
    for (int i = 0; i < pyr_request_metric_count; i++)
        if (pyr_request_metrics[i].metric == metric)
            return &pyr_request_metrics[i];
    return NULL;
}
