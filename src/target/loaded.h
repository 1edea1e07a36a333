/* SPDX-License-Identifier: MIT
 *
 * A model loaded for serving, from a TARGET as the user wrote it: what the targets local and
 * worker have in common.
 *
 * Options it knows itself: engine_dir, plugin_dir (see pyr_model_config), batch_tokens,
 * prefill_tokens (see pyr_serving_policy), policy and policy.KEY (see serving/policy.h). Every
 * other one is the engine's, which fails on what it does not know.
 */
#ifndef PYR_TARGET_LOADED_H
#define PYR_TARGET_LOADED_H

#include "model/model.h"
#include "serving/serving.h"
#include "target/target.h"

struct pyr_loaded {
    const struct pyr_engine *engine;
    struct pyr_model *model;
    struct pyr_model_info info;
    struct pyr_pieces *pieces;
    struct pyr_serving_policy policy;
    void *policy_state;
    uint64_t load_ns;  /* of the engine's load, in real time */
    uint64_t contexts; /* asked for so far */
};

/* "sim:key=value,..." and "null:..." are those engines, everything else is a model file or a folder
 * that holds one (model/model_find.h). */
bool pyr_loaded_open(const struct pyr_target_config *config, struct pyr_loaded *loaded,
                     struct pyr_err *err);
void pyr_loaded_close(struct pyr_loaded *loaded);

/* Has the engine do a little of all that it will be asked for: tokens of a text and of a
 * conversation, two steps of a small context. A file that would end the process ends it here, so
 * call it in one that may end (pyr_target_attempt). */
bool pyr_loaded_attempt(const struct pyr_loaded *loaded, const struct pyr_target_config *config,
                        struct pyr_err *err);
/* Whether the TARGET names a file, whose contents may break an engine. */
bool pyr_loaded_is_file(const char *spec);

/* The context's limits and size as the config asks for them: what the load does not say is taken
 * from the model. `in_flight`: as attach says. */
void pyr_loaded_serving_config(const struct pyr_loaded *loaded,
                               const struct pyr_target_config *config, uint32_t in_flight,
                               struct pyr_serving_config *serving);

/* The seed of the next context: `seed` for the first and another one for each after it, so that a
 * level that is tried again on a set law is an independent draw and no copy. */
uint64_t pyr_loaded_next_seed(struct pyr_loaded *loaded, uint64_t seed);

/* The fields of info that a loaded model knows. */
void pyr_loaded_describe(const struct pyr_loaded *loaded, const char *spec,
                         struct pyr_target_info *info);
/* The fields that are known once there is a context; notes say where it gives less than asked. */
void pyr_loaded_describe_serving(const struct pyr_serving_info *serving, uint32_t in_flight,
                                 struct pyr_target_info *info);

#endif
