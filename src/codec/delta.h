/* SPDX-License-Identifier: MIT
 *
 * Reads one JSON answer of an OpenAI-compatible server: the data of a stream's event or the body of
 * an answer that does not stream. Finds the text that counts as output and tells the rest apart
 * (a role alone, empty content, usage alone, an error object, the end mark). No JSON library, no
 * allocation, no I/O.
 *
 * Events of one stream differ only in their text. So the layout of the last event with text is
 * remembered, and an event that has the same bytes before and behind its text needs no more than
 * two comparisons; anything else is scanned with care. Both ways give the same result.
 *
 * Text is found at choices[].delta and choices[].message, keys "content" (a string, or an array of
 * parts with "text"), "reasoning_content" and "reasoning", and at choices[].text.
 */
#ifndef PYR_CODEC_DELTA_H
#define PYR_CODEC_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pyr_delta_kind {
    PYR_DELTA_JSON, /* an object: what was found is in the delta */
    PYR_DELTA_DONE, /* "[DONE]" */
    PYR_DELTA_BAD   /* not JSON, or JSON that is no object */
};

struct pyr_delta {
    uint32_t content_bytes;   /* decoded: non-reasoning output text */
    uint32_t reasoning_bytes; /* decoded */
    bool choices;             /* there was at least one choice */
    bool role, tool_call;     /* a role was named; a tool call came */
    bool finished;            /* a finish_reason that is not null */
    bool usage;               /* token counts below are the server's */
    bool error;               /* an error object (also {"object":"error"}) */
    bool embedding;           /* "data" is a list: an answer of /embeddings or /models */
    uint32_t usage_prompt_tokens, usage_output_tokens;
    uint32_t logprob_tokens; /* entries of logprobs.content: tokens in this chunk, 0 unknown */
    const char *error_text;  /* the message, still in its JSON escapes; NULL when none */
    size_t error_text_bytes;
};

/* Where the output text goes: it is hashed (base/hash.h) and, where there is room, kept. */
struct pyr_text_sink {
    uint64_t hash;  /* start at PYR_FNV1A64_INIT */
    uint64_t bytes; /* in all */
    char *text;     /* NULL: not kept */
    size_t capacity;
};

enum { PYR_DELTA_LAYOUT_BYTES = 480 };

/* The remembered layout; zero it before a stream. It may be kept from one answer to the next. */
struct pyr_delta_layout {
    uint16_t prefix_bytes, suffix_bytes; /* 0: none */
    bool reasoning;
    bool usual; /* one text and nothing else of meaning, on one line */
    char bytes[PYR_DELTA_LAYOUT_BYTES];
    struct pyr_delta delta;
};

enum pyr_delta_kind pyr_delta_read(struct pyr_delta_layout *layout, const char *json, size_t bytes,
                                   struct pyr_delta *delta, struct pyr_text_sink *sink);

/* The same for the usual event: true, with the decoded length of its text, when the JSON has the
 * remembered layout and holds one text and nothing else of meaning (layout->reasoning says of which
 * kind). Such JSON holds no line end either. False: nothing was taken; use pyr_delta_read. */
bool pyr_delta_read_usual(const struct pyr_delta_layout *layout, const char *json, size_t bytes,
                          struct pyr_text_sink *sink, uint32_t *text_bytes);

#endif
