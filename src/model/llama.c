/* SPDX-License-Identifier: MIT
 *
 * llama.cpp behind the engine's port. What can be known without its library is checked here: the
 * options, the file (model/gguf_check.h), the memory, the batches. The rest is the plug-in's
 * (plugin/llama_plugin.h), which is opened when the first model is loaded and stays.
 */
#include "base/fs.h"
#include "base/mem.h"
#include "model/engines.h"
#include "model/gguf_check.h"
#include "model/llama_find.h"
#include "model/memory.h"
#include "model/plugin/llama_plugin.h"
#include "model/positions.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum {
    CELLS_ROUND = 256,    /* llama.cpp rounds the KV positions of a sequence up to it */
    UBATCH_DEFAULT = 512, /* llama.cpp's own */
    CONTEXT_MAX = 1 << 24 /* tokens of a sequence; more is a typing error */
};

static const char *const flash_choices[] = {"auto", "on", "off", NULL};
/* In the order of cache_types below. */
static const char *const cache_choices[] = {"f16",  "f32",    "bf16", "q8_0", "q4_0",
                                            "q4_1", "iq4_nl", "q5_0", "q5_1", NULL};
static const uint32_t cache_types[] = {1, 0, 30, 8, 2, 3, 20, 6, 7};

#define ROW(type, field, ...)                                                                      \
    {                                                                                              \
        .key = #field, .kind = PYR_OPTION_##type,                                                  \
        .offset = offsetof(struct pyr_llama_options, field), __VA_ARGS__                           \
    }
static const struct pyr_option_row rows[] = {
    ROW(CHOICE, flash_attn, .choices = flash_choices, .help = "flash attention"),
    ROW(FLAG, kv_unified, .help = "one KV memory for all sequences"),
    ROW(WHOLE, n_batch, .least = 1, .most = 1 << 20, .help = "most tokens of one decode"),
    ROW(WHOLE, n_ubatch, .least = 1, .most = 1 << 20, .help = "tokens computed at once"),
    ROW(FLAG, repack, .help = "weights in the CPU's favourite order"),
    ROW(FLAG, mmap, .help = "map the weights instead of reading them"),
    ROW(FLAG, check_tensors, .help = "refuse NaN weights"),
    ROW(FLAG, no_perf, .help = "leave out the library's own timing"),
    ROW(CHOICE, cache_type_k, .choices = cache_choices, .help = "type of keys"),
    ROW(CHOICE, cache_type_v, .choices = cache_choices, .help = "type of values"),
    ROW(WHOLE, gpu_layers, .most = 9999, .help = "layers given to a GPU"),
    ROW(WHOLE, poll, .most = 100, .help = "how long idle threads spin"),
    ROW(TEXT, cpu_variant, .help = "one libggml-cpu-*.so, as zen4"),
};
#undef ROW
static const struct pyr_option_table table = PYR_OPTION_TABLE("llama", rows);

struct pyr_model {
    const struct pyr_llama_plugin *plugin;
    struct pyr_llama_model *model;
    struct pyr_llama_options options;
    struct pyr_llama_library library;
    struct pyr_llama_model_info info;
    struct pyr_gguf_shape shape;
    char *path, *system_root;
};

struct pyr_context {
    const struct pyr_llama_plugin *plugin;
    struct pyr_llama_context *context;
    struct pyr_positions positions;
    uint8_t *want; /* (batch_tokens) of the last batch */
};

static bool parse_options(const struct pyr_model_config *config, struct pyr_llama_options *options,
                          struct pyr_err *err) {
    *options =
        (struct pyr_llama_options){.repack = true, .mmap = true, .no_perf = true, .poll = 50};
    options->gpu_layers = 9999; /* all, where there is a GPU: what the library does by itself */
    if (!pyr_options_apply(&table, config->options, config->option_count, options, NULL, err))
        return false;
    options->ggml_type_k = cache_types[options->cache_type_k];
    options->ggml_type_v = cache_types[options->cache_type_v];
    bool plain_v = pyr_tensor_type(options->ggml_type_v)->block == 1;
    if (!plain_v && options->flash_attn == PYR_LLAMA_FLASH_OFF)
        return pyr_fail(err, PYR_E_USAGE,
                        "llama: cache_type_v=%s needs flash attention and flash_attn=off was asked "
                        "for; drop one",
                        cache_choices[options->cache_type_v]);
    return true;
}

static bool check_cache_types(const struct pyr_llama_options *options,
                              const struct pyr_gguf_shape *shape, struct pyr_err *err) {
    if (shape->heads == 0 ||
        (shape->head_dim_k % pyr_tensor_type(options->ggml_type_k)->block == 0 &&
         shape->head_dim_v % pyr_tensor_type(options->ggml_type_v)->block == 0))
        return true;
    return pyr_fail(err, PYR_E_USAGE,
                    "llama: a head of %u values is no whole number of %s or %s blocks; use "
                    "cache_type_k and cache_type_v f16",
                    shape->head_dim_k, cache_choices[options->cache_type_k],
                    cache_choices[options->cache_type_v]);
}

/* The library takes a file's pages for a buffer and asserts that it begins at such an address. */
static bool check_alignment(const char *path, const struct pyr_llama_options *options,
                            const struct pyr_gguf_shape *shape, struct pyr_err *err) {
    enum { TENSOR_ALIGNMENT = 32 };
    return !options->mmap || shape->first_weight % TENSOR_ALIGNMENT == 0 ||
           pyr_fail(err, PYR_E_UNSUPPORTED,
                    "%s: its weights begin at byte %llu, which is no multiple of %d, and cannot be "
                    "mapped: add mmap=off (--engine-option), or convert it again with "
                    "general.alignment 32",
                    path, (unsigned long long)shape->first_weight, TENSOR_ALIGNMENT);
}

static bool check_file(const char *path, struct pyr_gguf_shape *shape, struct pyr_err *err) {
    struct pyr_gguf_file file;
    if (!pyr_gguf_open(path, &file, err))
        return false;
    bool ok = pyr_gguf_check(&file.gguf, path, shape, err);
    pyr_gguf_close(&file);
    return ok;
}

/* The plug-in stays open for the life of the process, as its library does. */
static const struct pyr_llama_plugin *open_plugin(const char *path, struct pyr_err *err) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        pyr_fail(err, PYR_E_ENGINE, "%s: cannot be opened: %s", path, dlerror());
        return NULL;
    }
    pyr_llama_plugin_entry_fn *entry;
    *(void **)(void *)&entry = dlsym(handle, PYR_LLAMA_PLUGIN_ENTRY);
    const struct pyr_llama_plugin *plugin = entry ? entry() : NULL;
    if (!plugin || plugin->abi != PYR_LLAMA_PLUGIN_ABI) {
        pyr_fail(err, PYR_E_UNSUPPORTED,
                 "%s: was built for another release of pyrometer; build it again", path);
        return NULL;
    }
    return plugin;
}

static uint64_t weight_memory(const struct pyr_model *model) {
    return model->shape.weight_bytes +
           (model->options.repack && model->options.mmap ? model->shape.repacked_bytes : 0);
}

static bool on_gpu(const struct pyr_model *model) {
    return model->library.has_gpu && model->options.gpu_layers > 0;
}

static bool load_weights(struct pyr_model *model, const struct pyr_model_config *config,
                         struct pyr_err *err) {
    struct pyr_llama_paths paths;
    const struct pyr_root root = {model->system_root};
    if (!pyr_llama_find(config->engine_dir, config->plugin_dir, &paths, err) ||
        !pyr_llama_check_variant(paths.library, model->options.cpu_variant, err))
        return false;
    model->plugin = open_plugin(paths.plugin, err);
    if (!model->plugin ||
        !model->plugin->open(paths.library, model->options.cpu_variant, &model->library, err))
        return false;
    if (!on_gpu(model) &&
        !pyr_memory_check(model->path, "its weights", weight_memory(model), &root, err))
        return false;
    return model->plugin->load(model->path, &model->options, config->progress,
                               config->progress_context, &model->model, err);
}

static void llama_unload(struct pyr_model *model) {
    if (model->model)
        model->plugin->unload(model->model);
    pyr_free(model->path);
    pyr_free(model->system_root);
    pyr_free(model);
}

static bool llama_load(const struct pyr_model_config *config, struct pyr_model **out,
                       struct pyr_err *err) {
    struct pyr_model *model = pyr_xcalloc(1, sizeof *model);
    model->path = pyr_xstrdup(config->path ? config->path : "");
    model->system_root = pyr_xstrdup(config->system_root ? config->system_root : "");
    if (!parse_options(config, &model->options, err) ||
        !check_file(model->path, &model->shape, err) ||
        !check_alignment(model->path, &model->options, &model->shape, err) ||
        !check_cache_types(&model->options, &model->shape, err) ||
        !load_weights(model, config, err)) {
        llama_unload(model);
        return false;
    }
    model->options.cpu_variant = NULL; /* the caller's text */
    model->plugin->describe(model->model, &model->info);
    *out = model;
    return true;
}

static void llama_describe(const struct pyr_model *model, struct pyr_model_info *info) {
    const char *cpu = model->library.cpu;
    *info = (struct pyr_model_info){
        .engine = "llama",
        .parameter_count = model->info.parameters,
        .weight_bytes = model->info.weight_bytes,
        .bytes_per_token = model->shape.bytes_per_token,
        .vocabulary_size = model->info.vocabulary,
        .trained_context = model->info.trained_context,
        .max_sequences = model->library.max_sequences,
        .bos_token = model->info.bos_token,
        .eos_token = model->info.eos_token,
        .random_weights = model->shape.synthetic,
    };
    snprintf(info->engine_version, sizeof info->engine_version, "%.*s%s%.*s%s",
             PYR_NAME_BYTES / 2 - 4, model->library.version, *cpu ? " (" : "",
             PYR_NAME_BYTES / 2 - 4, cpu, *cpu ? ")" : "");
    memcpy(info->description, model->info.description, sizeof info->description);
}

static uint64_t round_cells(uint64_t cells) {
    return (cells + CELLS_ROUND - 1) / CELLS_ROUND * CELLS_ROUND;
}

static uint32_t ubatch_tokens(const struct pyr_model *model, uint32_t batch_tokens) {
    uint64_t wanted = model->options.n_ubatch ? model->options.n_ubatch : UBATCH_DEFAULT;
    return wanted < batch_tokens ? (uint32_t)wanted : batch_tokens;
}

/* All positions that llama_n_ctx is asked for; as the library, each sequence is rounded up unless
 * all share one memory. */
static uint64_t all_cells(const struct pyr_model *model, const struct pyr_context_info *info) {
    uint64_t tokens = info->tokens_per_sequence;
    return model->options.kv_unified ? round_cells(tokens * info->sequences)
                                     : round_cells(tokens) * info->sequences;
}

/* What one micro-batch needs at a time: the logits of all its rows beside two states, or the states
 * inside a block. Within 1 MB of what libllama 0.5.0 reports for the shapes of model/synth.h; an
 * estimate nevertheless, as the library lays out its scratch memory by itself. */
static uint64_t scratch_bytes(const struct pyr_model *model, uint32_t ubatch) {
    uint64_t block = 6 * (uint64_t)model->shape.dim + 3 * (uint64_t)model->shape.ffn;
    uint64_t head = 2 * (uint64_t)model->shape.dim + model->info.vocabulary;
    return (block > head ? block : head) * ubatch * sizeof(float);
}

static bool llama_context_plan(const struct pyr_model *model,
                               const struct pyr_context_config *config,
                               struct pyr_context_info *info, struct pyr_err *err) {
    if (!pyr_positions_plan("llama", config, model->library.max_sequences, CONTEXT_MAX, info, err))
        return false;
    if (info->threads > model->library.max_threads)
        return pyr_fail(err, PYR_E_USAGE, "llama: %u threads; it has at most %u", info->threads,
                        model->library.max_threads);
    uint64_t cells = all_cells(model, info);
    if (cells > INT32_MAX)
        return pyr_fail(err, PYR_E_USAGE,
                        "llama: %u sequences of %u tokens are more positions than it can count; "
                        "use fewer or shorter ones",
                        info->sequences, info->tokens_per_sequence);
    info->tokens_per_sequence = (uint32_t)(cells / info->sequences);
    /* The library cuts a batch to the context silently and aborts on a larger one. */
    uint64_t batch = info->batch_tokens < cells ? info->batch_tokens : cells;
    if (model->options.n_batch && model->options.n_batch < batch)
        batch = model->options.n_batch;
    info->batch_tokens = (uint32_t)batch;
    info->kv_bytes = pyr_gguf_kv_bytes(&model->shape, pyr_tensor_type(model->options.ggml_type_k),
                                       pyr_tensor_type(model->options.ggml_type_v), cells);
    uint64_t outputs = (uint64_t)info->sequences * model->info.vocabulary * sizeof(float);
    info->compute_bytes = scratch_bytes(model, ubatch_tokens(model, info->batch_tokens)) + outputs;
    if (on_gpu(model))
        return true;
    const struct pyr_root root = {model->system_root};
    char part[64];
    snprintf(part, sizeof part, "%u sequences of %u tokens", info->sequences,
             info->tokens_per_sequence);
    return pyr_memory_check(model->path, part, info->kv_bytes + info->compute_bytes, &root, err);
}

static void llama_context_destroy(struct pyr_context *context) {
    if (context->context)
        context->plugin->context_destroy(context->context);
    pyr_positions_deinit(&context->positions);
    pyr_free(context->want);
    pyr_free(context);
}

static bool llama_context_create(struct pyr_model *model, const struct pyr_context_config *config,
                                 struct pyr_context **out, struct pyr_err *err) {
    struct pyr_context_info info;
    if (!llama_context_plan(model, config, &info, err))
        return false;
    struct pyr_llama_context_config wanted = {
        .cells = (uint32_t)all_cells(model, &info),
        .sequences = info.sequences,
        .batch_tokens = info.batch_tokens,
        .ubatch_tokens = ubatch_tokens(model, info.batch_tokens),
        .threads = info.threads,
        .interrupt = config->interrupt,
    };
    struct pyr_context *context = pyr_xcalloc(1, sizeof *context);
    context->plugin = model->plugin;
    pyr_positions_init(&context->positions, &info, model->info.vocabulary);
    context->want = pyr_xcalloc(info.batch_tokens, sizeof *context->want);
    if (!model->plugin->context_create(model->model, &wanted, &model->options, &context->context,
                                       err)) {
        llama_context_destroy(context);
        return false;
    }
    *out = context;
    return true;
}

static int llama_tokenize_text(const struct pyr_model *model, const char *text, size_t length,
                               bool special, int32_t *tokens, int capacity) {
    return model->plugin->tokenize(model->model, text, length, special, tokens, capacity);
}

static int llama_chat(const struct pyr_model *model, const struct pyr_message *messages,
                      size_t count, int32_t *tokens, int capacity) {
    return model->plugin->chat(model->model, messages, count, tokens, capacity);
}

static int llama_piece(const struct pyr_model *model, int32_t token, char *bytes, int capacity) {
    return model->plugin->piece(model->model, token, bytes, capacity);
}

static bool llama_is_end(const struct pyr_model *model, int32_t token) {
    return model->plugin->is_end(model->model, token);
}

/* Engines' own things are opaque to those who use them: the plug-in behind ours is found here. */
struct pyr_grammar {
    const struct pyr_llama_plugin *plugin;
    struct pyr_grammar *grammar; /* the plug-in's */
};

static bool llama_grammar_create(const struct pyr_model *model, const char *rules,
                                 struct pyr_grammar **out, struct pyr_err *err) {
    struct pyr_grammar *grammar = pyr_xcalloc(1, sizeof *grammar);
    grammar->plugin = model->plugin;
    if (!model->plugin->grammar_create(model->model, rules, &grammar->grammar, err)) {
        pyr_free(grammar);
        return false;
    }
    *out = grammar;
    return true;
}

static void llama_grammar_destroy(struct pyr_grammar *grammar) {
    grammar->plugin->grammar_destroy(grammar->grammar);
    pyr_free(grammar);
}

static void llama_grammar_mask(const struct pyr_grammar *grammar, float *logits, int32_t only) {
    grammar->plugin->grammar_mask(grammar->grammar, logits, only);
}

static void llama_grammar_accept(struct pyr_grammar *grammar, int32_t token) {
    grammar->plugin->grammar_accept(grammar->grammar, token);
}

static enum pyr_decode_status llama_decode_batch(struct pyr_context *context,
                                                 const struct pyr_batch *batch, uint64_t now_ns,
                                                 uint64_t *done_ns, struct pyr_err *err) {
    (void)now_ns;
    (void)done_ns;
    enum pyr_decode_status status = pyr_positions_take(&context->positions, batch, err);
    if (status != PYR_DECODE_OK)
        return status;
    memcpy(context->want, batch->want, batch->count);
    status = context->plugin->decode(context->context, batch, err);
    if (status == PYR_DECODE_FULL)
        pyr_positions_give_back(&context->positions, batch);
    return status;
}

static const float *llama_logits(struct pyr_context *context, uint32_t i) {
    return context->want[i] ? context->plugin->logits(context->context, i) : NULL;
}

static void llama_sequence_remove(struct pyr_context *context, int32_t seq, uint32_t from,
                                  uint32_t to) {
    pyr_positions_remove(&context->positions, seq, from, to);
    context->plugin->sequence_remove(context->context, seq, from, to);
}

static bool llama_sequence_copy(struct pyr_context *context, int32_t from, int32_t to,
                                uint32_t count) {
    if (!context->plugin->sequence_copy(context->context, from, to, count))
        return false;
    pyr_positions_copy(&context->positions, from, to, count);
    return true;
}

const struct pyr_engine pyr_engine_llama = {
    .name = "llama",
    .summary = "llama.cpp: GGUF models on CPU (and GPU where its library has one)",
    .extension = ".gguf",
    .load = llama_load,
    .describe = llama_describe,
    .unload = llama_unload,
    .context_plan = llama_context_plan,
    .context_create = llama_context_create,
    .context_destroy = llama_context_destroy,
    .tokenize = llama_tokenize_text,
    .chat = llama_chat,
    .piece = llama_piece,
    .is_end = llama_is_end,
    .grammar_create = llama_grammar_create,
    .grammar_destroy = llama_grammar_destroy,
    .grammar_mask = llama_grammar_mask,
    .grammar_accept = llama_grammar_accept,
    .decode = llama_decode_batch,
    .logits = llama_logits,
    .sequence_remove = llama_sequence_remove,
    .sequence_copy = llama_sequence_copy,
};
