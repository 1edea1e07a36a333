/* SPDX-License-Identifier: MIT
 *
 * How a GGUF file stores numbers: the types of metadata values and the block formats of tensors.
 * Source: the GGUF specification (version 3) and the block layouts of ggml 0.25; the conformance
 * suite compares this table with the engine's own.
 */
#ifndef PYR_MODEL_GGUF_TYPE_H
#define PYR_MODEL_GGUF_TYPE_H

#include <stdbool.h>
#include <stdint.h>

enum pyr_gguf_type {
    PYR_GGUF_U8,
    PYR_GGUF_I8,
    PYR_GGUF_U16,
    PYR_GGUF_I16,
    PYR_GGUF_U32,
    PYR_GGUF_I32,
    PYR_GGUF_F32,
    PYR_GGUF_BOOL, /* one byte */
    PYR_GGUF_STRING,
    PYR_GGUF_ARRAY,
    PYR_GGUF_U64,
    PYR_GGUF_I64,
    PYR_GGUF_F64,
    PYR_GGUF_TYPES /* their number */
};

const char *pyr_gguf_type_name(enum pyr_gguf_type type);
/* Bytes of one value, 0 for strings and arrays. */
uint32_t pyr_gguf_type_bytes(enum pyr_gguf_type type);

/* Tensor types that this program itself writes; ids are the file's. */
enum { PYR_TENSOR_F32 = 0, PYR_TENSOR_F16 = 1, PYR_TENSOR_Q4_0 = 2, PYR_TENSOR_Q8_0 = 8 };

struct pyr_tensor_type {
    uint32_t id;
    const char *name;
    uint32_t block; /* elements of one block; a row is a whole number of blocks */
    uint32_t bytes; /* of one block */
    /* llama.cpp may keep a second, rearranged copy of such weights in memory ("repack"), so they
     * count twice in what a model needs. */
    bool repacked;
};

/* NULL for an id that is unknown or was withdrawn. */
const struct pyr_tensor_type *pyr_tensor_type(uint32_t id);

/* What general.file_type says ("mostly Q4_0"), NULL when unknown. */
const char *pyr_gguf_file_type_name(uint64_t file_type);

#endif
