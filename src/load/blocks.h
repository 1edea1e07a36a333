/* SPDX-License-Identifier: MIT
 *
 * Prompts put together from numbered blocks of 512 tokens when they are asked for, without
 * allocation and for the price of copying them: a block is its number written in numerals, then a
 * cut of one long text of plain words. The same number at the same place is the same text. Private
 * to load/workload.c.
 *
 * For a target that takes text a block has as many words as 512 tokens are on average, and the
 * length of the prompt is an estimate.
 */
#ifndef PYR_LOAD_BLOCKS_H
#define PYR_LOAD_BLOCKS_H

#include "load/pool.h"

struct pyr_blocks {
    const struct pyr_vocabulary *vocabulary;
    uint64_t seed;
    /* The long text: tokens, or words with their places in it. */
    const int32_t *tokens;
    const char *text;
    const uint32_t *word_at; /* (words + 1) */
    uint32_t block_words;    /* words of a whole block */
};

void pyr_blocks_init(struct pyr_blocks *blocks, const struct pyr_vocabulary *vocabulary,
                     struct pyr_arena *arena, uint64_t seed);
/* The most bytes that a prompt of so many tokens takes. */
size_t pyr_blocks_bytes(const struct pyr_blocks *blocks, uint32_t tokens);

struct pyr_blocks_recipe {
    uint32_t tokens;     /* of the prompt, at least 1 */
    const uint64_t *ids; /* (id_count) of its first blocks */
    size_t id_count;
    uint32_t own; /* the number of the blocks beyond them: no other prompt has it */
};

/* Writes the prompt to `memory`; `out` points there. Its hash covers the ids, the length and, where
 * there is such a block, `own`. */
void pyr_blocks_write(const struct pyr_blocks *blocks, const struct pyr_blocks_recipe *recipe,
                      void *memory, struct pyr_prompt *out);

#endif
