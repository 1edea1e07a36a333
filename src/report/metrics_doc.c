/* SPDX-License-Identifier: MIT */
#include "report/metrics_doc.h"

#include "record/metric.h"
#include "report/exposition.h"

static const char head[] =
    "# Metrics\n"
    "\n"
    "Generated from [metric.def](../src/record/metric.def), the one list of metrics.\n"
    "\n"
    "A *distribution* has one value a request, chunk or repetition and is reported by its "
    "quantiles; "
    "a *single* value\n"
    "belongs to a case. *Raw* is stamped, counted or read; *derived* is computed from raw records. "
    "Every figure\n"
    "carries its n, its source and a 95 % interval, or the reason why there is none "
    "([results.json](formats/results.md),\n"
    "[quantiles](method/quantiles.md)).\n"
    "\n"
    "| name | definition | unit | kind | better | made | source | for Prometheus |\n"
    "|---|---|---|---|---|---|---|---|\n";

static void put_cell(struct pyr_buf *out, const char *text) {
    pyr_buf_putc(out, ' ');
    for (; *text; text++) {
        if (*text == '|' || *text == '*' || *text == '_' || *text == '<')
            pyr_buf_putc(out, '\\');
        pyr_buf_putc(out, *text);
    }
    pyr_buf_puts(out, " |");
}

void pyr_metrics_doc(struct pyr_buf *out) {
    static const char *const better[] = {
        [PYR_BETTER_LOWER] = "lower", [PYR_BETTER_HIGHER] = "higher", [PYR_BETTER_NEITHER] = "-"};
    pyr_buf_puts(out, head);
    for (int i = 0; i < PYR_METRIC_COUNT; i++) {
        enum pyr_metric metric = (enum pyr_metric)i;
        const struct pyr_metric_info *info = pyr_metric_info(metric);
        pyr_buf_printf(out, "| `%s` |", info->name);
        put_cell(out, info->definition);
        put_cell(out, pyr_unit_name(info->unit));
        put_cell(out, info->kind == PYR_KIND_SCALAR ? "single" : "distribution");
        put_cell(out, better[info->better]);
        put_cell(out, info->origin == PYR_ORIGIN_RAW ? "raw" : "derived");
        put_cell(out, info->source);
        pyr_buf_puts(out, " `");
        pyr_exposition_name(out, metric);
        pyr_buf_puts(out, "` |\n");
    }
}
