/* SPDX-License-Identifier: MIT
 *
 * Any small shape: the model is either refused with a sentence or written, and what is written is
 * read back as that shape.
 */
#include "model/gguf_check.h"
#include "model/synth.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written(const char *path, const struct pyr_synth_config *config) {
    struct pyr_gguf_file file;
    struct pyr_gguf_shape shape;
    struct pyr_err err;
    if (!pyr_gguf_open(path, &file, &err) || !pyr_gguf_check(&file.gguf, path, &shape, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    if (shape.layers != config->shape.layers || shape.dim != config->shape.dim ||
        shape.vocabulary != config->shape.vocabulary || shape.tied != config->shape.tied)
        abort();
    pyr_gguf_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint32_t types[] = {PYR_TENSOR_F32, PYR_TENSOR_F16, PYR_TENSOR_Q8_0,
                                     PYR_TENSOR_Q4_0};
    uint8_t in[10] = {0};
    char path[64];
    struct pyr_err err = {0};
    memcpy(in, data, size < sizeof in ? size : sizeof in);
    struct pyr_synth_config config = {
        .shape = {.layers = in[0] % 4,
                  .dim = in[1],
                  .ffn = in[2],
                  .heads = in[3] % 17,
                  .kv_heads = in[4] % 17,
                  .vocabulary = 380u + in[5],
                  .context = in[6],
                  .rope_base = 10000,
                  .tied = in[7] & 1},
        .type = types[in[8] % 4],
        .seed = in[9],
        .threads = 1 + (in[7] >> 1) % 3,
    };
    snprintf(path, sizeof path, "/tmp/pyrometer-fuzz-%ld.gguf", (long)getpid());
    if (pyr_synth(path, &config, NULL, &err))
        check_written(path, &config);
    else if (err.code != PYR_E_USAGE)
        abort();
    unlink(path);
    return 0;
}
