/* SPDX-License-Identifier: MIT */
#include "load/pool.h"

#include "base/buf.h"
#include "base/hash.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORD_TOKENS_MAX = 32,
    WORD_BYTES_ABOUT = 6, /* a word and its space */
    /* Numbers are written with so many bits: more requests than any run has. */
    NUMBER_BITS = 32,
    FIT_ROUNDS = 24,
    /* Rule of thumb for English in today's vocabularies; every use of it is flagged. */
    BYTES_PER_TOKEN_ESTIMATE = 4
};

/* --- the target's tokens of our words --------------------------------------------------------- */

/* The shorter way to write a word: with the space in front or without (some vocabularies add a
 * space of their own to every text). */
static int word_tokens(struct pyr_target *target, const char *word, int32_t *tokens) {
    char spaced[32];
    int length = snprintf(spaced, sizeof spaced, " %s", word);
    int32_t other[WORD_TOKENS_MAX];
    int with =
        target->ops->tokenize(target, spaced, (size_t)length, false, tokens, WORD_TOKENS_MAX);
    int without = target->ops->tokenize(target, word, strlen(word), false, other, WORD_TOKENS_MAX);
    if (without > 0 && (with <= 0 || without < with)) {
        memcpy(tokens, other, (size_t)without * sizeof *tokens);
        return without;
    }
    return with;
}

static void add_numeral(struct pyr_vocabulary *vocabulary, int32_t token) {
    for (uint32_t i = 0; i < vocabulary->numeral_count; i++)
        if (vocabulary->numerals[i] == token)
            return;
    if (vocabulary->numeral_count < PYR_WORD_NUMERALS)
        vocabulary->numerals[vocabulary->numeral_count++] = token;
}

static bool init_tokens(struct pyr_vocabulary *vocabulary, struct pyr_arena *arena,
                        struct pyr_err *err) {
    struct pyr_target *target = vocabulary->target;
    int begin = target->ops->tokenize(target, "", 0, true, vocabulary->begin,
                                      (int)(sizeof vocabulary->begin / sizeof(int32_t)));
    vocabulary->begin_count = begin > 0 ? (uint32_t)begin : 0;
    uint32_t usable = 0;
    for (uint32_t i = 0; i < PYR_WORD_COUNT; i++) {
        int32_t tokens[WORD_TOKENS_MAX];
        int count = word_tokens(target, pyr_words[i], tokens);
        if (count <= 0)
            continue;
        int32_t *kept = pyr_arena_array(arena, (size_t)count, sizeof *kept);
        memcpy(kept, tokens, (size_t)count * sizeof *kept);
        vocabulary->word_tokens[usable] = kept;
        vocabulary->word_token_count[usable++] = (uint32_t)count;
        add_numeral(vocabulary, tokens[0]);
    }
    if (usable == 0)
        return pyr_fail(err, PYR_E_ENGINE,
                        "the model's vocabulary cannot write a single one of our words");
    for (uint32_t i = usable; i < PYR_WORD_COUNT; i++) { /* the usable ones, again */
        vocabulary->word_tokens[i] = vocabulary->word_tokens[i - usable];
        vocabulary->word_token_count[i] = vocabulary->word_token_count[i - usable];
    }
    return true;
}

static void append_word(struct pyr_buf *buf, uint64_t word) {
    if (buf->length > 0)
        pyr_buf_putc(buf, ' ');
    pyr_buf_puts(buf, pyr_words[word]);
}

static int64_t count_by_target(const struct pyr_vocabulary *vocabulary, const char *text,
                               size_t bytes) {
    return vocabulary->target->ops->count_tokens(vocabulary->target, text, bytes);
}

/* Counts of one word and of 256 more, drawn as those of prompts are, give what a word adds and what
 * stands around a text. */
static bool fit_text(struct pyr_vocabulary *vocabulary) {
    enum { WORDS = 256 };
    struct pyr_buf buf = {0};
    struct pyr_rng rng;
    pyr_rng_init(&rng, WORDS);
    append_word(&buf, 0);
    size_t bytes = buf.length;
    int64_t one = count_by_target(vocabulary, buf.data, buf.length);
    for (int i = 0; i < WORDS; i++)
        append_word(&buf, pyr_rng_below(&rng, PYR_WORD_COUNT));
    bytes = buf.length - bytes;
    int64_t all = one > 0 ? count_by_target(vocabulary, buf.data, buf.length) : -1;
    pyr_buf_deinit(&buf);
    if (one <= 0 || all <= one)
        return false;
    vocabulary->tokens_per_word = (double)(all - one) / WORDS;
    vocabulary->bytes_per_token = (double)bytes / (double)(all - one);
    vocabulary->tokens_before = fmax(0, (double)one - vocabulary->tokens_per_word);
    return true;
}

bool pyr_vocabulary_init(struct pyr_vocabulary *vocabulary, struct pyr_arena *arena,
                         struct pyr_target *target, struct pyr_err *err) {
    struct pyr_target_info info;
    memset(&info, 0, sizeof info);
    target->ops->describe(target, &info);
    *vocabulary = (struct pyr_vocabulary){
        .target = target,
        .tokens = info.tokenises && target->ops->tokenize,
        .counts = info.counts_tokens && target->ops->count_tokens,
    };
    if (vocabulary->tokens)
        return init_tokens(vocabulary, arena, err);
    vocabulary->tokens_per_word = 1;
    vocabulary->bytes_per_token = BYTES_PER_TOKEN_ESTIMATE;
    if (vocabulary->counts || (info.weighs_prompts && target->ops->count_tokens))
        vocabulary->counts &= fit_text(vocabulary);
    int64_t nothing = vocabulary->counts ? count_by_target(vocabulary, "", 0) : 0;
    vocabulary->tokens_of_nothing = nothing > 0 ? (uint32_t)nothing : 0;
    return true;
}

/* --- prompts of tokens ------------------------------------------------------------------------ */

/* Appends words from `at` on until `end`; the last word is cut where it must be. */
uint32_t pyr_pool_put_words(const struct pyr_vocabulary *vocabulary, struct pyr_rng *rng,
                            int32_t *tokens, uint32_t at, uint32_t end) {
    while (at < end) {
        uint64_t word = pyr_rng_below(rng, PYR_WORD_COUNT);
        uint32_t count = vocabulary->word_token_count[word];
        if (count > end - at)
            count = end - at;
        memcpy(tokens + at, vocabulary->word_tokens[word], count * sizeof *tokens);
        at += count;
    }
    return at;
}

/* Lowest digit first, so that neighbours differ in their first numeral. */
void pyr_pool_put_number(const struct pyr_vocabulary *vocabulary, uint64_t number, int32_t *tokens,
                         uint32_t count) {
    number &= (UINT64_C(1) << NUMBER_BITS) - 1;
    for (uint32_t i = 0; i < count; i++) {
        tokens[i] = vocabulary->numerals[number % vocabulary->numeral_count];
        number /= vocabulary->numeral_count;
    }
}

uint32_t pyr_pool_numerals(uint32_t base) {
    uint32_t count = 0;
    for (uint64_t left = (UINT64_C(1) << NUMBER_BITS) - 1; left > 0; left /= base)
        count++;
    return count;
}

static void make_tokens(const struct pyr_vocabulary *vocabulary, struct pyr_arena *arena,
                        const struct pyr_pool_recipe *recipe, struct pyr_pool_prompt *out) {
    uint32_t end = recipe->tokens,
             at = vocabulary->begin_count < end ? vocabulary->begin_count : end;
    int32_t *tokens = pyr_arena_array(arena, end, sizeof *tokens);
    memcpy(tokens, vocabulary->begin, at * sizeof *tokens);
    if (recipe->shared > at) {
        struct pyr_rng shared;
        pyr_rng_init(&shared, recipe->shared_seed);
        at = pyr_pool_put_words(vocabulary, &shared, tokens, at, recipe->shared);
    }
    if (recipe->numbered && vocabulary->numeral_count >= 2) {
        uint32_t wanted = pyr_pool_numerals(vocabulary->numeral_count);
        out->numerals_at = at;
        out->numerals = wanted < end - at ? wanted : end - at;
        pyr_pool_put_number(vocabulary, recipe->number, tokens + at, out->numerals);
        at += out->numerals;
    }
    struct pyr_rng rng;
    pyr_rng_init(&rng, recipe->words_seed);
    pyr_pool_put_words(vocabulary, &rng, tokens, at, end);
    out->prompt.tokens = tokens;
    out->prompt.token_count = end;
    out->prompt.hash = pyr_fnv1a64(PYR_FNV1A64_INIT, tokens, end * sizeof *tokens);
}

/* --- prompts of text -------------------------------------------------------------------------- */

/* The words of a prompt of so many: shared, numerals, drawn. A fit lengthens or shortens it, or
 * takes the `last`-th other word for the last one (0: as drawn). */
static void write_words(const struct pyr_pool_recipe *recipe, uint32_t words, uint32_t last,
                        struct pyr_buf *buf, struct pyr_pool_prompt *out) {
    pyr_buf_clear(buf);
    uint32_t shared = (uint32_t)((uint64_t)words * recipe->shared / recipe->tokens), done = 0;
    struct pyr_rng same;
    pyr_rng_init(&same, recipe->shared_seed);
    for (; done < shared; done++)
        append_word(buf, pyr_rng_below(&same, PYR_WORD_COUNT));
    if (recipe->numbered) {
        uint32_t wanted = pyr_pool_numerals(PYR_WORD_NUMERALS);
        out->numerals = wanted < words - done ? wanted : words - done;
        out->numerals_at = (uint32_t)buf->length + (buf->length > 0);
        uint64_t number = recipe->number & ((UINT64_C(1) << NUMBER_BITS) - 1);
        for (uint32_t i = 0; i < out->numerals; i++, done++, number /= PYR_WORD_NUMERALS)
            append_word(buf, number % PYR_WORD_NUMERALS);
    }
    struct pyr_rng rng;
    pyr_rng_init(&rng, recipe->words_seed);
    for (; done < words; done++) {
        uint64_t word = pyr_rng_below(&rng, PYR_WORD_COUNT);
        append_word(buf,
                    done + 1 == words && last ? pyr_mix64(word + last) % PYR_WORD_COUNT : word);
    }
}

static void make_text(const struct pyr_vocabulary *vocabulary, struct pyr_arena *arena,
                      const struct pyr_pool_recipe *recipe, struct pyr_pool_prompt *out) {
    struct pyr_buf buf = {0};
    double words = (recipe->tokens - vocabulary->tokens_before) / vocabulary->tokens_per_word;
    int64_t tokens = -1;
    uint32_t last = 0;
    for (int attempt = 0; attempt < FIT_ROUNDS; attempt++) {
        words = words >= 1 ? round(words) : 1;
        write_words(recipe, (uint32_t)words, last, &buf, out);
        tokens = vocabulary->counts ? count_by_target(vocabulary, buf.data, buf.length) : -1;
        if (tokens < 0 || tokens == recipe->tokens || (words == 1 && tokens > recipe->tokens))
            break;
        int64_t off = recipe->tokens - tokens;
        double by = (double)off / vocabulary->tokens_per_word;
        /* A word of two tokens at the end would be put on and taken off for ever: another one. */
        if (attempt >= FIT_ROUNDS / 4 && off < 0 && attempt % 4 != 0)
            last++;
        else
            words += fabs(by) >= 1 ? by : by < 0 ? -1 : 1;
    }
    out->estimated = tokens < 0;
    out->prompt.text = pyr_arena_strndup(arena, buf.data, buf.length);
    out->prompt.text_bytes = buf.length;
    out->prompt.token_count = tokens < 0 ? recipe->tokens : (uint32_t)tokens;
    out->prompt.hash = pyr_fnv1a64(PYR_FNV1A64_INIT, buf.data, buf.length);
    pyr_buf_deinit(&buf);
}

void pyr_pool_make(const struct pyr_vocabulary *vocabulary, struct pyr_arena *arena,
                   const struct pyr_pool_recipe *recipe, struct pyr_pool_prompt *out) {
    assert(recipe->tokens >= 1);
    if (vocabulary->tokens)
        make_tokens(vocabulary, arena, recipe, out);
    else
        make_text(vocabulary, arena, recipe, out);
}

size_t pyr_pool_prompt_bytes(const struct pyr_vocabulary *vocabulary, uint32_t tokens) {
    size_t each = vocabulary->tokens ? sizeof(int32_t) : WORD_BYTES_ABOUT;
    return sizeof(struct pyr_pool_prompt) + tokens * each;
}

/* --- renumbering and the user's own ----------------------------------------------------------- */

size_t pyr_pool_copy_bytes(const struct pyr_pool_prompt *prompt) {
    return prompt->prompt.tokens ? prompt->prompt.token_count * sizeof(int32_t)
                                 : prompt->prompt.text_bytes + 1;
}

void pyr_pool_renumber(const struct pyr_vocabulary *vocabulary, const struct pyr_pool_prompt *from,
                       uint64_t number, void *memory, struct pyr_prompt *out) {
    *out = from->prompt;
    out->hash = pyr_fnv1a64(from->prompt.hash, &number, sizeof number);
    if (from->prompt.tokens) {
        int32_t *tokens = memory;
        memcpy(tokens, from->prompt.tokens, from->prompt.token_count * sizeof *tokens);
        pyr_pool_put_number(vocabulary, number, tokens + from->numerals_at, from->numerals);
        out->tokens = tokens;
        return;
    }
    char *text = memcpy(memory, from->prompt.text, from->prompt.text_bytes + 1);
    out->text = text;
    text += from->numerals_at;
    number &= (UINT64_C(1) << NUMBER_BITS) - 1;
    for (uint32_t i = 0; i < from->numerals; i++, number /= PYR_WORD_NUMERALS)
        memcpy(text + i * (PYR_WORD_NUMERAL_BYTES + 1), pyr_words[number % PYR_WORD_NUMERALS],
               PYR_WORD_NUMERAL_BYTES);
}

static uint32_t estimate(const struct pyr_vocabulary *vocabulary, size_t bytes) {
    double tokens = (double)bytes / vocabulary->bytes_per_token;
    return tokens < 1 ? 1 : tokens < UINT32_MAX ? (uint32_t)tokens : UINT32_MAX;
}

uint32_t pyr_vocabulary_count_answer(const struct pyr_vocabulary *vocabulary, const char *text,
                                     size_t bytes) {
    struct pyr_target *target = vocabulary->target;
    int64_t count = -1;
    if (vocabulary->tokens) {
        count = target->ops->tokenize(target, text, bytes, false, NULL, 0);
        count = count < 0 ? -count : count;
    } else if (vocabulary->counts) {
        count = count_by_target(vocabulary, text, bytes);
        if (count >= 0)
            count -= vocabulary->tokens_of_nothing;
        else
            count = estimate(vocabulary, bytes);
    } else {
        count = estimate(vocabulary, bytes);
    }
    return count < 1 ? 1 : count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

bool pyr_pool_take_text(const struct pyr_vocabulary *vocabulary, struct pyr_arena *arena,
                        const char *text, size_t bytes, const char *messages_json,
                        struct pyr_pool_prompt *out, struct pyr_err *err) {
    *out = (struct pyr_pool_prompt){
        .prompt = {.text = text, .text_bytes = bytes, .messages_json = messages_json},
    };
    out->prompt.hash = pyr_fnv1a64(PYR_FNV1A64_INIT, text, bytes);
    if (!vocabulary->tokens) {
        int64_t counted = vocabulary->counts ? count_by_target(vocabulary, text, bytes) : -1;
        out->estimated = counted < 0;
        out->prompt.token_count =
            counted > 0 ? (uint32_t)counted
                        : estimate(vocabulary, bytes) + (uint32_t)vocabulary->tokens_before;
        return true;
    }
    struct pyr_target *target = vocabulary->target;
    int needed = target->ops->tokenize(target, text, bytes, true, NULL, 0);
    int capacity = needed < 0 ? -needed : needed;
    int32_t *tokens = pyr_arena_array(arena, (size_t)capacity + 1, sizeof *tokens);
    int count = target->ops->tokenize(target, text, bytes, true, tokens, capacity);
    if (count <= 0)
        return pyr_fail(err, PYR_E_INPUT, "a prompt of %zu bytes has no tokens in this model",
                        bytes);
    out->prompt.tokens = tokens;
    out->prompt.token_count = (uint32_t)count;
    return true;
}
