/* SPDX-License-Identifier: MIT
 *
 * A trace file of any bytes: what is accepted is in order of time and has lengths that a request
 * can have.
 */
#include "load/trace.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_trace trace;
    struct pyr_err err;
    struct pyr_left_out left = {0};
    if (pyr_trace_parse(arena, "trace", (const char *)data, size, 2, &trace,
                        size % 2 ? &left : NULL, &err))
        for (size_t i = 0; i < trace.count; i++)
            if (trace.entries[i].prompt_tokens < 1 || trace.entries[i].output_tokens < 1 ||
                trace.entries[i].prompt_tokens > trace.longest_prompt ||
                (i > 0 && trace.due_ns[i] < trace.due_ns[i - 1]) || !(trace.rate > 0))
                abort();
    pyr_arena_destroy(arena);
    return 0;
}
