/* SPDX-License-Identifier: MIT */
#include "judge/compare.h"
#include "report/comparison.h"
#include "store/import.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* With itself, in every format. */
static void compare(const struct pyr_kept_run *runs, size_t count) {
    const struct pyr_compare_side side = {"itself", runs, count};
    const struct pyr_compare_options options = {.threshold = 0.1, .single = true};
    const struct pyr_report_options told = {.width = 80};
    struct pyr_comparison *comparison;
    struct pyr_err err;
    if (!pyr_compare_runs(&side, &side, &options, &comparison, &err)) {
        assert(err.code != PYR_OK && err.text[0]);
        return;
    }
    for (const struct pyr_comparison_format *format = pyr_comparison_formats; format->name;
         format++) {
        struct pyr_buf out = {0};
        format->write(comparison, &told, &out);
        pyr_buf_deinit(&out);
    }
    pyr_comparison_destroy(comparison);
}

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
        compare(runs, count);
    } else {
        assert(err.code != PYR_OK && err.text[0]);
    }
    pyr_arena_destroy(arena);
    return 0;
}
