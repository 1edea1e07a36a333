/* SPDX-License-Identifier: MIT
 *
 * Makes a model file of a given shape with random weights: a real GGUF file that a real engine
 * runs at the speed of that shape, without downloading one. Its text means nothing; its work is
 * that of the model whose shape it has. The file says so itself (pyrometer.synthetic = true).
 *
 * Greedy decoding always gives printable text and never ends by itself: the output rows of the
 * unknown, control, end and byte tokens are zero, so their logit is 0 while the largest of
 * thousands of symmetric ones is positive. Where output and embedding are one tensor ("tied") a
 * zero row would also make the hidden state of such a token zero; there each such row is half of
 * the row of a printable token, whose logit, where positive, is then twice as large.
 */
#ifndef PYR_MODEL_SYNTH_H
#define PYR_MODEL_SYNTH_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_synth_shape {
    const char *name, *summary;
    uint32_t layers, dim, ffn, heads, kv_heads;
    uint32_t vocabulary; /* PYR_VOCAB_MIN..PYR_VOCAB_MAX, of our own making (model/vocab.h) */
    uint32_t context;    /* tokens, what the file calls its trained context */
    float rope_base;
    bool tied; /* output weights are the embedding */
};

/* Presets, NULL-named at the end; see synth.c for where each shape comes from. */
extern const struct pyr_synth_shape pyr_synth_shapes[];
/* By name; on failure names the nearest. */
const struct pyr_synth_shape *pyr_synth_shape_find(const char *name, struct pyr_err *err);

/* "f32", "f16", "q8_0", "q4_0" in any case to PYR_TENSOR_*. */
bool pyr_synth_type_find(const char *name, uint32_t *type, struct pyr_err *err);

struct pyr_synth_config {
    struct pyr_synth_shape shape;
    /* PYR_TENSOR_*, for every matrix whose rows are whole blocks; the others are F16 and the norms
     * F32, as quantisers do. */
    uint32_t type;
    uint64_t seed;
    unsigned threads; /* 0: one a core; the bytes do not depend on it */
    /* Called with 0..1 from the calling thread, may be NULL; false stops and removes the file. */
    bool (*progress)(void *context, double share);
    void *progress_context;
};

struct pyr_synth_result {
    uint64_t file_bytes, parameter_count;
};

/* Writes the model to `path` (temporary file, then renamed). The same config gives the same bytes
 * on every machine. `result` may be NULL. Fails with a sentence on an impossible shape, an
 * unwritable folder or a full disk. */
bool pyr_synth(const char *path, const struct pyr_synth_config *config,
               struct pyr_synth_result *result, struct pyr_err *err);

#endif
