/* SPDX-License-Identifier: MIT
 *
 * The first byte says how the rest is split, and whether it is read as an answer or a request. The
 * body and the verdict must not depend on the split.
 */
#include "base/hash.h"
#include "net/http_message.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hash_body(void *user, const char *bytes, size_t count) {
    uint64_t *hash = user;
    *hash = pyr_fnv1a64(*hash, bytes, count);
}

static uint64_t read_message(const char *text, size_t bytes, size_t step, bool request) {
    uint64_t hash = PYR_FNV1A64_INIT;
    static struct pyr_http_response response;
    static struct pyr_http_head head;
    pyr_http_response_init(&response, hash_body, &hash);
    pyr_http_head_init(&head, hash_body, &hash);
    enum pyr_http_result result = PYR_HTTP_MORE;
    size_t at = 0, taken;
    while (at < bytes && result == PYR_HTTP_MORE) {
        size_t count = bytes - at < step ? bytes - at : step;
        result = request ? pyr_http_head_feed(&head, text + at, count, &taken)
                         : pyr_http_response_feed(&response, text + at, count, &taken);
        assert(taken <= count);
        at += taken;
    }
    if (result == PYR_HTTP_MORE && !request)
        result = pyr_http_response_eof(&response);
    return hash + (uint64_t)result + (result == PYR_HTTP_WHOLE ? at : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size)
        return 0;
    const char *text = (const char *)data + 1;
    bool request = data[0] & 1;
    assert(read_message(text, size - 1, size, request) ==
           read_message(text, size - 1, 1 + data[0] / 2 % 16, request));
    return 0;
}
