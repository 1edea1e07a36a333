/* SPDX-License-Identifier: MIT
 *
 * A server made ready to be connected to: its URL taken apart, its name resolved, the proxy before
 * it chosen, its TLS settings loaded. All that may block or allocate happens here, before a clock
 * starts. Read-only once open, so that any number of connections and threads may share it.
 */
#ifndef PYR_NET_ENDPOINT_H
#define PYR_NET_ENDPOINT_H

#include "base/err.h"
#include "net/url.h"

#include <sys/socket.h>

struct ssl_ctx_st;

/* AUTO: over TLS, where the server chooses it. ON: also without TLS, and nothing else. */
enum pyr_http2_use { PYR_HTTP2_AUTO, PYR_HTTP2_ON, PYR_HTTP2_OFF };

struct pyr_tls_options {
    const char *ca_file;              /* PEM; NULL: the system's trust store */
    const char *cert_file, *key_file; /* client certificate, PEM; both or neither */
    bool insecure;                    /* no verification: only when the user asked for it */
    enum pyr_http2_use http2;
};

enum { PYR_ENDPOINT_ADDRESSES_MAX = 8 };

struct pyr_endpoint {
    struct pyr_url url;
    char text[1024];     /* as the user wrote it, and through which proxy: for people */
    char authority[272]; /* for the Host header */
    bool host_is_address;
    bool proxied; /* the addresses are the proxy's */
    struct pyr_url proxy;
    /* A header line with its CRLF for the proxy, or "". Never to be shown. */
    char proxy_authorization[400];
    struct {
        struct sockaddr_storage address;
        socklen_t bytes;
    } addresses[PYR_ENDPOINT_ADDRESSES_MAX];
    unsigned address_count;
    struct ssl_ctx_st *tls; /* NULL for plain */
    enum pyr_http2_use http2;
};

/* Fails with one line: a malformed URL, a name that does not resolve, certificate files that do not
 * load. environment: getenv, or a test's own; NULL: no proxies. */
bool pyr_endpoint_open(const char *url, const struct pyr_tls_options *tls,
                       pyr_environment *environment, struct pyr_endpoint *endpoint,
                       struct pyr_err *err);
void pyr_endpoint_close(struct pyr_endpoint *endpoint);

#endif
