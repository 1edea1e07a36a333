/* SPDX-License-Identifier: MIT
 *
 * The next token of a request from its row of logits: what the request asks for (penalties, biases,
 * temperature, a format to keep to, chances to be told) by the means of serving/sampler.h and the
 * engine's grammars.
 */
#ifndef PYR_SERVING_CHOOSE_H
#define PYR_SERVING_CHOOSE_H

#include "base/rng.h"
#include "model/model.h"
#include "serving/pieces.h"
#include "serving/sampler.h"
#include "serving/serving.h"

/* Workspaces for rows of one vocabulary. One thread. */
struct pyr_chooser {
    const struct pyr_engine *engine;
    const struct pyr_pieces *pieces;
    uint32_t vocabulary;
    struct pyr_candidate *candidates; /* (vocabulary), as the next two */
    float *adjusted;
    uint32_t *seen; /* zeros */
};

/* `engine` and `pieces` outlive it. */
void pyr_chooser_init(struct pyr_chooser *chooser, const struct pyr_engine *engine,
                      const struct pyr_pieces *pieces, uint32_t vocabulary);
void pyr_chooser_deinit(struct pyr_chooser *chooser);

/* The token that follows `output` (record->output_tokens of them), or -1: none can, because the row
 * holds no number or because none keeps to the request's format. The request's grammar goes on by
 * the token and its chances are filled. */
int32_t pyr_choose(struct pyr_chooser *chooser, const struct pyr_serving_request *request,
                   const int32_t *output, struct pyr_rng *rng, const float *row);

#endif
