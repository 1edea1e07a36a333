/* SPDX-License-Identifier: MIT
 *
 * A user's prompt file, of any bytes, as text, JSON lines and JSON array.
 */
#include "load/prompts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"file", "file.txt", "file.jsonl"};
    for (size_t i = 0; i < 6; i++) {
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_file_prompt *prompts;
        size_t count;
        struct pyr_err err;
        struct pyr_left_out left = {.strict = size % 2};
        if (pyr_prompts_parse(arena, names[i % 3], (const char *)data, size,
                              i < 3 ? PYR_PROMPTS_SINGLE : PYR_PROMPTS_SESSIONS, &prompts, &count,
                              &left, &err))
            for (size_t k = 0; k < count; k++)
                if (strlen(prompts[k].text) > prompts[k].text_bytes || prompts[k].text_bytes == 0)
                    abort();
        pyr_arena_destroy(arena);
    }
    return 0;
}
