/* SPDX-License-Identifier: MIT */
/* A comparison for code review: Markdown, JUnit, workflow annotations. */
#include "codec/escape.h"
#include "report/comparison.h"

#include <math.h>
#include <string.h>

/* --- Markdown ------------------------------------------------------------------------------------
 */

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

/* --- JUnit
 * ----------------------------------------------------------------------------------------- */

static void put_xml(struct pyr_buf *out, const char *text) {
    pyr_escape_xml(out, text, strlen(text));
}

static void describe(const struct pyr_compared_metric *metric, struct pyr_buf *text) {
    pyr_comparison_put_side(text, metric, &metric->baseline);
    pyr_buf_puts(text, " before, ");
    pyr_comparison_put_side(text, metric, &metric->current);
    pyr_buf_puts(text, " now, ");
    pyr_comparison_put_change(text, metric);
    pyr_buf_printf(text, ", gate %.1f %%", 100 * metric->judgement.gate);
    if (metric->judgement.reason)
        pyr_buf_printf(text, " (%s)", metric->judgement.reason);
}

static void put_testcase(const struct pyr_compared_metric *metric, struct pyr_buf *out) {
    struct pyr_buf name = {0}, text = {0};
    pyr_comparison_put_name(&name, metric);
    describe(metric, &text);
    pyr_buf_puts(out, "    <testcase classname=\"");
    put_xml(out, metric->suite);
    pyr_buf_putc(out, '.');
    put_xml(out, metric->case_id);
    pyr_buf_puts(out, "\" name=\"");
    put_xml(out, pyr_buf_text(&name));
    enum pyr_verdict verdict = metric->judgement.verdict;
    const char *element = verdict == PYR_REGRESSED                                     ? "failure"
                          : verdict == PYR_INCONCLUSIVE || verdict == PYR_INCOMPARABLE ? "skipped"
                                                                                       : NULL;
    if (!element) {
        pyr_buf_puts(out, "\"/>\n");
    } else {
        pyr_buf_printf(out, "\"><%s message=\"%s: ", element, pyr_verdict_name(verdict));
        put_xml(out, pyr_buf_text(&text));
        pyr_buf_puts(out, "\"/></testcase>\n");
    }
    pyr_buf_deinit(&name);
    pyr_buf_deinit(&text);
}

void pyr_comparison_junit(const struct pyr_comparison *comparison,
                          const struct pyr_report_options *options, struct pyr_buf *out) {
    (void)options;
    size_t failures = 0, skipped = 0;
    for (size_t i = 0; i < comparison->gated_count; i++) {
        enum pyr_verdict verdict = comparison->metrics[i].judgement.verdict;
        failures += verdict == PYR_REGRESSED;
        skipped += verdict == PYR_INCONCLUSIVE || verdict == PYR_INCOMPARABLE;
    }
    pyr_buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    pyr_buf_printf(out,
                   "  <testsuite name=\"pyrometer compare\" tests=\"%zu\" failures=\"%zu\" "
                   "skipped=\"%zu\" errors=\"0\">\n",
                   comparison->gated_count, failures, skipped);
    for (size_t i = 0; i < comparison->gated_count; i++)
        put_testcase(&comparison->metrics[i], out);
    pyr_buf_puts(out, "  </testsuite>\n</testsuites>\n");
}

/* --- workflow commands
 * ------------------------------------------------------------------------------ */

/* GitHub Actions, workflow commands: these three are escaped in a message, and ':' and ',' besides
 * in a property. */
static void put_message(struct pyr_buf *out, const char *text, bool property) {
    for (; *text; text++)
        if (*text == '%' || *text == '\r' || *text == '\n' ||
            (property && (*text == ':' || *text == ',')))
            pyr_buf_printf(out, "%%%02X", (unsigned char)*text);
        else
            pyr_buf_putc(out, *text);
}

/* A step shows ten annotations of a kind and a job fifty: the worst three, and how many more. */
void pyr_comparison_github(const struct pyr_comparison *comparison,
                           const struct pyr_report_options *options, struct pyr_buf *out) {
    (void)options;
    enum { MOST = 3 };
    size_t regressed = 0;
    struct pyr_buf text = {0};
    for (size_t i = 0; i < comparison->gated_count; i++) {
        const struct pyr_compared_metric *metric = &comparison->metrics[i];
        if (metric->judgement.verdict != PYR_REGRESSED || regressed++ >= MOST)
            continue;
        pyr_buf_puts(out, "::error title=");
        pyr_buf_printf(&text, "%s %s ", metric->suite, metric->case_id);
        pyr_comparison_put_name(&text, metric);
        put_message(out, pyr_buf_text(&text), true);
        pyr_buf_puts(out, "::");
        pyr_buf_clear(&text);
        describe(metric, &text);
        put_message(out, pyr_buf_text(&text), false);
        pyr_buf_putc(out, '\n');
        pyr_buf_clear(&text);
    }
    if (regressed > MOST)
        pyr_buf_printf(out, "::error::%zu more gated metrics regressed\n", regressed - MOST);
    if (comparison->verdict == PYR_INCOMPARABLE || comparison->verdict == PYR_INCONCLUSIVE) {
        pyr_buf_puts(out, "::warning title=pyrometer::");
        put_message(out, comparison->summary, false);
        pyr_buf_putc(out, '\n');
    }
    pyr_buf_deinit(&text);
}
