/* SPDX-License-Identifier: MIT
 *
 * The bytes of every token of a model, read out once at load, so that no measured path calls the
 * engine for text. Read-only afterwards: any thread may use it.
 */
#ifndef PYR_SERVING_PIECES_H
#define PYR_SERVING_PIECES_H

#include "model/model.h"

struct pyr_pieces {
    uint32_t count;   /* vocabulary_size */
    uint32_t longest; /* bytes of the longest piece */
    uint32_t *offset; /* (count + 1): token t is bytes[offset[t] .. offset[t + 1]) */
    char *bytes;
    bool *is_end; /* (count): an end-of-sequence or end-of-turn token */
};

/* Fails when the engine cannot say what a token is. */
bool pyr_pieces_create(const struct pyr_engine *engine, const struct pyr_model *model,
                       struct pyr_pieces **pieces, struct pyr_err *err);
void pyr_pieces_destroy(struct pyr_pieces *pieces); /* NULL is allowed */

#endif
