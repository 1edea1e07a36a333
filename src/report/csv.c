/* SPDX-License-Identifier: MIT */
#include "codec/escape.h"
#include "report/figures.h"
#include "report/formats.h"
#include "report/meta.h"

#include <math.h>
#include <string.h>

/* One row a metric of a case and window: a spreadsheet pivots it, and nothing is lost. */
static const char header[] =
    "time,commit,suite,case,arm,block,load_model,concurrency,rate,prompt_class,window,metric,unit,"
    "better,n,"
    "value,lo,hi,min,max,mean,mean_lo,mean_hi,p50,p50_lo,p50_hi,p75,p75_lo,p75_hi,p90,p90_lo,"
    "p90_hi,p95,p95_lo,p95_hi,p99,p99_lo,p99_hi,p99_9,p99_9_lo,p99_9_hi,reason\r\n";

static void put_text(struct pyr_buf *out, const char *text) {
    if (text)
        pyr_escape_csv(out, text, strlen(text));
    pyr_buf_putc(out, ',');
}

static void put_number(struct pyr_buf *out, double value) {
    if (isfinite(value))
        pyr_buf_printf(out, "%.9g", value);
    pyr_buf_putc(out, ',');
}

static void put_estimate(struct pyr_buf *out, const struct pyr_estimate *at) {
    put_number(out, at->value);
    put_number(out, at->lo);
    put_number(out, at->hi);
}

static void put_row(struct pyr_buf *out, const char *when, const char *commit,
                    const struct pyr_suite_result *suite, const struct pyr_case_result *result,
                    const char *window, const struct pyr_metric_result *row) {
    static const char *const better[] = {[PYR_BETTER_LOWER] = "lower",
                                         [PYR_BETTER_HIGHER] = "higher",
                                         [PYR_BETTER_NEITHER] = "neither"};
    const struct pyr_metric_info *info = pyr_metric_info(row->metric);
    const struct pyr_case *plan = result->plan;
    bool scalar = info->kind == PYR_KIND_SCALAR;
    put_text(out, when);
    put_text(out, commit);
    put_text(out, suite->name);
    put_text(out, plan->id);
    pyr_buf_printf(out, "%u,%u,", plan->arm, plan->block);
    put_text(out, plan->open_loop ? "open" : "closed");
    put_number(out, plan->concurrency ? plan->concurrency : (double)NAN);
    put_number(out, plan->open_loop ? plan->rate : (double)NAN);
    put_text(out, plan->prompt_class);
    put_text(out, window);
    put_text(out, info->name);
    put_text(out, pyr_unit_name(info->unit));
    put_text(out, better[info->better]);
    pyr_buf_printf(out, "%llu,", (unsigned long long)row->n);
    struct pyr_estimate none = pyr_estimate_unknown(NULL), at = scalar ? row->value : none;
    const char *reason = at.reason;
    put_estimate(out, &at);
    put_number(out, scalar ? (double)NAN : row->min);
    put_number(out, scalar ? (double)NAN : row->max);
    put_estimate(out, scalar ? &none : &row->mean);
    for (int i = 0; i < PYR_Q_COUNT; i++) {
        at = scalar ? none : pyr_metric_quantile(row, i);
        put_estimate(out, &at);
        /* The first that is open: the deeper ones are open for the same want of values. */
        reason = reason ? reason : at.reason;
    }
    if (reason)
        pyr_escape_csv(out, reason, strlen(reason));
    pyr_buf_puts(out, "\r\n");
}

bool pyr_report_csv(const struct pyr_result *result, const struct pyr_report_options *options,
                    struct pyr_buf *out, struct pyr_err *err) {
    (void)err;
    struct pyr_report_meta meta;
    char when[32];
    pyr_report_meta_open(result->meta_json, &meta);
    pyr_report_iso_time(meta.started_unix_s, when, sizeof when);
    pyr_report_meta_close(&meta);
    pyr_buf_puts(out, header);
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *entry = &result->suites[i].cases[j];
            for (size_t k = 0; k < entry->metric_count; k++)
                put_row(out, when, options->commit, &result->suites[i], entry, "steady",
                        &entry->metrics[k]);
            for (size_t k = 0; k < entry->whole_count; k++)
                put_row(out, when, options->commit, &result->suites[i], entry, "whole",
                        &entry->whole[k]);
        }
    return true;
}
