/* SPDX-License-Identifier: MIT
 *
 * Target http, the measured path: connections, each with at most one request on it, and what
 * becomes of that request. All memory is taken by attach.
 */
#ifndef PYR_TARGET_HTTP_CALL_H
#define PYR_TARGET_HTTP_CALL_H

#include "codec/delta.h"
#include "codec/sse.h"
#include "net/conn.h"
#include "net/http_message.h"
#include "net/loop.h"
#include "target/http_options.h"

enum {
    PYR_HTTP_CACHE_LINE = 64,
    /* The longest event, error text or whole answer that is kept; reserved, not touched. */
    PYR_HTTP_HOLD_BYTES = 256 * 1024,
    PYR_HTTP_STAGING_BYTES = 16384,
    /* Events taken in one poll: at 4 to 8 us each, what a due request may have to wait. */
    PYR_HTTP_EVENTS = 8,
    PYR_HTTP_READY = 128, /* asked of the kernel at once */
    PYR_HTTP_ERROR_BYTES = 256,
    PYR_HTTP_CAPTURE_BYTES = 64 << 20 /* for texts that are kept; reserved, not touched */
};

/* Where a connection is while it has no slot. */
enum http_place { HTTP_BUSY, HTTP_IDLE, HTTP_CLOSED, HTTP_OPENING, HTTP_PLACES };

enum http_body { HTTP_BODY_UNKNOWN, HTTP_BODY_EVENTS, HTTP_BODY_WHOLE, HTTP_BODY_ERROR };

/* Thousands of connections lie in no near cache. So what the usual read needs (one chunk with one
 * event, known but for its text) stands in the first lines; the rest is touched by other reads. */
struct http_conn {
    struct pyr_conn conn;
    _Alignas(PYR_HTTP_CACHE_LINE) struct pyr_slot *slot; /* NULL: none */
    uint64_t last_read_ns, last_chunk_user_ns;
    struct pyr_text_sink sink;
    uint32_t ordinal;   /* of the slot's record */
    uint32_t unsettled; /* usual chunks that the slot's record does not count yet */
    struct http_handle *handle;
    bool between; /* the next byte begins a chunk, an event, and that is not the first with text */
    struct pyr_delta_layout layout;

    unsigned endpoint;
    enum http_place place;
    struct http_conn *previous, *next; /* in its place's list */
    int watched_fd;
    bool watched_write, used; /* used: has carried a request */
    bool was_idle;            /* when it was given its request */
    uint64_t written_before;  /* by the connection, when its request began */

    uint64_t deadline_ns; /* PYR_NEVER: not in the heap */
    uint32_t heap_place;

    bool sending;
    struct pyr_http_writer writer;
    size_t skip; /* bytes of the next filling that are sent already */

    struct pyr_http_response response;
    enum http_body body;
    struct pyr_sse sse;
    char *hold; /* (PYR_HTTP_HOLD_BYTES) */
    size_t hold_bytes;
    bool done, finished; /* [DONE] or the end of a whole answer; a finish_reason */
    uint64_t submitted_ns, done_ns, usage_tokens;
    uint8_t kinds;            /* enum pyr_request_kind */
    enum pyr_outcome failure; /* OK: none so far */
    char error_text[PYR_HTTP_ERROR_BYTES];

    /* Of the read that is being taken. */
    uint64_t user_ns, kernel_ns, best_ns;
    /* [0] what the user sees, [1] what he does not: reasoning, tool calls */
    uint32_t events, event_tokens[2], event_bytes[2];
    bool more_behind; /* something followed the last event with text */
};

struct http_list {
    struct http_conn *first, *last;
};

struct http_handle {
    struct pyr_target_handle base;
    struct http_target *target;
    struct pyr_clock clock;
    struct pyr_lane *lane;
    struct pyr_loop loop;
    struct pyr_conn_buffers buffers;
    struct pyr_stamp_clock stamp_clock;
    int stamp_keeper; /* keeps the kernel's stamps on while no connection is open */
    char *staging, *holds, *capture;
    size_t capture_used;
    bool looked;                              /* for readiness, since the last poll */
    struct epoll_event ready[PYR_HTTP_READY]; /* from ready_at to ready_count not yet handled */
    int ready_at, ready_count;
    struct http_conn *conns;
    uint32_t conn_count, open_first, max_in_flight, next_endpoint;
    struct http_list lists[PYR_HTTP_ENDPOINTS_MAX][HTTP_PLACES];
    struct http_conn **heap; /* (conn_count) by deadline */
    uint32_t heap_count;
    struct pyr_slot **waiting, **done; /* rings (max_in_flight) */
    char *error_texts;                 /* (max_in_flight) of the slots in `done` */
    uint32_t waiting_first, waiting_count, done_first, done_count;
};

/* --- http_pool.c: connections without a request ---------------------------------------------- */

void pyr_http_place(struct http_conn *conn, enum http_place place);
void pyr_http_set_deadline(struct http_conn *conn, uint64_t deadline_ns);
void pyr_http_watch(struct http_conn *conn);
/* The same, and what is ready now is told once more. */
void pyr_http_watch_anew(struct http_conn *conn);
/* Begins to connect; false with conn->conn.failure. */
bool pyr_http_open_conn(struct http_conn *conn, uint64_t now_ns);
/* Closes, and has it opened again soon when it has no slot. */
void pyr_http_close_conn(struct http_conn *conn, bool reset, uint64_t again_ns);
/* As many file descriptors as the connections need; false when this process may not have them. */
bool pyr_http_raise_limit(const struct http_handle *handle, struct pyr_err *err);
/* Opens all, within the time-out. `idle` is told what happens meanwhile on those that are open. */
bool pyr_http_open_pool(struct http_handle *handle,
                        void (*idle)(struct http_conn *conn, uint32_t events), struct pyr_err *err);
/* The best connection for one more request, or NULL when all are busy. */
struct http_conn *pyr_http_choose_conn(struct http_handle *handle);
/* Goes on with a set-up after its descriptor became ready; true once READY. False also on failure,
 * after which the state is CLOSED. Observes the connect time. */
bool pyr_http_advance_conn(struct http_conn *conn);

/* --- http_call.c: a request on a connection -------------------------------------------------- */

void pyr_http_start_request(struct http_conn *conn);
void pyr_http_on_event(struct http_conn *conn, uint32_t events);
void pyr_http_on_deadline(struct http_conn *conn, uint64_t now_ns);
void pyr_http_finish(struct http_conn *conn, enum pyr_outcome outcome, uint64_t now_ns);
/* Puts a slot whose record is complete where poll finds it. */
void pyr_http_give_back(struct http_handle *handle, struct pyr_slot *slot, const char *error_text);
/* A connection became free: the slot that waits longest gets it. */
void pyr_http_serve_waiting(struct http_handle *handle);
/* Gives the slot to the connection, in whatever state that is. */
void pyr_http_assign(struct http_conn *conn, struct pyr_slot *slot, uint64_t now_ns);
enum pyr_outcome pyr_http_outcome_of(enum pyr_conn_failure failure);

/* --- http_answer.c: what comes back ---------------------------------------------------------- */

/* Makes ready for an answer. */
void pyr_http_answer_begin(struct http_conn *conn);
/* Takes one read when it is as nearly all are: one whole chunk that holds one event with a further
 * text, at the end of the read. False: nothing was done. */
bool pyr_http_answer_take_usual(struct http_conn *conn, const struct pyr_read *read);
/* Brings the slot's record up to date with the usual reads. */
void pyr_http_answer_settle(struct http_conn *conn);
/* Takes one read. True when the answer is over; *clean when the connection may be used again. */
bool pyr_http_answer_take(struct http_conn *conn, const struct pyr_read *read, bool *clean);
bool pyr_http_answer_eof(struct http_conn *conn);
/* The outcome of an answer that is over; fills in error_text, of an ok one with what is wrong with
 * it all the same. */
enum pyr_outcome pyr_http_answer_outcome(struct http_conn *conn);
void pyr_http_fail(struct http_conn *conn, enum pyr_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
