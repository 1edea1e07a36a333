/* SPDX-License-Identifier: MIT */
#include "model/synth.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/rng.h"
#include "model/gguf_write.h"
#include "model/vocab.h"
#include "model/weights.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Shapes as published: stories260K and 15M from llama2.c's tinyllamas, TinyLlama-1.1B and
 * Llama-3.2-1B from their config.json. Ours differ where said. */
const struct pyr_synth_shape pyr_synth_shapes[] = {
    {"stories260k", "5 layers of 64: tests", 5, 64, 172, 8, 4, 512, 512, 10000, false},
    /* trained with 256 tokens of context; 2048 here, so that long prompts fit */
    {"15m", "6 layers of 288: a small model's overheads", 6, 288, 768, 6, 6, 32000, 2048, 10000,
     true},
    {"tinyllama-1.1b", "22 layers of 2048, TinyLlama-1.1B's shape", 22, 2048, 5632, 32, 4, 32000,
     2048, 10000, false},
    /* without the original's rope scaling factors, which cost no work */
    {"llama3.2-1b", "16 layers of 2048, Llama-3.2-1B's shape", 16, 2048, 8192, 32, 8, 128256,
     131072, 500000, true},
    {0}};

const struct pyr_synth_shape *pyr_synth_shape_find(const char *name, struct pyr_err *err) {
    const char *names[16];
    size_t count = 0;
    for (const struct pyr_synth_shape *shape = pyr_synth_shapes; shape->name; shape++) {
        if (strcasecmp(shape->name, name) == 0)
            return shape;
        names[count++] = shape->name;
    }
    const char *near = pyr_nearest(name, names, count);
    pyr_fail(err, PYR_E_USAGE,
             "unknown model shape '%s'%s%s; shapes: stories260k, 15m, tinyllama-1.1b, llama3.2-1b",
             name, near ? "; did you mean " : "", near ? near : "");
    return NULL;
}

bool pyr_synth_type_find(const char *name, uint32_t *type, struct pyr_err *err) {
    static const uint32_t types[] = {PYR_TENSOR_F32, PYR_TENSOR_F16, PYR_TENSOR_Q8_0,
                                     PYR_TENSOR_Q4_0};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcasecmp(pyr_tensor_type(types[i])->name, name) == 0) {
            *type = types[i];
            return true;
        }
    }
    return pyr_fail(err, PYR_E_USAGE, "unknown weight type '%s'; types: f32, f16, q8_0, q4_0",
                    name);
}

enum fill {
    FILL_RANDOM,
    FILL_ONES,
    FILL_ZERO_SPECIALS, /* output rows of special tokens are zero */
    FILL_HALF_SPECIALS  /* rows of special tokens are half of a printable token's */
};

enum {
    TENSORS_MAX = 9 * 512 + 3, /* llama.cpp runs at most 512 layers */
    /* Elements of one piece of work, about 1 MiB of F32: small enough to balance threads. */
    JOB_ELEMENTS = 256 * 1024
};

/* Embeddings are small beside what the blocks add, so that the text depends on all of the context
 * and not on the last token alone. */
#define EMBEDDING_SD 0.25f

struct tensor {
    size_t index; /* in the file */
    uint32_t type;
    uint64_t columns, rows;
    uint64_t key;
    float sd;
    enum fill fill;
    uint64_t first_job, rows_per_job;
};

struct synth {
    const struct pyr_synth_config *config;
    struct pyr_gguf_writer *writer;
    struct tensor *tensors;
    size_t tensor_count;
    uint64_t jobs, parameters;
    _Atomic uint64_t next_job, jobs_done;
    _Atomic bool stop;
    pthread_mutex_t lock; /* guards failure */
    struct pyr_err failure;
};

static bool check_shape(const struct pyr_synth_shape *shape, struct pyr_err *err) {
    uint32_t head = shape->heads ? shape->dim / shape->heads : 0;
    if (shape->layers < 1 || shape->layers > 512)
        return pyr_fail(err, PYR_E_USAGE, "a model of %u layers: choose 1 to 512", shape->layers);
    if (shape->dim < 2 || shape->dim > 65536 || shape->ffn < 2 || shape->ffn > 262144 ||
        shape->ffn % 2)
        return pyr_fail(err, PYR_E_USAGE,
                        "a model of width %u and inner width %u: choose 2 to 65536 and an even "
                        "number to 262144",
                        shape->dim, shape->ffn);
    if (head == 0 || shape->dim % shape->heads || head % 2)
        return pyr_fail(err, PYR_E_USAGE,
                        "%u heads for width %u: the width must be an even multiple of the heads",
                        shape->heads, shape->dim);
    if (shape->kv_heads == 0 || shape->heads % shape->kv_heads)
        return pyr_fail(err, PYR_E_USAGE, "%u key/value heads: must divide the %u heads",
                        shape->kv_heads, shape->heads);
    if (shape->context == 0)
        return pyr_fail(err, PYR_E_USAGE, "a context of 0 tokens: choose at least 1");
    return true;
}

static uint64_t tensor_key(uint64_t seed, size_t index) {
    return pyr_mix64(pyr_mix64(seed) + index);
}

static void add_tensor(struct synth *s, const char *name, uint64_t columns, uint64_t rows, float sd,
                       enum fill fill) {
    uint32_t type = s->config->type;
    if (fill == FILL_ONES)
        type = PYR_TENSOR_F32;
    else if (columns % pyr_tensor_type(type)->block)
        type = PYR_TENSOR_F16;
    uint64_t rows_per_job = columns < JOB_ELEMENTS ? JOB_ELEMENTS / columns : 1;
    size_t index = pyr_gguf_put_tensor(s->writer, name, type, columns, rows);
    s->tensors[s->tensor_count++] = (struct tensor){
        .index = index,
        .type = type,
        .columns = columns,
        .rows = rows,
        .key = tensor_key(s->config->seed, index),
        .sd = sd,
        .fill = fill,
        .first_job = s->jobs,
        .rows_per_job = rows_per_job,
    };
    s->jobs += (rows + rows_per_job - 1) / rows_per_job;
    s->parameters += columns * rows;
}

static void add_block(struct synth *s, uint32_t i) {
    const struct pyr_synth_shape *shape = &s->config->shape;
    uint32_t dim = shape->dim, kv = dim / shape->heads * shape->kv_heads;
    float in = 1 / sqrtf((float)dim), inner = 1 / sqrtf((float)shape->ffn);
    struct {
        const char *suffix;
        uint64_t columns, rows;
        float sd;
        enum fill fill;
    } parts[] = {
        {"attn_norm", dim, 1, 0, FILL_ONES},
        {"attn_q", dim, dim, in, FILL_RANDOM},
        {"attn_k", dim, kv, in, FILL_RANDOM},
        {"attn_v", dim, kv, in, FILL_RANDOM},
        {"attn_output", dim, dim, in, FILL_RANDOM},
        {"ffn_norm", dim, 1, 0, FILL_ONES},
        {"ffn_gate", dim, shape->ffn, in, FILL_RANDOM},
        {"ffn_up", dim, shape->ffn, in, FILL_RANDOM},
        {"ffn_down", shape->ffn, dim, inner, FILL_RANDOM},
    };
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s.weight", i, parts[part].suffix);
        add_tensor(s, name, parts[part].columns, parts[part].rows, parts[part].sd,
                   parts[part].fill);
    }
}

static void add_tensors(struct synth *s) {
    const struct pyr_synth_shape *shape = &s->config->shape;
    float output_sd = 1 / sqrtf((float)shape->dim); /* logits of standard deviation 1 */
    add_tensor(s, "token_embd.weight", shape->dim, shape->vocabulary,
               shape->tied ? output_sd : EMBEDDING_SD,
               shape->tied ? FILL_HALF_SPECIALS : FILL_RANDOM);
    for (uint32_t i = 0; i < shape->layers; i++)
        add_block(s, i);
    add_tensor(s, "output_norm.weight", shape->dim, 1, 0, FILL_ONES);
    if (!shape->tied)
        add_tensor(s, "output.weight", shape->dim, shape->vocabulary, output_sd,
                   FILL_ZERO_SPECIALS);
}

static uint32_t file_type(uint32_t type) {
    switch (type) {
    case PYR_TENSOR_F32:
        return 0;
    case PYR_TENSOR_F16:
        return 1;
    case PYR_TENSOR_Q4_0:
        return 2;
    default:
        return 7; /* mostly Q8_0 */
    }
}

static void put_metadata(struct synth *s, const struct pyr_vocab *vocab) {
    struct pyr_gguf_writer *w = s->writer;
    const struct pyr_synth_shape *shape = &s->config->shape;
    char name[128];
    snprintf(name, sizeof name, "pyrometer synthetic %s", shape->name ? shape->name : "model");
    pyr_gguf_put_string(w, "general.architecture", "llama");
    pyr_gguf_put_string(w, "general.name", name);
    pyr_gguf_put_string(w, "general.description",
                        "random weights, made by pyrometer to measure speed; its text means "
                        "nothing");
    pyr_gguf_put_u32(w, "general.file_type", file_type(s->config->type));
    pyr_gguf_put_u32(w, "general.quantization_version", 2);
    pyr_gguf_put_bool(w, "pyrometer.synthetic", true);
    pyr_gguf_put_u64(w, "pyrometer.seed", s->config->seed);
    pyr_gguf_put_u32(w, "llama.block_count", shape->layers);
    pyr_gguf_put_u32(w, "llama.context_length", shape->context);
    pyr_gguf_put_u32(w, "llama.embedding_length", shape->dim);
    pyr_gguf_put_u32(w, "llama.feed_forward_length", shape->ffn);
    pyr_gguf_put_u32(w, "llama.attention.head_count", shape->heads);
    pyr_gguf_put_u32(w, "llama.attention.head_count_kv", shape->kv_heads);
    pyr_gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    pyr_gguf_put_u32(w, "llama.rope.dimension_count", shape->dim / shape->heads);
    pyr_gguf_put_f32(w, "llama.rope.freq_base", shape->rope_base);
    pyr_gguf_put_u32(w, "llama.vocab_size", shape->vocabulary);
    pyr_gguf_put_string(w, "tokenizer.ggml.model", "llama");
    pyr_gguf_put_string(w, "tokenizer.ggml.pre", "default");
    pyr_gguf_put_strings(w, "tokenizer.ggml.tokens", vocab->pieces, vocab->count);
    pyr_gguf_put_f32s(w, "tokenizer.ggml.scores", vocab->scores, vocab->count);
    pyr_gguf_put_i32s(w, "tokenizer.ggml.token_type", vocab->types, vocab->count);
    pyr_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", PYR_VOCAB_BEGIN);
    pyr_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", PYR_VOCAB_END);
    pyr_gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", PYR_VOCAB_UNKNOWN);
    pyr_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
    pyr_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", false);
}

/* One row of a special token in an output tensor. The printable rows that are halved are taken in
 * turn, so that prompts of byte tokens still differ. */
static void fill_special_row(const struct synth *s, const struct tensor *t, uint64_t row,
                             uint8_t *out) {
    if (t->fill == FILL_ZERO_SPECIALS) {
        memset(out, 0, pyr_weights_bytes(t->type, t->columns));
        return;
    }
    uint64_t printable = s->config->shape.vocabulary - PYR_VOCAB_FIRST_PIECE;
    uint64_t donor = PYR_VOCAB_FIRST_PIECE + row % printable;
    pyr_weights_fill(t->type, t->key, donor * t->columns, t->columns, t->sd / 2, out);
}

static void fill_rows(const struct synth *s, const struct tensor *t, uint64_t row, uint64_t rows,
                      uint8_t *out) {
    if (t->fill == FILL_ONES) {
        for (uint64_t i = 0; i < rows * t->columns; i++)
            memcpy(out + i * sizeof(float), &(float){1}, sizeof(float));
        return;
    }
    pyr_weights_fill(t->type, t->key, row * t->columns, rows * t->columns, t->sd, out);
    if (t->fill == FILL_RANDOM)
        return;
    size_t row_bytes = pyr_weights_bytes(t->type, t->columns);
    for (uint64_t i = row; i < row + rows && i < PYR_VOCAB_FIRST_PIECE; i++)
        fill_special_row(s, t, i, out + (i - row) * row_bytes);
}

static const struct tensor *tensor_of_job(const struct synth *s, uint64_t job) {
    size_t low = 0, high = s->tensor_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (s->tensors[middle].first_job <= job)
            low = middle;
        else
            high = middle;
    }
    return &s->tensors[low];
}

static void run_job(struct synth *s, uint64_t job, uint8_t *room) {
    const struct tensor *t = tensor_of_job(s, job);
    uint64_t row = (job - t->first_job) * t->rows_per_job;
    uint64_t rows = t->rows - row < t->rows_per_job ? t->rows - row : t->rows_per_job;
    size_t row_bytes = pyr_weights_bytes(t->type, t->columns);
    struct pyr_err err;
    fill_rows(s, t, row, rows, room);
    if (!pyr_gguf_write(s->writer, t->index, row * row_bytes, room, rows * row_bytes, &err)) {
        pthread_mutex_lock(&s->lock);
        if (!s->failure.code)
            s->failure = err;
        pthread_mutex_unlock(&s->lock);
        s->stop = true;
    }
    s->jobs_done++;
}

static uint8_t *job_room(const struct synth *s) {
    uint64_t elements = JOB_ELEMENTS;
    if (s->config->shape.ffn > elements)
        elements = s->config->shape.ffn;
    return pyr_xcalloc(elements, sizeof(float));
}

static void *work(void *context) {
    struct synth *s = context;
    uint8_t *room = job_room(s);
    for (uint64_t job; !s->stop && (job = s->next_job++) < s->jobs;)
        run_job(s, job, room);
    pyr_free(room);
    return NULL;
}

/* The calling thread works too and reports between two pieces of work. */
static bool work_and_report(struct synth *s, struct pyr_err *err) {
    const struct pyr_synth_config *config = s->config;
    uint8_t *room = job_room(s);
    bool wanted = true;
    for (uint64_t job; wanted && !s->stop && (job = s->next_job++) < s->jobs;) {
        run_job(s, job, room);
        if (config->progress)
            wanted =
                config->progress(config->progress_context, (double)s->jobs_done / (double)s->jobs);
    }
    s->stop = s->stop || !wanted;
    pyr_free(room);
    return wanted || pyr_fail(err, PYR_E_INTERRUPTED, "stopped while making the model");
}

static bool generate(struct synth *s, struct pyr_err *err) {
    enum { THREADS_MAX = 64 };
    pthread_t threads[THREADS_MAX];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned wanted = s->config->threads ? s->config->threads : (unsigned)(cores > 0 ? cores : 1);
    unsigned started = 0;
    wanted = wanted > THREADS_MAX ? THREADS_MAX : wanted;
    pthread_mutex_init(&s->lock, NULL);
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, s) == 0)
        started++;
    bool ok = work_and_report(s, err);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&s->lock);
    if (ok && s->failure.code) {
        ok = false;
        if (err)
            *err = s->failure;
    }
    return ok;
}

static bool synthesise(struct synth *s, struct pyr_arena *arena, struct pyr_err *err) {
    struct pyr_vocab vocab;
    s->tensors = pyr_arena_array(arena, TENSORS_MAX, sizeof *s->tensors);
    if (!pyr_vocab_make(arena, s->config->shape.vocabulary, &vocab, err))
        return false;
    put_metadata(s, &vocab);
    add_tensors(s);
    return pyr_gguf_writer_begin(s->writer, err) && generate(s, err);
}

bool pyr_synth(const char *path, const struct pyr_synth_config *config,
               struct pyr_synth_result *result, struct pyr_err *err) {
    if (!check_shape(&config->shape, err))
        return false;
    struct synth s = {.config = config, .writer = pyr_gguf_writer_create(path, err)};
    if (!s.writer)
        return false;
    struct pyr_arena *arena = pyr_arena_create();
    bool ok = synthesise(&s, arena, err);
    pyr_arena_destroy(arena);
    if (!ok) {
        pyr_gguf_writer_abandon(s.writer);
        return false;
    }
    if (result)
        *result = (struct pyr_synth_result){pyr_gguf_writer_bytes(s.writer), s.parameters};
    return pyr_gguf_writer_finish(s.writer, err);
}
