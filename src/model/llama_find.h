/* SPDX-License-Identifier: MIT
 *
 * Where llama.cpp lies: our plug-in for it, and the library that the plug-in is to load.
 */
#ifndef PYR_MODEL_LLAMA_FIND_H
#define PYR_MODEL_LLAMA_FIND_H

#include "base/err.h"

#include <limits.h>

struct pyr_llama_paths {
    char plugin[PATH_MAX];  /* pyrometer-llama.so */
    char library[PATH_MAX]; /* libllama*.so */
};

/* `engine_dir`: the user's own build, a folder with libllama*.so or one with it in lib/, bin/ or
 * build/bin/; a plug-in that was built for it and lies in it is taken before ours. NULL: the
 * library that came with the plug-in (engine/ beside it).
 *
 * Our plug-in is looked for in `plugin_dir` when it is given, else in $PYROMETER_LIB_DIR,
 * lib/pyrometer below and ../lib/pyrometer beside the program's folder.
 *
 * Fails with a sentence that says where it was looked for and how to get what is missing. */
bool pyr_llama_find(const char *engine_dir, const char *plugin_dir, struct pyr_llama_paths *paths,
                    struct pyr_err *err);

/* Whether libggml-cpu-<variant>.so lies beside the library; NULL is no variant and passes. Fails
 * naming those that do. */
bool pyr_llama_check_variant(const char *library, const char *variant, struct pyr_err *err);

#endif
