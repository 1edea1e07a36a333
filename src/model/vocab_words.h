/* SPDX-License-Identifier: MIT
 *
 * The words that the vocabulary of synthesised models is made of, separated by single spaces.
 */
#ifndef PYR_MODEL_VOCAB_WORDS_H
#define PYR_MODEL_VOCAB_WORDS_H

extern const char pyr_vocab_words[];
extern const char pyr_vocab_endings[];

#endif
