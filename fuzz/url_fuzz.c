/* SPDX-License-Identifier: MIT */
#include "net/url.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[700];

static char *exempting(const char *name) {
    static char proxy[] = "http://me:%70w@p:1";
    return strcmp(name, "http_proxy") == 0 ? proxy : strcmp(name, "no_proxy") == 0 ? text : NULL;
}
static char *proxied(const char *name) {
    return strcmp(name, "http_proxy") == 0 ? text : NULL;
}

/* The text as what stands in the environment. */
static void read_proxies(void) {
    static const char *const urls[] = {"http://h.example:80", "http://10.1.2.3",
                                       "http://[fd00::1]:9"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct pyr_url url, proxy;
        struct pyr_err err;
        bool good = pyr_url_parse(urls[i], &url, &err);
        assert(good);
        if (pyr_url_proxy(&url, exempting, &proxy, &err))
            assert(strcmp(proxy.user, "me:pw") == 0);
        if (pyr_url_proxy(&url, proxied, &proxy, &err))
            assert(proxy.host[0] && memchr(proxy.user, '\0', sizeof proxy.user));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char authority[300];
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    read_proxies();
    struct pyr_url url;
    struct pyr_err err;
    if (!pyr_url_parse(text, &url, &err))
        return 0;
    pyr_url_authority(&url, authority, sizeof authority);
    assert(url.host[0] && url.port);
    pyr_host_is_loopback(url.host);
    return 0;
}
