/* SPDX-License-Identifier: MIT
 *
 * Which target a command means: the argument, else --model, else BENCH_MODEL_PATH, else the first
 * model in INFERNO_MODELS_DIR, else what a configuration file names, else the one made here.
 */
#ifndef PYR_CLI_RESOLVE_H
#define PYR_CLI_RESOLVE_H

#include "base/arena.h"
#include "base/err.h"
#include "cli/options.h"

#include <stdbool.h>

struct pyr_resolve_input {
    const char *operand;                    /* TARGET, or NULL */
    const char *model;                      /* --model, or NULL */
    const char *configured;                 /* of a configuration file, or NULL */
    char *(*environment)(const char *name); /* getenv; an empty value counts as none */
    bool announce; /* say on standard error when a model is made (it takes seconds) */
};

struct pyr_resolved {
    const char *target; /* a path that exists, a URL, "sim:...", "null:..." */
    const char *model;  /* a URL's served model, or NULL */
    const char *source; /* who named it: "command line", "environment BENCH_MODEL_PATH", ... */
    const char *note;   /* what the model is, when it was not named: "made here, ..."; or NULL */
    bool in_process;    /* a model of this machine; false for URLs */
};

/* True for what is no path: a URL, "unix:...", "sim:...", "null:...". */
bool pyr_target_is_url(const char *target);
bool pyr_target_is_builtin(const char *target);

bool pyr_resolve_target(struct pyr_arena *arena, const struct pyr_resolve_input *input,
                        struct pyr_resolved *resolved, struct pyr_err *err);

/* What contradicts only once the target is known: options of a server for a model of this machine,
 * and the other way round. */
bool pyr_check_target(const struct pyr_args *args, const struct pyr_option *pairs,
                      size_t pair_count, const struct pyr_resolved *resolved, struct pyr_err *err);

/* The file of the model made when none is named, below $XDG_CACHE_HOME or ~/.cache; in the arena.
 * Fails when there is no home. */
bool pyr_resolve_cache_path(struct pyr_arena *arena, char *(*environment)(const char *name),
                            const char *file, const char **path, struct pyr_err *err);

#endif
