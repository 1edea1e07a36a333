/* SPDX-License-Identifier: MIT */
/* A comparison for code review. */
#include "report/comparison.h"

#include <math.h>

/* What GitHub shows as it is: pipes and line ends would break the table, angle brackets are HTML.
 */
static void put_md(struct pyr_buf *out, const char *text) {
    for (; text && *text; text++)
        if (*text == '|' || *text == '`' || *text == '*' || *text == '_')
            pyr_buf_printf(out, "\\%c", *text);
        else if (*text == '<')
            pyr_buf_puts(out, "&lt;");
        else
            pyr_buf_putc(out, (unsigned char)*text < ' ' ? ' ' : *text);
}

static void put_md_rows(const struct pyr_comparison *comparison, bool gated, struct pyr_buf *out) {
    struct pyr_buf cell = {0};
    pyr_buf_puts(out, "| case | metric | baseline | current | change | verdict |\n"
                      "|---|---|---:|---:|---:|---|\n");
    for (size_t i = 0; i < comparison->metric_count; i++) {
        const struct pyr_compared_metric *metric = &comparison->metrics[i];
        if (metric->gated != gated)
            continue;
        pyr_buf_puts(out, "| ");
        put_md(out, metric->suite);
        pyr_buf_putc(out, ' ');
        put_md(out, metric->case_id);
        pyr_buf_puts(out, " | ");
        pyr_comparison_put_name(&cell, metric);
        put_md(out, pyr_buf_text(&cell));
        pyr_buf_puts(out, " | ");
        pyr_comparison_put_side(out, metric, &metric->baseline);
        pyr_buf_puts(out, " | ");
        pyr_comparison_put_side(out, metric, &metric->current);
        pyr_buf_puts(out, " | ");
        pyr_comparison_put_change(out, metric);
        pyr_buf_printf(out, " | %s |\n", pyr_verdict_name(metric->judgement.verdict));
        pyr_buf_clear(&cell);
    }
    pyr_buf_deinit(&cell);
}

static void put_md_parts(const struct pyr_comparison *comparison, struct pyr_buf *out) {
    if (comparison->part_count == 0)
        return;
    pyr_buf_puts(out, "\n| environment | baseline | current |\n|---|---|---|\n");
    for (size_t i = 0; i < comparison->part_count; i++) {
        const struct pyr_compared_part *part = &comparison->parts[i];
        pyr_buf_puts(out, "| ");
        put_md(out, part->part);
        pyr_buf_puts(out, " | ");
        put_md(out, part->baseline ? part->baseline : "unknown");
        pyr_buf_puts(out, " | ");
        put_md(out, part->current ? part->current : "unknown");
        pyr_buf_puts(out, " |\n");
    }
}

void pyr_comparison_markdown(const struct pyr_comparison *comparison,
                             const struct pyr_report_options *options, struct pyr_buf *out) {
    (void)options;
    pyr_buf_printf(out, "## Comparison: %s\n\n", pyr_verdict_name(comparison->verdict));
    put_md(out, comparison->summary);
    pyr_buf_puts(out, "\n\n");
    for (size_t i = 0; i < comparison->warning_count; i++) {
        pyr_buf_puts(out, "- warning: ");
        put_md(out, comparison->warnings[i]);
        pyr_buf_putc(out, '\n');
    }
    if (comparison->warning_count)
        pyr_buf_putc(out, '\n');
    put_md_rows(comparison, true, out);
    if (comparison->metric_count > comparison->gated_count) {
        pyr_buf_puts(out, "\n<details><summary>Not gated</summary>\n\n");
        put_md_rows(comparison, false, out);
        pyr_buf_puts(out, "\n</details>\n");
    }
    put_md_parts(comparison, out);
    pyr_buf_puts(out, "\nBaseline: ");
    put_md(out, comparison->baseline.name);
    pyr_buf_printf(out, " (%zu runs). Current: ", comparison->baseline.runs);
    put_md(out, comparison->current.name);
    pyr_buf_printf(out, " (%zu). Threshold %.1f %%", comparison->current.runs,
                   100 * comparison->threshold);
    if (!isnan(comparison->noise_floor.ratio))
        pyr_buf_printf(out, ", noise floor %.2f %%", 100 * comparison->noise_floor.ratio);
    pyr_buf_puts(out, ".\n");
    if (comparison->more) {
        pyr_buf_puts(out, "\nNext: ");
        put_md(out, comparison->more);
        pyr_buf_putc(out, '\n');
    }
}
