/* SPDX-License-Identifier: MIT
 *
 * What the tests of engines share: an engine with a model and a context, and a bare greedy loop on
 * it.
 */
#ifndef PYR_TESTS_ENGINES_H
#define PYR_TESTS_ENGINES_H

#include "model/model.h"

enum { PYR_TEST_BATCH = 64 };

struct pyr_test_engine {
    const struct pyr_engine *engine;
    struct pyr_model *model;
    struct pyr_context *context;
    struct pyr_model_info info;
    struct pyr_context_info plan;
    uint64_t now_ns;
    /* a batch to fill */
    struct pyr_batch batch;
    int32_t token[PYR_TEST_BATCH], pos[PYR_TEST_BATCH], seq[PYR_TEST_BATCH];
    uint8_t want[PYR_TEST_BATCH];
};

/* Load and make a context of one thread; a failure fails the test. */
void pyr_test_engine_open(struct pyr_test_engine *b, const struct pyr_engine *engine,
                          const struct pyr_model_config *model, uint32_t sequences,
                          uint32_t tokens);
void pyr_test_engine_close(struct pyr_test_engine *b);

void pyr_test_engine_put(struct pyr_test_engine *b, int32_t token, uint32_t pos, int32_t seq,
                         bool want);
/* Decodes the batch and empties it; in virtual time moves now_ns. */
enum pyr_decode_status pyr_test_engine_step(struct pyr_test_engine *b, struct pyr_err *err);
/* The best token of batch row i, and how far the second is behind. */
int32_t pyr_test_engine_best(struct pyr_test_engine *b, uint32_t i, float *gap);

/* Greedy: `prompt` into `seq` (empty before), then `count` tokens; writes them and their gaps. */
void pyr_test_engine_generate(struct pyr_test_engine *b, int32_t seq, const int32_t *prompt,
                              uint32_t prompt_count, int32_t *out, float *gaps, uint32_t count);

#endif
