/* SPDX-License-Identifier: MIT */
#include "model/positions.h"

#include "base/mem.h"

#include <assert.h>

void pyr_positions_init(struct pyr_positions *positions, const struct pyr_context_info *info,
                        uint32_t vocabulary) {
    *positions = (struct pyr_positions){
        .next = pyr_xcalloc(info->sequences, sizeof *positions->next),
        .sequences = info->sequences,
        .tokens_per_sequence = info->tokens_per_sequence,
        .batch_tokens = info->batch_tokens,
        .vocabulary = vocabulary,
    };
}

void pyr_positions_deinit(struct pyr_positions *positions) {
    pyr_free(positions->next);
    *positions = (struct pyr_positions){0};
}

/* Undoes the first `count` rows of a batch that was refused. */
static void give_back(struct pyr_positions *positions, const struct pyr_batch *batch,
                      uint32_t count) {
    while (count-- > 0)
        positions->next[batch->seq[count]]--;
}

static enum pyr_decode_status refuse(const struct pyr_positions *positions,
                                     const struct pyr_batch *batch, uint32_t i,
                                     struct pyr_err *err) {
    int32_t token = batch->token[i], seq = batch->seq[i], pos = batch->pos[i];
    if (seq < 0 || (uint32_t)seq >= positions->sequences)
        pyr_fail(err, PYR_E_ENGINE, "row %u: sequence %d is outside 0 to %u", i, seq,
                 positions->sequences - 1);
    else if (token < 0 || (uint32_t)token >= positions->vocabulary)
        pyr_fail(err, PYR_E_ENGINE, "row %u: token %d is outside the vocabulary of %u", i, token,
                 positions->vocabulary);
    else if ((uint32_t)pos != positions->next[seq])
        pyr_fail(err, PYR_E_ENGINE, "row %u: position %d of sequence %d, which is at %u", i, pos,
                 seq, positions->next[seq]);
    else
        return PYR_DECODE_FULL;
    return PYR_DECODE_FAILED;
}

void pyr_positions_give_back(struct pyr_positions *positions, const struct pyr_batch *batch) {
    give_back(positions, batch, batch->count);
}

void pyr_positions_remove(struct pyr_positions *positions, int32_t seq, uint32_t from,
                          uint32_t to) {
    assert(seq >= 0 && (uint32_t)seq < positions->sequences);
    if (to >= positions->next[seq] && from < positions->next[seq])
        positions->next[seq] = from;
}

uint32_t pyr_positions_copy(struct pyr_positions *positions, int32_t from, int32_t to,
                            uint32_t count) {
    assert(from >= 0 && (uint32_t)from < positions->sequences);
    assert(to >= 0 && (uint32_t)to < positions->sequences && to != from);
    uint32_t held = positions->next[from];
    positions->next[to] = count < held ? count : held;
    return positions->next[to];
}

enum pyr_decode_status pyr_positions_take(struct pyr_positions *positions,
                                          const struct pyr_batch *batch, struct pyr_err *err) {
    if (batch->count == 0 || batch->count > positions->batch_tokens) {
        pyr_fail(err, PYR_E_ENGINE, "a batch of %u rows; it must have 1 to %u", batch->count,
                 positions->batch_tokens);
        return PYR_DECODE_FAILED;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t seq = (uint32_t)batch->seq[i], pos = (uint32_t)batch->pos[i];
        if (seq >= positions->sequences || (uint32_t)batch->token[i] >= positions->vocabulary ||
            pos != positions->next[seq] || pos >= positions->tokens_per_sequence) {
            enum pyr_decode_status status = refuse(positions, batch, i, err);
            give_back(positions, batch, i);
            return status;
        }
        positions->next[seq]++;
    }
    return PYR_DECODE_OK;
}

bool pyr_positions_plan(const char *engine, const struct pyr_context_config *config,
                        uint32_t sequences_max, uint32_t tokens_max, struct pyr_context_info *info,
                        struct pyr_err *err) {
    if (config->sequences == 0 || config->batch_tokens == 0 || config->tokens_per_sequence == 0)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: a context of %u sequences of %u tokens in batches "
                        "of %u; each must be at least 1",
                        engine, config->sequences, config->tokens_per_sequence,
                        config->batch_tokens);
    if (config->tokens_per_sequence > tokens_max)
        return pyr_fail(err, PYR_E_USAGE, "%s: sequences of %u tokens; it has %u", engine,
                        config->tokens_per_sequence, tokens_max);
    *info = (struct pyr_context_info){
        .sequences = config->sequences < sequences_max ? config->sequences : sequences_max,
        .tokens_per_sequence = config->tokens_per_sequence,
        .batch_tokens = config->batch_tokens,
        .threads = config->threads ? config->threads : 1,
    };
    return true;
}
