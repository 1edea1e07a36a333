/* SPDX-License-Identifier: MIT */
#include "suite/config.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_config config;
    struct pyr_config_notes notes;
    struct pyr_bench_options options = {.preset = "rtx_4090"};
    struct pyr_err err;
    const char *slo;
    if (pyr_config_read(arena, "x", (const char *)bytes, size, &config, &err)) {
        assert(pyr_config_apply(arena, &config, &options, &notes, &err));
        assert(options.preset_data->level_count > 0 && options.preset_data->class_count > 0);
    } else {
        assert(err.code == PYR_E_USAGE && err.text[0]);
    }
    if (pyr_targets_read(arena, "x", (const char *)bytes, size, &slo, &err))
        assert(*slo);
    pyr_arena_destroy(arena);
    return 0;
}
