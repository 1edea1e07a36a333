/* SPDX-License-Identifier: MIT */
#include "model/sim.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/engines.h"
#include "model/memory.h"
#include "model/positions.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    CHARACTERS = 27, /* the letters and a space: what it writes */
    REMOVED = -1,    /* a token that was removed from the middle of a sequence */
    STEP_MS_MAX = 1000000000
};

struct leak {
    struct leak *next;
};

struct pyr_model {
    struct pyr_sim_law law;
    float *rows; /* (CHARACTERS, PYR_SIM_VOCABULARY) */
    _Atomic(struct leak *) leaks;
};

struct pyr_context {
    struct pyr_model *model;
    struct pyr_positions positions;
    int32_t *token;         /* (sequences, tokens_per_sequence) as decoded */
    uint64_t *hash;         /* the same shape: of all tokens up to there */
    bool *failing;          /* (sequences) */
    uint32_t *rows_in_step; /* (sequences) */
    int8_t *row;            /* (batch_tokens) character of the last batch, -1: no logits */
    struct pyr_rng jitter, spikes;
    uint64_t starts, seed, epoch_ns;
    bool started;
};

/* One row of the table of options: a field of the law under its own name. */
#define LAW(type, field, from, to, sentence)                                                       \
    {                                                                                              \
        .key = #field, .kind = PYR_OPTION_##type, .offset = offsetof(struct pyr_sim_law, field),   \
        .least = from, .most = to, .help = sentence                                                \
    }
static const struct pyr_option_row law_rows[] = {
    LAW(REAL, step_ms, 0, 1e6, "a step, however small"),
    LAW(REAL, per_seq_ms, 0, 1e6, "more for each sequence in the step"),
    LAW(REAL, prefill_tok_s, 1e-3, 1e12, "prompt tokens a second"),
    LAW(REAL, jitter_pct, 0, 1000, "spread of a step in percent"),
    LAW(REAL, spike_share, 0, 1, "share of steps that are spikes"),
    LAW(REAL, spike_x, 0, 1e6, "how much longer a spike is"),
    LAW(REAL, stall_ms, 0, 1e7, "how long nothing moves"),
    LAW(REAL, stall_every_s, 1e-3, 1e6, "how often nothing moves"),
    LAW(WHOLE, knee, 0, PYR_SIM_SEQUENCES_MAX, "sequences at once, 0: no limit"),
    LAW(FLAG, serialize, 0, 0, "one sequence at a time"),
    LAW(REAL, fail_share, 0, 1, "share of sequences that fail"),
    LAW(WHOLE, leak_kib, 0, 1 << 20, "memory kept for each sequence"),
    LAW(FLAG, real, 0, 0, "take the time instead of telling it"),
    LAW(WHOLE, seed, 0, 0x1p64, "of text and law"),
    LAW(WHOLE, context, 1, 1 << 20, "tokens of the longest sequence"),
};
#undef LAW
static const struct pyr_option_table table = PYR_OPTION_TABLE("sim", law_rows);

bool pyr_sim_parse(const char *text, const struct pyr_option *options, size_t count,
                   struct pyr_sim_law *law, struct pyr_err *err) {
    *law = (struct pyr_sim_law){
        .step_ms = 20,
        .per_seq_ms = 1,
        .prefill_tok_s = 2000,
        .jitter_pct = 5,
        .spike_x = 10,
        .stall_every_s = 10,
        .seed = 1,
        .context = 8192,
    };
    if (!pyr_options_apply_text(&table, text ? text : "", law, err) ||
        !pyr_options_apply(&table, options, count, law, NULL, err))
        return false;
    if (law->stall_ms >= law->stall_every_s * 1000)
        return pyr_fail(err, PYR_E_USAGE,
                        "sim: stall_ms=%g fills all of stall_every_s=%g, so nothing would ever "
                        "move",
                        law->stall_ms, law->stall_every_s);
    return true;
}

static uint64_t extend_hash(uint64_t hash, int32_t token) {
    return pyr_mix64(hash ^ pyr_mix64((uint64_t)(token - REMOVED)));
}

static int character_of(uint64_t hash) {
    return (int)((hash >> 32) % CHARACTERS);
}

static int32_t token_of_character(int character) {
    return character == CHARACTERS - 1 ? ' ' : 'a' + character;
}

int32_t pyr_sim_next_token(uint64_t seed, const int32_t *tokens, uint32_t count) {
    uint64_t hash = pyr_mix64(seed);
    for (uint32_t i = 0; i < count; i++)
        hash = extend_hash(hash, tokens[i]);
    return token_of_character(character_of(hash));
}

/* One good token, the other characters far behind it, everything else impossible: sampling gives
 * readable text too. */
static float *make_rows(void) {
    float *rows = pyr_xcalloc((size_t)CHARACTERS * PYR_SIM_VOCABULARY, sizeof *rows);
    for (int r = 0; r < CHARACTERS; r++) {
        float *row = rows + (size_t)r * PYR_SIM_VOCABULARY;
        for (int token = 0; token < PYR_SIM_VOCABULARY; token++)
            row[token] = -30;
        for (int other = 0; other < CHARACTERS; other++)
            row[token_of_character(other)] = other == r ? 12 : 0;
    }
    return rows;
}

static bool sim_load(const struct pyr_model_config *config, struct pyr_model **out,
                     struct pyr_err *err) {
    struct pyr_sim_law law;
    if (!pyr_sim_parse(config->path, config->options, config->option_count, &law, err))
        return false;
    struct pyr_model *model = pyr_xcalloc(1, sizeof *model);
    model->law = law;
    model->rows = make_rows();
    *out = model;
    return true;
}

static uint32_t most_sequences(const struct pyr_sim_law *law) {
    if (law->serialize)
        return 1;
    return law->knee ? (uint32_t)law->knee : PYR_SIM_SEQUENCES_MAX;
}

static void sim_describe(const struct pyr_model *model, struct pyr_model_info *info) {
    const struct pyr_sim_law *law = &model->law;
    *info = (struct pyr_model_info){
        .engine = "sim",
        .engine_version = PYR_VERSION,
        .vocabulary_size = PYR_SIM_VOCABULARY,
        .trained_context = (uint32_t)law->context,
        .max_sequences = most_sequences(law),
        .bos_token = PYR_SIM_BEGIN,
        .eos_token = PYR_SIM_END,
        .simulated = true,
        .virtual_time = !law->real,
    };
    snprintf(info->description, sizeof info->description,
             "a set law: %g ms a step + %g ms a sequence, %g prompt tokens/s, jitter %g %%",
             law->step_ms, law->per_seq_ms, law->prefill_tok_s, law->jitter_pct);
}

static void sim_unload(struct pyr_model *model) {
    for (struct leak *leak = model->leaks; leak;) {
        struct leak *next = leak->next;
        pyr_free(leak);
        leak = next;
    }
    pyr_free(model->rows);
    pyr_free(model);
}

static bool sim_context_plan(const struct pyr_model *model, const struct pyr_context_config *config,
                             struct pyr_context_info *info, struct pyr_err *err) {
    if (!pyr_positions_plan("sim", config, most_sequences(&model->law),
                            (uint32_t)model->law.context, info, err))
        return false;
    info->kv_bytes = (uint64_t)info->sequences * info->tokens_per_sequence *
                     (sizeof(int32_t) + sizeof(uint64_t));
    return pyr_memory_check("sim", "sequences", info->kv_bytes, NULL, err);
}

static bool sim_context_create(struct pyr_model *model, const struct pyr_context_config *config,
                               struct pyr_context **out, struct pyr_err *err) {
    struct pyr_context_info info;
    if (!sim_context_plan(model, config, &info, err))
        return false;
    struct pyr_context *context = pyr_xcalloc(1, sizeof *context);
    size_t cells = (size_t)info.sequences * info.tokens_per_sequence;
    context->model = model;
    context->seed = pyr_mix64(model->law.seed) ^ pyr_mix64(~config->seed);
    pyr_rng_init_stream(&context->jitter, context->seed, 0);
    pyr_rng_init_stream(&context->spikes, context->seed, 1);
    pyr_positions_init(&context->positions, &info, PYR_SIM_VOCABULARY);
    context->token = pyr_xcalloc(cells, sizeof *context->token);
    context->hash = pyr_xcalloc(cells, sizeof *context->hash);
    context->failing = pyr_xcalloc(info.sequences, sizeof *context->failing);
    context->rows_in_step = pyr_xcalloc(info.sequences, sizeof *context->rows_in_step);
    context->row = pyr_xcalloc(info.batch_tokens, sizeof *context->row);
    *out = context;
    return true;
}

static void sim_context_destroy(struct pyr_context *context) {
    pyr_positions_deinit(&context->positions);
    pyr_free(context->token);
    pyr_free(context->hash);
    pyr_free(context->failing);
    pyr_free(context->rows_in_step);
    pyr_free(context->row);
    pyr_free(context);
}

static int sim_tokenize(const struct pyr_model *model, const char *text, size_t length,
                        bool special, int32_t *tokens, int capacity) {
    (void)model;
    size_t needed = length + special;
    if (needed > (size_t)capacity)
        return needed > INT32_MAX ? -INT32_MAX : -(int)needed;
    if (special)
        *tokens++ = PYR_SIM_BEGIN;
    for (size_t i = 0; i < length; i++)
        tokens[i] = (unsigned char)text[i];
    return (int)needed;
}

static int sim_piece(const struct pyr_model *model, int32_t token, char *bytes, int capacity) {
    (void)model;
    if (token < 0 || token >= PYR_SIM_BEGIN)
        return 0;
    if (capacity < 1)
        return -1;
    bytes[0] = (char)token;
    return 1;
}

static bool sim_is_end(const struct pyr_model *model, int32_t token) {
    (void)model;
    return token == PYR_SIM_END;
}

/* A new sequence: whether it will fail, and the memory that it leaks. */
static void start_sequence(struct pyr_context *context, int32_t seq) {
    const struct pyr_sim_law *law = &context->model->law;
    uint64_t draw = pyr_mix64(context->seed + ++context->starts);
    context->failing[seq] = (double)(draw >> 11) * 0x1p-53 < law->fail_share;
    if (law->leak_kib == 0)
        return;
    size_t bytes = law->leak_kib * 1024;
    struct leak *leak = pyr_xcalloc(1, bytes);
    memset(leak, 0x5a, bytes); /* touched, so that it is really resident */
    leak->next = context->model->leaks;
    while (!atomic_compare_exchange_weak(&context->model->leaks, &leak->next, leak))
        ;
}

static void remember(struct pyr_context *context, int32_t seq, uint32_t pos, int32_t token) {
    size_t start = (size_t)seq * context->positions.tokens_per_sequence;
    uint64_t before =
        pos > 0 ? context->hash[start + pos - 1] : pyr_mix64(context->model->law.seed);
    context->token[start + pos] = token;
    context->hash[start + pos] = extend_hash(before, token);
}

/* Nanoseconds that the step would take if nothing stalled. */
static uint64_t work_ns(struct pyr_context *context, const struct pyr_batch *batch) {
    const struct pyr_sim_law *law = &context->model->law;
    uint32_t sequences = 0, prompt_rows = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        context->rows_in_step[batch->seq[i]] = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        sequences += context->rows_in_step[batch->seq[i]]++ == 0;
    for (uint32_t i = 0; i < batch->count; i++)
        prompt_rows +=
            context->rows_in_step[batch->seq[i]] > 1 || !batch->want[i] || batch->pos[i] == 0;
    double ms =
        law->step_ms + law->per_seq_ms * sequences + 1000.0 * prompt_rows / law->prefill_tok_s;
    ms *= pyr_rng_lognormal(&context->jitter, law->jitter_pct / 100);
    if (law->spike_share > 0 && pyr_rng_unit(&context->spikes) < law->spike_share)
        ms *= law->spike_x;
    return (uint64_t)llround(fmin(ms, STEP_MS_MAX) * 1e6);
}

uint64_t pyr_sim_end_ns(const struct pyr_sim_law *law, uint64_t epoch_ns, uint64_t now_ns,
                        uint64_t work) {
    uint64_t stall_ns = (uint64_t)llround(law->stall_ms * 1e6);
    uint64_t every_ns = (uint64_t)llround(law->stall_every_s * 1e9);
    if (stall_ns == 0)
        return now_ns + work;
    uint64_t t = now_ns - epoch_ns;
    /* Out of the window that t lies in; what does not fit before the next one fills whole spans. */
    if (t >= every_ns && t % every_ns < stall_ns)
        t += stall_ns - t % every_ns;
    uint64_t next = (t / every_ns + 1) * every_ns, span = every_ns - stall_ns;
    if (work <= next - t)
        return epoch_ns + t + work;
    work -= next - t;
    uint64_t whole = (work - 1) / span;
    return epoch_ns + next + stall_ns + whole * every_ns + (work - whole * span);
}

static void sleep_until(uint64_t end_ns) {
    struct timespec end = {(time_t)(end_ns / PYR_NS_PER_S), (long)(end_ns % PYR_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        ;
}

static enum pyr_decode_status sim_decode(struct pyr_context *context, const struct pyr_batch *batch,
                                         uint64_t now_ns, uint64_t *done_ns, struct pyr_err *err) {
    enum pyr_decode_status status = pyr_positions_take(&context->positions, batch, err);
    if (status != PYR_DECODE_OK)
        return status;
    if (!context->started) {
        context->started = true;
        context->epoch_ns = now_ns;
    }
    size_t per_sequence = context->positions.tokens_per_sequence;
    for (uint32_t i = 0; i < batch->count; i++) {
        int32_t seq = batch->seq[i];
        uint32_t pos = (uint32_t)batch->pos[i];
        if (pos == 0)
            start_sequence(context, seq);
        remember(context, seq, pos, batch->token[i]);
        bool given = batch->want[i] && !context->failing[seq];
        uint64_t hash = context->hash[(size_t)seq * per_sequence + pos];
        context->row[i] = given ? (int8_t)character_of(hash) : -1;
    }
    uint64_t end =
        pyr_sim_end_ns(&context->model->law, context->epoch_ns, now_ns, work_ns(context, batch));
    if (context->model->law.real)
        sleep_until(end);
    else
        *done_ns = end;
    return PYR_DECODE_OK;
}

static const float *sim_logits(struct pyr_context *context, uint32_t i) {
    int row = context->row[i];
    return row < 0 ? NULL : context->model->rows + (size_t)row * PYR_SIM_VOCABULARY;
}

static void sim_sequence_remove(struct pyr_context *context, int32_t seq, uint32_t from,
                                uint32_t to) {
    const int32_t *tokens = context->token + (size_t)seq * context->positions.tokens_per_sequence;
    uint32_t next = context->positions.next[seq];
    pyr_positions_remove(&context->positions, seq, from, to);
    /* What remains behind a hole no longer follows what was in it. */
    for (uint32_t pos = from; to < next && pos < next; pos++)
        remember(context, seq, pos, pos < to ? REMOVED : tokens[pos]);
}

static bool sim_sequence_copy(struct pyr_context *context, int32_t from, int32_t to,
                              uint32_t count) {
    size_t per_sequence = context->positions.tokens_per_sequence;
    count = pyr_positions_copy(&context->positions, from, to, count);
    memcpy(context->token + (size_t)to * per_sequence, context->token + (size_t)from * per_sequence,
           count * sizeof *context->token);
    memcpy(context->hash + (size_t)to * per_sequence, context->hash + (size_t)from * per_sequence,
           count * sizeof *context->hash);
    start_sequence(context, to);
    return true;
}

const struct pyr_engine pyr_engine_sim = {
    .name = "sim",
    .summary = "a set law of time: what a report says can be compared with what is true",
    .load = sim_load,
    .describe = sim_describe,
    .unload = sim_unload,
    .context_plan = sim_context_plan,
    .context_create = sim_context_create,
    .context_destroy = sim_context_destroy,
    .tokenize = sim_tokenize,
    .piece = sim_piece,
    .is_end = sim_is_end,
    .decode = sim_decode,
    .logits = sim_logits,
    .sequence_remove = sim_sequence_remove,
    .sequence_copy = sim_sequence_copy,
};
