/* SPDX-License-Identifier: MIT
 *
 * Prompts from a user's file:
 * - text: one prompt a line, empty lines left out;
 * - JSON lines, each line one of
 *     "text"   {"prompt": "text"}   {"text": "text"}
 *     {"messages": [{"role": "user", "content": "text"}, ...]}           as OpenAI's chat
 *     {"conversations": [{"from": "human", "value": "text"}, ...]}       as ShareGPT's
 *   with an optional "output_tokens" or "max_tokens", also within the "body" of OpenAI's batches;
 * - one JSON array of such objects.
 * Which of them it is follows from its name (.txt; .jsonl, .json), else from how it begins: '{',
 * '[' before a '{' or '"', or anything else.
 * Of messages and conversations the last answer, when they end with one, is no part of the prompt.
 * Messages that name a "role" go out as they stand in the file, byte for byte: calls of tools and
 * their results, names, images, and fields that nobody knows here.
 */
#ifndef PYR_LOAD_PROMPTS_H
#define PYR_LOAD_PROMPTS_H

#include "base/arena.h"
#include "base/err.h"
#include "load/left_out.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_file_prompt {
    const char *text; /* of messages: their texts and calls, one paragraph each */
    size_t text_bytes;
    const char *messages_json; /* OpenAI's form, for both kinds of conversation; or NULL */
    const char *answer;        /* the file's own answer, or NULL */
    size_t answer_bytes;
    uint32_t output_tokens; /* as the file asks, 0: it does not */
    uint32_t turn;          /* of its session, from 0; 0 where sessions were not asked for */
};

enum pyr_prompts_use {
    PYR_PROMPTS_SINGLE, /* one prompt an entry */
    /* Each conversation is a session: one prompt for each turn, in order, that carries the earlier
     * turns with the file's own answers. What is no conversation is a session of one turn; one
     * that never asks for an answer is left out. */
    PYR_PROMPTS_SESSIONS
};

/* Everything lies in the arena. A line or an entry that is none of these is left out (left NULL:
 * fails, naming it). Fails when there is no prompt at all. */
bool pyr_prompts_parse(struct pyr_arena *arena, const char *name, const char *bytes, size_t count,
                       enum pyr_prompts_use use, struct pyr_file_prompt **prompts,
                       size_t *prompt_count, struct pyr_left_out *left, struct pyr_err *err);
bool pyr_prompts_read(struct pyr_arena *arena, const char *path, enum pyr_prompts_use use,
                      struct pyr_file_prompt **prompts, size_t *prompt_count,
                      struct pyr_left_out *left, struct pyr_err *err);

#endif
