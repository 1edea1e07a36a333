/* SPDX-License-Identifier: MIT
 *
 * The percentile distribution text of HdrHistogram ("hgrm"), which its plotter and many scripts
 * read: value, percentile, count up to it, 1/(1-percentile). One after the other for each case and
 * each of latency, TTFT and ITL, in milliseconds, with a comment line before each.
 *
 * Rows come from the histogram where the result keeps one, at HdrHistogram's own steps (five to
 * each halving of the distance to 1), else from the curve.
 */
#include "report/figures.h"
#include "report/formats.h"

#include <math.h>

enum { TICKS_PER_HALVING = 5 };

static void put_row(struct pyr_buf *out, double value_ns, double q, uint64_t count) {
    pyr_buf_printf(out, "%12.6f %2.12f %10llu", value_ns / 1e6, q, (unsigned long long)count);
    if (q < 1)
        pyr_buf_printf(out, " %14.2f", 1 / (1 - q));
    pyr_buf_putc(out, '\n');
}

static void put_from_hist(struct pyr_buf *out, const struct pyr_hist *hist) {
    uint64_t within = hist->count - hist->overflow;
    for (double q = 0; within;) {
        uint64_t rank = (uint64_t)ceil(q * (double)hist->count);
        rank = rank < 1 ? 1 : rank;
        if (rank >= within)
            break;
        struct pyr_hist_value at = pyr_hist_at_rank(hist, rank);
        put_row(out, at.value, q, rank);
        /* Steps halve each time the distance to 1 has halved. */
        double halvings = floor(log2(1 / (1 - q)));
        q += 1 / (TICKS_PER_HALVING * exp2(halvings + 1));
    }
    if (within)
        put_row(out, pyr_hist_at_rank(hist, within).value, (double)within / (double)hist->count,
                within);
}

static void put_from_curve(struct pyr_buf *out, const struct pyr_metric_result *row) {
    for (size_t i = 0; i < row->curve_count; i++)
        if (isfinite(row->curve[i].at.value))
            put_row(out, row->curve[i].at.value, row->curve[i].q,
                    (uint64_t)ceil(row->curve[i].q * (double)row->n));
    if (row->n && isfinite(row->max))
        put_row(out, row->max, 1, row->n);
}

static void put_footer(struct pyr_buf *out, const struct pyr_metric_result *row) {
    pyr_buf_printf(out, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n",
                   isfinite(row->mean.value) ? row->mean.value / 1e6 : 0,
                   isfinite(row->sd) ? row->sd / 1e6 : 0);
    pyr_buf_printf(out, "#[Max     = %12.6f, Total count    = %12llu]\n",
                   isfinite(row->max) ? row->max / 1e6 : 0, (unsigned long long)row->n);
    pyr_buf_printf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", row->hist ? 63 : 0,
                   row->hist ? 256 : 0);
}

static void put_metric(struct pyr_buf *out, const struct pyr_suite_result *suite,
                       const struct pyr_case_result *result, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(result, metric);
    if (!row || !row->n || (!row->hist && !row->curve_count))
        return;
    struct pyr_buf name = {0};
    pyr_put_case_name(&name, suite, result);
    pyr_buf_puts(out, "#[");
    for (const char *at = pyr_buf_text(&name); *at; at++)
        pyr_buf_putc(out, (unsigned char)*at < 0x20 || *at == ']' ? ' ' : *at);
    pyr_buf_deinit(&name);
    pyr_buf_printf(out, " %s, ms]\n       Value     Percentile TotalCount 1/(1-Percentile)\n\n",
                   pyr_metric_info(metric)->name);
    if (row->hist)
        put_from_hist(out, row->hist);
    else
        put_from_curve(out, row);
    put_footer(out, row);
    pyr_buf_putc(out, '\n');
}

bool pyr_report_hgrm(const struct pyr_result *result, const struct pyr_report_options *options,
                     struct pyr_buf *out, struct pyr_err *err) {
    (void)options;
    (void)err;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *entry = &result->suites[i].cases[j];
            put_metric(out, &result->suites[i], entry, pyr_headline_latency(entry));
            put_metric(out, &result->suites[i], entry, pyr_headline_ttft(entry));
            put_metric(out, &result->suites[i], entry, PYR_M_ITL);
        }
    return true;
}
