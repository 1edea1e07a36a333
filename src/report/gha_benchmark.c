/* SPDX-License-Identifier: MIT
 *
 * The JSON that github-action-benchmark reads: its tools customSmallerIsBetter and
 * customBiggerIsBetter each take a file of their own.
 */
#include "report/formats.h"
#include "report/json_text.h"
#include "report/tracked.h"

#include <math.h>

static bool put_direction(const struct pyr_result *result, enum pyr_better better,
                          struct pyr_buf *out) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_tracked *figures;
    size_t count = pyr_tracked_collect(result, arena, &figures);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct pyr_tracked *at = &figures[i];
        if (at->better != better)
            continue;
        json_t *object = json_object();
        pyr_json_put(object, "name",
                     pyr_json_text(pyr_arena_printf(arena, "%s %s", at->case_name, at->name)));
        pyr_json_put(object, "unit", pyr_json_text(at->unit));
        pyr_json_put(object, "value", pyr_json_number(at->value));
        if (isfinite(at->lo) && isfinite(at->hi))
            pyr_json_put(object, "range",
                         pyr_json_text(pyr_arena_printf(
                             arena, "\u00b1 %.3g", fmax(at->hi - at->value, at->value - at->lo))));
        pyr_json_put(object, "extra",
                     pyr_json_text(pyr_arena_printf(arena, "n=%llu", (unsigned long long)at->n)));
        json_array_append_new(array, object);
    }
    pyr_json_pretty(out, array);
    json_decref(array);
    pyr_arena_destroy(arena);
    return true;
}

bool pyr_report_gha_smaller(const struct pyr_result *result,
                            const struct pyr_report_options *options, struct pyr_buf *out,
                            struct pyr_err *err) {
    (void)options;
    (void)err;
    return put_direction(result, PYR_BETTER_LOWER, out);
}

bool pyr_report_gha_bigger(const struct pyr_result *result,
                           const struct pyr_report_options *options, struct pyr_buf *out,
                           struct pyr_err *err) {
    (void)options;
    (void)err;
    return put_direction(result, PYR_BETTER_HIGHER, out);
}
