/* SPDX-License-Identifier: MIT
 *
 * A client connection: TCP (IPv4, IPv6) or a Unix socket, plain or TLS, HTTP/1.1 or HTTP/2 (whose
 * bytes are HTTP/1.1 to the owner: net/http2.h), straight or through a proxy, never blocking. Its
 * owner watches `fd` and calls pyr_conn_advance until it is READY, then reads and writes. The
 * owner's thread only.
 *
 * Reads carry the kernel's receive time where it is known (TCP with SO_TIMESTAMPNS). The kernel
 * keeps one stamp a read, that of the last segment in it: it is exact for the last byte only.
 */
#ifndef PYR_NET_CONN_H
#define PYR_NET_CONN_H

#include "net/endpoint.h"
#include "net/http2.h"
#include "net/tls.h"

#include <stddef.h>
#include <stdint.h>

enum pyr_conn_state {
    PYR_CONN_CLOSED,
    PYR_CONN_CONNECTING,
    PYR_CONN_TUNNEL, /* asking a proxy for a tunnel */
    PYR_CONN_HANDSHAKE,
    PYR_CONN_READY
};

/* Why a connection failed; the text is in conn->why. */
enum pyr_conn_failure {
    PYR_CONN_OK,
    PYR_CONN_REFUSED, /* refused, unreachable, no such socket */
    PYR_CONN_TIMEOUT, /* the kernel gave up connecting */
    PYR_CONN_RESET,
    PYR_CONN_TLS,
    PYR_CONN_PROXY,    /* the proxy did not give a tunnel */
    PYR_CONN_PROTOCOL, /* not the HTTP/2 that it should be */
    PYR_CONN_LOCAL     /* our own limit: descriptors, ports, memory, permission */
};

struct pyr_conn {
    /* What each read needs comes first, on one cache line. */
    int fd; /* -1 when closed */
    enum pyr_conn_state state;
    enum pyr_conn_failure failure;
    bool wants_write; /* watch for EPOLLOUT beside EPOLLIN */
    bool stamps;      /* the kernel stamps its reads */
    struct pyr_tls tls;
    struct pyr_http2 *http2; /* NULL: HTTP/1.1, or nothing yet */
    const struct pyr_endpoint *endpoint;
    uint64_t started_ns; /* of the clock handed to start; set-up ends when advance says READY */
    uint64_t written;    /* bytes that the socket took */
    unsigned address;    /* being tried */
    char tunnel_reply[256];
    size_t tunnel_sent, tunnel_received;
    char why[160];
};

/* Scratch that the connections of one thread share: allocated once, used within a read. */
struct pyr_conn_buffers {
    char *received; /* (PYR_CONN_READ_BYTES) */
    char *plain;    /* (PYR_CONN_PLAIN_BYTES), TLS only; may be NULL otherwise */
    char *text;     /* (PYR_CONN_TEXT_BYTES), HTTP/2 only; may be NULL with http2 off */
};
enum {
    PYR_CONN_READ_BYTES = 65536,
    PYR_CONN_PLAIN_BYTES = PYR_CONN_READ_BYTES + 17408 /* and a record left from the read before */,
    PYR_CONN_TEXT_BYTES = PYR_CONN_PLAIN_BYTES + PYR_HTTP2_TEXT_EXTRA_BYTES
};

/* Offset from the kernel's CLOCK_REALTIME stamps to CLOCK_MONOTONIC. Measure again about each
 * second: NTP steps the one and slews both. */
struct pyr_stamp_clock {
    int64_t realtime_minus_monotonic_ns;
    uint64_t measured_ns;
};
void pyr_stamp_clock_measure(struct pyr_stamp_clock *clock);
/* The kernel stamps packets only while some socket asks for it, and begins a moment after the
 * first does. This descriptor asks until it is closed; -1 when there is none to be had. */
int pyr_stamps_keep(void);

void pyr_conn_init(struct pyr_conn *conn, const struct pyr_endpoint *endpoint);
/* Begins to connect. False: it failed at once, see failure. now_ns is kept in started_ns. */
bool pyr_conn_start(struct pyr_conn *conn, uint64_t now_ns);
/* Goes on after the descriptor became ready; call until state is READY. A new descriptor may take
 * the place of the old one (the next address of the host): compare fd. False: failed for good. */
bool pyr_conn_advance(struct pyr_conn *conn, const struct pyr_conn_buffers *buffers);
/* Closes without a word; with `reset` the peer gets an RST. */
void pyr_conn_close(struct pyr_conn *conn, bool reset);

enum pyr_io { PYR_IO_DATA, PYR_IO_AGAIN, PYR_IO_EOF, PYR_IO_FAILED };

struct pyr_read {
    const char *bytes; /* in the buffers: good until the next read of any connection */
    size_t count;
    uint64_t kernel_ns; /* CLOCK_MONOTONIC; 0 unknown */
    bool full;          /* the socket may hold more; else it was drained */
    bool behind;        /* further bytes came behind these, which are no part of the message */
};

/* One receive. AGAIN also when TLS needs more bytes for a record, or HTTP/2 for a frame; look at
 * wants_write after each read of HTTP/2. */
enum pyr_io pyr_conn_read(struct pyr_conn *conn, const struct pyr_conn_buffers *buffers,
                          const struct pyr_stamp_clock *clock, struct pyr_read *read);

/* Writes what the socket takes and returns that, or -1 (failure is set). TLS takes everything and
 * keeps what the socket does not: then wants_write is set and pyr_conn_flush goes on. HTTP/2 does
 * so too, but takes no more than the server has window for: more after a read. */
ssize_t pyr_conn_write(struct pyr_conn *conn, const char *bytes, size_t count);
/* True when nothing is left to send; else AGAIN (failure OK) or failed. */
bool pyr_conn_flush(struct pyr_conn *conn);
/* After PYR_IO_EOF, before it is closed: whether the peer had any byte behind the first `written`
 * when it ended the connection. False only when the kernel knows that it had not: a FIN
 * acknowledges what came before it. (An RST does not, and proves nothing.) */
bool pyr_conn_has_delivered(const struct pyr_conn *conn, uint64_t written);
/* After an answer: the connection cannot carry another request, although it is open. */
bool pyr_conn_is_spent(const struct pyr_conn *conn);

#endif
