/* SPDX-License-Identifier: MIT
 *
 * Between the program (model/llama.c) and its plug-in for llama.cpp (plugin/llama_plugin.c). The
 * plug-in is the only file that sees llama.h: the structs there go by value and change from
 * release to release, so it is built against the header of the library that it loads, and refuses
 * another. It uses nothing of the program but base/err.c and base/mem.c, of which it
 * has its own copy.
 *
 * What can be checked without the library (the file, memory, positions) is checked before it gets
 * here; what only the library knows is checked by the plug-in.
 */
#ifndef PYR_MODEL_LLAMA_PLUGIN_H
#define PYR_MODEL_LLAMA_PLUGIN_H

#include "base/err.h"
#include "model/model.h"

/* Changes with anything in this file. */
enum { PYR_LLAMA_PLUGIN_ABI = 4 };
#define PYR_LLAMA_PLUGIN_ENTRY "pyr_llama_plugin_entry"

/* Index of an option's choices. */
enum pyr_llama_flash { PYR_LLAMA_FLASH_AUTO, PYR_LLAMA_FLASH_ON, PYR_LLAMA_FLASH_OFF };

struct pyr_llama_options {
    int flash_attn;                 /* enum pyr_llama_flash */
    bool kv_unified;                /* one KV memory for all sequences instead of one each */
    uint64_t n_batch;               /* the most tokens of one decode; 0: what the caller asks for */
    uint64_t n_ubatch;              /* tokens computed at once; 0: llama.cpp's 512 */
    bool repack;                    /* weights copied into the order that the CPU likes best */
    bool mmap;                      /* weights mapped instead of read */
    bool check_tensors;             /* look for impossible values (NaN scales) while loading */
    bool no_perf;                   /* leave out the library's own timing */
    int cache_type_k, cache_type_v; /* index into the choices of llama.c */
    uint32_t ggml_type_k, ggml_type_v;
    uint64_t gpu_layers;     /* layers given to a GPU where the library has one */
    uint64_t poll;           /* 0..100: how long idle compute threads spin before they sleep */
    const char *cpu_variant; /* "zen4": load exactly that libggml-cpu-*.so; NULL: the best */
};

struct pyr_llama_library {
    char version[PYR_NAME_BYTES]; /* what llama_version() says */
    char cpu[PYR_NAME_BYTES];     /* the variant in use, "zen4"; "" when there is only one */
    bool has_gpu;
    uint32_t max_sequences, max_threads;
};

struct pyr_llama_model_info {
    char description[PYR_NAME_BYTES];
    uint64_t parameters, weight_bytes;
    uint32_t vocabulary, trained_context;
    int32_t bos_token, eos_token;
};

struct pyr_llama_context_config {
    uint32_t cells; /* KV positions of all sequences together */
    uint32_t sequences, batch_tokens, ubatch_tokens, threads;
    const _Atomic bool *interrupt; /* as in model.h */
};

struct pyr_llama_model;   /* the plug-in's */
struct pyr_llama_context; /* the plug-in's */

struct pyr_llama_plugin {
    uint32_t abi;
    const char *header_version; /* of the llama.h it was built against, "" when unknown */

    /* Opens `file` (a libllama) and loads the compute backends from its folder. Once in a process:
     * a second library is refused. */
    bool (*open)(const char *file, const char *cpu_variant, struct pyr_llama_library *library,
                 struct pyr_err *err);

    bool (*load)(const char *path, const struct pyr_llama_options *options,
                 bool (*progress)(void *context, double share), void *progress_context,
                 struct pyr_llama_model **model, struct pyr_err *err);
    void (*describe)(const struct pyr_llama_model *model, struct pyr_llama_model_info *info);
    void (*unload)(struct pyr_llama_model *model);

    int (*tokenize)(const struct pyr_llama_model *model, const char *text, size_t length,
                    bool special, int32_t *tokens, int capacity);
    int (*chat)(const struct pyr_llama_model *model, const struct pyr_message *messages,
                size_t count, int32_t *tokens, int capacity);
    int (*piece)(const struct pyr_llama_model *model, int32_t token, char *bytes, int capacity);
    bool (*is_end)(const struct pyr_llama_model *model, int32_t token);

    bool (*grammar_create)(const struct pyr_llama_model *model, const char *rules,
                           struct pyr_grammar **grammar, struct pyr_err *err);
    void (*grammar_destroy)(struct pyr_grammar *grammar);
    void (*grammar_mask)(const struct pyr_grammar *grammar, float *logits, int32_t only);
    void (*grammar_accept)(struct pyr_grammar *grammar, int32_t token);

    bool (*context_create)(struct pyr_llama_model *model,
                           const struct pyr_llama_context_config *config,
                           const struct pyr_llama_options *options,
                           struct pyr_llama_context **context, struct pyr_err *err);
    void (*context_destroy)(struct pyr_llama_context *context);
    enum pyr_decode_status (*decode)(struct pyr_llama_context *context,
                                     const struct pyr_batch *batch, struct pyr_err *err);
    const float *(*logits)(struct pyr_llama_context *context, uint32_t i);
    void (*sequence_remove)(struct pyr_llama_context *context, int32_t seq, uint32_t from,
                            uint32_t to);
    bool (*sequence_copy)(struct pyr_llama_context *context, int32_t from, int32_t to,
                          uint32_t count);
};

/* Exported under PYR_LLAMA_PLUGIN_ENTRY. */
typedef const struct pyr_llama_plugin *pyr_llama_plugin_entry_fn(void);

#endif
