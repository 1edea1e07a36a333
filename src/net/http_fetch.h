/* SPDX-License-Identifier: MIT
 *
 * One HTTP request, waited for: for what happens before or beside a measurement (is the server
 * ready, which models has it, its /metrics). Blocking, bounded in time and size. Never on a
 * measured path.
 */
#ifndef PYR_NET_HTTP_FETCH_H
#define PYR_NET_HTTP_FETCH_H

#include "base/buf.h"
#include "base/clock.h"
#include "net/conn.h"

#include <stdint.h>

#define PYR_FETCH_TIMEOUT_NS (10 * PYR_NS_PER_S)

struct pyr_fetch {
    const char *method;  /* NULL: GET, or POST when there is a body */
    const char *path;    /* from the root: "/v1/models" */
    const char *headers; /* further lines, each ended by CRLF; NULL: none */
    const char *body;    /* NULL: none; JSON */
    size_t body_bytes;
    uint64_t timeout_ns;         /* of the whole; 0: PYR_FETCH_TIMEOUT_NS */
    uint64_t connect_timeout_ns; /* of the connection alone; 0: none */
    size_t answer_max;           /* 0: 4 MiB */
    uint64_t linger_ns; /* 0: asks for a close; else keeps the connection and sees what happens */
};

struct pyr_fetched {
    unsigned status;
    char content_type[64], server[64], location[256]; /* safe to print */
    char content_encoding[32];                        /* "" unless the body is packed */
    struct pyr_buf body; /* the caller's: released with pyr_buf_deinit, also after a failure */
    enum pyr_conn_failure failure; /* when the connection was the cause */
    bool http2;                    /* the protocol that the server chose */
    bool hung_up; /* closed within `linger_ns` after an answer that let the connection live on */
};

/* True when there was an HTTP answer, whatever its status. */
bool pyr_http_fetch(const struct pyr_endpoint *endpoint, const struct pyr_fetch *fetch,
                    struct pyr_fetched *fetched, struct pyr_err *err);

/* The request target for an endpoint: the path, or the whole URL before a proxy of plain HTTP. */
void pyr_request_target(const struct pyr_endpoint *endpoint, const char *path, char *target,
                        size_t size);
/* The header line for such a proxy, or "". */
const char *pyr_plain_proxy_line(const struct pyr_endpoint *endpoint);

#endif
