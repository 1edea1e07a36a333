/* SPDX-License-Identifier: MIT */
#include "load/blocks.h"

#include "base/hash.h"
#include "load/trace.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    LONG_TEXT = 8192, /* tokens or words of the long text: 7,680 places to cut a block from */
    BLOCK_WORDS_MAX = LONG_TEXT / 2,
    WORD_BYTES_MAX = 16
};
/* Numbers from files keep below it; a prompt's own are above. */
#define OWN_BIT (UINT64_C(1) << 31)

void pyr_blocks_init(struct pyr_blocks *blocks, const struct pyr_vocabulary *vocabulary,
                     struct pyr_arena *arena, uint64_t seed) {
    struct pyr_rng rng;
    *blocks = (struct pyr_blocks){.vocabulary = vocabulary, .seed = seed};
    pyr_rng_init(&rng, seed);
    if (vocabulary->tokens) {
        int32_t *tokens = pyr_arena_array(arena, LONG_TEXT, sizeof *tokens);
        pyr_pool_put_words(vocabulary, &rng, tokens, 0, LONG_TEXT);
        blocks->tokens = tokens;
        return;
    }
    char *text = pyr_arena_alloc(arena, LONG_TEXT * WORD_BYTES_MAX);
    uint32_t *word_at = pyr_arena_array(arena, LONG_TEXT + 1, sizeof *word_at), at = 0;
    for (uint32_t i = 0; i < LONG_TEXT; i++) {
        const char *word = pyr_words[pyr_rng_below(&rng, PYR_WORD_COUNT)];
        size_t length = strlen(word);
        assert(length < WORD_BYTES_MAX);
        word_at[i] = at;
        memcpy(text + at, word, length);
        at += (uint32_t)length;
        text[at++] = ' ';
    }
    word_at[LONG_TEXT] = at;
    blocks->text = text;
    blocks->word_at = word_at;
    double words = round(PYR_TRACE_BLOCK_TOKENS / vocabulary->tokens_per_word);
    blocks->block_words = words < 16                ? 16
                          : words < BLOCK_WORDS_MAX ? (uint32_t)words
                                                    : BLOCK_WORDS_MAX;
}

/* Words of a text of so many tokens. */
static uint32_t words_of(const struct pyr_blocks *blocks, uint32_t tokens) {
    const struct pyr_vocabulary *v = blocks->vocabulary;
    double words = round((tokens - v->tokens_before) / v->tokens_per_word);
    return words < 1 ? 1 : words < UINT32_MAX ? (uint32_t)words : UINT32_MAX;
}

size_t pyr_blocks_bytes(const struct pyr_blocks *blocks, uint32_t tokens) {
    return blocks->vocabulary->tokens ? tokens * sizeof(int32_t)
                                      : (size_t)words_of(blocks, tokens) * WORD_BYTES_MAX + 1;
}

static uint64_t number_of(const struct pyr_blocks_recipe *recipe, size_t block) {
    return block < recipe->id_count ? recipe->ids[block] & (OWN_BIT - 1) : recipe->own | OWN_BIT;
}

/* Where in the long text a block of `length` begins. */
static uint32_t cut_of(const struct pyr_blocks *blocks, uint64_t number, size_t block,
                       uint32_t length) {
    uint64_t mixed = pyr_mix64(pyr_mix64(blocks->seed + number) + block);
    return (uint32_t)(mixed % (LONG_TEXT - length + 1));
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static void write_tokens(const struct pyr_blocks *blocks, const struct pyr_blocks_recipe *recipe,
                         int32_t *tokens) {
    const struct pyr_vocabulary *v = blocks->vocabulary;
    uint32_t end = recipe->tokens, at = least(v->begin_count, end);
    uint32_t numerals = v->numeral_count >= 2 ? pyr_pool_numerals(v->numeral_count) : 0;
    memcpy(tokens, v->begin, at * sizeof *tokens);
    for (uint32_t block = 0; at < end; block++) {
        uint64_t number = number_of(recipe, block);
        /* The begin token lies in the first block, as the length of a prompt counts it. */
        uint32_t block_end = least(end, (block + 1) * PYR_TRACE_BLOCK_TOKENS);
        uint32_t written = least(numerals, block_end - at);
        pyr_pool_put_number(v, number, tokens + at, written);
        at += written;
        uint32_t cut = cut_of(blocks, number, block, PYR_TRACE_BLOCK_TOKENS);
        memcpy(tokens + at, blocks->tokens + cut, (block_end - at) * sizeof *tokens);
        at = block_end;
    }
}

static size_t write_text(const struct pyr_blocks *blocks, const struct pyr_blocks_recipe *recipe,
                         char *text) {
    uint32_t words = words_of(blocks, recipe->tokens), done = 0;
    uint32_t numerals = pyr_pool_numerals(PYR_WORD_NUMERALS);
    char *at = text;
    for (size_t block = 0; done < words; block++) {
        uint64_t number = number_of(recipe, block), left = number;
        uint32_t size = least(words - done, blocks->block_words);
        uint32_t written = least(numerals, size);
        for (uint32_t i = 0; i < written; i++, left /= PYR_WORD_NUMERALS) {
            memcpy(at, pyr_words[left % PYR_WORD_NUMERALS], PYR_WORD_NUMERAL_BYTES);
            at += PYR_WORD_NUMERAL_BYTES;
            *at++ = ' ';
        }
        uint32_t cut = cut_of(blocks, number, block, blocks->block_words);
        uint32_t from = blocks->word_at[cut], to = blocks->word_at[cut + size - written];
        memcpy(at, blocks->text + from, to - from);
        at += to - from;
        done += size;
    }
    at[-1] = '\0'; /* the last space */
    return (size_t)(at - 1 - text);
}

void pyr_blocks_write(const struct pyr_blocks *blocks, const struct pyr_blocks_recipe *recipe,
                      void *memory, struct pyr_prompt *out) {
    bool shared = (uint64_t)recipe->id_count * PYR_TRACE_BLOCK_TOKENS >= recipe->tokens;
    uint64_t hash = pyr_fnv1a64(PYR_FNV1A64_INIT, &blocks->seed, sizeof blocks->seed);
    if (recipe->id_count)
        hash = pyr_fnv1a64(hash, recipe->ids, recipe->id_count * sizeof *recipe->ids);
    hash = pyr_fnv1a64(hash, &recipe->tokens, sizeof recipe->tokens);
    if (!shared)
        hash = pyr_fnv1a64(hash, &recipe->own, sizeof recipe->own);
    *out = (struct pyr_prompt){.token_count = recipe->tokens, .hash = hash};
    if (blocks->vocabulary->tokens) {
        write_tokens(blocks, recipe, memory);
        out->tokens = memory;
    } else {
        out->text_bytes = write_text(blocks, recipe, memory);
        out->text = memory;
    }
}
