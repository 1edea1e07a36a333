/* SPDX-License-Identifier: MIT
 *
 * Plain English words for synthetic prompts. They are common enough that most vocabularies hold
 * each, with the space in front of it, as one token.
 */
#ifndef PYR_LOAD_WORDS_H
#define PYR_LOAD_WORDS_H

enum {
    PYR_WORD_COUNT = 256,
    /* The first so many have PYR_WORD_NUMERAL_BYTES letters each: digits of the number that makes
     * a prompt unique, so that one number can be written over another in place. */
    PYR_WORD_NUMERALS = 64,
    PYR_WORD_NUMERAL_BYTES = 4
};

extern const char *const pyr_words[PYR_WORD_COUNT];

#endif
