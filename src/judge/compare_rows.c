/* SPDX-License-Identifier: MIT */
#include "judge/compare_rows.h"

#include "stats/uses.h"

#include <assert.h>
#include <math.h>

static int kept_statistic(int statistic) {
    return statistic == PYR_COLUMN_VALUE  ? PYR_KEPT_VALUE
           : statistic == PYR_COLUMN_MEAN ? PYR_KEPT_MEAN
                                          : PYR_KEPT_P50 + statistic;
}

void pyr_compare_rows_fill(struct pyr_compare_rows *rows) {
    struct pyr_use uses[PYR_USES_MAX];
    rows->count = pyr_uses_of(PYR_USE_COMPARED, uses);
    for (size_t i = 0; i < rows->count; i++) {
        assert(uses[i].set < PYR_COMPARE_GROUPS);
        rows->items[i] = (struct pyr_compare_row){.metric = uses[i].metric,
                                                  .statistic = kept_statistic(uses[i].statistic),
                                                  .group = uses[i].set,
                                                  .floor = uses[i].number};
    }
}

void pyr_compare_error_rate(struct pyr_compared_metric *metric) {
    const double floor = 0.01;
    double rise = metric->current.value - metric->baseline.value;
    struct pyr_judgement *judgement = &metric->judgement;
    *judgement = (struct pyr_judgement){.verdict = PYR_UNCHANGED,
                                        .gate = floor,
                                        .worse = rise,
                                        .least_detectable = (double)NAN,
                                        .reason = "error rates are compared in points"};
    metric->ratio = pyr_estimate_unknown("error rates are compared in points");
    if (rise > floor && metric->current.value > metric->baseline.hi)
        judgement->verdict = PYR_REGRESSED;
    else if (-rise > floor && metric->current.value < metric->baseline.lo)
        judgement->verdict = PYR_IMPROVED;
    else if (fabs(rise) > floor)
        judgement->verdict = PYR_INCONCLUSIVE;
}

struct pyr_compare_values pyr_compare_gather(struct pyr_arena *arena,
                                             const struct pyr_kept_run *const *runs, size_t count,
                                             const char *suite, const char *case_id,
                                             const struct pyr_compare_row *row) {
    struct pyr_compare_values values = {.items = pyr_arena_array(arena, count, sizeof(double)),
                                        .only = pyr_estimate_unknown(NULL)};
    for (size_t i = 0; i < count; i++) {
        const struct pyr_kept_case *kept = pyr_kept_case(runs[i], suite, case_id);
        if (!kept)
            continue;
        const struct pyr_kept_metric *metric =
            pyr_kept_metric(kept, pyr_metric_by_load(row->metric, kept->open_loop));
        if (!metric)
            continue;
        double value = metric->at[row->statistic].value;
        if (value > 0 || (value == 0 && row->metric == PYR_M_ERROR_RATE)) {
            values.items[values.count++] = value;
            values.only = metric->at[row->statistic];
        }
    }
    return values;
}

bool pyr_compare_same_lengths(const struct pyr_kept_case *a, const struct pyr_kept_case *b) {
    static const enum pyr_metric lengths[] = {PYR_M_PROMPT_TOKENS, PYR_M_OUTPUT_TOKENS};
    const double apart = 1.2;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const struct pyr_kept_metric *x = pyr_kept_metric(a, lengths[i]);
        const struct pyr_kept_metric *y = pyr_kept_metric(b, lengths[i]);
        double ratio =
            x && y ? y->at[PYR_KEPT_MEAN].value / x->at[PYR_KEPT_MEAN].value : (double)NAN;
        if (ratio > apart || ratio < 1 / apart)
            return false;
    }
    return true;
}
