/* SPDX-License-Identifier: MIT */
#include "support/engines.h"

#include "support/support.h"

#include <math.h>
#include <string.h>

void pyr_test_engine_open(struct pyr_test_engine *b, const struct pyr_engine *engine,
                          const struct pyr_model_config *model, uint32_t sequences,
                          uint32_t tokens) {
    struct pyr_err err;
    struct pyr_context_config config = {.sequences = sequences,
                                        .tokens_per_sequence = tokens,
                                        .batch_tokens = PYR_TEST_BATCH,
                                        .threads = 1,
                                        .seed = 1};
    memset(b, 0, sizeof *b);
    b->engine = engine;
    b->batch = (struct pyr_batch){0, b->token, b->pos, b->seq, b->want};
    assert_ok(err, engine->load(model, &b->model, &err));
    engine->describe(b->model, &b->info);
    assert_ok(err, engine->context_plan(b->model, &config, &b->plan, &err));
    assert_ok(err, engine->context_create(b->model, &config, &b->context, &err));
}

void pyr_test_engine_close(struct pyr_test_engine *b) {
    b->engine->context_destroy(b->context);
    b->engine->unload(b->model);
}

void pyr_test_engine_put(struct pyr_test_engine *b, int32_t token, uint32_t pos, int32_t seq,
                         bool want) {
    uint32_t i = b->batch.count++;
    assert_true(i < PYR_TEST_BATCH);
    b->token[i] = token;
    b->pos[i] = (int32_t)pos;
    b->seq[i] = seq;
    b->want[i] = want;
}

enum pyr_decode_status pyr_test_engine_step(struct pyr_test_engine *b, struct pyr_err *err) {
    uint64_t done_ns = b->now_ns;
    enum pyr_decode_status status =
        b->engine->decode(b->context, &b->batch, b->now_ns, &done_ns, err);
    if (b->info.virtual_time)
        b->now_ns = done_ns;
    b->batch.count = 0;
    return status;
}

int32_t pyr_test_engine_best(struct pyr_test_engine *b, uint32_t i, float *gap) {
    const float *row = b->engine->logits(b->context, i);
    assert_non_null(row);
    uint32_t best = 0;
    float second = -INFINITY;
    for (uint32_t t = 1; t < b->info.vocabulary_size; t++) {
        if (row[t] > row[best]) {
            second = row[best];
            best = t;
        } else if (row[t] > second) {
            second = row[t];
        }
    }
    if (gap)
        *gap = row[best] - second;
    return (int32_t)best;
}

void pyr_test_engine_generate(struct pyr_test_engine *b, int32_t seq, const int32_t *prompt,
                              uint32_t prompt_count, int32_t *out, float *gaps, uint32_t count) {
    struct pyr_err err;
    uint32_t pos = 0;
    for (uint32_t i = 0; i < prompt_count; i++)
        pyr_test_engine_put(b, prompt[i], pos++, seq, i + 1 == prompt_count);
    uint32_t last = prompt_count - 1;
    for (uint32_t i = 0; i < count; i++) {
        if (pyr_test_engine_step(b, &err) != PYR_DECODE_OK)
            fail_msg("%s", err.text);
        out[i] = pyr_test_engine_best(b, last, gaps ? &gaps[i] : NULL);
        pyr_test_engine_put(b, out[i], pos++, seq, true);
        last = 0;
    }
    b->batch.count = 0; /* the last token is not decoded */
}
