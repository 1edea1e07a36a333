/* SPDX-License-Identifier: MIT
 *
 * Bodies of requests: the first byte chooses the path. What is taken keeps what the struct
 * promises.
 */
#include "serving/openai_request.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_openai_request request;
    struct pyr_err err;
    enum pyr_openai_api api = (enum pyr_openai_api)(data[0] % 3);
    if (pyr_openai_request_parse(arena, api, (const char *)data + 1, size - 1, &request, &err)) {
        assert(!request.text != !request.tokens);
        assert(request.stop_count <= PYR_OPENAI_STOPS_MAX);
        for (size_t i = 0; i < request.stop_count; i++)
            assert(request.stops[i].bytes > 0 &&
                   request.stops[i].bytes <= PYR_OPENAI_STOP_BYTES_MAX);
        for (uint32_t i = 0; i < request.token_count; i++)
            assert(request.tokens[i] >= 0);
    } else {
        assert(err.code == PYR_E_INPUT && err.text[0]);
    }
    pyr_arena_destroy(arena);
    return 0;
}
