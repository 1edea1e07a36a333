/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "target/http_call.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

enum {
    OPENING_AT_ONCE = 128, /* below the listen queues of small servers */
    /* Opened after the connections: the loop, the keeper of stamps, two files that are read for
     * samples, the reports and the history, one at a time with its folder and its lock. */
    FILES_LATER = 12
};
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

/* Descriptors of this process; where /proc is missing, the three that each has. */
static unsigned count_open(void) {
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;
    if (!folder)
        return 3;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 3; /* ".", ".." and the folder itself */
}

bool pyr_http_raise_limit(const struct http_handle *handle, struct pyr_err *err) {
    struct rlimit files;
    unsigned open = count_open(), connections = handle->conn_count;
    rlim_t wanted = (rlim_t)open + FILES_LATER + connections;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return true;
    if (wanted <= files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        return true;
    }
    if (files.rlim_max <= open + FILES_LATER)
        return pyr_fail(err, PYR_E_USAGE,
                        "file descriptors: this process may have %llu, %u are open and %d more "
                        "are needed for files, which leaves none for a connection; raise ulimit "
                        "-Hn",
                        (unsigned long long)files.rlim_max, open, FILES_LATER);
    return pyr_fail(err, PYR_E_USAGE,
                    "file descriptors: %u connection%s need%s %llu with the %u that are open and "
                    "%d for files, and this process may have %llu; use --connections %llu or "
                    "raise ulimit -Hn",
                    connections, connections == 1 ? "" : "s", connections == 1 ? "s" : "",
                    (unsigned long long)wanted, open, FILES_LATER,
                    (unsigned long long)files.rlim_max,
                    (unsigned long long)(files.rlim_max - open - FILES_LATER));
}

static void settle_opening(struct http_conn *conn, bool *ready) {
    if (pyr_http_advance_conn(conn)) {
        pyr_http_place(conn, HTTP_IDLE);
        ready[conn->endpoint] = true;
    } else if (conn->conn.state == PYR_CONN_CLOSED) {
        pyr_http_place(conn, HTTP_CLOSED);
    }
}

static uint32_t count_opening(const struct http_handle *handle) {
    uint32_t count = 0;
    for (unsigned i = 0; i < handle->target->endpoint_count; i++)
        for (const struct http_conn *one = handle->lists[i][HTTP_OPENING].first; one;
             one = one->next)
            count++;
    return count;
}

/* Each endpoint must have one at least; the rest is tried again when there is need, and then
 * counted and shown. */
static bool settle_pool(struct http_handle *handle, const bool *ready, struct pyr_err *err) {
    bool tried[PYR_HTTP_ENDPOINTS_MAX] = {false};
    const char *why[PYR_HTTP_ENDPOINTS_MAX] = {NULL};
    for (uint32_t i = 0; i < handle->conn_count; i++) {
        struct http_conn *conn = &handle->conns[i];
        if (i >= handle->open_first) {
            pyr_http_place(conn, HTTP_CLOSED);
            continue;
        }
        tried[conn->endpoint] = true;
        if (conn->place == HTTP_IDLE)
            continue;
        if (conn->place == HTTP_CLOSED && conn->conn.why[0])
            why[conn->endpoint] = conn->conn.why;
        pyr_http_close_conn(conn, false, pyr_clock_real_ns() + AGAIN_NS);
    }
    for (unsigned i = 0; i < handle->target->endpoint_count; i++)
        if (tried[i] && !ready[i])
            return pyr_fail(err, PYR_E_IO, "%s: %s", handle->target->endpoints[i].text,
                            why[i] ? why[i] : "no connection was made in time");
    return true;
}

bool pyr_http_open_pool(struct http_handle *handle,
                        void (*idle)(struct http_conn *conn, uint32_t events),
                        struct pyr_err *err) {
    uint64_t deadline_ns = pyr_clock_real_ns() + handle->target->options.connect_timeout_ns;
    bool ready[PYR_HTTP_ENDPOINTS_MAX] = {false};
    uint32_t next = 0;
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
                settle_opening(conn, ready);
            else if (conn->place == HTTP_IDLE) /* TLS tickets, or its end */
                idle(conn, events[i].events);
        }
    }
    return settle_pool(handle, ready, err);
}
