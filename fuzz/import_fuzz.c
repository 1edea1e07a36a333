/* SPDX-License-Identifier: MIT */
#include "store/import.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_kept_run *runs;
    size_t count;
    struct pyr_err err;
    if (pyr_import_text(arena, "target/criterion/a/b/new/estimates.json", (const char *)bytes, size,
                        &runs, &count, &err)) {
        const struct pyr_kept_run *run = runs;
        assert(count > 0 && run->case_count > 0 && run->origin && run->id);
        for (size_t i = 0; i < run->case_count; i++) {
            const struct pyr_kept_case *kept = &run->cases[i];
            assert(kept->suite && kept->id && kept->params);
            for (size_t k = 0; k < kept->metric_count; k++)
                assert(kept->metrics[k].metric < PYR_METRIC_COUNT && kept->metrics[k].source &&
                       pyr_kept_metric(kept, kept->metrics[k].metric) == &kept->metrics[k]);
        }
    } else {
        assert(err.code != PYR_OK && err.text[0]);
    }
    pyr_arena_destroy(arena);
    return 0;
}
