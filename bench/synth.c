/* SPDX-License-Identifier: MIT
 *
 * How long a synthesised model takes to make: synth SHAPE TYPE PATH [SEED] [THREADS].
 */
#include "model/synth.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    struct pyr_err err;
    struct pyr_synth_config config = {.seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1,
                                      .threads = argc > 5 ? (unsigned)atoi(argv[5]) : 0};
    struct pyr_synth_result result;
    if (argc < 4) {
        fprintf(stderr, "usage: %s SHAPE TYPE PATH [SEED] [THREADS]\n", argv[0]);
        return 2;
    }
    const struct pyr_synth_shape *shape = pyr_synth_shape_find(argv[1], &err);
    uint64_t start = pyr_clock_real_ns();
    if (shape)
        config.shape = *shape;
    if (!shape || !pyr_synth_type_find(argv[2], &config.type, &err) ||
        !pyr_synth(argv[3], &config, &result, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return pyr_exit_code(err.code);
    }
    double seconds = (double)(pyr_clock_real_ns() - start) / 1e9;
    printf("%s %s: %.2f M parameters, %.1f MB in %.2f s (%.0f MB/s)\n", argv[1], argv[2],
           (double)result.parameter_count / 1e6, (double)result.file_bytes / 1e6, seconds,
           (double)result.file_bytes / 1e6 / seconds);
    return 0;
}
