/* SPDX-License-Identifier: MIT */
#include "net/endpoint.h"

#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static bool resolve(struct pyr_endpoint *endpoint, const struct pyr_url *url, struct pyr_err *err) {
    if (url->unix_socket) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        memcpy(address.sun_path, url->socket_path, sizeof address.sun_path);
        memcpy(&endpoint->addresses[0].address, &address, sizeof address);
        endpoint->addresses[0].bytes = sizeof address;
        endpoint->address_count = 1;
        return true;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", url->port);
    int status = getaddrinfo(url->host, port, &hints, &list);
    /* A minimal machine may lack /etc/hosts; the name means loopback all the same (RFC 6761, 6.3).
     */
    if (status != 0 && strcasecmp(url->host, "localhost") == 0)
        status = getaddrinfo("127.0.0.1", port, &hints, &list);
    if (status != 0)
        return pyr_fail(err, PYR_E_IO, "%s%s: the host cannot be resolved (%s); check its name",
                        endpoint->proxied ? "the proxy " : "", url->host,
                        status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status));
    for (struct addrinfo *one = list; one; one = one->ai_next) {
        if (endpoint->address_count == PYR_ENDPOINT_ADDRESSES_MAX)
            break;
        memcpy(&endpoint->addresses[endpoint->address_count].address, one->ai_addr,
               one->ai_addrlen);
        endpoint->addresses[endpoint->address_count++].bytes = one->ai_addrlen;
    }
    freeaddrinfo(list);
    return true;
}

static void describe_proxy(struct pyr_endpoint *endpoint) {
    const struct pyr_url *proxy = &endpoint->proxy;
    char authority[272], coded[sizeof proxy->user * 4 / 3 + 8];
    size_t used = strlen(endpoint->text);
    pyr_url_authority(proxy, authority, sizeof authority);
    snprintf(endpoint->text + used, sizeof endpoint->text - used, " (through the proxy %s)",
             authority);
    if (!proxy->user[0])
        return;
    EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)proxy->user,
                    (int)strlen(proxy->user));
    snprintf(endpoint->proxy_authorization, sizeof endpoint->proxy_authorization,
             "Proxy-Authorization: Basic %s\r\n", coded);
}

bool pyr_endpoint_open(const char *url, const struct pyr_tls_options *tls,
                       pyr_environment *environment, struct pyr_endpoint *endpoint,
                       struct pyr_err *err) {
    *endpoint = (struct pyr_endpoint){.http2 = tls ? tls->http2 : PYR_HTTP2_AUTO};
    if (!pyr_url_parse(url, &endpoint->url, err))
        return false;
    snprintf(endpoint->text, sizeof endpoint->text, "%s", url);
    pyr_url_authority(&endpoint->url, endpoint->authority, sizeof endpoint->authority);
    struct in6_addr address;
    endpoint->host_is_address = inet_pton(AF_INET, endpoint->url.host, &address) == 1 ||
                                inet_pton(AF_INET6, endpoint->url.host, &address) == 1;
    struct pyr_err proxy_err = {0};
    endpoint->proxied =
        environment && pyr_url_proxy(&endpoint->url, environment, &endpoint->proxy, &proxy_err);
    if (proxy_err.code != PYR_OK)
        return pyr_fail(err, proxy_err.code, "%s", proxy_err.text);
    if (endpoint->proxied)
        describe_proxy(endpoint);
    if (!resolve(endpoint, endpoint->proxied ? &endpoint->proxy : &endpoint->url, err))
        return false;
    return !endpoint->url.tls || pyr_tls_open(tls, &endpoint->tls, err);
}

void pyr_endpoint_close(struct pyr_endpoint *endpoint) {
    pyr_tls_close(endpoint->tls);
    endpoint->tls = NULL;
}
