/* SPDX-License-Identifier: MIT */
#include "report/exposition.h"

#include "codec/escape.h"
#include "report/figures.h"
#include "report/formats.h"
#include "report/meta.h"

#include <math.h>
#include <string.h>

struct writer {
    struct pyr_buf *out;
    const struct pyr_result *result;
    bool open_metrics;
};

/* --- names and text -------------------------------------------------------------------------- */

const char *pyr_exposition_suffix(enum pyr_unit unit) {
    static const char *const suffixes[] = {
        [PYR_UNIT_NS] = "_seconds",      [PYR_UNIT_COUNT] = "",
        [PYR_UNIT_RATIO] = "_ratio",     [PYR_UNIT_PER_S] = "_per_second",
        [PYR_UNIT_TOKENS] = "_tokens",   [PYR_UNIT_TOKENS_PER_S] = "_tokens_per_second",
        [PYR_UNIT_BYTES] = "_bytes",     [PYR_UNIT_BYTES_PER_S] = "_bytes_per_second",
        [PYR_UNIT_JOULES] = "_joules",   [PYR_UNIT_WATTS] = "_watts",
        [PYR_UNIT_CELSIUS] = "_celsius",
    };
    return suffixes[unit];
}

double pyr_exposition_factor(enum pyr_unit unit) {
    return unit == PYR_UNIT_NS ? 1e-9 : 1;
}

void pyr_exposition_name(struct pyr_buf *buf, enum pyr_metric metric) {
    const struct pyr_metric_info *info = pyr_metric_info(metric);
    const char *suffix = pyr_exposition_suffix(info->unit);
    size_t name = strlen(info->name), end = strlen(suffix);
    bool has_it = name >= end && strcmp(info->name + name - end, suffix) == 0;
    pyr_buf_printf(buf, "pyrometer_%s%s", info->name, has_it ? "" : suffix);
}

static void put_help_text(struct writer *writer, const char *text) {
    for (; *text; text++) {
        if (*text == '\\' || (writer->open_metrics && *text == '"'))
            pyr_buf_printf(writer->out, "\\%c", *text);
        else if (*text == '\n')
            pyr_buf_puts(writer->out, "\\n");
        else
            pyr_buf_putc(writer->out, *text);
    }
}

/* Label values hold any UTF-8: what is none is replaced, and control characters become blanks. */
static void put_label(struct writer *writer, const char *name, const char *value) {
    pyr_buf_printf(writer->out, "%s=\"", name);
    for (size_t left = strlen(value); left;) {
        size_t length = pyr_utf8_length(value, left);
        unsigned char c = (unsigned char)*value;
        if (!length)
            pyr_buf_puts(writer->out, "\xef\xbf\xbd");
        else if (c == '\\' || c == '"')
            pyr_buf_printf(writer->out, "\\%c", c);
        else if (c == '\n')
            pyr_buf_puts(writer->out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            pyr_buf_putc(writer->out, ' ');
        else
            pyr_buf_append(writer->out, value, length);
        value += length ? length : 1;
        left -= length ? length : 1;
    }
    pyr_buf_putc(writer->out, '"');
}

static void put_family(struct writer *writer, const char *name, const char *type, const char *unit,
                       const char *help) {
    /* In 0.0.4 a counter's family is named as its samples are, and an info is a gauge. */
    const char *total = !writer->open_metrics && strcmp(type, "counter") == 0 ? "_total" : "";
    if (!writer->open_metrics && strcmp(type, "info") == 0) {
        total = "_info";
        type = "gauge";
    }
    if (!writer->open_metrics) {
        pyr_buf_printf(writer->out, "# HELP %s%s ", name, total);
        put_help_text(writer, help);
        pyr_buf_printf(writer->out, "\n# TYPE %s%s %s\n", name, total, type);
        return;
    }
    pyr_buf_printf(writer->out, "# TYPE %s %s\n", name, type);
    if (*unit)
        pyr_buf_printf(writer->out, "# UNIT %s %s\n", name, unit);
    pyr_buf_printf(writer->out, "# HELP %s ", name);
    put_help_text(writer, help);
    pyr_buf_putc(writer->out, '\n');
}

/* "name_suffix{suite=...,case=...": the braces are left open for more labels. */
static void open_sample(struct writer *writer, const char *name, const char *suffix,
                        const struct pyr_suite_result *suite,
                        const struct pyr_case_result *result) {
    pyr_buf_printf(writer->out, "%s%s{", name, suffix);
    put_label(writer, "suite", suite->name);
    pyr_buf_putc(writer->out, ',');
    put_label(writer, "case", result->plan->id);
    /* The same case several times in one run: the arms and blocks of a comparison. */
    if (result->plan->arm || result->plan->block)
        pyr_buf_printf(writer->out, ",arm=\"%u\",block=\"%u\"", result->plan->arm,
                       result->plan->block);
}

static void close_sample(struct writer *writer, double value) {
    if (isnan(value))
        pyr_buf_puts(writer->out, "} NaN\n");
    else if (isinf(value))
        pyr_buf_printf(writer->out, "} %sInf\n", value > 0 ? "+" : "-");
    else
        pyr_buf_printf(writer->out, "} %.9g\n", value);
}

static void close_count(struct writer *writer, uint64_t count) {
    pyr_buf_printf(writer->out, "} %llu\n", (unsigned long long)count);
}

/* --- metrics --------------------------------------------------------------------------------- */

typedef void sample_fn(struct writer *writer, const char *name,
                       const struct pyr_suite_result *suite, const struct pyr_case_result *result,
                       const struct pyr_metric_result *row);

/* Every case that has the metric, one after the other: families must not interleave. */
static void for_each(struct writer *writer, enum pyr_metric metric, const char *name,
                     sample_fn *put) {
    const struct pyr_result *result = writer->result;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *entry = &result->suites[i].cases[j];
            const struct pyr_metric_result *row = pyr_case_metric(entry, metric);
            if (row)
                put(writer, name, &result->suites[i], entry, row);
        }
}

static void put_scalar(struct writer *writer, const char *name,
                       const struct pyr_suite_result *suite, const struct pyr_case_result *result,
                       const struct pyr_metric_result *row) {
    if (!isfinite(row->value.value))
        return;
    open_sample(writer, name, "", suite, result);
    close_sample(writer,
                 row->value.value * pyr_exposition_factor(pyr_metric_info(row->metric)->unit));
}

static void put_quantile_label(struct writer *writer, const char *label, int quantile) {
    pyr_buf_printf(writer->out, ",%s=\"%g\"", label, pyr_quantile_levels[quantile]);
}

static void put_summary(struct writer *writer, const char *name,
                        const struct pyr_suite_result *suite, const struct pyr_case_result *result,
                        const struct pyr_metric_result *row) {
    double factor = pyr_exposition_factor(pyr_metric_info(row->metric)->unit);
    for (int i = 0; i < PYR_Q_COUNT; i++) {
        struct pyr_estimate at = pyr_metric_quantile(row, i);
        if (!isfinite(at.value))
            continue;
        open_sample(writer, name, "", suite, result);
        put_quantile_label(writer, "quantile", i);
        close_sample(writer, at.value * factor);
    }
    if (isfinite(row->mean.value)) {
        open_sample(writer, name, "_sum", suite, result);
        close_sample(writer, row->mean.value * (double)row->n * factor);
        open_sample(writer, name, "_count", suite, result);
        close_count(writer, row->n);
    }
}

static void put_end(struct writer *writer, const char *name, const struct pyr_suite_result *suite,
                    const struct pyr_case_result *result, int quantile, const char *end,
                    double value) {
    if (!isfinite(value))
        return;
    open_sample(writer, name, "", suite, result);
    /* "quantile" is for summaries alone. */
    if (quantile >= 0)
        put_quantile_label(writer, "q", quantile);
    pyr_buf_printf(writer->out, ",end=\"%s\"", end);
    close_sample(writer, value);
}

static void put_interval(struct writer *writer, const char *name,
                         const struct pyr_suite_result *suite, const struct pyr_case_result *result,
                         const struct pyr_metric_result *row) {
    const struct pyr_metric_info *info = pyr_metric_info(row->metric);
    double factor = pyr_exposition_factor(info->unit);
    if (info->kind == PYR_KIND_SCALAR) {
        put_end(writer, name, suite, result, -1, "lower", row->value.lo * factor);
        put_end(writer, name, suite, result, -1, "upper", row->value.hi * factor);
        return;
    }
    for (int i = 0; i < PYR_Q_COUNT; i++) {
        struct pyr_estimate at = pyr_metric_quantile(row, i);
        put_end(writer, name, suite, result, i, "lower", at.lo * factor);
        put_end(writer, name, suite, result, i, "upper", at.hi * factor);
    }
}

/* Cumulative counts at every half octave between the least and the largest value: sums of the
 * histogram's own buckets, so nothing is interpolated. */
static void put_histogram(struct writer *writer, const char *name,
                          const struct pyr_suite_result *suite,
                          const struct pyr_case_result *result,
                          const struct pyr_metric_result *row) {
    const struct pyr_hist *hist = row->hist;
    enum { HALF_OCTAVE = 128 };
    if (!hist || !hist->count)
        return;
    double factor = pyr_exposition_factor(pyr_metric_info(row->metric)->unit);
    unsigned first = hist->min ? pyr_hist_slot(hist->min) / HALF_OCTAVE : 0;
    for (unsigned k = first; k * HALF_OCTAVE < PYR_HIST_SLOTS; k++) {
        uint64_t count = pyr_hist_count_upto(hist, k * HALF_OCTAVE);
        open_sample(writer, name, "_bucket", suite, result);
        pyr_buf_printf(writer->out, ",le=\"%.9g\"", exp2(k * 0.5) * factor);
        close_count(writer, count);
        if (count == hist->count)
            break;
    }
    open_sample(writer, name, "_bucket", suite, result);
    pyr_buf_puts(writer->out, ",le=\"+Inf\"");
    close_count(writer, hist->count);
    open_sample(writer, name, "_sum", suite, result);
    close_sample(writer, (double)hist->sum * factor);
    open_sample(writer, name, "_count", suite, result);
    close_count(writer, hist->count);
}

struct variant {
    const char *infix; /* before the unit */
    const char *type, *prefix;
    sample_fn *put;
};

static void put_variant(struct writer *writer, enum pyr_metric metric,
                        const struct variant *variant) {
    const struct pyr_metric_info *info = pyr_metric_info(metric);
    const char *suffix = pyr_exposition_suffix(info->unit);
    struct pyr_buf name = {0}, help = {0}, samples = {0};
    pyr_exposition_name(&name, metric);
    if (*variant->infix) {
        name.length -= strlen(suffix);
        pyr_buf_printf(&name, "%s%s", variant->infix, suffix);
    }
    struct writer body = *writer;
    body.out = &samples;
    for_each(&body, metric, pyr_buf_text(&name), variant->put);
    if (samples.length) {
        pyr_buf_printf(&help, "%s%s: %s (%s)", variant->prefix, info->label, info->definition,
                       info->source);
        put_family(writer, pyr_buf_text(&name), variant->type, suffix + (*suffix == '_'),
                   pyr_buf_text(&help));
        pyr_buf_append(writer->out, samples.data, samples.length);
    }
    pyr_buf_deinit(&name);
    pyr_buf_deinit(&help);
    pyr_buf_deinit(&samples);
}

static void put_metrics(struct writer *writer) {
    static const struct variant scalar = {"", "gauge", "", put_scalar};
    static const struct variant summary = {"", "summary", "", put_summary};
    static const struct variant interval = {"_interval", "gauge", "95 % interval of ",
                                            put_interval};
    static const struct variant histogram = {"_distribution", "histogram", "", put_histogram};
    for (int i = 0; i < PYR_METRIC_COUNT; i++) {
        enum pyr_metric metric = (enum pyr_metric)i;
        bool is_scalar = pyr_metric_info(metric)->kind == PYR_KIND_SCALAR;
        put_variant(writer, metric, is_scalar ? &scalar : &summary);
        put_variant(writer, metric, &interval);
        if (!is_scalar)
            put_variant(writer, metric, &histogram);
    }
}

/* --- the run itself -------------------------------------------------------------------------- */

static void put_outcomes(struct writer *writer) {
    const struct pyr_result *result = writer->result;
    if (!result->suite_count)
        return;
    put_family(writer, "pyrometer_requests", "counter", "", "requests by how they ended");
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *entry = &result->suites[i].cases[j];
            for (int k = 0; k < PYR_OUTCOME_COUNT; k++) {
                if (!entry->outcomes[k] && k != PYR_OUTCOME_OK)
                    continue;
                open_sample(writer, "pyrometer_requests", "_total", &result->suites[i], entry);
                pyr_buf_putc(writer->out, ',');
                put_label(writer, "outcome", pyr_outcome_name((enum pyr_outcome)k));
                close_count(writer, entry->outcomes[k]);
            }
        }
}

static void put_goals(struct writer *writer) {
    const struct pyr_result *result = writer->result;
    bool any = false;
    for (size_t i = 0; i < result->goal_count; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        bool decided = row->verdict == PYR_GOAL_MET || row->verdict == PYR_GOAL_MISSED;
        bool again = false;
        /* The same label and suite twice would be the same series twice. */
        for (size_t j = 0; j < i; j++)
            again |= strcmp(result->goals[j].goal->label, row->goal->label) == 0 &&
                     strcmp(result->goals[j].goal->suite, row->goal->suite) == 0;
        if (!decided || again)
            continue;
        if (!any)
            put_family(
                writer, "pyrometer_goal_met", "gauge", "",
                "1 for a goal that was met, 0 for one that was missed; none while undecided");
        any = true;
        pyr_buf_puts(writer->out, "pyrometer_goal_met{");
        put_label(writer, "goal", row->goal->label);
        pyr_buf_putc(writer->out, ',');
        put_label(writer, "suite", row->goal->suite);
        close_count(writer, row->verdict == PYR_GOAL_MET);
    }
}

static void put_run(struct writer *writer) {
    struct pyr_report_meta meta;
    pyr_report_meta_open(writer->result->meta_json, &meta);
    put_family(writer, "pyrometer_run", "info", "", "what was measured, and by which version");
    pyr_buf_puts(writer->out, "pyrometer_run_info{version=\"" PYR_VERSION "\",");
    put_label(writer, "target", meta.name ? meta.name : meta.spec ? meta.spec : "");
    pyr_buf_putc(writer->out, ',');
    put_label(writer, "engine", meta.engine ? meta.engine : "");
    pyr_buf_putc(writer->out, ',');
    put_label(writer, "grade", pyr_grade_name(writer->result->grade));
    pyr_buf_printf(writer->out, ",partial=\"%s\",simulated=\"%s\"} 1\n",
                   writer->result->partial ? "true" : "false",
                   writer->result->simulated ? "true" : "false");
    if (isfinite(meta.started_unix_s)) {
        put_family(writer, "pyrometer_run_start_timestamp_seconds", "gauge", "seconds",
                   "start of the run since 1970");
        pyr_buf_printf(writer->out, "pyrometer_run_start_timestamp_seconds %.3f\n",
                       meta.started_unix_s);
    }
    pyr_report_meta_close(&meta);
}

static bool expose(const struct pyr_result *result, bool open_metrics, struct pyr_buf *out) {
    struct writer writer = {out, result, open_metrics};
    put_run(&writer);
    put_outcomes(&writer);
    put_goals(&writer);
    put_metrics(&writer);
    if (open_metrics)
        pyr_buf_puts(out, "# EOF\n");
    return true;
}

bool pyr_report_prometheus(const struct pyr_result *result,
                           const struct pyr_report_options *options, struct pyr_buf *out,
                           struct pyr_err *err) {
    (void)options;
    (void)err;
    return expose(result, false, out);
}

bool pyr_report_openmetrics(const struct pyr_result *result,
                            const struct pyr_report_options *options, struct pyr_buf *out,
                            struct pyr_err *err) {
    (void)options;
    (void)err;
    return expose(result, true, out);
}
