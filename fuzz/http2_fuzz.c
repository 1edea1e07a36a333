/* SPDX-License-Identifier: MIT
 *
 * What a server may send instead of HTTP/2: the first byte says how the rest is split. The text
 * stays within its room, and whatever it says is taken by the parser of answers.
 */
#include "net/http2.h"
#include "net/http_message.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drop_frames(struct pyr_http2 *http2) {
    const char *out;
    size_t count;
    while ((count = pyr_http2_to_send(http2, &out)) > 0)
        pyr_http2_sent(http2, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char request[] = "POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    struct pyr_http_response response;
    if (!size)
        return 0;
    struct pyr_http2 *http2 = pyr_http2_create(false);
    pyr_http2_offer(http2, request, sizeof request - 1);
    drop_frames(http2);
    assert(pyr_http2_offered_left(http2) == 0);
    pyr_http_response_init(&response, NULL, NULL);
    size_t step = data[0] ? data[0] : size, at = 1, taken;
    enum pyr_http_result result = PYR_HTTP_MORE;
    while (at < size && pyr_http2_state(http2) == PYR_HTTP2_ALIVE) {
        size_t count = size - at < step ? size - at : step;
        /* Of their exact sizes, so that a sanitizer sees a step over. */
        char *bytes = malloc(count), *text = malloc(count + PYR_HTTP2_TEXT_EXTRA_BYTES);
        bool behind;
        memcpy(bytes, data + at, count);
        size_t length = pyr_http2_received(http2, bytes, count, text, &behind);
        assert(length <= count + PYR_HTTP2_TEXT_EXTRA_BYTES);
        if (length && result == PYR_HTTP_MORE)
            result = pyr_http_response_feed(&response, text, length, &taken);
        drop_frames(http2);
        free(bytes);
        free(text);
        at += count;
    }
    assert(result != PYR_HTTP_BAD);
    assert(pyr_http2_state(http2) == PYR_HTTP2_ALIVE || pyr_http2_is_spent(http2));
    pyr_http2_destroy(http2);
    return 0;
}
