/* SPDX-License-Identifier: MIT
 *
 * What comes back on a connection: bytes to HTTP to events to chunks in the lane.
 *
 * The time of a read is the kernel's stamp where there is one, else the clock after the read. It is
 * the time of the last segment: exact for an event that the read ends with and that is the only one
 * with text in it. Other chunks carry a bound, the time since the read before.
 */
#include "base/hash.h"
#include "base/parse.h"
#include "codec/escape.h"
#include "target/http_call.h"
#include "target/http_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void pyr_http_fail(struct http_conn *conn, enum pyr_outcome outcome, const char *format, ...) {
    if (conn->failure != PYR_OUTCOME_OK)
        return;
    conn->failure = outcome;
    va_list args;
    va_start(args, format);
    vsnprintf(conn->error_text, sizeof conn->error_text, format, args);
    va_end(args);
    pyr_http_words_mask(&conn->handle->target->options, conn->error_text);
    /* It may have been cut inside a character. */
    pyr_plain_text(conn->error_text, sizeof conn->error_text, conn->error_text,
                   strlen(conn->error_text));
}

/* The first bytes of what is not as it should be, on one line. */
static const char *excerpt(const char *bytes, size_t count, char *out, size_t size) {
    pyr_plain_text(out, size, bytes, count);
    return out;
}

/* --- events ---------------------------------------------------------------------------------- */

/* Tokens of an event with output: by the server's running count where it sends one, by the log
 * probabilities where they were asked for, else one for each choice. */
static uint32_t tokens_of(struct http_conn *conn, const struct pyr_delta *delta) {
    if (delta->usage && delta->usage_output_tokens > conn->usage_tokens) {
        uint64_t tokens = delta->usage_output_tokens - conn->usage_tokens;
        return (uint32_t)tokens;
    }
    if (delta->logprob_tokens)
        return delta->logprob_tokens;
    return delta->choice_texts ? delta->choice_texts : 1;
}

/* A count that cannot be is told once, and then none of this answer's is used. */
static void refuse_usage(struct http_conn *conn, const struct pyr_delta *delta) {
    char count[40];
    conn->slot->record.flags |= PYR_REQUEST_BAD_USAGE;
    if (conn->failure == PYR_OUTCOME_OK && !conn->error_text[0])
        snprintf(conn->error_text, sizeof conn->error_text,
                 "the server's usage cannot be: %s is %s; tokens are counted by events",
                 delta->bad_count_name,
                 excerpt(delta->bad_count, delta->bad_count_bytes, count, sizeof count));
}

/* Counts run upward: an event with zeros, before the last or behind it, takes nothing back. */
static void take_usage(struct http_conn *conn, const struct pyr_delta *delta) {
    struct pyr_request *record = &conn->slot->record;
    if (delta->usage) {
        record->flags |= PYR_REQUEST_USAGE;
        record->usage_ns = conn->best_ns;
    }
    if (delta->usage_prompt_tokens)
        record->usage_prompt_tokens = delta->usage_prompt_tokens;
    if (delta->usage_output_tokens > record->usage_output_tokens) {
        record->usage_output_tokens = delta->usage_output_tokens;
        conn->usage_tokens = delta->usage_output_tokens;
    }
    if (delta->usage_cached) {
        record->flags |= PYR_REQUEST_CACHED;
        record->usage_cached_tokens = delta->usage_cached_tokens;
    }
    if (delta->usage_reasoning) {
        record->flags |= PYR_REQUEST_REASONED;
        record->usage_reasoning_tokens = delta->usage_reasoning_tokens;
    }
    if (delta->bad_count)
        refuse_usage(conn, delta);
}

/* An answer whole in a stream that has held it in parts says nothing new. */
static bool is_repeated(const struct http_conn *conn, const struct pyr_delta *delta) {
    return delta->message && (conn->slot->record.first_content_ns || conn->events);
}

static void fail_by_event(struct http_conn *conn, const struct pyr_delta *delta) {
    char text[160];
    pyr_http_words_decoded(delta->error_text, delta->error_text_bytes, text, sizeof text);
    /* It works on short answers, so that the first request did not show it. */
    bool forced = conn->slot->exact_output &&
                  conn->handle->target->options.sends[PYR_HTTP_IGNORE_EOS] &&
                  (conn->slot->record.first_content_ns || conn->events);
    if (delta->failed && !delta->error)
        pyr_http_fail(conn, PYR_OUTCOME_STREAM_ERROR,
                      "the server gave the answer up (finish_reason %s)", text);
    else
        pyr_http_fail(conn, PYR_OUTCOME_STREAM_ERROR, "the stream holds an error: %s%s", text,
                      forced ? "; ignore_eos was sent (--field ignore_eos=off leaves it out)" : "");
}

static void take_delta(struct http_conn *conn, const struct pyr_delta *delta,
                       const struct pyr_text_sink *before) {
    if (delta->error || delta->failed) {
        fail_by_event(conn, delta);
        return;
    }
    uint32_t bytes = pyr_delta_output_bytes(delta);
    if (bytes && is_repeated(conn, delta)) {
        conn->sink = *before;
        bytes = 0;
    }
    if (bytes) {
        bool hidden = delta->content_bytes + delta->media_bytes == 0;
        conn->events++;
        conn->event_tokens[hidden] += tokens_of(conn, delta);
        conn->event_bytes[hidden] += bytes;
        conn->kinds |= delta->kinds;
        conn->more_behind = false;
    } else {
        conn->more_behind = true;
    }
    conn->finished |= delta->finished;
    if (delta->usage || delta->bad_count)
        take_usage(conn, delta);
}

/* Behind the end mark stands nothing that a client reads, but some send their counts there, and
 * some that the answer failed. */
static void take_late(struct http_conn *conn) {
    struct pyr_delta delta;
    struct pyr_text_sink sink = {.hash = PYR_FNV1A64_INIT};
    if (pyr_delta_read(&conn->layout, conn->sse.data, conn->sse.data_bytes, &delta, &sink) !=
        PYR_DELTA_JSON)
        return;
    if (delta.error || strcmp(conn->sse.name, "error") == 0)
        fail_by_event(conn, &delta);
    else if (delta.usage || delta.bad_count)
        take_usage(conn, &delta);
}

/* A sign of life whose data may be anything. */
static bool is_ping(const char *name) {
    return strcmp(name, "ping") == 0 || strncmp(name, "keep", 4) == 0 ||
           strcmp(name, "heartbeat") == 0;
}

static void take_event(struct http_conn *conn) {
    struct pyr_delta delta;
    char text[80];
    if (conn->failure != PYR_OUTCOME_OK)
        return;
    if (conn->done) {
        take_late(conn);
        return;
    }
    struct pyr_text_sink before = conn->sink;
    switch (
        pyr_delta_read(&conn->layout, conn->sse.data, conn->sse.data_bytes, &delta, &conn->sink)) {
    case PYR_DELTA_DONE:
        conn->done = true;
        conn->done_ns = conn->best_ns;
        conn->more_behind = true;
        return;
    case PYR_DELTA_EMPTY:
        conn->more_behind = true;
        return;
    case PYR_DELTA_BAD:
        conn->more_behind = true;
        if (strcmp(conn->sse.name, "error") == 0)
            pyr_http_fail(conn, PYR_OUTCOME_STREAM_ERROR, "the stream holds an error: %s",
                          excerpt(conn->sse.data, conn->sse.data_bytes, text, sizeof text));
        else if (!is_ping(conn->sse.name))
            pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL, "an event of the stream is not JSON: %s",
                          excerpt(conn->sse.data, conn->sse.data_bytes, text, sizeof text));
        return;
    case PYR_DELTA_JSON:
        if (strcmp(conn->sse.name, "error") == 0)
            delta.error = true;
        take_delta(conn, &delta, &before);
        return;
    }
}

static void take_events(struct http_conn *conn, const char *bytes, size_t count) {
    pyr_sse_feed(&conn->sse, bytes, count);
    enum pyr_sse_result result;
    while ((result = pyr_sse_next(&conn->sse)) == PYR_SSE_EVENT)
        take_event(conn);
    if (result == PYR_SSE_TOO_LONG)
        pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL, "an event of the stream is longer than %d KiB",
                      PYR_HTTP_HOLD_BYTES / 1024);
}

/* --- bodies ---------------------------------------------------------------------------------- */

static bool is_type(const struct http_conn *conn, const char *type) {
    return strncasecmp(conn->response.content_type, type, strlen(type)) == 0;
}

/* Decided at the first byte of the body, when the head is known. */
static enum http_body kind_of_body(const struct http_conn *conn) {
    unsigned status = conn->response.message.parser.status_code;
    if (status < 200 || status > 299)
        return HTTP_BODY_ERROR;
    if (pyr_http_response_packing(&conn->response))
        return HTTP_BODY_ERROR;
    if (!conn->handle->target->options.stream)
        return HTTP_BODY_WHOLE;
    return is_type(conn, "text/event-stream") || !conn->response.content_type[0] ? HTTP_BODY_EVENTS
                                                                                 : HTTP_BODY_ERROR;
}

static void take_body(void *user, const char *bytes, size_t count) {
    struct http_conn *conn = user;
    if (conn->body == HTTP_BODY_UNKNOWN) {
        conn->body = kind_of_body(conn);
        conn->slot->record.first_byte_ns = conn->best_ns;
    }
    if (conn->body == HTTP_BODY_EVENTS) {
        take_events(conn, bytes, count);
        return;
    }
    size_t room = PYR_HTTP_HOLD_BYTES - conn->hold_bytes, kept = count < room ? count : room;
    memcpy(conn->hold + conn->hold_bytes, bytes, kept);
    conn->hold_bytes += kept;
    if (kept < count)
        pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL, "the answer is longer than %d KiB",
                      PYR_HTTP_HOLD_BYTES / 1024);
}

void pyr_http_answer_begin(struct http_conn *conn) {
    struct pyr_slot *slot = conn->slot;
    pyr_http_response_init(&conn->response, take_body, conn);
    pyr_sse_init(&conn->sse, conn->hold, PYR_HTTP_HOLD_BYTES);
    conn->body = HTTP_BODY_UNKNOWN;
    conn->hold_bytes = 0;
    conn->sink = (struct pyr_text_sink){.hash = PYR_FNV1A64_INIT};
    if (slot->capture_text) {
        struct http_handle *handle = conn->handle;
        /* Tokens have a few bytes each; what is longer is cut. */
        size_t wanted = 4096 + (size_t)slot->output_tokens * 32;
        size_t left = PYR_HTTP_CAPTURE_BYTES - handle->capture_used;
        conn->sink.text = handle->capture + handle->capture_used;
        conn->sink.capacity = wanted < left ? wanted : left;
        handle->capture_used += conn->sink.capacity;
    }
    conn->done = conn->finished = conn->between = false;
    conn->unsettled = 0;
    conn->done_ns = conn->usage_tokens = 0;
    conn->kinds = 0;
    conn->failure = PYR_OUTCOME_OK;
    conn->error_text[0] = '\0';
}

/* --- reads ----------------------------------------------------------------------------------- */

static void record_chunk(struct http_conn *conn, bool hidden, uint64_t bound_ns) {
    struct pyr_request *record = &conn->slot->record;
    struct http_handle *handle = conn->handle;
    if (!conn->event_bytes[hidden])
        return;
    if (handle->lane)
        pyr_lane_content(handle->lane, record->ordinal, conn->last_chunk_user_ns, conn->user_ns,
                         conn->kernel_ns, bound_ns, conn->event_bytes[hidden],
                         conn->event_tokens[hidden], hidden);
    conn->last_chunk_user_ns = conn->user_ns;
    record->output_tokens += conn->event_tokens[hidden];
    record->chunks++;
    if (!record->first_content_ns)
        record->first_content_ns = conn->best_ns;
    if (!hidden && !record->first_output_ns)
        record->first_output_ns = conn->best_ns;
    record->last_content_ns = conn->best_ns;
}

static void record_read(struct http_conn *conn) {
    if (!conn->events)
        return;
    bool exact = conn->events == 1 && !conn->more_behind && !pyr_sse_is_within(&conn->sse);
    uint64_t bound_ns = exact ? 0 : conn->best_ns - conn->last_read_ns;
    record_chunk(conn, true, bound_ns);
    record_chunk(conn, false, bound_ns);
    conn->slot->record.events += conn->events;
    conn->slot->record.flags |= PYR_REQUEST_STREAMED;
}

/* The kernel's stamp, when it can be true; else 0. */
static uint64_t sound_stamp(const struct http_conn *conn, uint64_t kernel_ns, uint64_t user_ns) {
    if (!kernel_ns)
        return 0;
    /* The two clocks are compared once a second and to some tens of nanoseconds: a stamp that is
     * before what it follows by no more than such an error is moved there. One further off, or from
     * the future, means that the wall clock was set meanwhile. */
    if (kernel_ns < conn->last_read_ns && conn->last_read_ns - kernel_ns < PYR_NS_PER_MS)
        kernel_ns = conn->last_read_ns;
    return kernel_ns <= user_ns && kernel_ns >= conn->last_read_ns ? kernel_ns : 0;
}

static void begin_read(struct http_conn *conn, uint64_t kernel_ns) {
    pyr_http_answer_settle(conn);
    conn->user_ns = pyr_now_ns(&conn->handle->clock);
    conn->kernel_ns = sound_stamp(conn, kernel_ns, conn->user_ns);
    conn->best_ns = conn->kernel_ns ? conn->kernel_ns : conn->user_ns;
    conn->events = 0;
    conn->event_tokens[0] = conn->event_tokens[1] = 0;
    conn->event_bytes[0] = conn->event_bytes[1] = 0;
    conn->more_behind = false;
}

/* Whether the next byte begins a chunk and an event, and all that may come first in an answer has
 * come: its first text, and its first that is no reasoning. */
static bool is_between(const struct http_conn *conn, const struct pyr_read *read) {
    const struct pyr_request *record = &conn->slot->record;
    return conn->body == HTTP_BODY_EVENTS && !conn->done && record->first_content_ns &&
           (conn->layout.hidden || record->first_output_ns) && pyr_sse_is_between(&conn->sse) &&
           pyr_http_response_is_between_chunks(&conn->response, read->bytes + read->count);
}

bool pyr_http_answer_take(struct http_conn *conn, const struct pyr_read *read, bool *clean) {
    size_t taken = 0;
    *clean = false;
    begin_read(conn, read->kernel_ns);
    enum pyr_http_result result =
        pyr_http_response_feed(&conn->response, read->bytes, read->count, &taken);
    if (result == PYR_HTTP_WHOLE || read->behind)
        conn->more_behind = true;
    record_read(conn);
    conn->last_read_ns = conn->best_ns;
    conn->between = is_between(conn, read);
    if (result == PYR_HTTP_BAD) {
        char complaint[160];
        pyr_http_response_complaint(&conn->response, read->bytes, read->count, complaint,
                                    sizeof complaint);
        pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL, "the answer %s", complaint);
    }
    *clean = result == PYR_HTTP_WHOLE && taken == read->count && conn->response.keep_alive &&
             !pyr_conn_is_spent(&conn->conn) && !conn->handle->target->options.hangs_up;
    /* A body that ran past its limit or broke the rules is not read to its end. */
    return result != PYR_HTTP_MORE || conn->failure != PYR_OUTCOME_OK;
}

bool pyr_http_answer_eof(struct http_conn *conn) {
    begin_read(conn, 0);
    bool whole = pyr_http_response_eof(&conn->response) == PYR_HTTP_WHOLE;
    if (!whole && !conn->done)
        pyr_http_fail(conn, PYR_OUTCOME_RESET, "%s", conn->response.message.reason);
    return whole;
}

/* --- the usual read -------------------------------------------------------------------------- */

/* The data of a chunk that the bytes are, or NULL: its size in hexadecimal digits, CRLF, the data,
 * CRLF and no more. */
static const char *only_chunk(const char *bytes, size_t count, size_t *data_bytes) {
    size_t size = 0, at = 0;
    for (; at < 4 && at < count; at++) {
        unsigned char c = (unsigned char)bytes[at], letter = c | 0x20;
        if (c >= '0' && c <= '9')
            size = size << 4 | (size_t)(c - '0');
        else if (letter >= 'a' && letter <= 'f')
            size = size << 4 | (size_t)(letter - 'a' + 10);
        else
            break;
    }
    if (!size || count != at + 2 + size + 2 || memcmp(bytes + at, "\r\n", 2) != 0 ||
        memcmp(bytes + count - 2, "\r\n", 2) != 0)
        return NULL;
    *data_bytes = size;
    return bytes + at + 2;
}

/* The JSON of the event that the bytes are, or NULL: one line of data and a blank line. That there
 * is no line end within is for the caller to see. */
static const char *only_event(const char *bytes, size_t count, size_t *json_bytes) {
    static const char begin[] = "data: ";
    const size_t before = sizeof begin - 1;
    size_t behind = count >= 4 && memcmp(bytes + count - 4, "\r\n\r\n", 4) == 0 ? 4 : 2;
    if (count < before + behind || memcmp(bytes, begin, before) != 0 ||
        (behind == 2 && memcmp(bytes + count - 2, "\n\n", 2) != 0))
        return NULL;
    *json_bytes = count - before - behind;
    return bytes + before;
}

bool pyr_http_answer_take_usual(struct http_conn *conn, const struct pyr_read *read) {
    size_t data_bytes, json_bytes;
    uint32_t text_bytes;
    if (!conn->between || !conn->slot || read->behind)
        return false;
    const char *data = only_chunk(read->bytes, read->count, &data_bytes);
    const char *json = data ? only_event(data, data_bytes, &json_bytes) : NULL;
    if (!json || !pyr_delta_read_usual(&conn->layout, json, json_bytes, &conn->sink, &text_bytes))
        return false;
    struct http_handle *handle = conn->handle;
    uint64_t user_ns = pyr_now_ns(&handle->clock);
    uint64_t kernel_ns = sound_stamp(conn, read->kernel_ns, user_ns);
    if (handle->lane)
        pyr_lane_content(handle->lane, conn->ordinal, conn->last_chunk_user_ns, user_ns, kernel_ns,
                         0, text_bytes, 1, conn->layout.hidden);
    conn->last_chunk_user_ns = user_ns;
    conn->last_read_ns = kernel_ns ? kernel_ns : user_ns;
    conn->unsettled++;
    return true;
}

void pyr_http_answer_settle(struct http_conn *conn) {
    if (!conn->unsettled)
        return;
    struct pyr_request *record = &conn->slot->record;
    record->output_tokens += conn->unsettled;
    record->chunks += conn->unsettled;
    record->events += conn->unsettled;
    record->last_content_ns = conn->last_read_ns;
    conn->unsettled = 0;
}

/* --- the end --------------------------------------------------------------------------------- */

static enum pyr_outcome outcome_of_status(unsigned status) {
    if (status == 429 || status == 503)
        return PYR_OUTCOME_REJECTED;
    if (status / 100 == 3)
        return PYR_OUTCOME_HTTP_3XX;
    if (status / 100 == 4)
        return PYR_OUTCOME_HTTP_4XX;
    return status / 100 == 5 ? PYR_OUTCOME_HTTP_5XX : PYR_OUTCOME_PROTOCOL;
}

/* A server that asks for more than a day has another reason than load. */
enum { RETRY_AFTER_MAX_S = 86400 };

/* The server's own words about its refusal. */
static void words_of_refusal(const struct http_conn *conn, char *text, size_t size) {
    struct pyr_delta_layout layout = {0};
    struct pyr_text_sink sink = {.hash = PYR_FNV1A64_INIT};
    struct pyr_delta delta;
    unsigned status = conn->response.status;
    const struct pyr_http_options *options = &conn->handle->target->options;
    bool packed = pyr_http_response_packing(&conn->response);
    bool json = !packed && pyr_delta_read(&layout, conn->hold, conn->hold_bytes, &delta, &sink) ==
                               PYR_DELTA_JSON;
    text[0] = '\0';
    if (status / 100 == 3)
        pyr_http_words_redirect(conn->response.location, pyr_http_api_path(options->api), text,
                                size);
    else if (json && delta.error_text)
        pyr_http_words_decoded(delta.error_text, delta.error_text_bytes, text, size);
    else if (conn->hold_bytes && !packed)
        pyr_http_words_body(conn->hold, conn->hold_bytes, text, size);
    if (status == 401 || status == 403) {
        size_t used = strlen(text);
        char key[320];
        pyr_http_words_key(options, key, sizeof key);
        snprintf(text + used, size - used, "%s%.100s", used ? "; " : "", key);
    }
}

static void judge_status(struct http_conn *conn, unsigned status) {
    char text[240];
    words_of_refusal(conn, text, sizeof text);
    uint64_t pause_s;
    /* The other form, a date, is told and not heeded: the server's clock is not ours. */
    if (pyr_parse_u64(conn->response.retry_after, &pause_s, NULL) && pause_s <= RETRY_AFTER_MAX_S)
        conn->slot->retry_after_ns = pause_s * PYR_NS_PER_S;
    if (conn->response.retry_after[0])
        pyr_http_fail(conn, outcome_of_status(status), "HTTP %u, retry after %s: %s", status,
                      conn->response.retry_after, text);
    else
        pyr_http_fail(conn, outcome_of_status(status), "HTTP %u%s%s", status, text[0] ? ": " : "",
                      text);
}

/* Asked for events, got something else with status 200. */
static void judge_foreign(struct http_conn *conn) {
    char text[200];
    if (pyr_http_response_packing(&conn->response)) {
        pyr_http_words_packed(pyr_http_response_packing(&conn->response), text, sizeof text);
        pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL, "%s", text);
        return;
    }
    pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL, "not an event stream but %s%s: %s",
                  conn->response.content_type,
                  is_type(conn, "text/html") ? " (a proxy's page?)" : "",
                  excerpt(conn->hold, conn->hold_bytes, text, 100));
}

/* A whole JSON answer: one chunk at the last byte of its body. */
static void judge_whole(struct http_conn *conn) {
    struct pyr_delta delta;
    struct pyr_request *record = &conn->slot->record;
    char text[160];
    if (pyr_delta_read(&conn->layout, conn->hold, conn->hold_bytes, &delta, &conn->sink) !=
        PYR_DELTA_JSON) {
        pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL, "the answer is not JSON (%s): %s",
                      conn->response.content_type, excerpt(conn->hold, conn->hold_bytes, text, 80));
        return;
    }
    if (delta.error || delta.failed) {
        pyr_http_fail(
            conn, PYR_OUTCOME_ENGINE, "the answer is an error: %s",
            pyr_http_words_decoded(delta.error_text, delta.error_text_bytes, text, sizeof text));
        return;
    }
    if (!delta.choices && !delta.embedding) {
        pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL, "the answer holds no choices: %s",
                      excerpt(conn->hold, conn->hold_bytes, text, 80));
        return;
    }
    if (delta.usage || delta.bad_count)
        take_usage(conn, &delta);
    uint32_t bytes = pyr_delta_output_bytes(&delta);
    if (!bytes && !delta.embedding && !delta.finished) {
        pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL,
                      "the answer holds no output and no finish_reason: %s",
                      excerpt(conn->hold, conn->hold_bytes, text, 80));
        return;
    }
    conn->finished = true;
    conn->done = true;
    /* The server's count is the only one there is. */
    bool hidden = delta.content_bytes + delta.media_bytes == 0;
    conn->kinds = delta.kinds;
    conn->event_tokens[hidden] = delta.usage_output_tokens;
    conn->event_bytes[hidden] = bytes;
    record_chunk(conn, hidden, 0);
    record->last_content_ns = conn->best_ns;
}

static void judge_events(struct http_conn *conn) {
    struct pyr_request *record = &conn->slot->record;
    if (pyr_sse_finish(&conn->sse) == PYR_SSE_EVENT) {
        conn->events = 0;
        conn->event_tokens[0] = conn->event_tokens[1] = 0;
        conn->event_bytes[0] = conn->event_bytes[1] = 0;
        take_event(conn);
        record_read(conn);
    }
    if (conn->failure != PYR_OUTCOME_OK)
        return;
    if (!conn->done)
        record->flags |= PYR_REQUEST_NO_DONE;
    /* An end mark is no work: a proxy sends it for an engine that died. */
    if (!conn->finished && !record->first_content_ns)
        pyr_http_fail(conn, PYR_OUTCOME_PROTOCOL, "the stream ended without output%s",
                      conn->done ? " and without a finish_reason: [DONE] alone" : "");
}

enum pyr_outcome pyr_http_answer_outcome(struct http_conn *conn) {
    struct pyr_request *record = &conn->slot->record;
    unsigned status = conn->response.status;
    record->http_status = (uint16_t)status;
    if (conn->failure == PYR_OUTCOME_OK) {
        if (status < 200 || status > 299)
            judge_status(conn, status);
        else if (conn->body == HTTP_BODY_ERROR)
            judge_foreign(conn);
        else if (conn->handle->target->options.stream)
            judge_events(conn);
        else
            judge_whole(conn);
    }
    return conn->failure;
}
