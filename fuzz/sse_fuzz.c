/* SPDX-License-Identifier: MIT
 *
 * The first byte says how the rest is split; the events must not depend on it.
 */
#include "codec/sse.h"

#include "base/hash.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t scan(const char *text, size_t bytes, size_t step) {
    char hold[64];
    struct pyr_sse sse;
    pyr_sse_init(&sse, hold, sizeof hold);
    uint64_t hash = PYR_FNV1A64_INIT;
    for (size_t at = 0; at < bytes; at += step) {
        pyr_sse_feed(&sse, text + at, bytes - at < step ? bytes - at : step);
        enum pyr_sse_result result;
        while ((result = pyr_sse_next(&sse)) == PYR_SSE_EVENT) {
            hash = pyr_fnv1a64(hash, sse.data, sse.data_bytes);
            hash = pyr_fnv1a64(hash, sse.name, sizeof sse.name[0]);
        }
        if (result == PYR_SSE_TOO_LONG)
            return hash + 1;
    }
    if (pyr_sse_finish(&sse) == PYR_SSE_EVENT)
        hash = pyr_fnv1a64(hash, sse.data, sse.data_bytes) + 2;
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size)
        return 0;
    const char *text = (const char *)data + 1;
    assert(scan(text, size - 1, size) == scan(text, size - 1, 1 + data[0] % 16));
    return 0;
}
