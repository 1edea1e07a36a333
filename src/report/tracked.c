/* SPDX-License-Identifier: MIT */
#include "report/tracked.h"

#include "report/figures.h"

#include <math.h>

/* One unit a kind, whatever the size: a tracker compares runs by number alone. */
static struct pyr_scale fixed_scale(enum pyr_unit unit) {
    switch (unit) {
    case PYR_UNIT_NS:
        return (struct pyr_scale){1e-6, "ms"};
    case PYR_UNIT_BYTES:
        return (struct pyr_scale){1e-6, "MB"};
    case PYR_UNIT_TOKENS_PER_S:
        return (struct pyr_scale){1, "tok/s"};
    case PYR_UNIT_PER_S:
        return (struct pyr_scale){1, "req/s"};
    default:
        return (struct pyr_scale){1, pyr_unit_name(unit)};
    }
}

static bool track(const struct pyr_suite_result *suite, const struct pyr_case_result *result,
                  const char *case_name, const struct pyr_figure *figure, struct pyr_arena *arena,
                  struct pyr_tracked *into) {
    enum pyr_metric metric = result->plan->open_loop ? figure->open : figure->closed;
    const struct pyr_metric_info *info = pyr_metric_info(metric);
    struct pyr_estimate at = pyr_figure_of(result, figure);
    bool tail = figure->quantile >= PYR_Q_P95;
    if (!isfinite(at.value) || (tail && !pyr_estimate_is_bounded(&at)))
        return false;
    struct pyr_scale scale = fixed_scale(info->unit);
    const struct pyr_metric_result *row = pyr_case_metric(result, metric);
    *into = (struct pyr_tracked){
        .suite = suite,
        .result = result,
        .case_name = case_name,
        .better = info->better,
        .name = figure->quantile < 0 ? info->name
                                     : pyr_arena_printf(arena, "%s_%s", info->name,
                                                        pyr_quantile_names[figure->quantile]),
        .unit = scale.unit,
        .n = row->n,
        .value = at.value * scale.factor,
        .lo = isfinite(at.lo) ? at.lo * scale.factor : (double)NAN,
        .hi = isfinite(at.hi) ? at.hi * scale.factor : (double)NAN};
    return true;
}

size_t pyr_tracked_collect(const struct pyr_result *result, struct pyr_arena *arena,
                           struct pyr_tracked **figures) {
    struct pyr_use uses[PYR_USES_MAX];
    size_t cases = 0, count = 0, tracked = pyr_uses_of(PYR_USE_TRACKED, uses);
    for (size_t i = 0; i < result->suite_count; i++)
        cases += result->suites[i].case_count;
    *figures = pyr_arena_array(arena, cases * tracked, sizeof **figures);
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_suite_result *suite = &result->suites[i];
            struct pyr_buf name = {0};
            pyr_put_case_name(&name, suite, &suite->cases[j]);
            const char *kept = pyr_arena_strdup(arena, pyr_buf_text(&name));
            pyr_buf_deinit(&name);
            for (size_t k = 0; k < tracked; k++) {
                const struct pyr_figure figure = pyr_figure_of_use(&uses[k]);
                count += track(suite, &suite->cases[j], kept, &figure, arena, &(*figures)[count]);
            }
        }
    return count;
}
