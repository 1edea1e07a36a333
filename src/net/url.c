/* SPDX-License-Identifier: MIT */
#include "net/url.h"

#include "base/parse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool copy_path(struct pyr_url *url, const char *from, const char *whole,
                      struct pyr_err *err) {
    size_t length = strlen(from);
    while (length && from[length - 1] == '/')
        length--;
    if (length >= sizeof url->path)
        return pyr_fail(err, PYR_E_USAGE, "%s: the path is longer than %zu bytes", whole,
                        sizeof url->path - 1);
    memcpy(url->path, from, length);
    url->path[length] = '\0';
    return true;
}

static bool parse_unix(const char *text, struct pyr_url *url, struct pyr_err *err) {
    const char *socket = text + strlen("unix:"), *path = strstr(socket, ":/");
    size_t length = path ? (size_t)(path - socket) : strlen(socket);
    if (socket[0] != '/' || length >= sizeof url->socket_path)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: a Unix socket is unix:/absolute/path of at most %zu bytes", text,
                        sizeof url->socket_path - 1);
    url->unix_socket = true;
    memcpy(url->socket_path, socket, length);
    memcpy(url->host, "localhost", sizeof "localhost");
    url->port = 80;
    return copy_path(url, path ? path + 1 : "", text, err);
}

static bool parse_port(const char *from, const char *to, const char *whole, uint16_t *port,
                       struct pyr_err *err) {
    char digits[8];
    size_t length = (size_t)(to - from);
    uint64_t value = 0;
    snprintf(digits, sizeof digits, "%.*s", length < sizeof digits ? (int)length : 7, from);
    if (length >= sizeof digits || strspn(digits, "0123456789") != length ||
        !pyr_parse_u64(digits, &value, NULL) || value == 0 || value > UINT16_MAX)
        return pyr_fail(err, PYR_E_USAGE, "%s: the port must be a number from 1 to 65535", whole);
    *port = (uint16_t)value;
    return true;
}

bool pyr_url_parse(const char *text, struct pyr_url *url, struct pyr_err *err) {
    *url = (struct pyr_url){0};
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("\"<>\\^`{|}", *c))
            return pyr_fail(err, PYR_E_USAGE,
                            "target URL: holds a space, quote or control character at byte %zu",
                            (size_t)(c - text));
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text, url, err);
    bool https = strncasecmp(text, "https://", 8) == 0;
    if (!https && strncasecmp(text, "http://", 7) != 0)
        return pyr_fail(err, PYR_E_USAGE, "%s: must begin with http://, https:// or unix:", text);
    url->tls = https;
    url->port = https ? 443 : 80;
    const char *host = text + (https ? 8 : 7);
    const char *end = host + strcspn(host, "/?#");
    if (memchr(host, '@', (size_t)(end - host)))
        return pyr_fail(err, PYR_E_USAGE,
                        "target URL: holds a user name or password; put a key into a file and "
                        "name it with --api-key-file, or into OPENAI_API_KEY");
    if (strpbrk(end, "?#"))
        return pyr_fail(err, PYR_E_USAGE, "%s: a query or fragment has no meaning here", text);
    const char *host_end = memchr(host, ':', (size_t)(end - host));
    const char *port = host_end ? host_end + 1 : NULL;
    if (host[0] == '[') {
        host++;
        host_end = memchr(host, ']', (size_t)(end - host));
        if (!host_end || (host_end + 1 != end && host_end[1] != ':'))
            return pyr_fail(err, PYR_E_USAGE, "%s: an IPv6 address is written [::1]", text);
        port = host_end + 1 == end ? NULL : host_end + 2;
    } else if (!host_end) {
        host_end = end;
    }
    size_t length = (size_t)(host_end - host);
    if (length == 0 || length >= sizeof url->host)
        return pyr_fail(err, PYR_E_USAGE, "%s: the host is missing or too long", text);
    memcpy(url->host, host, length);
    if (port && !parse_port(port, end, text, &url->port, err))
        return false;
    return copy_path(url, end, text, err);
}

void pyr_url_authority(const struct pyr_url *url, char *text, size_t size) {
    const char *open = strchr(url->host, ':') ? "[" : "", *close = *open ? "]" : "";
    if (url->port == (url->tls ? 443 : 80))
        snprintf(text, size, "%s%s%s", open, url->host, close);
    else
        snprintf(text, size, "%s%s%s:%u", open, url->host, close, url->port);
}

bool pyr_host_is_loopback(const char *host) {
    struct in_addr four;
    struct in6_addr six;
    size_t length = strlen(host);
    if (strcasecmp(host, "localhost") == 0 ||
        (length > 10 && strcasecmp(host + length - 10, ".localhost") == 0))
        return true;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* Whether an address lies in a network "10.0.0.0/8" or "fd00::/8"; false for what is neither. */
static bool is_in_network(const char *network, const char *host) {
    unsigned char base[16], address[16];
    char text[64];
    const char *slash = strchr(network, '/');
    size_t length = slash ? (size_t)(slash - network) : sizeof text;
    uint64_t bits;
    if (length >= sizeof text || !pyr_parse_u64(slash + 1, &bits, NULL))
        return false;
    memcpy(text, network, length);
    text[length] = '\0';
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, text, base) != 1 || inet_pton(family, host, address) != 1 ||
        bits > (family == AF_INET6 ? 128 : 32))
        return false;
    size_t whole = (size_t)bits / 8;
    unsigned rest = (unsigned)bits % 8;
    return memcmp(base, address, whole) == 0 &&
           (!rest || (base[whole] ^ address[whole]) >> (8 - rest) == 0);
}

/* Whether a name of the list, which it may change, is the host or a domain that it is in. */
static bool is_named(char *name, const struct pyr_url *url) {
    char port[8];
    size_t host_length = strlen(url->host);
    if (is_in_network(name, url->host))
        return true;
    /* Behind the colon of a name, not within an IPv6 address. */
    char *colon = strrchr(name, ':');
    if (colon && (strchr(name, ':') == colon || colon[-1] == ']')) {
        snprintf(port, sizeof port, "%u", url->port);
        if (strcmp(colon + 1, port) != 0)
            return false;
        *colon = '\0';
    }
    if (*name == '[') {
        name++;
        name[strcspn(name, "]")] = '\0';
    }
    name += *name == '.';
    size_t length = strlen(name);
    if (!length || length > host_length)
        return false;
    const char *tail = url->host + host_length - length;
    return strcasecmp(tail, name) == 0 && (tail == url->host || tail[-1] == '.');
}

static bool is_exempt(const char *list, const struct pyr_url *url) {
    while (list && *list) {
        char name[300];
        list += strspn(list, ", ");
        size_t length = strcspn(list, ", ");
        snprintf(name, sizeof name, "%.*s", length < sizeof name ? (int)length : 0, list);
        list += length;
        if (strcmp(name, "*") == 0 || (*name && is_named(name, url)))
            return true;
    }
    return false;
}

static const char *first_set(pyr_environment *environment, const char *one, const char *other) {
    const char *value = environment(one);
    if (value && *value)
        return value;
    value = other ? environment(other) : NULL;
    return value && *value ? value : NULL;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* Moves "NAME:PASSWORD@" out of a URL, decoded. */
static void take_user(char *url, char user[256]) {
    char *from = strstr(url, "://") + 3, *end = from + strcspn(from, "/?#");
    char *at = memrchr(from, '@', (size_t)(end - from));
    size_t length = 0;
    for (char *c = from; at && c < at && length < 255; c++) {
        bool coded = *c == '%' && at - c > 2 && hex_digit(c[1]) >= 0 && hex_digit(c[2]) >= 0;
        user[length++] = coded ? (char)(hex_digit(c[1]) << 4 | hex_digit(c[2])) : *c;
        c += coded ? 2 : 0;
    }
    user[length] = '\0';
    if (at)
        memmove(from, at + 1, strlen(at + 1) + 1);
}

bool pyr_url_proxy(const struct pyr_url *url, pyr_environment *environment, struct pyr_url *proxy,
                   struct pyr_err *err) {
    if (err)
        err->code = PYR_OK;
    if (url->unix_socket || pyr_host_is_loopback(url->host))
        return false;
    const char *text = url->tls ? first_set(environment, "https_proxy", "HTTPS_PROXY")
                                : first_set(environment, "http_proxy", NULL);
    if (!text)
        text = first_set(environment, "all_proxy", "ALL_PROXY");
    if (!text || is_exempt(first_set(environment, "no_proxy", "NO_PROXY"), url))
        return false;
    char with_scheme[800];
    char user[sizeof proxy->user];
    if (strncasecmp(text, "socks", 5) == 0 && strstr(text, "://"))
        return pyr_fail(err, PYR_E_UNSUPPORTED,
                        "proxy from the environment: SOCKS is not spoken; use an http:// proxy, or "
                        "set no_proxy");
    snprintf(with_scheme, sizeof with_scheme, "%s%s", strstr(text, "://") ? "" : "http://", text);
    take_user(with_scheme, user);
    if (!pyr_url_parse(with_scheme, proxy, err))
        return pyr_err_prefix(err, "proxy from the environment");
    snprintf(proxy->user, sizeof proxy->user, "%s", user);
    if (proxy->tls || proxy->unix_socket)
        return pyr_fail(err, PYR_E_UNSUPPORTED,
                        "proxy from the environment: a proxy that is itself reached by https is "
                        "not handled; use an http:// proxy or set no_proxy");
    return true;
}
