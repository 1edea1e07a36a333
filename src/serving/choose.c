/* SPDX-License-Identifier: MIT */
#include "serving/choose.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>

void pyr_chooser_init(struct pyr_chooser *chooser, const struct pyr_engine *engine,
                      const struct pyr_pieces *pieces, uint32_t vocabulary) {
    assert(pieces->count == vocabulary);
    *chooser = (struct pyr_chooser){.engine = engine, .pieces = pieces, .vocabulary = vocabulary};
    chooser->candidates = pyr_xcalloc(vocabulary, sizeof *chooser->candidates);
    chooser->adjusted = pyr_xcalloc(vocabulary, sizeof *chooser->adjusted);
    chooser->seen = pyr_xcalloc(vocabulary, sizeof *chooser->seen);
}

void pyr_chooser_deinit(struct pyr_chooser *chooser) {
    pyr_free(chooser->seen);
    pyr_free(chooser->adjusted);
    pyr_free(chooser->candidates);
}

static int32_t pick(struct pyr_chooser *chooser, const struct pyr_sampling *sampling,
                    struct pyr_rng *rng, const float *logits, const bool *banned) {
    return sampling->temperature > 0
               ? pyr_sample(logits, chooser->vocabulary, banned, sampling, rng, chooser->candidates)
               : pyr_argmax_allowed(logits, chooser->vocabulary, banned);
}

/* To look at one token costs microseconds, at all of them milliseconds: most first choices fit.
 * -1: no token may come next. */
static int32_t hold_to_grammar(struct pyr_chooser *chooser,
                               const struct pyr_serving_request *request, struct pyr_rng *rng,
                               int32_t token, const bool *banned) {
    const struct pyr_engine *engine = chooser->engine;
    engine->grammar_mask(request->grammar, chooser->adjusted, token);
    if (isinf(chooser->adjusted[token])) {
        engine->grammar_mask(request->grammar, chooser->adjusted, -1);
        token = pick(chooser, &request->sampling, rng, chooser->adjusted, banned);
    }
    if (token < 0 || isinf(chooser->adjusted[token]))
        return -1;
    engine->grammar_accept(request->grammar, token);
    return token;
}

int32_t pyr_choose(struct pyr_chooser *chooser, const struct pyr_serving_request *request,
                   const int32_t *output, struct pyr_rng *rng, const float *row) {
    const struct pyr_sampling *sampling = &request->sampling;
    uint32_t given = request->record->output_tokens;
    assert(given < request->output_tokens);
    bool may_end = !request->exact_output && given >= request->least_tokens;
    const bool *banned = may_end ? NULL : chooser->pieces->is_end;
    const float *logits = row;
    if (request->grammar || pyr_adjusts(sampling)) {
        pyr_adjust(row, chooser->vocabulary, sampling,
                   (struct pyr_tokens){request->prompt, request->prompt_tokens},
                   (struct pyr_tokens){output, given}, chooser->seen, chooser->adjusted);
        logits = chooser->adjusted;
    }
    int32_t token = pick(chooser, sampling, rng, logits, banned);
    if (request->grammar && token >= 0)
        token = hold_to_grammar(chooser, request, rng, token, banned);
    if (request->chances && token >= 0)
        pyr_chances(row, chooser->vocabulary, token,
                    request->chances + (size_t)given * request->chance_count,
                    request->chance_count);
    assert(token < (int32_t)chooser->vocabulary);
    return token;
}
