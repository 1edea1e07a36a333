/* SPDX-License-Identifier: MIT */
#include "judge/compare_rows.h"

#include <math.h>

#define QUANTILE(which) (PYR_KEPT_P50 + PYR_Q_##which)
#define MS 1e6
#define US 1e3
#define MB 1e6

/* The floors are what no user would notice: a tenth of a percent of a second in TTFT, a twentieth
 * of a millisecond between tokens, one allocator arena of memory. */
const struct pyr_compare_row pyr_compare_rows[] = {
    {PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, 1, 0.5},
    {PYR_M_TOTAL_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, 1, 0.5},
    {PYR_M_REQUEST_THROUGHPUT, PYR_KEPT_VALUE, 1, 0.01},
    {PYR_M_GOODPUT, PYR_KEPT_VALUE, 0, 0.01},
    {PYR_M_TTFT_SENT, QUANTILE(P50), 2, 1 * MS},
    {PYR_M_TTFT_SENT, PYR_KEPT_MEAN, 2, 1 * MS},
    {PYR_M_PREFILL_RATE, QUANTILE(P50), 2, 0.5},
    {PYR_M_PREFILL_RATE, PYR_KEPT_MEAN, 2, 0.5},
    {PYR_M_TTFT_SENT, QUANTILE(P95), 0, 1 * MS},
    {PYR_M_TTFT_SENT, QUANTILE(P99), 0, 1 * MS},
    {PYR_M_ITL, QUANTILE(P50), 3, 50 * US},
    {PYR_M_TPOT, QUANTILE(P50), 3, 50 * US},
    {PYR_M_ICL, QUANTILE(P50), 3, 50 * US},
    {PYR_M_TPOT, PYR_KEPT_MEAN, 3, 50 * US},
    {PYR_M_DECODE_RATE, QUANTILE(P50), 3, 0.1},
    {PYR_M_DECODE_RATE, PYR_KEPT_MEAN, 3, 0.1},
    {PYR_M_ITL, QUANTILE(P95), 0, 50 * US},
    {PYR_M_ITL, QUANTILE(P99), 0, 50 * US},
    {PYR_M_LATENCY_SENT, QUANTILE(P95), 4, 1 * MS},
    {PYR_M_LATENCY_SENT, QUANTILE(P50), 4, 1 * MS},
    {PYR_M_LATENCY_SENT, PYR_KEPT_MEAN, 4, 1 * MS},
    {PYR_M_LATENCY_SENT, QUANTILE(P99), 0, 1 * MS},
    {PYR_M_BLOCK_TIME, QUANTILE(P50), 5, 0},
    {PYR_M_BLOCK_TIME, PYR_KEPT_MEAN, 5, 0},
    {PYR_M_LOAD_TIME, PYR_KEPT_MEAN, 6, 50 * MS},
    {PYR_M_LOAD_TIME_COLD, PYR_KEPT_MEAN, 0, 50 * MS},
    {PYR_M_FIRST_REQUEST, PYR_KEPT_MEAN, 0, 10 * MS},
    {PYR_M_RSS_PEAK, PYR_KEPT_VALUE, 7, 32 * MB},
    {PYR_M_ERROR_RATE, PYR_KEPT_VALUE, 8, 0.01},
    {PYR_M_ENERGY_PER_TOKEN, PYR_KEPT_VALUE, 0, 0},
    {PYR_M_QUEUE_TIME, QUANTILE(P50), 0, 1 * MS},
};
const size_t pyr_compare_row_count = sizeof pyr_compare_rows / sizeof *pyr_compare_rows;

/* In open loop the user's wait begins with the schedule. */
enum pyr_metric pyr_compare_by_load(enum pyr_metric metric, bool open_loop) {
    if (open_loop && metric == PYR_M_TTFT_SENT)
        return PYR_M_TTFT_SCHED;
    if (open_loop && metric == PYR_M_LATENCY_SENT)
        return PYR_M_LATENCY_SCHED;
    return metric;
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
            pyr_kept_metric(kept, pyr_compare_by_load(row->metric, kept->open_loop));
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
