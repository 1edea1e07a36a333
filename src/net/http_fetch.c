/* SPDX-License-Identifier: MIT */
#include "net/http_fetch.h"

#include "base/mem.h"
#include "net/http_message.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

struct fetching {
    const struct pyr_endpoint *endpoint;
    struct pyr_conn conn;
    struct pyr_conn_buffers buffers;
    struct pyr_http_response response;
    struct pyr_fetched *fetched;
    uint64_t deadline_ns, timeout_ns;
    uint64_t connect_deadline_ns, connect_timeout_ns;
    size_t answer_max;
    bool too_long;
};

void pyr_request_target(const struct pyr_endpoint *endpoint, const char *path, char *target,
                        size_t size) {
    bool whole = endpoint->proxied && !endpoint->url.tls;
    snprintf(target, size, "%s%s%s", whole ? "http://" : "", whole ? endpoint->authority : "",
             path);
}

static void take_body(void *user, const char *bytes, size_t count) {
    struct fetching *fetching = user;
    if (fetching->fetched->body.length + count > fetching->answer_max)
        fetching->too_long = true;
    else
        pyr_buf_append(&fetching->fetched->body, bytes, count);
}

/* What did not come in time. */
static const char *missing(const struct fetching *fetching) {
    switch (fetching->conn.state) {
    case PYR_CONN_CLOSED:
    case PYR_CONN_CONNECTING:
        return "no connection";
    case PYR_CONN_TUNNEL:
        return "no tunnel through the proxy";
    case PYR_CONN_HANDSHAKE:
        return "no end of the TLS handshake";
    case PYR_CONN_READY:
        break;
    }
    return fetching->response.message.head_done ? "the answer did not end" : "no answer";
}

/* Waits until the connection can go on; false when the time is over. */
static bool wait_for(struct fetching *fetching, struct pyr_err *err) {
    uint64_t now_ns = pyr_clock_real_ns(), deadline_ns = fetching->deadline_ns,
             timeout_ns = fetching->timeout_ns;
    if (fetching->conn.state != PYR_CONN_READY && fetching->connect_deadline_ns < deadline_ns) {
        deadline_ns = fetching->connect_deadline_ns;
        timeout_ns = fetching->connect_timeout_ns;
    }
    if (now_ns < deadline_ns) {
        struct pollfd pollfd = {.fd = fetching->conn.fd,
                                .events = POLLIN | (fetching->conn.wants_write ? POLLOUT : 0)};
        uint64_t left_ns = deadline_ns - now_ns;
        struct timespec timeout = {.tv_sec = (time_t)(left_ns / PYR_NS_PER_S),
                                   .tv_nsec = (long)(left_ns % PYR_NS_PER_S)};
        if (ppoll(&pollfd, 1, &timeout, NULL) > 0)
            return true;
        if (pyr_clock_real_ns() < deadline_ns) {
            fetching->fetched->failure = PYR_CONN_LOCAL;
            return pyr_fail(err, PYR_E_INTERRUPTED, "%s: ended by a signal",
                            fetching->endpoint->text);
        }
    }
    fetching->fetched->failure = PYR_CONN_TIMEOUT;
    return pyr_fail(err, PYR_E_IO, "%s: %s within %.3g s", fetching->endpoint->text,
                    missing(fetching), (double)timeout_ns / 1e9);
}

static bool conn_fail(struct fetching *fetching, struct pyr_err *err) {
    fetching->fetched->failure = fetching->conn.failure;
    return pyr_fail(err, PYR_E_IO, "%s: %s", fetching->endpoint->text, fetching->conn.why);
}

/* read NULL: it was cut off, which is no fault of its form. */
static bool bad_answer(struct fetching *fetching, const struct pyr_read *read,
                       struct pyr_err *err) {
    char complaint[160];
    if (!read) {
        fetching->fetched->failure = PYR_CONN_RESET;
        return pyr_fail(err, PYR_E_IO, "%s: %s", fetching->endpoint->text,
                        fetching->response.message.reason);
    }
    pyr_http_response_complaint(&fetching->response, read->bytes, read->count, complaint,
                                sizeof complaint);
    return pyr_fail(err, PYR_E_INPUT, "%s: the answer %s", fetching->endpoint->text, complaint);
}

static bool take_read(struct fetching *fetching, enum pyr_http_result *result,
                      struct pyr_err *err) {
    struct pyr_stamp_clock clock = {0};
    struct pyr_read read = {0};
    enum pyr_io io;
    size_t taken;
    do {
        io = pyr_conn_read(&fetching->conn, &fetching->buffers, &clock, &read);
        if (io == PYR_IO_FAILED)
            return conn_fail(fetching, err);
        if (io == PYR_IO_DATA)
            *result = pyr_http_response_feed(&fetching->response, read.bytes, read.count, &taken);
        else if (io == PYR_IO_EOF)
            *result = pyr_http_response_eof(&fetching->response);
        if (fetching->too_long)
            return pyr_fail(err, PYR_E_INPUT, "%s: the answer is longer than %zu bytes",
                            fetching->endpoint->text, fetching->answer_max);
        if (*result == PYR_HTTP_BAD)
            return bad_answer(fetching, io == PYR_IO_EOF ? NULL : &read, err);
        /* The end of TLS or HTTP/2 is told by a read, not by the socket. */
    } while (io == PYR_IO_DATA && *result == PYR_HTTP_MORE && read.full);
    return true;
}

/* A server that refuses may say why and close before it has read the request. */
static bool read_last_words(struct fetching *fetching, struct pyr_err *err) {
    enum pyr_http_result result = PYR_HTTP_MORE;
    if (fetching->conn.failure == PYR_CONN_RESET && !take_read(fetching, &result, err))
        return false;
    return result == PYR_HTTP_WHOLE || conn_fail(fetching, err);
}

static bool connect_and_send(struct fetching *fetching, const char *request, size_t bytes,
                             struct pyr_err *err) {
    struct pyr_conn *conn = &fetching->conn;
    if (!pyr_conn_start(conn, pyr_clock_real_ns()))
        return conn_fail(fetching, err);
    while (conn->state != PYR_CONN_READY) {
        if (!wait_for(fetching, err))
            return false;
        if (!pyr_conn_advance(conn, &fetching->buffers))
            return conn_fail(fetching, err);
    }
    enum pyr_http_result result = PYR_HTTP_MORE;
    while (bytes && result == PYR_HTTP_MORE) {
        ssize_t sent = pyr_conn_write(conn, request, bytes);
        if (sent < 0)
            return read_last_words(fetching, err);
        request += sent;
        bytes -= (size_t)sent;
        if (!bytes)
            break;
        if (!wait_for(fetching, err))
            return false;
        /* HTTP/2 may wait for window, which is read; or the answer comes early. */
        if (conn->http2 && !take_read(fetching, &result, err))
            return false;
    }
    return true;
}

static bool receive(struct fetching *fetching, struct pyr_err *err) {
    enum pyr_http_result result = PYR_HTTP_MORE;
    if (fetching->response.message.whole)
        return true;
    for (;;) {
        if (fetching->conn.wants_write && !pyr_conn_flush(&fetching->conn) &&
            fetching->conn.failure != PYR_CONN_OK)
            return conn_fail(fetching, err);
        if (!wait_for(fetching, err))
            return false;
        if (!take_read(fetching, &result, err))
            return false;
        if (result == PYR_HTTP_WHOLE)
            return true;
    }
}

/* After a whole answer that promised to keep the connection: does the server close it? */
static bool hangs_up(struct fetching *fetching, uint64_t linger_ns) {
    struct pyr_stamp_clock clock = {0};
    struct pyr_read read;
    if (!linger_ns || !fetching->response.keep_alive)
        return false;
    fetching->deadline_ns = pyr_clock_real_ns() + linger_ns;
    enum pyr_io io = PYR_IO_AGAIN;
    while (io == PYR_IO_AGAIN && wait_for(fetching, NULL))
        io = pyr_conn_read(&fetching->conn, &fetching->buffers, &clock, &read);
    fetching->fetched->failure = PYR_CONN_OK;
    return io == PYR_IO_EOF || io == PYR_IO_FAILED;
}

const char *pyr_plain_proxy_line(const struct pyr_endpoint *endpoint) {
    return endpoint->proxied && !endpoint->url.tls ? endpoint->proxy_authorization : "";
}

bool pyr_http_fetch(const struct pyr_endpoint *endpoint, const struct pyr_fetch *fetch,
                    struct pyr_fetched *fetched, struct pyr_err *err) {
    struct fetching *fetching = pyr_xcalloc(1, sizeof *fetching);
    char *memory = pyr_xcalloc(1, PYR_CONN_READ_BYTES + PYR_CONN_PLAIN_BYTES + PYR_CONN_TEXT_BYTES);
    *fetched = (struct pyr_fetched){0};
    fetching->endpoint = endpoint;
    fetching->fetched = fetched;
    fetching->buffers = (struct pyr_conn_buffers){
        memory, memory + PYR_CONN_READ_BYTES, memory + PYR_CONN_READ_BYTES + PYR_CONN_PLAIN_BYTES};
    fetching->answer_max = fetch->answer_max ? fetch->answer_max : (size_t)4 << 20;
    fetching->timeout_ns = fetch->timeout_ns ? fetch->timeout_ns : PYR_FETCH_TIMEOUT_NS;
    fetching->deadline_ns = pyr_clock_real_ns() + fetching->timeout_ns;
    fetching->connect_timeout_ns = fetch->connect_timeout_ns;
    fetching->connect_deadline_ns =
        fetch->connect_timeout_ns ? pyr_clock_real_ns() + fetch->connect_timeout_ns : UINT64_MAX;
    pyr_conn_init(&fetching->conn, endpoint);
    pyr_http_response_init(&fetching->response, take_body, fetching);

    struct pyr_buf request = {0};
    char target[1024];
    pyr_request_target(endpoint, fetch->path, target, sizeof target);
    pyr_buf_printf(
        &request,
        "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\nAccept-Encoding: identity\r\n%s%s",
        fetch->method ? fetch->method
        : fetch->body ? "POST"
                      : "GET",
        target, endpoint->authority, fetch->linger_ns ? "keep-alive" : "close",
        pyr_plain_proxy_line(endpoint), fetch->headers ? fetch->headers : "");
    if (fetch->body)
        pyr_buf_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                       fetch->body_bytes);
    pyr_buf_puts(&request, "\r\n");
    if (fetch->body)
        pyr_buf_append(&request, fetch->body, fetch->body_bytes);

    bool good =
        connect_and_send(fetching, request.data, request.length, err) && receive(fetching, err);
    fetched->hung_up = good && hangs_up(fetching, fetch->linger_ns);
    fetched->status = fetching->response.status;
    memcpy(fetched->content_type, fetching->response.content_type, sizeof fetched->content_type);
    memcpy(fetched->server, fetching->response.server, sizeof fetched->server);
    memcpy(fetched->location, fetching->response.location, sizeof fetched->location);
    if (pyr_http_response_packing(&fetching->response))
        memcpy(fetched->content_encoding, fetching->response.content_encoding,
               sizeof fetched->content_encoding);
    fetched->http2 = fetching->conn.http2 != NULL;
    pyr_conn_close(&fetching->conn, false);
    pyr_buf_deinit(&request);
    pyr_free(memory);
    pyr_free(fetching);
    return good;
}
