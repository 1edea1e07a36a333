/* SPDX-License-Identifier: MIT */
#include "stats/answers.h"

#include "base/buf.h"
#include "stats/window.h"

#include <math.h>

/* A stream of fewer events may well come in one piece. */
enum { EVENTS_OF_A_STREAM = 4 };
/* A server's count that differs by less says nothing of the two ways of counting. */
static const double told_from = 0.02;
static const double nearly_all = 0.9;

static const char *const kind_names[PYR_KIND_COUNT] = {
    "content", "reasoning", "tool calls", "refusals", "audio or images", "several choices"};

static bool is_measured(const struct pyr_case_data *data, const struct pyr_request *request) {
    return request->outcome == PYR_OUTCOME_OK && pyr_in_span(data->measured, request);
}

void pyr_answers_count(const struct pyr_case_data *data, struct pyr_case_result *result) {
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *request = &data->requests[i];
        if (!is_measured(data, request))
            continue;
        result->with_output += request->last_content_ns != 0;
        for (int kind = 0; kind < PYR_KIND_COUNT; kind++)
            result->kinds[kind] += request->kinds >> kind & 1;
    }
}

/* Only where it was not all content. */
static const char *what_came(const struct pyr_case_result *result, struct pyr_arena *arena) {
    uint64_t others = 0;
    for (int kind = 1; kind < PYR_KIND_COUNT; kind++)
        others += result->kinds[kind];
    if (!others)
        return NULL;
    struct pyr_buf text = {0};
    for (int kind = 0; kind < PYR_KIND_COUNT; kind++)
        if (result->kinds[kind] || kind == 0)
            pyr_buf_printf(&text, "%s%s in %llu", text.length ? ", " : "", kind_names[kind],
                           (unsigned long long)result->kinds[kind]);
    const char *kept = pyr_arena_printf(arena, "%llu answers held: %s",
                                        (unsigned long long)result->ok, pyr_buf_text(&text));
    pyr_buf_deinit(&text);
    return kept;
}

struct counts {
    uint64_t requests, own, usage, events;
    uint64_t refused; /* whose usage is none of their output */
    uint64_t streams, one_read;
};

static struct counts count(const struct pyr_case_data *data) {
    struct counts c = {0};
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        if (!is_measured(data, r))
            continue;
        if ((r->flags & PYR_REQUEST_STREAMED) && r->events >= EVENTS_OF_A_STREAM) {
            c.streams++;
            c.one_read += r->first_content_ns == r->last_content_ns;
        }
        bool counted = pyr_request_is_counted(r);
        c.refused += !counted && (r->flags & (PYR_REQUEST_USAGE | PYR_REQUEST_BAD_USAGE)) &&
                     r->output_tokens > 0;
        if (!counted || r->output_tokens == 0)
            continue;
        c.requests++;
        c.own += r->output_tokens;
        c.usage += pyr_request_streamed_tokens(r);
        c.events += r->events;
    }
    return c;
}

/* An end token is often counted and has no event: one more an answer is no mismatch. */
static const char *mismatch(const struct counts *c, struct pyr_arena *arena) {
    double ratio = c->own ? (double)c->usage / (double)c->own : 1;
    double apart = fabs((double)c->usage - (double)c->own);
    if (fabs(ratio - 1) < told_from || apart <= (double)c->requests)
        return NULL;
    if (ratio > 1)
        return pyr_arena_printf(
            arena,
            "usage mismatch: the server counts %llu tokens in %llu events, %.3g each (speculative "
            "decoding, or several tokens an event): tokens, TPOT and throughput are by its count, "
            "ITL and ICL are of events",
            (unsigned long long)c->usage, (unsigned long long)c->events,
            (double)c->usage / (double)c->events);
    return pyr_arena_printf(
        arena,
        "usage mismatch: the server counts %llu tokens where %llu events with output came (a token "
        "spread over several events): tokens, TPOT and throughput are by its count, ITL and ICL "
        "are of events",
        (unsigned long long)c->usage, (unsigned long long)c->own);
}

size_t pyr_answers_remark(const struct pyr_case_data *data, const struct pyr_case_result *result,
                          struct pyr_arena *arena, const char *out[PYR_ANSWER_REMARKS_MAX]) {
    size_t n = 0;
    struct counts c = count(data);
    if (result->ok && !result->with_output)
        out[n++] = "no answer held any output: nothing was measured but that the server answers";
    if (c.streams && (double)c.one_read >= nearly_all * (double)c.streams)
        out[n++] = pyr_arena_printf(
            arena,
            "%llu of %llu streams came in one read: the server or a proxy before it buffers them "
            "(nginx: proxy_buffering off), so that TTFT is the time of the whole answer and no "
            "time between tokens is known",
            (unsigned long long)c.one_read, (unsigned long long)c.streams);
    const char *text = mismatch(&c, arena);
    if (text)
        out[n++] = text;
    if (c.refused)
        out[n++] = pyr_arena_printf(
            arena,
            "the server's usage is not of the output in %llu of %llu answers: there our own "
            "count of events is used",
            (unsigned long long)c.refused, (unsigned long long)result->ok);
    text = what_came(result, arena);
    if (text)
        out[n++] = text;
    return n;
}
