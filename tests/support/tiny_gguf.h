/* SPDX-License-Identifier: MIT
 *
 * A tiny valid GGUF model in memory whose metadata a test can change value by value.
 */
#ifndef PYR_TESTS_TINY_GGUF_H
#define PYR_TESTS_TINY_GGUF_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct pyr_tiny_gguf {
    uint32_t version;
    uint32_t layers; /* what the metadata says; there are tensors for one */
    uint32_t heads, kv_heads;
    const char *architecture;
    const char *scaling;      /* rope.scaling.type, NULL: not written */
    const char *second_token; /* NULL: all tokens differ */
    int missing_byte;         /* a byte without a token, -1: none */
    const char *vocabulary;   /* tokenizer.ggml.model */
    bool adds_begin;          /* asks for a begin token, and names none */
    bool zero_byte;           /* a token "a", a zero byte, "b" beside the token "a" */
    uint64_t tensor_offset;   /* added to the only matrix's offset */
};

extern const struct pyr_tiny_gguf pyr_tiny_gguf_valid;

/* Appends the file's bytes. */
void pyr_tiny_gguf_write(const struct pyr_tiny_gguf *tiny, struct pyr_buf *out);

#endif
