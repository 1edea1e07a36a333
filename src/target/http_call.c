/* SPDX-License-Identifier: MIT */
#include "target/http_call.h"

#include "base/clock.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* From one connection, before the others have their turn: 1 MiB. */
enum { READS_AT_ONCE = 16 };
/* After [DONE] nothing of interest comes: a body that does not end then is cut off. */
#define DONE_GRACE_NS PYR_NS_PER_S

enum pyr_outcome pyr_http_outcome_of(enum pyr_conn_failure failure) {
    switch (failure) {
    case PYR_CONN_TIMEOUT:
        return PYR_OUTCOME_TIMEOUT_CONNECT;
    case PYR_CONN_RESET:
        return PYR_OUTCOME_RESET;
    case PYR_CONN_TLS:
        return PYR_OUTCOME_TLS;
    case PYR_CONN_LOCAL:
        return PYR_OUTCOME_LOCAL;
    case PYR_CONN_PROXY:
    case PYR_CONN_PROTOCOL:
        return PYR_OUTCOME_PROTOCOL;
    case PYR_CONN_OK:
    case PYR_CONN_REFUSED:
        break;
    }
    return PYR_OUTCOME_REFUSED;
}

/* --- deadlines ------------------------------------------------------------------------------- */

static uint64_t add(uint64_t at_ns, uint64_t limit_ns) {
    return at_ns == 0 || limit_ns == 0 || limit_ns > PYR_NEVER - at_ns ? PYR_NEVER
                                                                       : at_ns + limit_ns;
}

/* When something has to happen to the connection's request if nothing comes, and what. */
static uint64_t deadline_of(const struct http_conn *conn, enum pyr_outcome *outcome) {
    const struct pyr_slot *slot = conn->slot;
    const struct pyr_limits *limits = &slot->limits;
    const struct pyr_request *record = &slot->record;
    uint64_t limit_ns, deadline_ns = add(conn->submitted_ns, limits->total_ns);
    *outcome = PYR_OUTCOME_TIMEOUT_TOTAL;
    enum pyr_outcome other;
    if (conn->conn.state != PYR_CONN_READY) {
        limit_ns = add(conn->conn.started_ns, limits->connect_ns);
        other = PYR_OUTCOME_TIMEOUT_CONNECT;
    } else if (conn->done) {
        limit_ns = add(conn->done_ns, DONE_GRACE_NS);
        other = PYR_OUTCOME_OK;
    } else if (record->first_content_ns) {
        limit_ns = add(record->last_content_ns, limits->between_tokens_ns);
        other = PYR_OUTCOME_TIMEOUT_BETWEEN;
    } else {
        limit_ns = add(record->sent_ns, limits->first_token_ns);
        other = PYR_OUTCOME_TIMEOUT_FIRST;
    }
    if (limit_ns < deadline_ns) {
        deadline_ns = limit_ns;
        *outcome = other;
    }
    uint64_t cancel_ns = conn->done ? PYR_NEVER : add(record->sent_ns, slot->cancel_after_ns);
    if (slot->cancel_after_ns == 0 && record->sent_ns && !conn->done)
        cancel_ns = record->sent_ns;
    if (cancel_ns < deadline_ns) {
        deadline_ns = cancel_ns;
        *outcome = PYR_OUTCOME_CANCELLED;
    }
    return deadline_ns;
}

/* Deadlines mostly move away, token by token; the heap keeps the old one and asks again when that
 * comes. So only one that may have come nearer is put in. */
static void renew_deadline(struct http_conn *conn) {
    enum pyr_outcome outcome;
    pyr_http_answer_settle(conn);
    uint64_t deadline_ns = deadline_of(conn, &outcome);
    if (deadline_ns < conn->deadline_ns)
        pyr_http_set_deadline(conn, deadline_ns);
}

static void fail_late(struct http_conn *conn, enum pyr_outcome outcome) {
    const struct pyr_limits *limits = &conn->slot->limits;
    switch (outcome) {
    case PYR_OUTCOME_TIMEOUT_CONNECT:
        pyr_http_fail(conn, outcome, "no connection within %.3g s",
                      (double)limits->connect_ns / 1e9);
        return;
    case PYR_OUTCOME_TIMEOUT_FIRST:
        pyr_http_fail(conn, outcome, "no token within %.3g s",
                      (double)limits->first_token_ns / 1e9);
        return;
    case PYR_OUTCOME_TIMEOUT_BETWEEN:
        pyr_http_fail(conn, outcome, "no further token within %.3g s",
                      (double)limits->between_tokens_ns / 1e9);
        return;
    case PYR_OUTCOME_TIMEOUT_TOTAL:
        pyr_http_fail(conn, outcome, "not done within %.3g s", (double)limits->total_ns / 1e9);
        return;
    default:
        pyr_http_fail(conn, outcome, "cancelled as planned");
        return;
    }
}

void pyr_http_on_deadline(struct http_conn *conn, uint64_t now_ns) {
    pyr_http_set_deadline(conn, PYR_NEVER);
    if (!conn->slot) {
        if (conn->place != HTTP_CLOSED)
            return;
        bool started = pyr_http_open_conn(conn, now_ns);
        pyr_http_place(conn, started ? HTTP_OPENING : HTTP_CLOSED);
        if (!started)
            pyr_http_set_deadline(conn, now_ns + PYR_NS_PER_S);
        return;
    }
    enum pyr_outcome outcome;
    pyr_http_answer_settle(conn);
    uint64_t deadline_ns = deadline_of(conn, &outcome);
    if (deadline_ns > now_ns) {
        pyr_http_set_deadline(conn, deadline_ns);
        return;
    }
    if (outcome == PYR_OUTCOME_OK)
        outcome = pyr_http_answer_outcome(conn);
    else
        fail_late(conn, outcome);
    pyr_http_finish(conn, outcome, now_ns);
    pyr_http_close_conn(conn, true, now_ns);
    pyr_http_serve_waiting(conn->handle);
}

/* --- the end of a request -------------------------------------------------------------------- */

void pyr_http_finish(struct http_conn *conn, enum pyr_outcome outcome, uint64_t now_ns) {
    struct http_handle *handle = conn->handle;
    struct pyr_slot *slot = conn->slot;
    struct pyr_request *record = &slot->record;
    pyr_http_answer_settle(conn);
    record->outcome = (uint8_t)outcome;
    record->closed_ns = now_ns;
    record->output_bytes = conn->sink.bytes;
    record->text_hash = conn->sink.bytes ? conn->sink.hash : 0;
    record->kinds = conn->kinds;
    bool counted = record->flags & PYR_REQUEST_USAGE;
    record->prompt_tokens = counted && record->usage_prompt_tokens ? record->usage_prompt_tokens
                                                                   : slot->prompt.token_count;
    /* Zeros beside an output, of the prompt too, are no counts. */
    if (counted && conn->kinds && !record->usage_output_tokens && !record->usage_prompt_tokens)
        record->flags &= (uint16_t)~PYR_REQUEST_USAGE;
    uint32_t tokens = pyr_request_tokens(record);
    bool unknown = conn->kinds && !tokens; /* a whole answer without usage */
    if (outcome == PYR_OUTCOME_OK && tokens < slot->output_tokens && !unknown &&
        handle->target->options.api != PYR_HTTP_EMBEDDINGS)
        record->flags |= PYR_REQUEST_SHORT;
    slot->text = conn->sink.text;
    slot->text_bytes =
        conn->sink.bytes < conn->sink.capacity ? conn->sink.bytes : conn->sink.capacity;
    conn->slot = NULL;
    pyr_http_set_deadline(conn, PYR_NEVER);
    pyr_http_give_back(handle, slot, conn->error_text);
}

void pyr_http_give_back(struct http_handle *handle, struct pyr_slot *slot, const char *error_text) {
    uint32_t at = (handle->done_first + handle->done_count++) % handle->max_in_flight;
    handle->done[at] = slot;
    /* A copy: the connection may serve another request before this one is looked at. */
    char *copy = handle->error_texts + (size_t)at * PYR_HTTP_ERROR_BYTES;
    snprintf(copy, PYR_HTTP_ERROR_BYTES, "%s", error_text);
    bool ok = slot->record.outcome == PYR_OUTCOME_OK;
    slot->error_text = ok ? NULL : copy;
    slot->caution_text = ok && *copy ? copy : NULL;
}

static void finish_answer(struct http_conn *conn, bool clean) {
    uint64_t end_ns = conn->best_ns;
    pyr_http_finish(conn, pyr_http_answer_outcome(conn), end_ns);
    if (clean && !conn->sending)
        pyr_http_place(conn, HTTP_IDLE);
    else
        pyr_http_close_conn(conn, false, pyr_now_ns(&conn->handle->clock));
    pyr_http_serve_waiting(conn->handle);
}

/* A server may end an idle connection while a request is on its way. When it had ended it before
 * the first byte came, as the kernel knows by what was acknowledged (or when no byte went out),
 * nobody has begun the request: it goes out on a new connection, once, and says so by its flag.
 * True when it does. */
static bool send_anew(struct http_conn *conn, bool delivered) {
    struct pyr_slot *slot = conn->slot;
    if (!conn->was_idle || conn->response.message.head_bytes || conn->response.status || delivered)
        return false;
    uint64_t now_ns = pyr_now_ns(&conn->handle->clock);
    slot->record.sent_ns = 0;
    conn->slot = NULL;
    pyr_http_close_conn(conn, false, PYR_NEVER);
    pyr_http_assign(conn, slot, now_ns);
    return true;
}

/* The connection failed under its request, or could not be made. */
static void finish_broken(struct http_conn *conn) {
    if (conn->conn.failure == PYR_CONN_RESET &&
        send_anew(conn, conn->conn.written > conn->written_before))
        return;
    uint64_t now_ns = pyr_now_ns(&conn->handle->clock);
    enum pyr_outcome outcome = pyr_http_outcome_of(conn->conn.failure);
    if (conn->done)
        outcome = pyr_http_answer_outcome(conn);
    else if (conn->handle->target->endpoint_count > 1)
        pyr_http_fail(conn, outcome, "%.80s: %s", conn->conn.endpoint->text, conn->conn.why);
    else
        pyr_http_fail(conn, outcome, "%s", conn->conn.why);
    conn->slot->record.http_status = conn->response.status;
    pyr_http_finish(conn, conn->done ? outcome : conn->failure, now_ns);
    pyr_http_close_conn(conn, false, now_ns + PYR_NS_PER_S);
    pyr_http_serve_waiting(conn->handle);
}

static void on_readable(struct http_conn *conn, bool to_end);

/* A server that refuses a request may answer and close before it has read all of it: then the
 * answer, if it came, says why the rest could not be sent. */
static void finish_unsent(struct http_conn *conn) {
    struct pyr_slot *slot = conn->slot;
    if (conn->conn.failure == PYR_CONN_RESET)
        on_readable(conn, true);
    /* Not when it is on its way anew. */
    if (conn->slot == slot && slot && conn->conn.state == PYR_CONN_READY)
        finish_broken(conn);
}

/* --- sending --------------------------------------------------------------------------------- */

static void send_more(struct http_conn *conn) {
    struct http_handle *handle = conn->handle;
    struct pyr_request *record = &conn->slot->record;
    while (conn->sending) {
        struct pyr_http_writer before = conn->writer;
        size_t filled =
            pyr_http_writer_fill(&conn->writer, handle->staging, PYR_HTTP_STAGING_BYTES);
        bool last = pyr_http_writer_is_done(&conn->writer);
        size_t count = filled - conn->skip;
        record->sent_ns = pyr_now_ns(&handle->clock);
        ssize_t sent = pyr_conn_write(&conn->conn, handle->staging + conn->skip, count);
        if (sent < 0) {
            finish_unsent(conn);
            return;
        }
        if ((size_t)sent < count) {
            /* The socket is full: this piece is made again when there is room. */
            conn->writer = before;
            conn->skip += (size_t)sent;
            break;
        }
        conn->skip = 0;
        conn->sending = !last;
        /* TLS keeps what the socket did not take; no more is given to it before that is gone. */
        if (conn->conn.wants_write)
            break;
    }
    conn->last_read_ns = conn->last_chunk_user_ns = record->sent_ns;
    pyr_http_watch(conn);
    renew_deadline(conn);
}

void pyr_http_start_request(struct http_conn *conn) {
    pyr_http_writer_init(&conn->writer, conn->handle->target, conn->endpoint, conn->slot);
    conn->sending = true;
    conn->skip = 0;
    conn->used = true;
    conn->written_before = conn->conn.written;
    send_more(conn);
}

void pyr_http_assign(struct http_conn *conn, struct pyr_slot *slot, uint64_t now_ns) {
    bool idle = conn->place == HTTP_IDLE, closed = conn->place == HTTP_CLOSED;
    pyr_http_place(conn, HTTP_BUSY);
    pyr_http_set_deadline(conn, PYR_NEVER);
    conn->slot = slot;
    conn->ordinal = slot->record.ordinal;
    slot->target_data = conn;
    conn->submitted_ns = slot->record.dispatched_ns ? slot->record.dispatched_ns : now_ns;
    conn->last_read_ns = conn->last_chunk_user_ns = 0;
    conn->sending = false;
    conn->was_idle = idle;
    pyr_http_answer_begin(conn);
    if (idle) {
        pyr_http_start_request(conn);
        return;
    }
    slot->record.flags |= PYR_REQUEST_NEW_CONNECTION;
    if (closed && !pyr_http_open_conn(conn, now_ns))
        finish_broken(conn);
    else
        renew_deadline(conn);
}

void pyr_http_serve_waiting(struct http_handle *handle) {
    while (handle->waiting_count) {
        struct http_conn *conn = pyr_http_choose_conn(handle);
        if (!conn)
            return;
        struct pyr_slot *slot = handle->waiting[handle->waiting_first];
        handle->waiting_first = (handle->waiting_first + 1) % handle->max_in_flight;
        handle->waiting_count--;
        pyr_http_assign(conn, slot, pyr_now_ns(&handle->clock));
    }
}

/* --- readiness ------------------------------------------------------------------------------- */

static void on_setup(struct http_conn *conn) {
    if (pyr_http_advance_conn(conn)) {
        if (conn->slot)
            pyr_http_start_request(conn);
        else
            pyr_http_place(conn, HTTP_IDLE);
    } else if (conn->conn.state == PYR_CONN_CLOSED) {
        if (conn->slot)
            finish_broken(conn);
        else
            pyr_http_close_conn(conn, false, pyr_now_ns(&conn->handle->clock) + PYR_NS_PER_S);
    }
}

/* An idle connection was closed by its server. One that was of use is opened again at once. */
static void lose_idle(struct http_conn *conn) {
    uint64_t now_ns = pyr_now_ns(&conn->handle->clock);
    pyr_http_close_conn(conn, false, conn->used ? now_ns : now_ns + PYR_NS_PER_S);
}

/* With thousands of connections what a read touches is seldom in the cache. The kernel's part of
 * the read takes some microseconds: long enough to bring it there. */
static void warm(const struct http_conn *conn) {
    const struct pyr_delta_layout *layout = &conn->layout;
    const char *from = (const char *)&conn->slot,
               *to = layout->bytes + layout->prefix_bytes + layout->suffix_bytes;
    for (; from < to; from += PYR_HTTP_CACHE_LINE)
        __builtin_prefetch(from, 1);
}

static void take_read(struct http_conn *conn, const struct pyr_read *read) {
    bool clean = false;
    if (!conn->slot) /* nobody asked for this */
        lose_idle(conn);
    else if (pyr_http_answer_take(conn, read, &clean))
        finish_answer(conn, clean);
    else
        renew_deadline(conn);
}

static void on_eof(struct http_conn *conn) {
    if (!conn->slot) {
        lose_idle(conn);
        return;
    }
    if (send_anew(conn, pyr_conn_has_delivered(&conn->conn, conn->written_before)))
        return;
    pyr_http_answer_eof(conn);
    finish_answer(conn, false);
}

/* A read of HTTP/2 may have something to send: an acknowledgement, or the rest of a request that
 * had no window. */
static void after_frames(struct http_conn *conn) {
    if (!conn->conn.http2)
        return;
    if (conn->slot && conn->sending && !conn->conn.wants_write)
        send_more(conn);
    else
        pyr_http_watch(conn);
}

/* Readiness comes once: all there is is read. A read that did not fill its buffer has drained the
 * socket, but not seen its end: `to_end` goes on to that. */
static void on_readable(struct http_conn *conn, bool to_end) {
    struct http_handle *handle = conn->handle;
    warm(conn);
    for (int reads = 0; conn->conn.state == PYR_CONN_READY; reads++) {
        if (reads == READS_AT_ONCE) {
            pyr_http_watch_anew(conn);
            return;
        }
        struct pyr_read read = {0};
        switch (pyr_conn_read(&conn->conn, &handle->buffers, &handle->stamp_clock, &read)) {
        case PYR_IO_AGAIN:
            after_frames(conn);
            if (read.full)
                continue;
            return;
        case PYR_IO_DATA:
            if (!pyr_http_answer_take_usual(conn, &read))
                take_read(conn, &read);
            after_frames(conn);
            if (!read.full && !to_end)
                return;
            continue;
        case PYR_IO_EOF:
            on_eof(conn);
            return;
        case PYR_IO_FAILED:
            if (conn->slot)
                finish_broken(conn);
            else
                lose_idle(conn);
            return;
        }
    }
}

void pyr_http_on_event(struct http_conn *conn, uint32_t events) {
    if (conn->conn.fd < 0)
        return;
    if (conn->conn.state != PYR_CONN_READY) {
        on_setup(conn);
        return;
    }
    if ((events & EPOLLOUT) && conn->conn.wants_write) {
        if (!pyr_conn_flush(&conn->conn)) {
            if (conn->conn.failure != PYR_CONN_OK && conn->slot)
                finish_broken(conn);
            else if (conn->conn.failure != PYR_CONN_OK)
                lose_idle(conn);
        } else if (conn->slot && conn->sending) {
            conn->conn.wants_write = false;
            send_more(conn);
        } else {
            conn->conn.wants_write = false;
            pyr_http_watch(conn);
        }
    }
    if (conn->conn.fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        on_readable(conn, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}
