/* SPDX-License-Identifier: MIT
 *
 * What a GGUF file says about its model, checked before an engine sees it. llama.cpp reports most
 * of what is wrong with a file but aborts the process on some of it (a huge block count, repeated
 * tokens, heads that do not divide, ...); what it would abort on is refused here with a sentence.
 */
#ifndef PYR_MODEL_GGUF_CHECK_H
#define PYR_MODEL_GGUF_CHECK_H

#include "model/gguf_read.h"

enum {
    PYR_GGUF_LAYERS_MAX = 512,  /* LLAMA_MAX_LAYERS */
    PYR_GGUF_EXPERTS_MAX = 1024 /* LLAMA_MAX_EXPERTS */
};

/* Numbers are 0 where the file does not say. */
struct pyr_gguf_shape {
    char architecture[64], name[128], file_type[32];
    uint32_t layers, dim, ffn, heads, context, vocabulary;
    uint32_t experts, experts_used;
    uint32_t head_dim_k, head_dim_v;
    uint16_t kv_heads[PYR_GGUF_LAYERS_MAX]; /* of each layer; 0: that layer keeps no keys */
    /* The layers keep one key and one value row a token and head, so that KV memory can be worked
     * out (not so for latent attention and recurrent states). */
    bool plain_kv;
    bool tied;      /* output weights are the embedding */
    bool synthetic; /* random weights, made by `pyrometer model synth` */
    uint64_t parameters, weight_bytes;
    uint64_t first_weight;   /* where the first one lies in the file */
    uint64_t repacked_bytes; /* of the matrices that llama.cpp may copy into another order */
    /* Weights read for one token of one sequence: all but the rows that are only looked up, of
     * experts the share that is used. */
    uint64_t bytes_per_token;
};

/* `name` is what errors call the file. */
bool pyr_gguf_check(const struct pyr_gguf *gguf, const char *name, struct pyr_gguf_shape *shape,
                    struct pyr_err *err);

/* KV memory of `cells` token positions with the given tensor types, 0 unless plain_kv.
 * = sum over layers of kv_heads x (row bytes of head_dim_k in type_k + the same for v) x cells. */
uint64_t pyr_gguf_kv_bytes(const struct pyr_gguf_shape *shape, const struct pyr_tensor_type *type_k,
                           const struct pyr_tensor_type *type_v, uint64_t cells);

#endif
