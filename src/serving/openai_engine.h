/* SPDX-License-Identifier: MIT
 *
 * The engine of a server on a thread of its own, and the way between it and the thread that talks
 * HTTP. Jobs go over under a lock that is held for a few instructions; tokens come back without
 * one: the engine writes them into the job and raises its count, and wakes the other thread once a
 * step however many jobs moved, and not at all while it is already awake for the step before.
 */
#ifndef PYR_SERVING_OPENAI_ENGINE_H
#define PYR_SERVING_OPENAI_ENGINE_H

#include "serving/serving.h"

#include <stdatomic.h>

struct pyr_openai_engine; /* opaque */

/* A request under way. The maker owns the memory, which must last until `done`. Fields not named
 * here are zeroed. */
struct pyr_openai_job {
    /* Filled before submit. */
    struct pyr_serving_request serving; /* with tokens; text is not used */
    struct pyr_request record;
    void *user;
    /* The engine's word, read with acquire. First done, then count: with done the count is final
     * and serving.error_text and the record may be read. */
    _Atomic bool done;
    _Atomic uint32_t token_count; /* of serving.tokens */
    /* The engine's own. */
    _Atomic bool cancelled;
    uint32_t active_index;
    uint32_t counted; /* of its tokens, in what was published */
    struct pyr_openai_job *next;
};

/* `jobs_max`: never more than so many submitted and not done. `wake` is called on the engine's
 * thread; config->clock must be the real one. */
bool pyr_openai_engine_start(const struct pyr_engine *engine, struct pyr_model *model,
                             const struct pyr_pieces *pieces,
                             const struct pyr_serving_config *config, uint32_t jobs_max,
                             void (*wake)(void *user), void *user,
                             struct pyr_openai_engine **result, struct pyr_err *err);
/* Ends the thread after its step; jobs in its hands are never done. NULL is allowed. */
void pyr_openai_engine_stop(struct pyr_openai_engine *engine);

void pyr_openai_engine_describe(const struct pyr_openai_engine *engine,
                                struct pyr_serving_info *info);
void pyr_openai_engine_submit(struct pyr_openai_engine *engine, struct pyr_openai_job *job);
/* Asks that it be done soon. */
void pyr_openai_engine_cancel(struct pyr_openai_engine *engine, struct pyr_openai_job *job);
/* All that was submitted has been cancelled: gives up the step under way as soon as the engine can,
 * for a step may be seconds of a prompt. */
void pyr_openai_engine_interrupt(struct pyr_openai_engine *engine);
/* Called by the woken thread before it looks at the jobs. */
void pyr_openai_engine_awake(struct pyr_openai_engine *engine);
/* As of the last step. */
void pyr_openai_engine_counters(struct pyr_openai_engine *engine,
                                struct pyr_serving_counters *counters);

#endif
