/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "target/http_call.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

enum { OPENING_AT_ONCE = 128 }; /* below the listen queues of small servers */
/* After a failed attempt without a request: once a second finds a server that comes back, and is no
 * load on one that does not. */
#define AGAIN_NS PYR_NS_PER_S

void pyr_http_place(struct http_conn *conn, enum http_place place) {
    struct http_list *lists = conn->handle->lists[conn->endpoint];
    if (conn->place != HTTP_BUSY) {
        struct http_list *old = &lists[conn->place];
        *(conn->previous ? &conn->previous->next : &old->first) = conn->next;
        *(conn->next ? &conn->next->previous : &old->last) = conn->previous;
    }
    conn->place = place;
    conn->previous = conn->next = NULL;
    if (place == HTTP_BUSY)
        return;
    /* The last one in is the first one out: a server closes what idles longest. */
    struct http_list *list = &lists[place];
    conn->next = list->first;
    if (list->first)
        list->first->previous = conn;
    else
        list->last = conn;
    list->first = conn;
}

/* --- deadlines ------------------------------------------------------------------------------- */

static void put(struct http_handle *handle, uint32_t at, struct http_conn *conn) {
    handle->heap[at] = conn;
    conn->heap_place = at;
}

static void sift(struct http_handle *handle, uint32_t at) {
    struct http_conn *conn = handle->heap[at];
    while (at && handle->heap[(at - 1) / 2]->deadline_ns > conn->deadline_ns) {
        put(handle, at, handle->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < handle->heap_count &&
            handle->heap[child + 1]->deadline_ns < handle->heap[child]->deadline_ns)
            child++;
        if (child >= handle->heap_count || handle->heap[child]->deadline_ns >= conn->deadline_ns)
            break;
        put(handle, at, handle->heap[child]);
        at = child;
    }
    put(handle, at, conn);
}

void pyr_http_set_deadline(struct http_conn *conn, uint64_t deadline_ns) {
    struct http_handle *handle = conn->handle;
    bool was_in = conn->deadline_ns != PYR_NEVER;
    conn->deadline_ns = deadline_ns;
    if (deadline_ns != PYR_NEVER) {
        if (!was_in)
            put(handle, handle->heap_count++, conn);
        sift(handle, conn->heap_place);
    } else if (was_in) {
        struct http_conn *last = handle->heap[--handle->heap_count];
        if (last != conn) {
            put(handle, conn->heap_place, last);
            sift(handle, last->heap_place);
        }
    }
}

/* --- opening and closing --------------------------------------------------------------------- */

/* Edges: a level would have the kernel look at each descriptor once more after each read. */
static uint32_t wanted_events(const struct http_conn *conn) {
    return EPOLLET | EPOLLIN | EPOLLRDHUP | (conn->conn.wants_write ? EPOLLOUT : 0);
}

void pyr_http_watch_anew(struct http_conn *conn) {
    struct pyr_loop *loop = &conn->handle->loop;
    if (conn->conn.fd >= 0 && conn->watched_fd == conn->conn.fd)
        pyr_loop_change(loop, conn->conn.fd, wanted_events(conn), conn);
    else if (conn->conn.fd >= 0)
        pyr_loop_add(loop, conn->conn.fd, wanted_events(conn), conn);
    conn->watched_fd = conn->conn.fd;
    conn->watched_write = conn->conn.wants_write;
}

void pyr_http_watch(struct http_conn *conn) {
    if (conn->watched_fd != conn->conn.fd || conn->watched_write != conn->conn.wants_write)
        pyr_http_watch_anew(conn);
}

bool pyr_http_open_conn(struct http_conn *conn, uint64_t now_ns) {
    conn->used = false;
    conn->watched_fd = -1;
    bool started = pyr_conn_start(&conn->conn, now_ns);
    pyr_http_watch(conn);
    return started;
}

void pyr_http_close_conn(struct http_conn *conn, bool reset, uint64_t again_ns) {
    pyr_conn_close(&conn->conn, reset);
    conn->watched_fd = -1;
    if (conn->slot)
        return;
    pyr_http_place(conn, HTTP_CLOSED);
    pyr_http_set_deadline(conn, again_ns);
}

bool pyr_http_advance_conn(struct http_conn *conn) {
    struct http_handle *handle = conn->handle;
    if (!pyr_conn_advance(&conn->conn, &handle->buffers)) {
        conn->watched_fd = -1;
        return false;
    }
    /* The next address of the host may have the number of the descriptor just closed. */
    if (conn->conn.state == PYR_CONN_CONNECTING && conn->conn.fd == conn->watched_fd)
        conn->watched_fd = -1;
    /* Bytes that came behind the handshake's have had their edge: it is asked for again. */
    if (conn->conn.state != PYR_CONN_READY) {
        pyr_http_watch(conn);
        return false;
    }
    pyr_http_watch_anew(conn);
    if (handle->lane)
        pyr_lane_observe(handle->lane, PYR_M_CONNECT_TIME,
                         conn->slot ? conn->slot->record.case_index : PYR_NO_CASE, 0,
                         (double)(pyr_now_ns(&handle->clock) - conn->conn.started_ns));
    return true;
}

struct http_conn *pyr_http_choose_conn(struct http_handle *handle) {
    static const enum http_place order[] = {HTTP_IDLE, HTTP_OPENING, HTTP_CLOSED};
    unsigned count = handle->target->endpoint_count, from = handle->next_endpoint++;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        for (unsigned j = 0; j < count; j++) {
            struct http_conn *conn = handle->lists[(from + j) % count][order[i]].first;
            if (conn)
                return conn;
        }
    return NULL;
}

/* --- before the start ------------------------------------------------------------------------ */

bool pyr_http_raise_limit(const struct http_handle *handle, struct pyr_err *err) {
    struct rlimit files;
    /* Some for the run file, the samplers and what the process has open. */
    rlim_t wanted = (rlim_t)handle->conn_count + 64;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return true;
    if (wanted > files.rlim_max)
        return pyr_fail(err, PYR_E_USAGE,
                        "%u connections need more file descriptors than the %llu this process may "
                        "have; use fewer (connections=N) or raise ulimit -n",
                        handle->conn_count, (unsigned long long)files.rlim_max);
    files.rlim_cur = wanted;
    setrlimit(RLIMIT_NOFILE, &files);
    return true;
}

static void settle_opening(struct http_handle *handle, struct http_conn *conn, uint32_t *ready) {
    if (pyr_http_advance_conn(conn)) {
        pyr_http_place(conn, HTTP_IDLE);
        ++*ready;
    } else if (conn->conn.state == PYR_CONN_CLOSED) {
        pyr_http_place(conn, HTTP_CLOSED);
    }
    (void)handle;
}

static uint32_t count_opening(const struct http_handle *handle) {
    uint32_t count = 0;
    for (unsigned i = 0; i < handle->target->endpoint_count; i++)
        for (const struct http_conn *one = handle->lists[i][HTTP_OPENING].first; one;
             one = one->next)
            count++;
    return count;
}

bool pyr_http_open_pool(struct http_handle *handle, struct pyr_err *err) {
    uint64_t deadline_ns = pyr_clock_real_ns() + handle->target->options.connect_timeout_ns;
    uint32_t next = 0, ready = 0;
    const char *why = "no connection was made in time";
    for (;;) {
        while (next < handle->open_first && count_opening(handle) < OPENING_AT_ONCE) {
            struct http_conn *conn = &handle->conns[next++];
            bool started = pyr_http_open_conn(conn, pyr_clock_real_ns());
            pyr_http_place(conn, started ? HTTP_OPENING : HTTP_CLOSED);
        }
        uint64_t now_ns = pyr_clock_real_ns();
        if ((next == handle->open_first && count_opening(handle) == 0) || now_ns >= deadline_ns)
            break;
        struct epoll_event events[PYR_HTTP_EVENTS];
        int count = pyr_loop_wait(&handle->loop, events, PYR_HTTP_EVENTS, deadline_ns - now_ns);
        for (int i = 0; i < count; i++) {
            struct http_conn *conn = events[i].data.ptr;
            if (conn->place == HTTP_OPENING)
                settle_opening(handle, conn, &ready);
            else if (conn->place == HTTP_IDLE) /* TLS tickets, or its end */
                pyr_http_on_event(conn, events[i].events);
        }
    }
    for (uint32_t i = 0; i < handle->conn_count; i++) {
        struct http_conn *conn = &handle->conns[i];
        if (i >= handle->open_first) {
            pyr_http_place(conn, HTTP_CLOSED);
            continue;
        }
        if (conn->place == HTTP_CLOSED && conn->conn.why[0])
            why = conn->conn.why;
        /* The rest is tried again when there is need, and then counted and shown. */
        if (conn->place != HTTP_IDLE)
            pyr_http_close_conn(conn, false, pyr_clock_real_ns() + AGAIN_NS);
    }
    return ready > 0 || pyr_fail(err, PYR_E_IO, "%s: %s", handle->target->spec, why);
}
