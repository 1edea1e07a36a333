/* SPDX-License-Identifier: MIT
 *
 * A small HTTP/1.1 server: one thread, which calls step. Heads, bodies, connections and what waits
 * to be written are bounded. It speaks plain HTTP and listens on loopback unless told otherwise;
 * what may be asked of it, and by whom, is the handler's affair.
 *
 *     open, then step until stopped, then close
 *
 * The handler is called once a request is whole; the request is valid during that call only. It
 * answers with pyr_http_reply, or begins a streamed answer, then or later: the exchange is valid
 * until pyr_http_end, pyr_http_reply, pyr_http_abort or the `gone` callback, whichever comes first.
 * All calls come from the thread that steps; only pyr_http_server_wake may come from any thread.
 */
#ifndef PYR_NET_HTTP_SERVER_H
#define PYR_NET_HTTP_SERVER_H

#include "base/err.h"
#include "net/http_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyr_http_server;   /* opaque */
struct pyr_http_exchange; /* opaque: one request and its answer */

struct pyr_http_request {
    const char *method;               /* "GET" */
    const char *path;                 /* without the query; NUL-terminated */
    const char *query;                /* "" when there is none */
    const struct pyr_http_head *head; /* the fields kept */
    const char *body;                 /* NUL-terminated one past body_bytes; never NULL */
    size_t body_bytes;
};

struct pyr_http_server_config {
    const char *host;      /* NULL: 127.0.0.1. A name or address to listen on */
    uint16_t port;         /* 0: any free one */
    const char *unix_path; /* instead of host and port; the socket file is removed at close */
    /* 0: 1024. A new one beyond takes the place of the one that has been idle for longest, else of
     * the one whose request has been coming in for longest, and is closed at once where all have
     * requests under way. The process's limit of open files is raised for so many
     * as far as it may be. */
    unsigned connections_max;
    size_t body_max;          /* 0: 16 MiB; a longer one gets 413 */
    size_t bodies_max;        /* 0: 64 body_max; of all bodies coming in; beyond gets 503 */
    size_t queue_max;         /* 0: 1 MiB of an answer waiting to be written */
    uint64_t request_time_ns; /* 0: 30 s; a request that takes longer to come in gets 408 */
    uint64_t write_time_ns;   /* 0: 60 s; a client that takes nothing for so long is dropped */
    void (*handle)(void *user, struct pyr_http_exchange *exchange,
                   const struct pyr_http_request *request);
    /* A request that is refused here (400, 408, 413, 414, 431, 503; `why` is a sentence): must
     * answer with pyr_http_reply. NULL: the status as text. */
    void (*refused)(void *user, struct pyr_http_exchange *exchange, unsigned status,
                    const char *why);
    /* The client went away before the end of its answer: the exchange is no longer valid. */
    void (*gone)(void *user, struct pyr_http_exchange *exchange);
    /* What was queued has been written: more may be. May be NULL. */
    void (*writable)(void *user, struct pyr_http_exchange *exchange);
    /* After pyr_http_server_wake, on the server's thread. May be NULL. */
    void (*woken)(void *user);
    void *user;
};

bool pyr_http_server_open(const struct pyr_http_server_config *config,
                          struct pyr_http_server **server, struct pyr_err *err);
uint16_t pyr_http_server_port(const struct pyr_http_server *server); /* 0 on a Unix socket */
int pyr_http_server_fd(const struct pyr_http_server *server);        /* readable: step has work */
/* Does what there is to do, waiting for it at most timeout_ns. */
void pyr_http_server_step(struct pyr_http_server *server, uint64_t timeout_ns);
void pyr_http_server_wake(struct pyr_http_server *server); /* any thread */
/* No new connections; idle ones are closed, open answers go on. */
void pyr_http_server_stop(struct pyr_http_server *server);
unsigned pyr_http_server_connections(const struct pyr_http_server *server);
/* Closes everything; `gone` is called for answers still open. NULL is allowed. */
void pyr_http_server_close(struct pyr_http_server *server);

/* The owner's own data on an exchange. */
void pyr_http_exchange_set(struct pyr_http_exchange *exchange, void *data);
void *pyr_http_exchange_get(const struct pyr_http_exchange *exchange);

/* A whole answer. `fields`: further head lines, each ended by CRLF, or NULL. */
void pyr_http_reply(struct pyr_http_exchange *exchange, unsigned status, const char *content_type,
                    const char *fields, const void *body, size_t body_bytes);
void pyr_http_reply_text(struct pyr_http_exchange *exchange, unsigned status,
                         const char *content_type, const char *body);

/* A streamed answer (chunked): begin, then write any number of times, then end. A write is sent at
 * once when nothing is queued. False: it would not fit in the queue and nothing was taken; wait
 * for `writable`. */
void pyr_http_begin(struct pyr_http_exchange *exchange, unsigned status, const char *content_type,
                    const char *fields);
bool pyr_http_write(struct pyr_http_exchange *exchange, const void *bytes, size_t count);
void pyr_http_end(struct pyr_http_exchange *exchange);
/* Between the two everything that is written is kept, to go out in one send; the exchange may be
 * ended between them. */
void pyr_http_cork(struct pyr_http_exchange *exchange);
void pyr_http_uncork(struct pyr_http_exchange *exchange);
size_t pyr_http_queued(const struct pyr_http_exchange *exchange); /* bytes not yet written */

/* For tests and faults: bytes as they are, outside any framing; and an end without one (with
 * `reset` by RST, else what is queued is dropped and the connection closed). */
bool pyr_http_raw(struct pyr_http_exchange *exchange, const void *bytes, size_t count);
void pyr_http_abort(struct pyr_http_exchange *exchange, bool reset);

#endif
