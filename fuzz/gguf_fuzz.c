/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a GGUF file: parsed, every value read, checked and printed.
 */
#include "model/info.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t read_value(const struct pyr_gguf_value *value) {
    struct pyr_gguf_cursor cursor = {0};
    struct pyr_gguf_string string;
    uint64_t sink = 0;
    while (pyr_gguf_next_string(value, &cursor, &string))
        for (uint64_t i = 0; i < string.length; i++)
            sink += (unsigned char)string.text[i];
    for (uint64_t i = 0; i < value->count && i < 4096; i++) {
        uint64_t number = 0;
        double real = 0;
        pyr_gguf_u64(value, i, &number);
        pyr_gguf_f64(value, i, &real);
        sink += number + (real > 0);
    }
    if (pyr_gguf_string(value, &string) && string.length)
        sink += (unsigned char)string.text[string.length - 1];
    return sink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_gguf gguf;
    struct pyr_err err = {0};
    volatile uint64_t sink = 0; /* so that the reads stay */
    if (pyr_gguf_parse(arena, "fuzz", data, size, &gguf, &err)) {
        for (size_t i = 0; i < gguf.value_count; i++)
            sink = read_value(&gguf.values[i]);
        for (size_t i = 0; i < gguf.tensor_count; i++)
            if (gguf.tensors[i].offset > size || gguf.tensors[i].bytes > size)
                abort();
        struct pyr_buf text = {0};
        struct pyr_info info;
        if (pyr_info_make(&gguf, "fuzz", &info, &err))
            pyr_info_write(&info, "fuzz", &text);
        pyr_info_write_metadata(&gguf, &text);
        pyr_info_write_tensors(&gguf, &text);
        pyr_buf_deinit(&text);
    }
    (void)sink;
    pyr_arena_destroy(arena);
    return 0;
}
