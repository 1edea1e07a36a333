/* SPDX-License-Identifier: MIT
 *
 * Writing a GGUF file (version 3, little endian), streaming: metadata first, then the table of
 * tensors, then their bytes in any order, from any number of threads. The file is written under a
 * temporary name in the same folder and renamed when it is complete, so nobody ever sees half of
 * one; its space is taken before the first weight is made, so a full disk is told at once.
 *
 *     create; put_*...; tensor...; begin; write...; finish      (or abandon at any point)
 */
#ifndef PYR_MODEL_GGUF_WRITE_H
#define PYR_MODEL_GGUF_WRITE_H

#include "base/err.h"
#include "model/gguf_type.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_gguf_writer; /* opaque */

/* Opens the temporary file; fails when the folder is missing or cannot be written. */
struct pyr_gguf_writer *pyr_gguf_writer_create(const char *path, struct pyr_err *err);

/* Metadata, in the order of the calls. Keys must differ. */
void pyr_gguf_put_u32(struct pyr_gguf_writer *writer, const char *key, uint32_t value);
void pyr_gguf_put_u64(struct pyr_gguf_writer *writer, const char *key, uint64_t value);
void pyr_gguf_put_f32(struct pyr_gguf_writer *writer, const char *key, float value);
void pyr_gguf_put_bool(struct pyr_gguf_writer *writer, const char *key, bool value);
void pyr_gguf_put_string(struct pyr_gguf_writer *writer, const char *key, const char *value);
void pyr_gguf_put_strings(struct pyr_gguf_writer *writer, const char *key,
                          const char *const *values, size_t count);
void pyr_gguf_put_f32s(struct pyr_gguf_writer *writer, const char *key, const float *values,
                       size_t count);
void pyr_gguf_put_i32s(struct pyr_gguf_writer *writer, const char *key, const int32_t *values,
                       size_t count);

/* Adds a tensor of `columns` (the row length, a whole number of the type's blocks) by `rows`; a
 * vector has rows = 1 and is written with one dimension. Returns its index. */
size_t pyr_gguf_put_tensor(struct pyr_gguf_writer *writer, const char *name, uint32_t type,
                           uint64_t columns, uint64_t rows);

/* Writes the header and takes the file's whole space. */
bool pyr_gguf_writer_begin(struct pyr_gguf_writer *writer, struct pyr_err *err);
/* Bytes of the whole file; after begin. */
uint64_t pyr_gguf_writer_bytes(const struct pyr_gguf_writer *writer);
/* Writes bytes at `offset` within a tensor. Threads may call it at the same time. */
bool pyr_gguf_write(const struct pyr_gguf_writer *writer, size_t tensor, uint64_t offset,
                    const void *bytes, size_t count, struct pyr_err *err);
/* Makes the file durable and gives it its name. Frees the writer, also on failure. */
bool pyr_gguf_writer_finish(struct pyr_gguf_writer *writer, struct pyr_err *err);
/* Removes the temporary file and frees the writer; NULL is allowed. */
void pyr_gguf_writer_abandon(struct pyr_gguf_writer *writer);

#endif
