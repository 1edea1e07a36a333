/* SPDX-License-Identifier: MIT
 *
 * TLS as a filter of bytes (OpenSSL with memory BIOs): what the socket received goes in, plain
 * bytes come out, and the other way round. It touches no socket, so that reads keep their kernel
 * time stamps.
 */
#ifndef PYR_NET_TLS_H
#define PYR_NET_TLS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pyr_endpoint;
struct pyr_tls_options;
struct ssl_ctx_st;
struct ssl_st;
struct bio_st;

/* Settings shared by all connections: TLS 1.2 or later, verification on unless insecure. */
bool pyr_tls_open(const struct pyr_tls_options *options, struct ssl_ctx_st **context,
                  struct pyr_err *err);
void pyr_tls_close(struct ssl_ctx_st *context); /* NULL is allowed */

struct pyr_tls {
    struct ssl_st *ssl;      /* NULL: none */
    struct bio_st *in, *out; /* owned by ssl */
};

enum pyr_tls_result { PYR_TLS_DONE, PYR_TLS_WANTS_MORE, PYR_TLS_FAILED };

bool pyr_tls_start(struct pyr_tls *tls, const struct pyr_endpoint *endpoint);
void pyr_tls_stop(struct pyr_tls *tls);

/* Of a handshake that is done: the server took our offer of HTTP/2. */
bool pyr_tls_chose_http2(const struct pyr_tls *tls);

/* Bytes from the socket. */
void pyr_tls_received(struct pyr_tls *tls, const char *bytes, size_t count);
/* Bytes for the socket: the pointer stays good until the next call; _sent drops the first. */
size_t pyr_tls_to_send(struct pyr_tls *tls, const char **bytes);
void pyr_tls_sent(struct pyr_tls *tls, size_t count);

/* Why the last call failed, in a sentence with the mend where one is known. */
void pyr_tls_why(const struct pyr_tls *tls, char *why, size_t why_size);
/* One step of the handshake; on failure a sentence ("the certificate has expired"). */
enum pyr_tls_result pyr_tls_handshake(struct pyr_tls *tls, char *why, size_t why_size);
/* Plain bytes read, 0 when more must be received first, -1 at the peer's close, -2 on failure. */
ssize_t pyr_tls_read(struct pyr_tls *tls, char *bytes, size_t capacity);
/* The peer has said that nothing more comes, which its socket need not say too. */
bool pyr_tls_is_over(const struct pyr_tls *tls);
/* Takes all the bytes; false on failure. */
bool pyr_tls_write(struct pyr_tls *tls, const char *bytes, size_t count);

#endif
