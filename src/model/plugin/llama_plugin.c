/* SPDX-License-Identifier: MIT */
#include "model/plugin/llama_plugin.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <llama.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PYR_LLAMA_HEADER_VERSION
#define PYR_LLAMA_HEADER_VERSION ""
#endif

/* Every function of the library that is used, with the type that its header gives it. */
#define FUNCTIONS(X)                                                                               \
    X(llama_version)                                                                               \
    X(llama_log_set)                                                                               \
    X(llama_backend_init)                                                                          \
    X(llama_max_parallel_sequences)                                                                \
    X(llama_model_default_params)                                                                  \
    X(llama_model_load_from_file)                                                                  \
    X(llama_model_free)                                                                            \
    X(llama_model_get_vocab)                                                                       \
    X(llama_model_desc)                                                                            \
    X(llama_model_size)                                                                            \
    X(llama_model_n_params)                                                                        \
    X(llama_model_n_ctx_train)                                                                     \
    X(llama_model_chat_template)                                                                   \
    X(llama_chat_apply_template)                                                                   \
    X(llama_model_has_encoder)                                                                     \
    X(llama_model_has_decoder)                                                                     \
    X(llama_model_is_recurrent)                                                                    \
    X(llama_model_is_hybrid)                                                                       \
    X(llama_model_is_diffusion)                                                                    \
    X(llama_vocab_type)                                                                            \
    X(llama_vocab_n_tokens)                                                                        \
    X(llama_vocab_bos)                                                                             \
    X(llama_vocab_eos)                                                                             \
    X(llama_vocab_is_eog)                                                                          \
    X(llama_tokenize)                                                                              \
    X(llama_token_to_piece)                                                                        \
    X(llama_sampler_init_grammar)                                                                  \
    X(llama_sampler_apply)                                                                         \
    X(llama_sampler_accept)                                                                        \
    X(llama_sampler_free)                                                                          \
    X(llama_context_default_params)                                                                \
    X(llama_init_from_model)                                                                       \
    X(llama_free)                                                                                  \
    X(llama_n_ctx)                                                                                 \
    X(llama_n_batch)                                                                               \
    X(llama_n_seq_max)                                                                             \
    X(llama_attach_threadpool)                                                                     \
    X(llama_get_memory)                                                                            \
    X(llama_memory_seq_rm)                                                                         \
    X(llama_memory_seq_cp)                                                                         \
    X(llama_decode)                                                                                \
    X(llama_synchronize)                                                                           \
    X(llama_get_logits_ith)                                                                        \
    X(ggml_backend_load_all_from_path)                                                             \
    X(ggml_backend_load)                                                                           \
    X(ggml_backend_dev_by_type)                                                                    \
    X(ggml_backend_dev_backend_reg)                                                                \
    X(ggml_backend_reg_get_proc_address)                                                           \
    X(ggml_threadpool_params_default)

struct api {
#define MEMBER(name) __typeof__(&name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
};

enum { LOG_BYTES = 900 };

/* A loaded library is a fact of the process: its backends, its log and its symbols exist once. It
 * is never unloaded: its threads and its thread-local data would outlive its code. */
static struct {
    pthread_mutex_t lock;
    bool opened;
    char file[PATH_MAX];
    char variant[PYR_NAME_BYTES];
    struct pyr_llama_library library;
    struct api api;
    __typeof__(ggml_threadpool_new) *threadpool_new;
    __typeof__(ggml_threadpool_free) *threadpool_free;
} loaded = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The library has no error codes: what went wrong is in its log. The last error lines are kept for
 * the sentence that we return; the rest is dropped. */
static struct {
    pthread_mutex_t lock;
    char text[LOG_BYTES];
    size_t used;
    bool in_error; /* the line that goes on is an error */
} engine_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep_errors(enum ggml_log_level level, const char *text, void *context) {
    (void)context;
    pthread_mutex_lock(&engine_log.lock);
    if (level != GGML_LOG_LEVEL_CONT)
        engine_log.in_error = level == GGML_LOG_LEVEL_ERROR;
    for (; engine_log.in_error && *text && engine_log.used + 3 < LOG_BYTES; text++) {
        bool line_end = *text == '\n';
        if (line_end && engine_log.used > 0)
            engine_log.text[engine_log.used++] = ';';
        engine_log.text[engine_log.used++] = line_end ? ' ' : *text;
    }
    engine_log.text[engine_log.used] = '\0';
    pthread_mutex_unlock(&engine_log.lock);
}

static void clear_log(void) {
    pthread_mutex_lock(&engine_log.lock);
    engine_log.used = 0;
    engine_log.text[0] = '\0';
    engine_log.in_error = false;
    pthread_mutex_unlock(&engine_log.lock);
}

/* "thing: what the engine said"; `mend` may be "". */
static bool fail_engine(struct pyr_err *err, const char *thing, const char *mend) {
    pthread_mutex_lock(&engine_log.lock);
    size_t length = engine_log.used;
    while (length > 0 && strchr("; ", engine_log.text[length - 1]))
        length--;
    bool unknown = strstr(engine_log.text, "unknown model architecture") != NULL;
    pyr_fail(err, unknown ? PYR_E_UNSUPPORTED : PYR_E_ENGINE, "%s: %s%.*s%s", thing,
             unknown ? "unsupported architecture: " : "llama.cpp says: ", length ? (int)length : 7,
             length ? engine_log.text : "nothing", mend);
    pthread_mutex_unlock(&engine_log.lock);
    return false;
}

/* Versions agree up to a suffix such as "-dev", which does not change the structs. */
static bool same_version(const char *a, const char *b) {
    size_t length = strcspn(a, "-+ ");
    return length == strcspn(b, "-+ ") && strncmp(a, b, length) == 0;
}

static bool resolve(void *handle, const char *file, struct pyr_err *err) {
#define RESOLVE(name) {#name, (void **)(void *)&loaded.api.name},
    const struct {
        const char *name;
        void **function;
    } table[] = {FUNCTIONS(RESOLVE)};
#undef RESOLVE
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        *table[i].function = dlsym(handle, table[i].name);
        if (!*table[i].function)
            return pyr_fail(err, PYR_E_UNSUPPORTED,
                            "%s: has no %s, so it is of another release than this program's "
                            "plug-in; build one for it: scripts/build-plugin ENGINE_DIR "
                            "INCLUDE_DIR",
                            file, table[i].name);
    }
    return true;
}

/* The same version number can still be another state of the sources. Values that llama.cpp has
 * given these members for years stand at the offsets that our header knows, or the layout moved. */
static bool layout_is_plausible(void) {
    struct llama_context_params context = loaded.api.llama_context_default_params();
    struct llama_model_params model = loaded.api.llama_model_default_params();
    return context.n_ctx == 512 && context.n_batch == 2048 && context.n_ubatch == 512 &&
           context.n_seq_max == 1 && context.type_k == GGML_TYPE_F16 &&
           context.type_v == GGML_TYPE_F16 && context.abort_callback == NULL &&
           context.flash_attn_type >= -1 && context.flash_attn_type <= 1 &&
           model.progress_callback == NULL && model.kv_overrides == NULL;
}

static bool check_pairing(const char *file, struct pyr_err *err) {
    const char *version = loaded.api.llama_version();
    const char *header = PYR_LLAMA_HEADER_VERSION;
    snprintf(loaded.library.version, sizeof loaded.library.version, "%s", version);
    if ((!*header || same_version(version, header)) && layout_is_plausible())
        return true;
    return pyr_fail(err, PYR_E_UNSUPPORTED,
                    "%s: is llama.cpp %s and the plug-in was built for %s; build one for it: "
                    "scripts/build-plugin ENGINE_DIR INCLUDE_DIR",
                    file, version, *header ? header : "another release");
}

static ggml_backend_reg_t cpu_backend(void) {
    ggml_backend_dev_t device = loaded.api.ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    return device ? loaded.api.ggml_backend_dev_backend_reg(device) : NULL;
}

/* "zen4" from ".../libggml-cpu-zen4.so". */
static void name_cpu(void *symbol, char *name, size_t size) {
    static const char prefix[] = "libggml-cpu-";
    Dl_info info;
    name[0] = '\0';
    if (!dladdr(symbol, &info) || !info.dli_fname)
        return;
    const char *file = strrchr(info.dli_fname, '/');
    file = file ? file + 1 : info.dli_fname;
    if (strncmp(file, prefix, sizeof prefix - 1) == 0)
        snprintf(name, size, "%.*s", (int)strcspn(file + sizeof prefix - 1, "."),
                 file + sizeof prefix - 1);
}

static bool load_backends(const char *file, const char *variant, struct pyr_err *err) {
    char folder[PATH_MAX], backend[PATH_MAX + 128];
    const char *slash = strrchr(file, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - file) : 1, slash ? file : ".");
    clear_log();
    if (variant) {
        snprintf(backend, sizeof backend, "%s/libggml-cpu-%s.so", folder, variant);
        if (!loaded.api.ggml_backend_load(backend))
            return fail_engine(err, backend, "; cpu_variant names one of the libggml-cpu-*.so");
    } else {
        loaded.api.ggml_backend_load_all_from_path(folder);
    }
    ggml_backend_reg_t cpu = cpu_backend();
    if (!cpu)
        return pyr_fail(err, PYR_E_ENGINE,
                        "%s: no compute backend for this CPU; put the libggml-cpu-*.so beside it",
                        file);
    void *make = loaded.api.ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_new");
    void *release = loaded.api.ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_free");
    *(void **)(void *)&loaded.threadpool_new = make;
    *(void **)(void *)&loaded.threadpool_free = release;
    if (!make || !release)
        return pyr_fail(err, PYR_E_ENGINE, "%s: its CPU backend offers no thread pool", file);
    name_cpu(make, loaded.library.cpu, sizeof loaded.library.cpu);
    return true;
}

struct other_search {
    const char *wanted;
    char other[PATH_MAX];
};

static int is_other(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    struct other_search *search = context;
    char real[PATH_MAX];
    const char *slash = object->dlpi_name ? strrchr(object->dlpi_name, '/') : NULL;
    if (!slash || strncmp(slash + 1, "libllama.", 9) != 0 || !realpath(object->dlpi_name, real) ||
        strcmp(real, search->wanted) == 0)
        return 0;
    snprintf(search->other, sizeof search->other, "%s", real);
    return 1;
}

/* Two builds in one process would share what their libraries have the same name for. Another
 * plug-in may have opened one, so the loader is asked and not our own memory. */
static bool check_alone(const char *file, struct pyr_err *err) {
    char real[PATH_MAX];
    struct other_search search = {.wanted = real};
    if (!realpath(file, real))
        return pyr_fail_errno(err, errno, "%s", file);
    return dl_iterate_phdr(is_other, &search) == 0 ||
           pyr_fail(err, PYR_E_USAGE,
                    "%s: this process already runs %s; measure two builds with --isolate", file,
                    search.other);
}

static bool open_library(const char *file, const char *variant, struct pyr_err *err) {
    /* A failed assertion must end the process quickly, not start a debugger in it. */
    setenv("GGML_NO_BACKTRACE", "1", 0);
    if (!check_alone(file, err))
        return false;
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return pyr_fail(err, PYR_E_ENGINE, "%s: cannot be loaded: %s", file, dlerror());
    if (!resolve(handle, file, err) || !check_pairing(file, err))
        return false;
    loaded.api.llama_log_set(keep_errors, NULL);
    loaded.api.llama_backend_init();
    if (!load_backends(file, variant, err))
        return false;
    loaded.library.has_gpu =
        loaded.api.ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU) != NULL;
    loaded.library.max_sequences = (uint32_t)loaded.api.llama_max_parallel_sequences();
    loaded.library.max_threads = GGML_MAX_N_THREADS;
    return true;
}

static bool plugin_open(const char *file, const char *variant, struct pyr_llama_library *library,
                        struct pyr_err *err) {
    pthread_mutex_lock(&loaded.lock);
    bool ok = true;
    const char *wanted = variant ? variant : "";
    if (loaded.opened && strcmp(loaded.file, file) != 0)
        ok = check_alone(file, err);
    if (ok && loaded.opened && strcmp(loaded.variant, wanted) != 0)
        ok = pyr_fail(err, PYR_E_USAGE,
                      "cpu_variant %s: this process already runs %s; compare two with --isolate",
                      *wanted ? wanted : "(best)", loaded.library.cpu);
    else if (!loaded.opened)
        ok = open_library(file, variant, err);
    if (ok && !loaded.opened) {
        loaded.opened = true;
        snprintf(loaded.file, sizeof loaded.file, "%s", file);
        snprintf(loaded.variant, sizeof loaded.variant, "%s", wanted);
    }
    if (ok)
        *library = loaded.library;
    pthread_mutex_unlock(&loaded.lock);
    return ok;
}

struct pyr_llama_model {
    struct llama_model *model;
    const struct llama_vocab *vocab;
    bool (*progress)(void *context, double share);
    void *progress_context;
    bool stopped; /* by progress */
};

struct pyr_llama_context {
    struct llama_context *context;
    llama_memory_t memory;
    struct ggml_threadpool *pool;
    uint32_t batch_tokens;
    int32_t *ones;       /* (batch_tokens) each token belongs to one sequence */
    int32_t **seq_id;    /* (batch_tokens) */
    bool unified, plain; /* plain: keys and values only, no recurrent state */
};

static bool forward_progress(float share, void *context) {
    struct pyr_llama_model *model = context;
    model->stopped = model->progress && !model->progress(model->progress_context, (double)share);
    return !model->stopped;
}

static bool check_kind(const struct pyr_llama_model *m, const char *path, struct pyr_err *err) {
    const struct api *api = &loaded.api;
    if (!api->llama_model_has_decoder(m->model) || api->llama_model_has_encoder(m->model) ||
        api->llama_model_is_diffusion(m->model))
        return pyr_fail(err, PYR_E_UNSUPPORTED,
                        "%s: unsupported architecture (it does not generate token by token)", path);
    if (api->llama_vocab_type(m->vocab) == LLAMA_VOCAB_TYPE_NONE)
        return pyr_fail(err, PYR_E_UNSUPPORTED, "%s: holds no tokenizer", path);
    return true;
}

static void plugin_unload(struct pyr_llama_model *model) {
    if (model->model)
        loaded.api.llama_model_free(model->model);
    pyr_free(model);
}

static bool plugin_load(const char *path, const struct pyr_llama_options *options,
                        bool (*progress)(void *context, double share), void *progress_context,
                        struct pyr_llama_model **out, struct pyr_err *err) {
    struct pyr_llama_model *model = pyr_xcalloc(1, sizeof *model);
    model->progress = progress;
    model->progress_context = progress_context;
    struct llama_model_params params = loaded.api.llama_model_default_params();
    params.n_gpu_layers = (int32_t)options->gpu_layers;
#ifdef PYR_LLAMA_HAS_USE_MMAP
    params.use_mmap = options->mmap;
#else
    params.load_mode = options->mmap ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
#endif
    params.use_extra_bufts = options->repack;
    params.check_tensors = options->check_tensors;
    params.progress_callback = forward_progress;
    params.progress_callback_user_data = model;
    clear_log();
    model->model = loaded.api.llama_model_load_from_file(path, params);
    if (!model->model) {
        bool stopped = model->stopped;
        pyr_free(model);
        return stopped ? pyr_fail(err, PYR_E_INTERRUPTED, "%s: stopped while loading", path)
                       : fail_engine(err, path, "");
    }
    model->progress = NULL; /* the caller's, for the time of loading */
    model->vocab = loaded.api.llama_model_get_vocab(model->model);
    if (!check_kind(model, path, err)) {
        plugin_unload(model);
        return false;
    }
    *out = model;
    return true;
}

static void plugin_describe(const struct pyr_llama_model *model,
                            struct pyr_llama_model_info *info) {
    const struct api *api = &loaded.api;
    *info = (struct pyr_llama_model_info){
        .parameters = api->llama_model_n_params(model->model),
        .weight_bytes = api->llama_model_size(model->model),
        .vocabulary = (uint32_t)api->llama_vocab_n_tokens(model->vocab),
        .trained_context = (uint32_t)api->llama_model_n_ctx_train(model->model),
        .bos_token = api->llama_vocab_bos(model->vocab),
        .eos_token = api->llama_vocab_eos(model->vocab),
    };
    api->llama_model_desc(model->model, info->description, sizeof info->description);
}

static int plugin_tokenize(const struct pyr_llama_model *model, const char *text, size_t length,
                           bool special, int32_t *tokens, int capacity) {
    if (length > INT32_MAX)
        return -INT32_MAX;
    int count = loaded.api.llama_tokenize(model->vocab, text, (int32_t)length, tokens, capacity,
                                          special, false);
    return count == INT32_MIN ? -INT32_MAX : count;
}

/* The conversation in the model's format; NULL: the library does not know it. The caller's. */
static char *format_chat(const struct pyr_llama_model *model, const struct pyr_message *messages,
                         size_t count, int32_t *bytes) {
    const char *format = loaded.api.llama_model_chat_template(model->model, NULL);
    if (!format || count == 0)
        return NULL;
    struct llama_chat_message *chat = pyr_xcalloc(count, sizeof *chat);
    size_t length = 256;
    for (size_t i = 0; i < count; i++) {
        chat[i] = (struct llama_chat_message){messages[i].role, messages[i].content};
        length +=
            2 * strlen(messages[i].content) + 64; /* what the library advises, and its marks */
    }
    char *text = NULL;
    if (length <= INT32_MAX / 2) {
        text = pyr_xcalloc(1, length);
        *bytes =
            loaded.api.llama_chat_apply_template(format, chat, count, true, text, (int32_t)length);
        if (*bytes > 0 && (size_t)*bytes > length) {
            pyr_free(text);
            text = pyr_xcalloc(1, (size_t)*bytes);
            *bytes = loaded.api.llama_chat_apply_template(format, chat, count, true, text, *bytes);
        }
    }
    pyr_free(chat);
    if (text && *bytes > 0)
        return text;
    pyr_free(text);
    return NULL;
}

static int plugin_chat(const struct pyr_llama_model *model, const struct pyr_message *messages,
                       size_t count, int32_t *tokens, int capacity) {
    int32_t bytes;
    char *text = format_chat(model, messages, count, &bytes);
    if (!text)
        return 0;
    int made = loaded.api.llama_tokenize(model->vocab, text, bytes, tokens, capacity, true, true);
    pyr_free(text);
    return made == INT32_MIN ? -INT32_MAX : made;
}

static int plugin_piece(const struct pyr_llama_model *model, int32_t token, char *bytes,
                        int capacity) {
    if (token < 0 || token >= loaded.api.llama_vocab_n_tokens(model->vocab))
        return 0;
    return loaded.api.llama_token_to_piece(model->vocab, token, bytes, capacity, 0, false);
}

static bool plugin_is_end(const struct pyr_llama_model *model, int32_t token) {
    return loaded.api.llama_vocab_is_eog(model->vocab, token);
}

struct pyr_grammar {
    struct llama_sampler *sampler;
    llama_token_data *tokens; /* (count) */
    int32_t count;
};

static bool plugin_grammar_create(const struct pyr_llama_model *model, const char *rules,
                                  struct pyr_grammar **out, struct pyr_err *err) {
    clear_log();
    struct llama_sampler *sampler =
        loaded.api.llama_sampler_init_grammar(model->vocab, rules, "root");
    if (!sampler)
        return fail_engine(err, "grammar", "");
    struct pyr_grammar *grammar = pyr_xcalloc(1, sizeof *grammar);
    grammar->sampler = sampler;
    grammar->count = loaded.api.llama_vocab_n_tokens(model->vocab);
    grammar->tokens = pyr_xcalloc((size_t)grammar->count, sizeof *grammar->tokens);
    *out = grammar;
    return true;
}

static void plugin_grammar_destroy(struct pyr_grammar *grammar) {
    loaded.api.llama_sampler_free(grammar->sampler);
    pyr_free(grammar->tokens);
    pyr_free(grammar);
}

static void plugin_grammar_mask(const struct pyr_grammar *grammar, float *logits, int32_t only) {
    int32_t first = only < 0 ? 0 : only, count = only < 0 ? grammar->count : 1;
    for (int32_t i = 0; i < count; i++)
        grammar->tokens[i] = (llama_token_data){.id = first + i, .logit = logits[first + i]};
    llama_token_data_array list = {.data = grammar->tokens, .size = (size_t)count, .selected = -1};
    loaded.api.llama_sampler_apply(grammar->sampler, &list);
    for (size_t i = 0; i < list.size; i++)
        logits[list.data[i].id] = list.data[i].logit;
}

static void plugin_grammar_accept(struct pyr_grammar *grammar, int32_t token) {
    loaded.api.llama_sampler_accept(grammar->sampler, token);
}

static void plugin_context_destroy(struct pyr_llama_context *context) {
    if (context->context)
        loaded.api.llama_free(context->context);
    if (context->pool)
        loaded.threadpool_free(context->pool);
    pyr_free(context->ones);
    pyr_free(context->seq_id);
    pyr_free(context);
}

static bool is_interrupted(void *interrupt) {
    return atomic_load_explicit((const _Atomic bool *)interrupt, memory_order_relaxed);
}

static struct llama_context_params make_params(const struct pyr_llama_context_config *config,
                                               const struct pyr_llama_options *options) {
    static const enum llama_flash_attn_type flash[] = {
        LLAMA_FLASH_ATTN_TYPE_AUTO, LLAMA_FLASH_ATTN_TYPE_ENABLED, LLAMA_FLASH_ATTN_TYPE_DISABLED};
    struct llama_context_params params = loaded.api.llama_context_default_params();
    params.n_ctx = config->cells;
    params.n_batch = config->batch_tokens;
    params.n_ubatch = config->ubatch_tokens;
    params.n_seq_max = config->sequences;
    params.n_threads = params.n_threads_batch = (int32_t)config->threads;
    params.flash_attn_type = flash[options->flash_attn];
    params.type_k = (enum ggml_type)options->ggml_type_k;
    params.type_v = (enum ggml_type)options->ggml_type_v;
    params.kv_unified = options->kv_unified;
    params.no_perf = options->no_perf;
    if (config->interrupt) {
        params.abort_callback = is_interrupted;
        params.abort_callback_data = (void *)(uintptr_t)config->interrupt;
    }
    return params;
}

/* Without a pool of its own the library makes one for every decode (and throughput wanders). */
static bool attach_pool(struct pyr_llama_context *c, const struct pyr_llama_context_config *config,
                        const struct pyr_llama_options *options, struct pyr_err *err) {
    if (config->threads < 2)
        return true;
    struct ggml_threadpool_params params =
        loaded.api.ggml_threadpool_params_default((int)config->threads);
    params.poll = (uint32_t)options->poll;
    c->pool = loaded.threadpool_new(&params);
    if (!c->pool)
        return pyr_fail(err, PYR_E_ENGINE, "llama.cpp: cannot start %u threads", config->threads);
    loaded.api.llama_attach_threadpool(c->context, c->pool, NULL);
    return true;
}

/* The library rounds what it is asked for; less than that would make it abort later. */
static bool check_given(struct pyr_llama_context *c, const struct pyr_llama_context_config *config,
                        struct pyr_err *err) {
    const struct api *api = &loaded.api;
    return (api->llama_n_ctx(c->context) >= config->cells &&
            api->llama_n_batch(c->context) >= config->batch_tokens &&
            api->llama_n_seq_max(c->context) >= config->sequences) ||
           pyr_fail(err, PYR_E_ENGINE,
                    "llama.cpp: gave a context of %u cells in batches of %u for the %u and %u "
                    "asked for",
                    api->llama_n_ctx(c->context), api->llama_n_batch(c->context), config->cells,
                    config->batch_tokens);
}

static bool plugin_context_create(struct pyr_llama_model *model,
                                  const struct pyr_llama_context_config *config,
                                  const struct pyr_llama_options *options,
                                  struct pyr_llama_context **out, struct pyr_err *err) {
    struct pyr_llama_context *c = pyr_xcalloc(1, sizeof *c);
    c->batch_tokens = config->batch_tokens;
    c->unified = options->kv_unified || config->sequences == 1;
    c->plain = !loaded.api.llama_model_is_recurrent(model->model) &&
               !loaded.api.llama_model_is_hybrid(model->model);
    c->ones = pyr_xcalloc(config->batch_tokens, sizeof *c->ones);
    c->seq_id = pyr_xcalloc(config->batch_tokens, sizeof *c->seq_id);
    for (uint32_t i = 0; i < config->batch_tokens; i++)
        c->ones[i] = 1;
    clear_log();
    c->context = loaded.api.llama_init_from_model(model->model, make_params(config, options));
    bool ok = c->context || fail_engine(err, "llama.cpp", "");
    if (!ok || !check_given(c, config, err) || !attach_pool(c, config, options, err)) {
        plugin_context_destroy(c);
        return false;
    }
    c->memory = loaded.api.llama_get_memory(c->context);
    *out = c;
    return true;
}

static enum pyr_decode_status plugin_decode(struct pyr_llama_context *c,
                                            const struct pyr_batch *batch, struct pyr_err *err) {
    if (batch->count == 0 || batch->count > c->batch_tokens) {
        pyr_fail(err, PYR_E_ENGINE, "a batch of %u rows; it must have 1 to %u", batch->count,
                 c->batch_tokens);
        return PYR_DECODE_FAILED;
    }
    for (uint32_t i = 0; i < batch->count; i++)
        c->seq_id[i] = &batch->seq[i];
    struct llama_batch rows = {
        .n_tokens = (int32_t)batch->count,
        .token = batch->token,
        .pos = batch->pos,
        .n_seq_id = c->ones,
        .seq_id = c->seq_id,
        .logits = (int8_t *)batch->want,
    };
    int result = loaded.api.llama_decode(c->context, rows);
    if (result == 0) {
        loaded.api.llama_synchronize(c->context); /* a GPU goes on after decode returns */
        return PYR_DECODE_OK;
    }
    if (result == 1)
        return PYR_DECODE_FULL;
    fail_engine(err, "llama.cpp", "");
    clear_log();
    return PYR_DECODE_FAILED;
}

static const float *plugin_logits(struct pyr_llama_context *c, uint32_t i) {
    return loaded.api.llama_get_logits_ith(c->context, (int32_t)i);
}

static void plugin_sequence_remove(struct pyr_llama_context *c, int32_t seq, uint32_t from,
                                   uint32_t to) {
    loaded.api.llama_memory_seq_rm(c->memory, seq, (int32_t)from,
                                   to > INT32_MAX ? -1 : (int32_t)to);
}

static bool plugin_sequence_copy(struct pyr_llama_context *c, int32_t from, int32_t to,
                                 uint32_t count) {
    if (!c->plain)
        return false;
    const struct api *api = &loaded.api;
    api->llama_memory_seq_rm(c->memory, to, -1, -1);
    if (c->unified) {
        api->llama_memory_seq_cp(c->memory, from, to, 0, (int32_t)count);
    } else {
        /* Between two KV memories only a whole sequence can be copied (it asserts). */
        api->llama_memory_seq_cp(c->memory, from, to, -1, -1);
        api->llama_memory_seq_rm(c->memory, to, (int32_t)count, -1);
    }
    return true;
}

static const struct pyr_llama_plugin plugin = {
    .abi = PYR_LLAMA_PLUGIN_ABI,
    .header_version = PYR_LLAMA_HEADER_VERSION,
    .open = plugin_open,
    .load = plugin_load,
    .describe = plugin_describe,
    .unload = plugin_unload,
    .tokenize = plugin_tokenize,
    .chat = plugin_chat,
    .piece = plugin_piece,
    .is_end = plugin_is_end,
    .grammar_create = plugin_grammar_create,
    .grammar_destroy = plugin_grammar_destroy,
    .grammar_mask = plugin_grammar_mask,
    .grammar_accept = plugin_grammar_accept,
    .context_create = plugin_context_create,
    .context_destroy = plugin_context_destroy,
    .decode = plugin_decode,
    .logits = plugin_logits,
    .sequence_remove = plugin_sequence_remove,
    .sequence_copy = plugin_sequence_copy,
};

__attribute__((visibility("default"))) pyr_llama_plugin_entry_fn pyr_llama_plugin_entry;

const struct pyr_llama_plugin *pyr_llama_plugin_entry(void) {
    return &plugin;
}
