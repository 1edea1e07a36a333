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
 * Text is found at choices[].delta and choices[].message: "content" and "refusal" (strings, or
 * parts of any type), "reasoning_content", "reasoning" and "reasoning_details", the names and
 * arguments of "tool_calls" and "function_call", the transcript of "audio"; and at choices[].text.
 * Servers that say one text in two of these fields mean it once. The dialects met: docs/http.md.
 */
#ifndef PYR_CODEC_DELTA_H
#define PYR_CODEC_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pyr_delta_kind {
    PYR_DELTA_JSON,  /* an object: what was found is in the delta */
    PYR_DELTA_DONE,  /* "[DONE]" */
    PYR_DELTA_EMPTY, /* nothing, white space, null, or a comment (":...") as data */
    PYR_DELTA_BAD    /* not JSON, or JSON that is no object */
};

/* What an output is made of: bits. The same as enum pyr_request_kind (record/run.h). */
enum pyr_text_kind {
    PYR_TEXT_CONTENT = 1 << 0,
    PYR_TEXT_REASONING = 1 << 1,
    PYR_TEXT_TOOL_CALL = 1 << 2, /* the name or the arguments of a call */
    PYR_TEXT_REFUSAL = 1 << 3,
    PYR_TEXT_MEDIA = 1 << 4,  /* audio or an image: its bytes are counted, not kept */
    PYR_TEXT_CHOICES = 1 << 5 /* of a second choice */
};

struct pyr_delta {
    uint32_t content_bytes;   /* decoded: what the user sees (content, refusal, transcript) */
    uint32_t reasoning_bytes; /* decoded */
    uint32_t tool_bytes;      /* decoded */
    uint32_t media_bytes;     /* as sent, in base64 or as an address */
    uint8_t kinds;            /* enum pyr_text_kind of what came */
    uint8_t choice_texts;     /* choices with output */
    bool choices;             /* there was at least one choice */
    bool role, tool_call;     /* a role was named; a tool call came */
    bool message;             /* the text stood in "message": an answer as a whole */
    bool finished;            /* a finish_reason that says something */
    bool failed;              /* one that says that the server failed; error_text holds it */
    bool usage;               /* token counts below are the server's */
    bool error;               /* an error object (also {"object":"error"}) */
    bool embedding;           /* "data" is a list: an answer of /embeddings or /models */
    bool usage_cached, usage_reasoning; /* the details below were said */
    uint32_t usage_prompt_tokens, usage_output_tokens;
    uint32_t usage_cached_tokens;    /* of the prompt's, found in a cache */
    uint32_t usage_reasoning_tokens; /* of the output's */
    uint32_t logprob_tokens;         /* entries of logprobs.content: tokens here, 0 unknown */
    const char *error_text;          /* the message, still in its JSON escapes; NULL when none */
    size_t error_text_bytes;
    /* A count that cannot be (negative, no whole number, beyond ten million), as it stands there;
     * NULL: none. */
    const char *bad_count, *bad_count_name;
    size_t bad_count_bytes;
};

static inline uint32_t pyr_delta_output_bytes(const struct pyr_delta *delta) {
    return delta->content_bytes + delta->reasoning_bytes + delta->tool_bytes + delta->media_bytes;
}

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
    uint8_t kind;                        /* enum pyr_text_kind of its text */
    bool hidden;                         /* no text that the user sees: reasoning, tool calls */
    bool usual;                          /* one text and nothing else of meaning, on one line */
    char bytes[PYR_DELTA_LAYOUT_BYTES];
    struct pyr_delta delta;
};

enum pyr_delta_kind pyr_delta_read(struct pyr_delta_layout *layout, const char *json, size_t bytes,
                                   struct pyr_delta *delta, struct pyr_text_sink *sink);

/* The same for the usual event: true, with the decoded length of its text, when the JSON has the
 * remembered layout and holds one text and nothing else of meaning (layout->kind says of which
 * kind). Such JSON holds no line end either. False: nothing was taken; use pyr_delta_read. */
bool pyr_delta_read_usual(const struct pyr_delta_layout *layout, const char *json, size_t bytes,
                          struct pyr_text_sink *sink, uint32_t *text_bytes);

#endif
