/* SPDX-License-Identifier: MIT
 *
 * The body of a request made into what an engine takes: parsed, checked and tokenised. A megabyte
 * of text takes about a third of a second, in which a thread that talks HTTP would leave everybody
 * else waiting: for long bodies, and for grammars, there is a desk, a thread of its own.
 */
#ifndef PYR_SERVING_OPENAI_PROMPT_H
#define PYR_SERVING_OPENAI_PROMPT_H

#include "base/buf.h"
#include "serving/openai_request.h"
#include "serving/pieces.h"

#include <stdatomic.h>

/* A longer body is for the desk: the tokens of this much take less than a step of most engines. */
enum { PYR_OPENAI_LONG_BYTES = 8 << 10 };

/* What all prompts have in common; outlives the desk. Tokenising is asked of the engine by two
 * threads at once. */
struct pyr_openai_source {
    const struct pyr_engine *engine;
    const struct pyr_model *model;
    const struct pyr_pieces *pieces;
    const char *name; /* what requests call the model */
    uint32_t context; /* tokens; no completion takes a longer prompt */
    uint64_t choices; /* answers to one prompt, at most */
};

struct pyr_openai_prompt {
    /* Filled before; the rest is zeroed. */
    enum pyr_openai_api api;
    struct pyr_arena *arena; /* where the results live */
    const char *body;        /* (body_bytes), until it is done */
    size_t body_bytes;
    /* Results. */
    unsigned status; /* 0: fine, and what follows is set; else of the answer, with `why` */
    struct pyr_openai_request request;
    const int32_t *tokens; /* (count) */
    uint32_t count;
    struct pyr_buf answer; /* to tokenize: the whole answer. The caller's to deinit */
    /* (request.choices) made at the desk alone. The caller's to destroy; NULL: none. */
    struct pyr_grammar **grammars;
    bool made;                /* all but the grammars */
    const char *param, *code; /* at fault, or NULL */
    struct pyr_err why;
    /* Of the desk: read with acquire. */
    _Atomic bool done;
    struct pyr_openai_prompt *next;
};

void pyr_openai_prompt_make(const struct pyr_openai_source *source,
                            struct pyr_openai_prompt *prompt);
/* Whether it was made and still wants grammars, from the desk. */
bool pyr_openai_prompt_wants_desk(const struct pyr_openai_prompt *prompt);

struct pyr_openai_desk; /* opaque */

/* `wake` is called on the desk's thread after each prompt that is done. */
bool pyr_openai_desk_start(const struct pyr_openai_source *source, void (*wake)(void *user),
                           void *user, struct pyr_openai_desk **desk, struct pyr_err *err);
/* Ends the thread after the prompt in its hands; others are never done. NULL is allowed. */
void pyr_openai_desk_stop(struct pyr_openai_desk *desk);
/* The prompt is the desk's until it is done. One after the other, in order. */
void pyr_openai_desk_give(struct pyr_openai_desk *desk, struct pyr_openai_prompt *prompt);

#endif
