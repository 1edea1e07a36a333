/* SPDX-License-Identifier: MIT
 *
 * The engine that costs nothing: what a run on it takes is the harness. A step checks its batch
 * and is over; a row of logits is a pointer into a table. The token depends on the position alone,
 * so that greedy text is the alphabet again and again. Text is lower case letters, space, '.',
 * ',', newline; every other byte reads as '?'.
 */
#include "base/mem.h"
#include "model/engines.h"
#include "model/positions.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    VOCABULARY_MIN = 32, /* small, so that choosing a token costs nearly nothing */
    VOCABULARY_MAX = 262144,
    SEQUENCES_MAX = 65536,
    TOKENS_MAX = 1 << 20,
    LETTERS = 26,
    END_TOKEN = 0,
    FIRST_LETTER = 1
};

static const char alphabet[] = "\0abcdefghijklmnopqrstuvwxyz .,\n?";

struct options {
    uint64_t vocabulary;
};

struct pyr_model {
    struct options options;
    float *rows; /* (LETTERS, vocabulary): row r makes letter r the best token */
};

struct pyr_context {
    const struct pyr_model *model;
    struct pyr_positions positions;
    const float **row; /* (batch_tokens) of the last batch, NULL: no logits wanted */
};

static const struct pyr_option_row rows[] = {
    {.key = "vocabulary",
     .kind = PYR_OPTION_WHOLE,
     .offset = offsetof(struct options, vocabulary),
     .least = VOCABULARY_MIN,
     .most = VOCABULARY_MAX,
     .help = "tokens; more makes choosing one cost what it does in a real model"},
};
static const struct pyr_option_table table = PYR_OPTION_TABLE("null", rows);

static bool null_load(const struct pyr_model_config *config, struct pyr_model **out,
                      struct pyr_err *err) {
    struct options options = {.vocabulary = VOCABULARY_MIN};
    if (!pyr_options_apply_text(&table, config->path ? config->path : "", &options, err) ||
        !pyr_options_apply(&table, config->options, config->option_count, &options, NULL, err))
        return false;
    struct pyr_model *model = pyr_xcalloc(1, sizeof *model);
    model->options = options;
    model->rows = pyr_xcalloc(LETTERS * options.vocabulary, sizeof *model->rows);
    for (size_t r = 0; r < LETTERS; r++)
        model->rows[r * options.vocabulary + FIRST_LETTER + r] = 12;
    *out = model;
    return true;
}

static void null_describe(const struct pyr_model *model, struct pyr_model_info *info) {
    *info = (struct pyr_model_info){
        .engine = "null",
        .engine_version = PYR_VERSION,
        .description = "costs nothing: measures the harness",
        .vocabulary_size = (uint32_t)model->options.vocabulary,
        .max_sequences = SEQUENCES_MAX,
        .bos_token = -1,
        .eos_token = END_TOKEN,
    };
}

static void null_unload(struct pyr_model *model) {
    pyr_free(model->rows);
    pyr_free(model);
}

static bool null_context_plan(const struct pyr_model *model,
                              const struct pyr_context_config *config,
                              struct pyr_context_info *info, struct pyr_err *err) {
    (void)model;
    return pyr_positions_plan("null", config, SEQUENCES_MAX, TOKENS_MAX, info, err);
}

static bool null_context_create(struct pyr_model *model, const struct pyr_context_config *config,
                                struct pyr_context **out, struct pyr_err *err) {
    struct pyr_context_info info;
    if (!null_context_plan(model, config, &info, err))
        return false;
    struct pyr_context *context = pyr_xcalloc(1, sizeof *context);
    context->model = model;
    pyr_positions_init(&context->positions, &info, (uint32_t)model->options.vocabulary);
    context->row = pyr_xcalloc(info.batch_tokens, sizeof *context->row);
    *out = context;
    return true;
}

static void null_context_destroy(struct pyr_context *context) {
    pyr_positions_deinit(&context->positions);
    pyr_free(context->row);
    pyr_free(context);
}

static int null_tokenize(const struct pyr_model *model, const char *text, size_t length,
                         bool special, int32_t *tokens, int capacity) {
    (void)model;
    (void)special;
    if (length > (size_t)capacity)
        return length > INT32_MAX ? -INT32_MAX : -(int)length;
    for (size_t i = 0; i < length; i++) {
        const char *at = text[i] ? strchr(alphabet + 1, tolower((unsigned char)text[i])) : NULL;
        tokens[i] = (int32_t)(at ? at - alphabet : VOCABULARY_MIN - 1);
    }
    return (int)length;
}

static int null_piece(const struct pyr_model *model, int32_t token, char *bytes, int capacity) {
    if (token <= END_TOKEN || (uint64_t)token >= model->options.vocabulary)
        return 0;
    if (capacity < 1)
        return -1;
    bytes[0] = token < VOCABULARY_MIN ? alphabet[token] : '?';
    return 1;
}

static bool null_is_end(const struct pyr_model *model, int32_t token) {
    (void)model;
    return token == END_TOKEN;
}

static enum pyr_decode_status null_decode(struct pyr_context *context,
                                          const struct pyr_batch *batch, uint64_t now_ns,
                                          uint64_t *done_ns, struct pyr_err *err) {
    (void)now_ns;
    (void)done_ns;
    enum pyr_decode_status status = pyr_positions_take(&context->positions, batch, err);
    if (status != PYR_DECODE_OK)
        return status;
    const struct pyr_model *model = context->model;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t letter = (uint32_t)batch->pos[i] % LETTERS;
        context->row[i] = batch->want[i] ? model->rows + letter * model->options.vocabulary : NULL;
    }
    return PYR_DECODE_OK;
}

static const float *null_logits(struct pyr_context *context, uint32_t i) {
    return context->row[i];
}

static void null_sequence_remove(struct pyr_context *context, int32_t seq, uint32_t from,
                                 uint32_t to) {
    pyr_positions_remove(&context->positions, seq, from, to);
}

static bool null_sequence_copy(struct pyr_context *context, int32_t from, int32_t to,
                               uint32_t count) {
    pyr_positions_copy(&context->positions, from, to, count);
    return true;
}

const struct pyr_engine pyr_engine_null = {
    .name = "null",
    .summary = "costs nothing: measures the harness",
    .load = null_load,
    .describe = null_describe,
    .unload = null_unload,
    .context_plan = null_context_plan,
    .context_create = null_context_create,
    .context_destroy = null_context_destroy,
    .tokenize = null_tokenize,
    .piece = null_piece,
    .is_end = null_is_end,
    .decode = null_decode,
    .logits = null_logits,
    .sequence_remove = null_sequence_remove,
    .sequence_copy = null_sequence_copy,
};
