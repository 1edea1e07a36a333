/* SPDX-License-Identifier: MIT */
#include "model/engines.h"

#include <string.h>
#include <strings.h>

const struct pyr_engine *const pyr_engines[] = {&pyr_engine_llama, &pyr_engine_sim,
                                                &pyr_engine_null, NULL};

const struct pyr_engine *pyr_engine_find(const char *name) {
    for (size_t i = 0; pyr_engines[i]; i++)
        if (strcmp(pyr_engines[i]->name, name) == 0)
            return pyr_engines[i];
    return NULL;
}

const struct pyr_engine *pyr_engine_for_target(const char *target, const char **path) {
    for (size_t i = 0; pyr_engines[i]; i++) {
        const struct pyr_engine *engine = pyr_engines[i];
        size_t name = strlen(engine->name), length = strlen(target);
        size_t tail = engine->extension ? strlen(engine->extension) : 0;
        if (!engine->extension && strncmp(target, engine->name, name) == 0 && target[name] == ':') {
            *path = target + name + 1;
            return engine;
        }
        if (tail && length > tail && strcasecmp(target + length - tail, engine->extension) == 0) {
            *path = target;
            return engine;
        }
    }
    return NULL;
}
