/* SPDX-License-Identifier: MIT */
#include "serving/openai_chances.h"

#include "codec/escape.h"

#include <math.h>

struct piece {
    const char *bytes;
    size_t count;
};

static struct piece piece_of(const struct pyr_pieces *pieces, int32_t token) {
    const uint32_t *offset = pieces->offset + token;
    return (struct piece){pieces->bytes + offset[0], offset[1] - offset[0]};
}

static void put_text(struct piece piece, struct pyr_buf *out) {
    pyr_buf_putc(out, '"');
    pyr_escape_json(out, piece.bytes, piece.count);
    pyr_buf_putc(out, '"');
}

/* JSON has no infinity; OpenAI writes -9999 for what cannot happen. */
static void put_log(float log_probability, struct pyr_buf *out) {
    pyr_buf_printf(out, "%.6g", isfinite(log_probability) ? (double)log_probability : -9999.0);
}

static void put_one(const struct pyr_pieces *pieces, const struct pyr_chance *chance,
                    struct pyr_buf *out) {
    struct piece piece = piece_of(pieces, chance->token);
    pyr_buf_puts(out, "{\"token\":");
    put_text(piece, out);
    pyr_buf_puts(out, ",\"logprob\":");
    put_log(chance->log_probability, out);
    pyr_buf_puts(out, ",\"bytes\":[");
    for (size_t i = 0; i < piece.count; i++)
        pyr_buf_printf(out, "%s%u", i ? "," : "", (unsigned)(unsigned char)piece.bytes[i]);
    pyr_buf_putc(out, ']');
}

static void put_chat(const struct pyr_pieces *pieces, const struct pyr_openai_chances *c,
                     struct pyr_buf *out) {
    pyr_buf_puts(out, "{\"content\":[");
    for (uint32_t i = 0; i < c->count; i++) {
        const struct pyr_chance *own = c->chances + (size_t)i * c->each;
        if (i)
            pyr_buf_putc(out, ',');
        put_one(pieces, own, out);
        pyr_buf_puts(out, ",\"top_logprobs\":[");
        for (uint32_t k = 1; k < c->each && own[k].token >= 0; k++) {
            if (k > 1)
                pyr_buf_putc(out, ',');
            put_one(pieces, &own[k], out);
            pyr_buf_putc(out, '}');
        }
        pyr_buf_puts(out, "]}");
    }
    pyr_buf_puts(out, "]}");
}

static size_t characters(struct piece piece) {
    size_t count = 0;
    for (size_t i = 0; i < piece.count; i++)
        count += ((unsigned char)piece.bytes[i] & 0xc0) != 0x80;
    return count;
}

static void put_likeliest(const struct pyr_pieces *pieces, const struct pyr_chance *own,
                          uint32_t each, struct pyr_buf *out) {
    pyr_buf_putc(out, '{');
    for (uint32_t k = 1; k < each && own[k].token >= 0; k++) {
        if (k > 1)
            pyr_buf_putc(out, ',');
        put_text(piece_of(pieces, own[k].token), out);
        pyr_buf_putc(out, ':');
        put_log(own[k].log_probability, out);
    }
    pyr_buf_putc(out, '}');
}

static void put_completion(const struct pyr_pieces *pieces, const struct pyr_openai_chances *c,
                           struct pyr_buf *out) {
    pyr_buf_puts(out, "{\"tokens\":[");
    for (uint32_t i = 0; i < c->count; i++) {
        if (i)
            pyr_buf_putc(out, ',');
        put_text(piece_of(pieces, c->chances[(size_t)i * c->each].token), out);
    }
    pyr_buf_puts(out, "],\"token_logprobs\":[");
    for (uint32_t i = 0; i < c->count; i++) {
        if (i)
            pyr_buf_putc(out, ',');
        put_log(c->chances[(size_t)i * c->each].log_probability, out);
    }
    pyr_buf_puts(out, c->each > 1 ? "],\"top_logprobs\":[" : "],\"top_logprobs\":");
    for (uint32_t i = 0; c->each > 1 && i < c->count; i++) {
        if (i)
            pyr_buf_putc(out, ',');
        put_likeliest(pieces, c->chances + (size_t)i * c->each, c->each, out);
    }
    pyr_buf_puts(out, c->each > 1 ? "],\"text_offset\":[" : "null,\"text_offset\":[");
    for (uint32_t i = 0; i < c->count; i++) {
        pyr_buf_printf(out, "%s%zu", i ? "," : "", *c->offset);
        *c->offset += characters(piece_of(pieces, c->chances[(size_t)i * c->each].token));
    }
    pyr_buf_puts(out, "]}");
}

void pyr_openai_put_chances(enum pyr_openai_api api, const struct pyr_pieces *pieces,
                            const struct pyr_openai_chances *chances, struct pyr_buf *out) {
    if (api == PYR_OPENAI_CHAT)
        put_chat(pieces, chances, out);
    else
        put_completion(pieces, chances, out);
}
