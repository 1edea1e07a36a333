/* SPDX-License-Identifier: MIT
 *
 * The input is cut at each LF into events of one stream; what the remembered layout makes of an
 * event must be what a fresh reading makes of it.
 */
#include "codec/delta.h"

#include "base/hash.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pyr_delta_layout layout = {0};
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t bytes = (size_t)((stop ? stop : end) - at);
        struct pyr_delta_layout none = {0};
        struct pyr_delta one, other;
        char text[16];
        struct pyr_text_sink sink = {
            .hash = PYR_FNV1A64_INIT, .text = text, .capacity = sizeof text};
        struct pyr_text_sink again = {.hash = PYR_FNV1A64_INIT};
        enum pyr_delta_kind kind = pyr_delta_read(&layout, at, bytes, &one, &sink);
        enum pyr_delta_kind fresh = pyr_delta_read(&none, at, bytes, &other, &again);
        assert(kind == fresh && sink.hash == again.hash && sink.bytes == again.bytes);
        assert(one.content_bytes == other.content_bytes && one.finished == other.finished);
        at += bytes + 1;
    }
    return 0;
}
