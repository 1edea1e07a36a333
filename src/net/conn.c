/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void pyr_stamp_clock_measure(struct pyr_stamp_clock *clock) {
    uint64_t narrowest = UINT64_MAX;
    /* The pair read closest together wins: an interrupt between the two would be an error. */
    for (int i = 0; i < 5; i++) {
        struct timespec real;
        uint64_t before = pyr_clock_real_ns();
        clock_gettime(CLOCK_REALTIME, &real);
        uint64_t after = pyr_clock_real_ns();
        if (after - before >= narrowest)
            continue;
        narrowest = after - before;
        clock->realtime_minus_monotonic_ns = (int64_t)real.tv_sec * (int64_t)PYR_NS_PER_S +
                                             real.tv_nsec -
                                             (int64_t)(before + (after - before) / 2);
        clock->measured_ns = after;
    }
}

int pyr_stamps_keep(void) {
    int on = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    return fd;
}

void pyr_conn_init(struct pyr_conn *conn, const struct pyr_endpoint *endpoint) {
    *conn = (struct pyr_conn){.endpoint = endpoint, .fd = -1};
}

static bool fail(struct pyr_conn *conn, enum pyr_conn_failure failure, const char *why) {
    conn->failure = failure;
    snprintf(conn->why, sizeof conn->why, "%s", why);
    return false;
}

static bool fail_errno(struct pyr_conn *conn, int error) {
    switch (error) {
    case ETIMEDOUT:
        return fail(conn, PYR_CONN_TIMEOUT, "connecting took longer than the kernel waits");
    case EMFILE:
    case ENFILE:
        return fail(conn, PYR_CONN_LOCAL, "no file descriptor is left here; raise ulimit -n");
    case EADDRNOTAVAIL:
        return fail(conn, PYR_CONN_LOCAL,
                    "no local port is left for this server; use fewer connections, or wait for "
                    "old ones to be forgotten (a minute)");
    case EACCES:
    case EPERM:
        return fail(conn, PYR_CONN_LOCAL,
                    conn->endpoint->url.unix_socket
                        ? "Permission denied; this user may not write to the socket"
                        : "Permission denied; a firewall rule of this machine forbids it");
    case ENOENT:
        return fail(conn, PYR_CONN_REFUSED, "there is no such socket");
    case ENOBUFS:
    case ENOMEM:
        return fail(conn, PYR_CONN_LOCAL, "no memory is left here for a socket");
    case ECONNRESET:
    case EPIPE:
        return fail(conn, PYR_CONN_RESET, "the connection was reset");
    default:
        return fail(conn, conn->state == PYR_CONN_READY ? PYR_CONN_RESET : PYR_CONN_REFUSED,
                    strerror(error));
    }
}

static bool connect_to(struct pyr_conn *conn) {
    const struct pyr_endpoint *endpoint = conn->endpoint;
    const struct sockaddr *address =
        (const struct sockaddr *)&endpoint->addresses[conn->address].address;
    conn->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        return fail_errno(conn, errno);
    conn->stamps = false;
    if (address->sa_family != AF_UNIX) {
        int on = 1;
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        conn->stamps = setsockopt(conn->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
    }
    conn->state = PYR_CONN_CONNECTING;
    if (connect(conn->fd, address, endpoint->addresses[conn->address].bytes) != 0 &&
        errno != EINPROGRESS)
        return fail_errno(conn, errno);
    return true;
}

/* The next address of the host, after one failed; the last failure stands. */
static bool connect_next(struct pyr_conn *conn) {
    while (conn->failure == PYR_CONN_REFUSED || conn->failure == PYR_CONN_TIMEOUT) {
        if (++conn->address >= conn->endpoint->address_count)
            break;
        if (conn->fd >= 0)
            close(conn->fd);
        conn->fd = -1;
        if (connect_to(conn)) {
            conn->failure = PYR_CONN_OK;
            return true;
        }
    }
    pyr_conn_close(conn, false);
    return false;
}

bool pyr_conn_start(struct pyr_conn *conn, uint64_t now_ns) {
    conn->failure = PYR_CONN_OK;
    conn->address = 0;
    conn->started_ns = now_ns;
    conn->written = 0;
    conn->wants_write = true;
    conn->tunnel_sent = conn->tunnel_received = 0;
    return connect_to(conn) || connect_next(conn);
}

void pyr_conn_close(struct pyr_conn *conn, bool reset) {
    pyr_tls_stop(&conn->tls);
    pyr_http2_destroy(conn->http2);
    conn->http2 = NULL;
    if (conn->fd >= 0) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        if (reset)
            setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(conn->fd);
    }
    conn->fd = -1;
    conn->state = PYR_CONN_CLOSED;
    conn->wants_write = false;
}

/* --- set-up ---------------------------------------------------------------------------------- */

/* The preface and the settings leave at once. */
static bool begin_http2(struct pyr_conn *conn) {
    conn->http2 = pyr_http2_create(conn->endpoint->url.tls);
    return pyr_conn_flush(conn) || conn->failure == PYR_CONN_OK;
}

static bool begin_tls_or_ready(struct pyr_conn *conn) {
    if (!conn->endpoint->url.tls) {
        conn->state = PYR_CONN_READY;
        conn->wants_write = false;
        return conn->endpoint->http2 != PYR_HTTP2_ON || begin_http2(conn);
    }
    conn->state = PYR_CONN_HANDSHAKE;
    return pyr_tls_start(&conn->tls, conn->endpoint) ||
           fail(conn, PYR_CONN_LOCAL, "no memory is left here for TLS");
}

static bool connected(struct pyr_conn *conn) {
    int error = 0;
    socklen_t bytes = sizeof error;
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
    if (error)
        return fail_errno(conn, error) || connect_next(conn);
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof peer;
    if (getpeername(conn->fd, (struct sockaddr *)&peer, &peer_bytes) != 0)
        return true; /* still on its way */
    if (conn->endpoint->proxied && conn->endpoint->url.tls) {
        conn->state = PYR_CONN_TUNNEL;
        return true;
    }
    return begin_tls_or_ready(conn);
}

/* CONNECT host:port, then the head of the proxy's answer, read to its blank line and no further:
 * what follows belongs to TLS. */
static bool ask_for_tunnel(struct pyr_conn *conn) {
    char request[1200];
    const struct pyr_url *url = &conn->endpoint->url;
    const char *open = strchr(url->host, ':') ? "[" : "", *close_bracket = *open ? "]" : "";
    int length =
        snprintf(request, sizeof request, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n%s\r\n",
                 open, url->host, close_bracket, url->port, open, url->host, close_bracket,
                 url->port, conn->endpoint->proxy_authorization);
    while (conn->tunnel_sent < (size_t)length) {
        ssize_t sent = send(conn->fd, request + conn->tunnel_sent,
                            (size_t)length - conn->tunnel_sent, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR || fail_errno(conn, errno);
        conn->tunnel_sent += (size_t)sent;
        conn->written += (size_t)sent;
    }
    conn->wants_write = false;
    for (;;) {
        char c;
        ssize_t got = recv(conn->fd, &c, 1, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (got < 0)
            return fail_errno(conn, errno);
        if (got == 0)
            return fail(conn, PYR_CONN_PROXY, "the proxy closed the connection");
        if (conn->tunnel_received < sizeof conn->tunnel_reply - 1) {
            conn->tunnel_reply[conn->tunnel_received] = c;
        } else {
            /* Only the status line and the end matter: the last bytes shift in the tail. */
            char *tail = conn->tunnel_reply + sizeof conn->tunnel_reply - 5;
            memmove(tail, tail + 1, 3);
            tail[3] = c;
            conn->tunnel_received = sizeof conn->tunnel_reply - 2;
        }
        size_t end = ++conn->tunnel_received;
        if (end < 4 || memcmp(conn->tunnel_reply + end - 4, "\r\n\r\n", 4) != 0)
            continue;
        int status = 0;
        if (sscanf(conn->tunnel_reply, "HTTP/1.%*1d %3d", &status) == 1 && status == 200) {
            conn->wants_write = true;
            return begin_tls_or_ready(conn);
        }
        char why[128];
        snprintf(why, sizeof why, "the proxy refused the tunnel (HTTP %d)%s", status,
                 status == 407 ? "; it wants http://NAME:PASSWORD@... in the environment" : "");
        return fail(conn, PYR_CONN_PROXY, why);
    }
}

static enum pyr_io take_plain(struct pyr_conn *conn, const struct pyr_conn_buffers *buffers,
                              struct pyr_read *read);

/* The server's settings may have come with its last word of the handshake: they are taken now, for
 * the socket will not tell of them again. */
static bool shaken(struct pyr_conn *conn, const struct pyr_conn_buffers *buffers) {
    struct pyr_read read = {0};
    conn->state = PYR_CONN_READY;
    if (!pyr_tls_chose_http2(&conn->tls))
        return conn->endpoint->http2 != PYR_HTTP2_ON ||
               fail(conn, PYR_CONN_TLS, "the server does not offer HTTP/2 (http2=on asks for it)");
    return begin_http2(conn) && take_plain(conn, buffers, &read) == PYR_IO_AGAIN;
}

static bool shake_hands(struct pyr_conn *conn, const struct pyr_conn_buffers *buffers) {
    for (;;) {
        enum pyr_tls_result result = pyr_tls_handshake(&conn->tls, conn->why, sizeof conn->why);
        bool flushed = pyr_conn_flush(conn);
        if (result == PYR_TLS_FAILED) {
            conn->failure = PYR_CONN_TLS;
            return false;
        }
        if (!flushed && conn->failure != PYR_CONN_OK)
            return false;
        if (result == PYR_TLS_DONE)
            return shaken(conn, buffers);
        ssize_t got = recv(conn->fd, buffers->received, PYR_CONN_READ_BYTES, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (got < 0)
            return fail_errno(conn, errno);
        if (got == 0)
            return fail(conn, PYR_CONN_TLS,
                        "the peer closed the connection during the TLS handshake; does it speak "
                        "TLS? (http:// if not)");
        pyr_tls_received(&conn->tls, buffers->received, (size_t)got);
    }
}

bool pyr_conn_advance(struct pyr_conn *conn, const struct pyr_conn_buffers *buffers) {
    bool good = true;
    if (conn->state == PYR_CONN_CONNECTING)
        good = connected(conn);
    if (good && conn->state == PYR_CONN_TUNNEL)
        good = ask_for_tunnel(conn);
    if (good && conn->state == PYR_CONN_HANDSHAKE)
        good = shake_hands(conn, buffers);
    if (!good)
        pyr_conn_close(conn, false);
    return good;
}

/* --- reading and writing --------------------------------------------------------------------- */

static uint64_t stamp_of(struct msghdr *message, const struct pyr_stamp_clock *clock) {
    for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one; one = CMSG_NXTHDR(message, one)) {
        if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        struct timespec time;
        memcpy(&time, CMSG_DATA(one), sizeof time);
        int64_t ns = (int64_t)time.tv_sec * (int64_t)PYR_NS_PER_S + time.tv_nsec -
                     clock->realtime_minus_monotonic_ns;
        return ns > 0 ? (uint64_t)ns : 0;
    }
    return 0;
}

/* How the connection stands once the text that came was given. */
static enum pyr_io io_of_http2(struct pyr_conn *conn) {
    enum pyr_http2_state state = pyr_http2_state(conn->http2);
    if (state == PYR_HTTP2_ALIVE)
        return PYR_IO_AGAIN;
    if (state == PYR_HTTP2_ENDED)
        return PYR_IO_EOF;
    fail(conn, state == PYR_HTTP2_RESET ? PYR_CONN_RESET : PYR_CONN_PROTOCOL,
         pyr_http2_why(conn->http2));
    return PYR_IO_FAILED;
}

/* Nothing more comes. */
static enum pyr_io end_of(struct pyr_conn *conn) {
    if (!conn->http2)
        return PYR_IO_EOF;
    pyr_http2_closed(conn->http2);
    return io_of_http2(conn);
}

static enum pyr_io take_frames(struct pyr_conn *conn, const struct pyr_conn_buffers *buffers,
                               struct pyr_read *read) {
    read->count =
        pyr_http2_received(conn->http2, read->bytes, read->count, buffers->text, &read->behind);
    read->bytes = buffers->text;
    /* A server that broke the rules may be gone: the cause is what it did before. */
    if (!pyr_conn_flush(conn) && conn->failure != PYR_CONN_OK)
        return pyr_http2_state(conn->http2) == PYR_HTTP2_BAD ? io_of_http2(conn) : PYR_IO_FAILED;
    if (!read->count)
        return io_of_http2(conn);
    /* Another read then tells of the end. */
    read->full |= pyr_http2_state(conn->http2) != PYR_HTTP2_ALIVE;
    return PYR_IO_DATA;
}

static enum pyr_io take_plain(struct pyr_conn *conn, const struct pyr_conn_buffers *buffers,
                              struct pyr_read *read) {
    ssize_t plain = pyr_tls_read(&conn->tls, buffers->plain, PYR_CONN_PLAIN_BYTES);
    if (plain == -2) {
        conn->failure = PYR_CONN_TLS;
        pyr_tls_why(&conn->tls, conn->why, sizeof conn->why);
        return PYR_IO_FAILED;
    }
    if (plain == -1)
        return end_of(conn);
    read->bytes = buffers->plain;
    read->count = (size_t)plain;
    /* Another read then tells of the end: the socket may not. */
    read->full |= plain && pyr_tls_is_over(&conn->tls);
    if (plain && conn->http2)
        return take_frames(conn, buffers, read);
    return plain ? PYR_IO_DATA : PYR_IO_AGAIN;
}

enum pyr_io pyr_conn_read(struct pyr_conn *conn, const struct pyr_conn_buffers *buffers,
                          const struct pyr_stamp_clock *clock, struct pyr_read *read) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec piece = {.iov_base = buffers->received, .iov_len = PYR_CONN_READ_BYTES};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = conn->stamps ? control : NULL,
                             .msg_controllen = conn->stamps ? sizeof control : 0};
    ssize_t got;
    if (conn->http2 && pyr_http2_state(conn->http2) != PYR_HTTP2_ALIVE)
        return io_of_http2(conn);
    if (conn->tls.ssl && pyr_tls_is_over(&conn->tls))
        return end_of(conn);
    do {
        got = recvmsg(conn->fd, &message, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EAGAIN)
            return PYR_IO_AGAIN;
        fail_errno(conn, errno);
        return PYR_IO_FAILED;
    }
    if (got == 0)
        return end_of(conn);
    *read = (struct pyr_read){.bytes = buffers->received,
                              .count = (size_t)got,
                              .kernel_ns = conn->stamps ? stamp_of(&message, clock) : 0,
                              .full = got == PYR_CONN_READ_BYTES};
    if (!conn->tls.ssl)
        return conn->http2 ? take_frames(conn, buffers, read) : PYR_IO_DATA;
    pyr_tls_received(&conn->tls, buffers->received, (size_t)got);
    return take_plain(conn, buffers, read);
}

/* TLS's own bytes to the socket. */
static bool flush_tls(struct pyr_conn *conn) {
    const char *bytes;
    size_t count;
    while ((count = pyr_tls_to_send(&conn->tls, &bytes)) > 0) {
        ssize_t sent = send(conn->fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0) {
            conn->wants_write = errno == EAGAIN || errno == EINTR;
            if (!conn->wants_write)
                fail_errno(conn, errno);
            return false;
        }
        conn->written += (size_t)sent;
        pyr_tls_sent(&conn->tls, (size_t)sent);
    }
    conn->wants_write = false;
    return true;
}

/* A full socket is no failure: then wants_write says so. */
static bool send_frames(struct pyr_conn *conn, const char *bytes, size_t count) {
    ssize_t sent = (ssize_t)count;
    if (conn->tls.ssl) {
        if (!pyr_tls_write(&conn->tls, bytes, count))
            return fail(conn, PYR_CONN_TLS, "TLS could not take a frame");
        pyr_http2_sent(conn->http2, count);
        return flush_tls(conn);
    }
    sent = send(conn->fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0) {
        conn->wants_write = errno == EAGAIN || errno == EINTR;
        return !conn->wants_write && fail_errno(conn, errno);
    }
    conn->written += (size_t)sent;
    pyr_http2_sent(conn->http2, (size_t)sent);
    conn->wants_write = (size_t)sent < count;
    return !conn->wants_write;
}

bool pyr_conn_flush(struct pyr_conn *conn) {
    const char *bytes;
    size_t count;
    if (conn->tls.ssl && !flush_tls(conn))
        return false;
    while (conn->http2 && (count = pyr_http2_to_send(conn->http2, &bytes)) > 0)
        if (!send_frames(conn, bytes, count))
            return false;
    if (conn->http2)
        conn->wants_write = false;
    return true;
}

bool pyr_conn_has_delivered(const struct pyr_conn *conn, uint64_t written) {
    struct tcp_info info = {0};
    socklen_t bytes = sizeof info;
    if (conn->written <= written)
        return false;
    if (conn->fd < 0 || getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0 ||
        bytes < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked)
        return true;
    /* Its count begins with our SYN. */
    return info.tcpi_bytes_acked > written + 1;
}

bool pyr_conn_is_spent(const struct pyr_conn *conn) {
    return conn->http2 && pyr_http2_is_spent(conn->http2);
}

static ssize_t write_http2(struct pyr_conn *conn, const char *bytes, size_t count) {
    pyr_http2_offer(conn->http2, bytes, count);
    bool good = pyr_conn_flush(conn) || conn->failure == PYR_CONN_OK;
    size_t left = pyr_http2_offered_left(conn->http2);
    if (!good || (left && pyr_http2_state(conn->http2) != PYR_HTTP2_ALIVE &&
                  io_of_http2(conn) == PYR_IO_FAILED))
        return -1;
    return (ssize_t)(count - left);
}

ssize_t pyr_conn_write(struct pyr_conn *conn, const char *bytes, size_t count) {
    if (conn->http2)
        return write_http2(conn, bytes, count);
    if (conn->tls.ssl) {
        if (!pyr_tls_write(&conn->tls, bytes, count)) {
            fail(conn, PYR_CONN_TLS, "TLS could not take the request");
            return -1;
        }
        return pyr_conn_flush(conn) || conn->failure == PYR_CONN_OK ? (ssize_t)count : -1;
    }
    ssize_t sent = send(conn->fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        sent = 0;
    else if (sent < 0)
        fail_errno(conn, errno);
    else
        conn->written += (size_t)sent;
    conn->wants_write = sent >= 0 && (size_t)sent < count;
    return sent;
}
