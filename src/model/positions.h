/* SPDX-License-Identifier: MIT
 *
 * How far each sequence of a context has come, so that an impossible batch is refused with the same
 * sentence by every engine, and before it reaches a library that would abort.
 */
#ifndef PYR_MODEL_POSITIONS_H
#define PYR_MODEL_POSITIONS_H

#include "model/model.h"

struct pyr_positions {
    uint32_t *next; /* of each sequence: the position that its next row must have */
    uint32_t sequences, tokens_per_sequence, batch_tokens, vocabulary;
};

void pyr_positions_init(struct pyr_positions *positions, const struct pyr_context_info *info,
                        uint32_t vocabulary);
void pyr_positions_deinit(struct pyr_positions *positions);

/* Checks a batch and moves its sequences on. FULL when a sequence is at its end, FAILED with a
 * sentence when the batch is impossible; nothing has changed then. Allocates nothing. */
enum pyr_decode_status pyr_positions_take(struct pyr_positions *positions,
                                          const struct pyr_batch *batch, struct pyr_err *err);

/* Undoes a take that the engine then refused. */
void pyr_positions_give_back(struct pyr_positions *positions, const struct pyr_batch *batch);
/* After positions [from, to) of a sequence were removed. */
void pyr_positions_remove(struct pyr_positions *positions, int32_t seq, uint32_t from, uint32_t to);
/* After the first `count` positions of `from` were copied to `to`; returns how many there were. */
uint32_t pyr_positions_copy(struct pyr_positions *positions, int32_t from, int32_t to,
                            uint32_t count);

/* The common part of a context's limits. Fails on zero and on more than `tokens_max`. */
bool pyr_positions_plan(const char *engine, const struct pyr_context_config *config,
                        uint32_t sequences_max, uint32_t tokens_max, struct pyr_context_info *info,
                        struct pyr_err *err);

#endif
