/* SPDX-License-Identifier: MIT */
#include "serving/pieces.h"

#include "base/buf.h"
#include "base/mem.h"

enum { PIECE_BYTES = 4096 }; /* far above any real token */

bool pyr_pieces_create(const struct pyr_engine *engine, const struct pyr_model *model,
                       struct pyr_pieces **pieces, struct pyr_err *err) {
    struct pyr_model_info info;
    engine->describe(model, &info);
    struct pyr_pieces *table = pyr_xcalloc(1, sizeof *table);
    table->count = info.vocabulary_size;
    table->offset = pyr_xcalloc((size_t)table->count + 1, sizeof *table->offset);
    table->is_end = pyr_xcalloc((size_t)table->count + 1, sizeof *table->is_end);
    struct pyr_buf bytes = {0};
    pyr_buf_append(&bytes, "", 0);
    for (uint32_t token = 0; token < table->count; token++) {
        char piece[PIECE_BYTES];
        int length = engine->piece(model, (int32_t)token, piece, sizeof piece);
        if (length < 0) {
            pyr_buf_deinit(&bytes);
            pyr_pieces_destroy(table);
            return pyr_fail(err, PYR_E_ENGINE,
                            "%s: no text for token %u of %u; the vocabulary is damaged",
                            info.description, token, info.vocabulary_size);
        }
        pyr_buf_append(&bytes, piece, (size_t)length);
        if ((uint32_t)length > table->longest)
            table->longest = (uint32_t)length;
        table->offset[token + 1] = (uint32_t)bytes.length;
        table->is_end[token] = engine->is_end(model, (int32_t)token);
    }
    table->bytes = bytes.data;
    *pieces = table;
    return true;
}

void pyr_pieces_destroy(struct pyr_pieces *pieces) {
    if (!pieces)
        return;
    pyr_free(pieces->bytes);
    pyr_free(pieces->is_end);
    pyr_free(pieces->offset);
    pyr_free(pieces);
}
