/* SPDX-License-Identifier: MIT */
/* A comparison as workflow commands, which GitHub Actions shows as annotations. */
#include "report/comparison.h"

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
        pyr_comparison_put_all(&text, metric);
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
