/* SPDX-License-Identifier: MIT
 *
 * An engine for tests of serving: its tokens are a function of everything a sequence was fed, it
 * checks every promise of model.h that serving must keep (positions, rows, wants) and it breaks
 * on demand. Virtual time: a step takes 1 us and 100 ns a row.
 */
#ifndef PYR_TESTS_FAKE_ENGINE_H
#define PYR_TESTS_FAKE_ENGINE_H

#include "model/model.h"

enum { FAKE_VOCABULARY = 300, FAKE_END_TOKEN = 2, FAKE_SEQUENCES = 256 };

/* Set before load, read and counted while it runs; one model at a time in a test. */
struct fake_plan {
    uint32_t sequences;    /* the most it gives; 0: as asked */
    uint32_t kv_tokens;    /* room for this many in all sequences together; 0: no limit */
    uint64_t fail_decode;  /* this decode (from 1) fails; 0: none */
    uint64_t abort_decode; /* this one aborts; 0: none */
    int32_t mute_token;    /* a sequence that begins with it has no logits; -1: none */
    bool ends;             /* about one token in 16 is the end token */
    bool chats; /* has a format: token 1, then each message as 5, its role's letter, its text */
    bool real_time;

    uint64_t decodes, interrupted;
    uint32_t rows_of[FAKE_SEQUENCES]; /* in the last decode */
    uint32_t held;                    /* tokens in KV memory */
    void (*on_decode)(void *context, const struct pyr_batch *batch);
    void *context;
};

extern const struct pyr_engine fake_engine;
/* What load gives for "fake:"; a test that has its own pyr_engine_for_target can open such a
 * target. While it is NULL: a plan in real time, "fake:N" aborts the process at its
 * Nth decode, "fake:abort" at once. */
extern struct fake_plan *fake_next_plan;
/* The model is its plan. */
struct pyr_model *fake_model(struct fake_plan *plan);

/* The tokens that the engine gives greedily, one sequence by itself. */
void fake_output(const int32_t *prompt, uint32_t prompt_tokens, int32_t *output,
                 uint32_t output_tokens);

#endif
