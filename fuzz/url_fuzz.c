/* SPDX-License-Identifier: MIT */
#include "net/url.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[700], authority[300];
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct pyr_url url;
    struct pyr_err err;
    if (!pyr_url_parse(text, &url, &err))
        return 0;
    pyr_url_authority(&url, authority, sizeof authority);
    assert(url.host[0] && url.port);
    pyr_host_is_loopback(url.host);
    return 0;
}
