/* SPDX-License-Identifier: MIT
 *
 * The prompts of a workload, made before the start. Private to load/workload.c.
 *
 * A synthetic prompt is: begin token, shared prefix, its number written in words (numerals), words.
 * The number of request n is n, offset by the seed; a prompt of the pool serves request n, n +
 * pool, n + 2 pool, ... by having its numerals written anew.
 */
#ifndef PYR_LOAD_POOL_H
#define PYR_LOAD_POOL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/rng.h"
#include "load/words.h"
#include "target/target.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_pool_prompt {
    struct pyr_prompt prompt;
    uint32_t prompt_class;
    uint32_t output_tokens; /* as its file asks; 0: drawn */
    uint32_t numerals_at;   /* index of the first numeral: a token, or a byte of the text */
    uint32_t numerals;      /* 0: it cannot be renumbered */
    uint32_t turn;          /* of a session, from 0 */
    bool estimated;         /* token_count is a guess */
};

/* How words become prompts for one target. */
struct pyr_vocabulary {
    struct pyr_target *target;
    bool tokens; /* prompts are token ids; else text */
    /* Of a target that takes tokens: */
    int32_t begin[4]; /* what goes in front of every prompt */
    uint32_t begin_count;
    const int32_t *word_tokens[PYR_WORD_COUNT];
    uint32_t word_token_count[PYR_WORD_COUNT];
    int32_t numerals[PYR_WORD_NUMERALS]; /* different single tokens */
    uint32_t numeral_count;              /* below 2: prompts cannot be numbered */
    /* Of one that takes text: */
    bool counts;
    double tokens_per_word, tokens_before; /* fitted; 1 and 0 when nothing can be counted */
    double bytes_per_token;                /* likewise; 4 */
    uint32_t tokens_of_nothing;            /* of an empty prompt: what stands around any */
};

bool pyr_vocabulary_init(struct pyr_vocabulary *vocabulary, struct pyr_arena *arena,
                         struct pyr_target *target, struct pyr_err *err);

struct pyr_pool_recipe {
    uint32_t tokens; /* of the prompt, exactly where prompts are tokens */
    uint32_t shared; /* of them, the same in every prompt with the same shared_seed */
    uint64_t shared_seed;
    uint64_t words_seed;
    uint64_t number; /* written in the numerals */
    bool numbered;   /* false: no numerals, prompts may be alike */
};

void pyr_pool_make(const struct pyr_vocabulary *vocabulary, struct pyr_arena *arena,
                   const struct pyr_pool_recipe *recipe, struct pyr_pool_prompt *out);
/* Bytes that a prompt of so many tokens takes in the pool, about. */
size_t pyr_pool_prompt_bytes(const struct pyr_vocabulary *vocabulary, uint32_t tokens);

/* Copies the prompt to `memory` (pyr_pool_copy_bytes) with another number; `out` points there. The
 * hash is that of the pool's prompt continued with the number. */
void pyr_pool_renumber(const struct pyr_vocabulary *vocabulary, const struct pyr_pool_prompt *from,
                       uint64_t number, void *memory, struct pyr_prompt *out);
size_t pyr_pool_copy_bytes(const struct pyr_pool_prompt *prompt);

/* For those who put prompts together themselves. Words from tokens[at] to tokens[end), the last one
 * cut where it must be; returns end. */
uint32_t pyr_pool_put_words(const struct pyr_vocabulary *vocabulary, struct pyr_rng *rng,
                            int32_t *tokens, uint32_t at, uint32_t end);
/* The lowest 32 bits of a number in `count` numerals, lowest digit first. */
void pyr_pool_put_number(const struct pyr_vocabulary *vocabulary, uint64_t number, int32_t *tokens,
                         uint32_t count);
/* How many numerals 32 bits take in this base (2 or more). */
uint32_t pyr_pool_numerals(uint32_t base);

/* A prompt of the user: tokenised, counted or estimated by its bytes. */
bool pyr_pool_take_text(const struct pyr_vocabulary *vocabulary, struct pyr_arena *arena,
                        const char *text, size_t bytes, const char *messages_json,
                        struct pyr_pool_prompt *out, struct pyr_err *err);
/* Tokens of an answer's text as the target counts them, without what stands around a prompt, else
 * an estimate by its bytes. At least 1. */
uint32_t pyr_vocabulary_count_answer(const struct pyr_vocabulary *vocabulary, const char *text,
                                     size_t bytes);

#endif
