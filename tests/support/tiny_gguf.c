/* SPDX-License-Identifier: MIT */
#include "support/tiny_gguf.h"

#include <stdio.h>
#include <string.h>

const struct pyr_tiny_gguf pyr_tiny_gguf_valid = {
    .version = 3,
    .layers = 1,
    .heads = 4,
    .kv_heads = 2,
    .architecture = "llama",
    .missing_byte = -1,
    .vocabulary = "llama",
};

enum { TOKENS = 3 + 256 + 2, DIM = 8 };

static void put_u32(struct pyr_buf *out, uint32_t value) {
    pyr_buf_append(out, &value, sizeof value);
}

static void put_u64(struct pyr_buf *out, uint64_t value) {
    pyr_buf_append(out, &value, sizeof value);
}

static void put_text(struct pyr_buf *out, const char *text) {
    put_u64(out, strlen(text));
    pyr_buf_puts(out, text);
}

static void put_number(struct pyr_buf *out, const char *key, uint32_t value) {
    put_text(out, key);
    put_u32(out, 4);
    put_u32(out, value);
}

static void put_string(struct pyr_buf *out, const char *key, const char *value) {
    put_text(out, key);
    put_u32(out, 8);
    put_text(out, value);
}

static void put_tokens(const struct pyr_tiny_gguf *tiny, struct pyr_buf *out) {
    put_text(out, "tokenizer.ggml.tokens");
    put_u32(out, 9);
    put_u32(out, 8);
    put_u64(out, TOKENS);
    put_text(out, "<unk>");
    put_text(out, "<s>");
    put_text(out, "</s>");
    for (int i = 0; i < 256; i++) {
        char text[16];
        snprintf(text, sizeof text, i == tiny->missing_byte ? "gap%d" : "<0x%02X>", i);
        put_text(out, text);
    }
    if (tiny->zero_byte) {
        put_u64(out, 3);
        pyr_buf_append(out, "a\0b", 3);
    } else
        put_text(out, "\xe2\x96\x81");
    put_text(out, tiny->second_token ? tiny->second_token : "a");
    put_text(out, "tokenizer.ggml.token_type");
    put_u32(out, 9);
    put_u32(out, 5);
    put_u64(out, TOKENS);
    for (int i = 0; i < TOKENS; i++)
        put_u32(out, i == 0 ? 2 : i < 3 ? 3 : i < 259 && i != 3 + tiny->missing_byte ? 6 : 1);
}

static void put_tensor(struct pyr_buf *out, const char *name, uint64_t rows, uint64_t offset) {
    put_text(out, name);
    put_u32(out, 2);
    put_u64(out, DIM);
    put_u64(out, rows);
    put_u32(out, 0);
    put_u64(out, offset);
}

void pyr_tiny_gguf_write(const struct pyr_tiny_gguf *tiny, struct pyr_buf *out) {
    char key[128];
    size_t start = out->length;
    pyr_buf_puts(out, "GGUF");
    put_u32(out, tiny->version);
    put_u64(out, 2);
    put_u64(out, (tiny->scaling ? 11 : 10) + (uint64_t)tiny->adds_begin);
    put_string(out, "general.architecture", tiny->architecture);
    const struct {
        const char *suffix;
        uint32_t value;
    } numbers[] = {{"block_count", tiny->layers},
                   {"context_length", 64},
                   {"embedding_length", DIM},
                   {"feed_forward_length", 16},
                   {"attention.head_count", tiny->heads},
                   {"attention.head_count_kv", tiny->kv_heads}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(key, sizeof key, "%s.%s", tiny->architecture, numbers[i].suffix);
        put_number(out, key, numbers[i].value);
    }
    snprintf(key, sizeof key, "%s.rope.scaling.type", tiny->architecture);
    if (tiny->scaling)
        put_string(out, key, tiny->scaling);
    put_string(out, "tokenizer.ggml.model", tiny->vocabulary);
    if (tiny->adds_begin) {
        put_text(out, "tokenizer.ggml.add_bos_token");
        put_u32(out, 7);
        pyr_buf_putc(out, 1);
    }
    put_tokens(tiny, out);
    put_tensor(out, "token_embd.weight", TOKENS, 0);
    put_tensor(out, "blk.0.attn_q.weight", DIM, TOKENS * DIM * 4 + tiny->tensor_offset);
    while ((out->length - start) % 32)
        pyr_buf_putc(out, 0);
    for (int i = 0; i < (TOKENS + DIM) * DIM; i++)
        put_u32(out, 0);
}
