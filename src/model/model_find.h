/* SPDX-License-Identifier: MIT
 *
 * From what a user names to a model file: a file, or a folder that holds one.
 */
#ifndef PYR_MODEL_MODEL_FIND_H
#define PYR_MODEL_MODEL_FIND_H

#include "base/err.h"

#include <limits.h>

/* Writes the path of the .gguf file that `path` names or holds. Fails with a sentence when it is
 * missing, a folder without a model or with several, or of a kind that is not supported (a
 * .safetensors or .onnx file; what is supported is named). The file itself is not read. Of a model
 * in parts the first counts, and projector files (mmproj) are passed over. */
bool pyr_model_find(const char *path, char found[PATH_MAX], struct pyr_err *err);

#endif
