/* SPDX-License-Identifier: MIT
 *
 * Bencher Metric Format: {benchmark: {measure: {value, lower_value, upper_value}}}.
 */
#include "report/formats.h"
#include "report/json_text.h"
#include "report/tracked.h"

#include <math.h>

bool pyr_report_bmf(const struct pyr_result *result, const struct pyr_report_options *options,
                    struct pyr_buf *out, struct pyr_err *err) {
    (void)options;
    (void)err;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_tracked *figures;
    size_t count = pyr_tracked_collect(result, arena, &figures);
    json_t *root = json_object();
    for (size_t i = 0; i < count; i++) {
        const struct pyr_tracked *at = &figures[i];
        json_t *name = pyr_json_text(at->case_name);
        json_t *benchmark = json_object_get(root, json_string_value(name));
        if (!benchmark) {
            benchmark = json_object();
            pyr_json_put(root, json_string_value(name), benchmark);
        }
        json_t *measure = json_object();
        pyr_json_put(measure, "value", pyr_json_number(at->value));
        if (isfinite(at->lo))
            pyr_json_put(measure, "lower_value", pyr_json_number(at->lo));
        if (isfinite(at->hi))
            pyr_json_put(measure, "upper_value", pyr_json_number(at->hi));
        pyr_json_put(benchmark, at->name, measure);
        json_decref(name);
    }
    pyr_json_pretty(out, root);
    json_decref(root);
    pyr_arena_destroy(arena);
    return true;
}
