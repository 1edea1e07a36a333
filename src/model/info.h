/* SPDX-License-Identifier: MIT
 *
 * What `model info` says about a GGUF file: what it is, how large, what it would take to run, and
 * on demand every metadata value and tensor.
 */
#ifndef PYR_MODEL_INFO_H
#define PYR_MODEL_INFO_H

#include "base/buf.h"
#include "model/gguf_check.h"

struct pyr_info_type { /* the tensors of one type together */
    const struct pyr_tensor_type *type;
    uint64_t count, elements, bytes;
};

enum { PYR_INFO_TYPES_MAX = 48 };

struct pyr_info {
    struct pyr_gguf_shape shape;
    struct pyr_info_type types[PYR_INFO_TYPES_MAX]; /* largest first */
    size_t type_count;
    uint64_t kv_bytes_per_token; /* of one sequence in F16; 0 when it cannot be worked out */
    uint64_t file_bytes;
};

/* Fails when no engine could run the file (pyr_gguf_check); types and file_bytes are filled even
 * then. */
bool pyr_info_make(const struct pyr_gguf *gguf, const char *name, struct pyr_info *info,
                   struct pyr_err *err);

/* One screen of text: shape, parameters, sizes by type, KV memory. */
void pyr_info_write(const struct pyr_info *info, const char *path, struct pyr_buf *out);
/* One line a value; long texts and arrays are shortened. */
void pyr_info_write_metadata(const struct pyr_gguf *gguf, struct pyr_buf *out);
/* One line a tensor: name, type, shape, bytes, offset. */
void pyr_info_write_tensors(const struct pyr_gguf *gguf, struct pyr_buf *out);

#endif
