/* SPDX-License-Identifier: MIT
 *
 * A vocabulary of our own for synthesised models, in the form that llama.cpp calls SPM: pieces
 * that are merged pairwise, best score first, with a token for each byte that no piece covers.
 *
 * Ids 0 <unk>, 1 <s>, 2 </s>, 3..258 the bytes <0x00>..<0xFF>; from PYR_VOCAB_FIRST_PIECE on
 * printable pieces: the printable ASCII characters and the space mark, common English words with
 * every prefix of theirs (so that pairwise merging reaches them), endings, letter and digit
 * groups, and made-up syllables up to the size asked for. Any text survives a round trip; English
 * takes about 1.4 tokens a word at 32,000 pieces.
 */
#ifndef PYR_MODEL_VOCAB_H
#define PYR_MODEL_VOCAB_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PYR_VOCAB_UNKNOWN = 0,
    PYR_VOCAB_BEGIN = 1,
    PYR_VOCAB_END = 2,
    PYR_VOCAB_FIRST_BYTE = 3,
    PYR_VOCAB_FIRST_PIECE = 259,
    PYR_VOCAB_MIN = 384,   /* every printable character and some words */
    PYR_VOCAB_MAX = 200000 /* beyond it the syllables run out */
};

struct pyr_vocab {
    size_t count;
    const char **pieces; /* UTF-8, the space written as U+2581 */
    float *scores;       /* higher merges first */
    int32_t *types;      /* GGUF token types: 1 normal, 2 unknown, 3 control, 6 byte */
};

/* The same for the same count on every machine. Fails when count is outside MIN..MAX. */
bool pyr_vocab_make(struct pyr_arena *arena, size_t count, struct pyr_vocab *vocab,
                    struct pyr_err *err);

#endif
