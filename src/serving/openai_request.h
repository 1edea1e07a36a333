/* SPDX-License-Identifier: MIT
 *
 * The body of an OpenAI-compatible request as plain data. Pure: JSON in, a struct or a sentence
 * out. docs/serve.md lists the fields; those that would change the answer and are not served are
 * refused, others are passed over.
 */
#ifndef PYR_SERVING_OPENAI_REQUEST_H
#define PYR_SERVING_OPENAI_REQUEST_H

#include "base/arena.h"
#include "base/err.h"
#include "model/model.h"
#include "serving/sampler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pyr_openai_api { PYR_OPENAI_CHAT, PYR_OPENAI_COMPLETIONS, PYR_OPENAI_TOKENIZE };

enum { PYR_OPENAI_STOPS_MAX = 16, PYR_OPENAI_STOP_BYTES_MAX = 256, PYR_OPENAI_CHANCES_MAX = 20 };

struct pyr_openai_stop {
    const char *text;
    size_t bytes; /* 1..PYR_OPENAI_STOP_BYTES_MAX */
};

/* Lives in the arena it was parsed into. */
struct pyr_openai_request {
    const char *model; /* NULL: not said */
    const char *text;  /* (text_bytes) the prompt; NULL: it came as tokens */
    size_t text_bytes;
    const int32_t *tokens; /* (token_count), or NULL */
    uint32_t token_count;
    /* (message_count) the conversation that text was made from; NULL: there was none */
    const struct pyr_message *messages;
    size_t message_count;
    uint32_t output_tokens; /* 0: not said */
    uint32_t least_tokens;
    struct pyr_sampling sampling;
    bool seeded; /* sampling.seed was given */
    bool ignore_end, stream, include_usage;
    const char *grammar; /* what answers are held to (serving/json_grammar.h); NULL: nothing */
    bool echo;           /* the prompt is the beginning of the answer */
    uint32_t choices;    /* answers to the same prompt, at least 1 */
    uint32_t chances;    /* wanted for each token: its own and so many - 1 likeliest; 0: none */
    bool special;        /* the model's begin token in front (tokenize; else always) */
    struct pyr_openai_stop stops[PYR_OPENAI_STOPS_MAX];
    size_t stop_count;
    const char *fault; /* on failure: the field at fault, or NULL */
};

/* False with a sentence for the client (PYR_E_INPUT); request->fault then names the field.
 *
 * A conversation is kept as messages and, for models without a format of their own, becomes text
 * so: one user message alone stands as it is; otherwise each message
 * is a line "System: ", "User: ", "Assistant: " or "Tool: " and its content, and "Assistant:"
 * comes last. */
bool pyr_openai_request_parse(struct pyr_arena *arena, enum pyr_openai_api api, const char *body,
                              size_t bytes, struct pyr_openai_request *request,
                              struct pyr_err *err);

#endif
