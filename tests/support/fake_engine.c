/* SPDX-License-Identifier: MIT */
#include "support/fake_engine.h"

#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pyr_context {
    struct fake_plan *plan;
    struct pyr_context_info info;
    uint64_t state[FAKE_SEQUENCES]; /* hash of all that the sequence was fed */
    int32_t first[FAKE_SEQUENCES];
    uint32_t length[FAKE_SEQUENCES];
    uint32_t rows;
    int32_t answer[4096]; /* by batch row; -1: not wanted, -2: mute */
    float logits[FAKE_VOCABULARY];
    const _Atomic bool *interrupt;
};

struct fake_plan *fake_next_plan;

struct pyr_model *fake_model(struct fake_plan *plan) {
    return (struct pyr_model *)plan;
}

static bool fake_load(const struct pyr_model_config *config, struct pyr_model **model,
                      struct pyr_err *err) {
    if (config->option_count > 0)
        return pyr_fail(err, PYR_E_USAGE, "%s: unknown option", config->options[0].key);
    if (strcmp(config->path, "abort") == 0) {
        fprintf(stderr, "fake.c:2: FAKE_ASSERT(file is sound) failed\n");
        abort();
    }
    static struct fake_plan plan;
    plan = (struct fake_plan){.mute_token = -1, .real_time = true};
    plan.abort_decode = (uint64_t)atoi(config->path);
    *model = fake_model(fake_next_plan ? fake_next_plan : &plan);
    return true;
}

static void fake_unload(struct pyr_model *model) {
    (void)model;
}

static uint64_t advance(uint64_t state, uint32_t position, int32_t token) {
    return pyr_mix64(state ^ pyr_mix64(((uint64_t)position << 32) | (uint32_t)token));
}

static int32_t token_of(uint64_t state, bool ends) {
    if (ends && state % 16 == 0)
        return FAKE_END_TOKEN;
    return 3 + (int32_t)(state / 16 % (FAKE_VOCABULARY - 3));
}

void fake_output(const int32_t *prompt, uint32_t prompt_tokens, int32_t *output,
                 uint32_t output_tokens) {
    uint64_t state = 0;
    for (uint32_t i = 0; i < prompt_tokens; i++)
        state = advance(state, i, prompt[i]);
    for (uint32_t i = 0; i < output_tokens; i++) {
        output[i] = token_of(state, false);
        state = advance(state, prompt_tokens + i, output[i]);
    }
}

static void fake_describe(const struct pyr_model *model, struct pyr_model_info *info) {
    const struct fake_plan *plan = (const struct fake_plan *)model;
    *info = (struct pyr_model_info){.vocabulary_size = FAKE_VOCABULARY,
                                    .max_sequences = FAKE_SEQUENCES,
                                    .bos_token = 1,
                                    .eos_token = FAKE_END_TOKEN,
                                    .virtual_time = !plan->real_time};
    snprintf(info->engine, sizeof info->engine, "fake");
    snprintf(info->description, sizeof info->description, "fake model");
}

static bool fake_context_plan(const struct pyr_model *model,
                              const struct pyr_context_config *config,
                              struct pyr_context_info *info, struct pyr_err *err) {
    const struct fake_plan *plan = (const struct fake_plan *)model;
    (void)err;
    *info = (struct pyr_context_info){.sequences = config->sequences,
                                      .tokens_per_sequence = config->tokens_per_sequence,
                                      .batch_tokens = config->batch_tokens,
                                      .threads = config->threads};
    if (plan->sequences && info->sequences > plan->sequences)
        info->sequences = plan->sequences;
    return true;
}

static bool fake_context_create(struct pyr_model *model, const struct pyr_context_config *config,
                                struct pyr_context **context, struct pyr_err *err) {
    *context = pyr_xcalloc(1, sizeof **context);
    (*context)->plan = (struct fake_plan *)model;
    (*context)->interrupt = config->interrupt;
    return fake_context_plan(model, config, &(*context)->info, err);
}

static void fake_context_destroy(struct pyr_context *context) {
    pyr_free(context);
}

static int fake_tokenize(const struct pyr_model *model, const char *text, size_t length,
                         bool special, int32_t *tokens, int capacity) {
    (void)model;
    int need = (int)length + special;
    if (need > capacity)
        return -need;
    if (special)
        tokens[0] = 1;
    for (size_t i = 0; i < length; i++)
        tokens[i + special] = 3 + (unsigned char)text[i];
    return need;
}

static int fake_chat(const struct pyr_model *model, const struct pyr_message *messages,
                     size_t count, int32_t *tokens, int capacity) {
    int need = 1;
    for (size_t i = 0; i < count; i++)
        need += 2 + (int)strlen(messages[i].content);
    if (!((const struct fake_plan *)model)->chats)
        return 0;
    if (need > capacity)
        return -need;
    *tokens++ = 1;
    for (size_t i = 0; i < count; i++) {
        *tokens++ = 5;
        *tokens++ = 3 + messages[i].role[0];
        for (const char *at = messages[i].content; *at; at++)
            *tokens++ = 3 + (unsigned char)*at;
    }
    return need;
}

/* Three bytes, so that texts differ wherever tokens do. */
static int fake_piece(const struct pyr_model *model, int32_t token, char *bytes, int capacity) {
    (void)model;
    if (capacity < 3)
        return -3;
    for (int i = 2; i >= 0; i--, token /= 10)
        bytes[i] = (char)('0' + token % 10);
    return 3;
}

static bool fake_is_end(const struct pyr_model *model, int32_t token) {
    (void)model;
    return token == FAKE_END_TOKEN;
}

static enum pyr_decode_status fake_decode(struct pyr_context *context,
                                          const struct pyr_batch *batch, uint64_t now_ns,
                                          uint64_t *done_ns, struct pyr_err *err) {
    struct fake_plan *plan = context->plan;
    assert(batch->count > 0 && batch->count <= context->info.batch_tokens);
    if (plan->kv_tokens && plan->held + batch->count > plan->kv_tokens)
        return PYR_DECODE_FULL;
    plan->decodes++;
    if (plan->on_decode)
        plan->on_decode(plan->context, batch);
    if (context->interrupt && atomic_load(context->interrupt)) {
        plan->interrupted++;
        pyr_fail(err, PYR_E_ENGINE, "fake: interrupted");
        return PYR_DECODE_FAILED;
    }
    if (plan->decodes == plan->abort_decode) {
        fprintf(stderr, "some noise\nfake.c:1: FAKE_ASSERT(fine) failed\n");
        abort();
    }
    if (plan->decodes == plan->fail_decode) {
        pyr_fail(err, PYR_E_ENGINE, "fake: broken at decode %llu",
                 (unsigned long long)plan->decodes);
        return PYR_DECODE_FAILED;
    }
    memset(plan->rows_of, 0, sizeof plan->rows_of);
    context->rows = batch->count;
    for (uint32_t i = 0; i < batch->count; i++) {
        int32_t seq = batch->seq[i], token = batch->token[i];
        assert(seq >= 0 && (uint32_t)seq < context->info.sequences);
        assert(token >= 0 && token < FAKE_VOCABULARY);
        assert((uint32_t)batch->pos[i] == context->length[seq]);
        assert(context->length[seq] < context->info.tokens_per_sequence);
        if (context->length[seq] == 0)
            context->first[seq] = token;
        context->state[seq] = advance(context->state[seq], context->length[seq]++, token);
        plan->held++;
        plan->rows_of[seq]++;
        context->answer[i] = !batch->want[i] ? -1
                             : context->first[seq] == plan->mute_token
                                 ? -2
                                 : token_of(context->state[seq], plan->ends);
    }
    if (!plan->real_time)
        *done_ns = now_ns + 1000 + 100 * (uint64_t)batch->count;
    return PYR_DECODE_OK;
}

static const float *fake_logits(struct pyr_context *context, uint32_t i) {
    assert(i < context->rows && context->answer[i] != -1);
    if (context->answer[i] == -2)
        return NULL;
    for (int t = 0; t < FAKE_VOCABULARY; t++)
        context->logits[t] = -1;
    context->logits[context->answer[i]] = 1;
    return context->logits;
}

static void fake_sequence_remove(struct pyr_context *context, int32_t seq, uint32_t from,
                                 uint32_t to) {
    assert(from == 0 && to == UINT32_MAX);
    context->plan->held -= context->length[seq];
    context->length[seq] = 0;
    context->state[seq] = 0;
}

const struct pyr_engine fake_engine = {
    .name = "fake",
    .summary = "for tests",
    .load = fake_load,
    .describe = fake_describe,
    .unload = fake_unload,
    .context_plan = fake_context_plan,
    .context_create = fake_context_create,
    .context_destroy = fake_context_destroy,
    .tokenize = fake_tokenize,
    .chat = fake_chat,
    .piece = fake_piece,
    .is_end = fake_is_end,
    .decode = fake_decode,
    .logits = fake_logits,
    .sequence_remove = fake_sequence_remove,
};
