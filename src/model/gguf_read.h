/* SPDX-License-Identifier: MIT
 *
 * Reading a GGUF file: its metadata and where its tensors lie. The weights themselves are not
 * touched. Nothing in the file is trusted: every length is checked against the bytes that are
 * there, and every failure is a sentence that names the file, the place and what is wrong.
 *
 * Reads versions 2 and 3, little endian. What an engine asks of the values (architecture, number
 * of blocks, ...) is checked by model/gguf_check.h.
 */
#ifndef PYR_MODEL_GGUF_READ_H
#define PYR_MODEL_GGUF_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "model/gguf_type.h"

#include <stddef.h>
#include <stdint.h>

enum { PYR_GGUF_DIMS = 4 };

struct pyr_gguf_string {
    const char *text; /* not NUL-terminated; may hold any byte */
    uint64_t length;
};

/* One metadata value. `bytes` points into the file: a scalar's bytes, or an array's elements
 * (strings: each a u64 length and its bytes, all checked). Read it by the functions below. */
struct pyr_gguf_value {
    const char *key; /* NUL-terminated, in the arena; a key with a zero byte is refused */
    enum pyr_gguf_type type;
    enum pyr_gguf_type element; /* of an array */
    uint64_t count;             /* of an array; 1 for a scalar */
    const uint8_t *bytes;
    uint64_t byte_count;
};

struct pyr_gguf_tensor {
    const char *name; /* NUL-terminated, in the arena */
    const struct pyr_tensor_type *type;
    uint32_t dim_count;
    uint64_t dims[PYR_GGUF_DIMS]; /* dims[0] is the row length (input first); unused ones are 1 */
    uint64_t elements, bytes;
    uint64_t offset; /* from the start of the file; offset + bytes lies within it */
};

struct pyr_gguf {
    uint32_t version, alignment;
    struct pyr_gguf_value *values; /* as in the file */
    size_t value_count;
    struct pyr_gguf_tensor *tensors; /* as in the file */
    size_t tensor_count;
    uint64_t data_offset, file_bytes;
};

/* Parses the bytes of a whole file. The result points into `bytes` and into the arena. `name` is
 * what errors call the file. */
bool pyr_gguf_parse(struct pyr_arena *arena, const char *name, const void *bytes, uint64_t count,
                    struct pyr_gguf *gguf, struct pyr_err *err);

/* A file on disk, mapped read-only until it is closed. */
struct pyr_gguf_file {
    struct pyr_gguf gguf;
    char *path;
    struct pyr_arena *arena; /* lives as long as the file; callers may use it */
    void *mapping;
    size_t mapping_bytes;
};

bool pyr_gguf_open(const char *path, struct pyr_gguf_file *file, struct pyr_err *err);
void pyr_gguf_close(struct pyr_gguf_file *file);

const struct pyr_gguf_value *pyr_gguf_find(const struct pyr_gguf *gguf, const char *key);
/* "ARCH.suffix", e.g. pyr_gguf_find_arch(gguf, "llama", "block_count"). */
const struct pyr_gguf_value *pyr_gguf_find_arch(const struct pyr_gguf *gguf, const char *arch,
                                                const char *suffix);
const struct pyr_gguf_tensor *pyr_gguf_find_tensor(const struct pyr_gguf *gguf, const char *name);

/* Element `i` of an array (0 for a scalar) as a number; false when it is no number of that kind
 * or negative (u64), or out of range. */
bool pyr_gguf_u64(const struct pyr_gguf_value *value, uint64_t i, uint64_t *number);
bool pyr_gguf_f64(const struct pyr_gguf_value *value, uint64_t i, double *number);
bool pyr_gguf_bool(const struct pyr_gguf_value *value, bool *flag);
bool pyr_gguf_string(const struct pyr_gguf_value *value, struct pyr_gguf_string *string);

/* Walks an array of strings: start with a zeroed cursor; false after the last one. */
struct pyr_gguf_cursor {
    uint64_t index, at;
};
bool pyr_gguf_next_string(const struct pyr_gguf_value *value, struct pyr_gguf_cursor *cursor,
                          struct pyr_gguf_string *string);

#endif
