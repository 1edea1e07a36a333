/* SPDX-License-Identifier: MIT
 *
 * Where a server is: http://host:port/path, https://..., unix:/socket or unix:/socket:/path, and
 * which proxy stands before it.
 */
#ifndef PYR_NET_URL_H
#define PYR_NET_URL_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyr_url {
    bool tls;
    bool unix_socket;
    uint16_t port;
    char host[256];        /* without the brackets of an IPv6 address; "localhost" for unix: */
    char socket_path[108]; /* unix: */
    char path[256];        /* "" or "/v1": without a trailing slash */
    char user[256];        /* of a proxy: "NAME:PASSWORD", decoded; never to be shown */
};

/* Fails on another scheme, a missing host, a user name or password (they would end in shell
 * histories and logs), a query or a fragment, and on characters that no URL holds. */
bool pyr_url_parse(const char *text, struct pyr_url *url, struct pyr_err *err);

/* "host", "host:8080", "[::1]:8080": as in a Host header; the default port is left out. */
void pyr_url_authority(const struct pyr_url *url, char *text, size_t size);

/* localhost, *.localhost, 127.0.0.0/8, ::1. */
bool pyr_host_is_loopback(const char *host);

/* The environment's proxies, as a lookup so that tests lend their own: getenv does. */
typedef char *pyr_environment(const char *name);

/* The proxy for the URL: http_proxy, https_proxy or HTTPS_PROXY, then all_proxy or ALL_PROXY,
 * unless no_proxy or NO_PROXY names it: a list of hosts, domains, networks (10.0.0.0/8), each also
 * as NAME:PORT, or "*". A proxy may hold a user name and password. (HTTP_PROXY in capitals is
 * ignored, as a CGI client may set it.) Never for loopback or a Unix socket. True when there is
 * one; false with err->code PYR_OK when there is none, or with the error of an unusable one. */
bool pyr_url_proxy(const struct pyr_url *url, pyr_environment *environment, struct pyr_url *proxy,
                   struct pyr_err *err);

#endif
