/* SPDX-License-Identifier: MIT */
/* A comparison as a test suite: each gated metric is a test. */
#include "codec/escape.h"
#include "report/comparison.h"

#include <string.h>

static void put_xml(struct pyr_buf *out, const char *text) {
    pyr_escape_xml(out, text, strlen(text));
}

static void put_testcase(const struct pyr_compared_metric *metric, struct pyr_buf *out) {
    struct pyr_buf name = {0}, text = {0};
    pyr_comparison_put_name(&name, metric);
    pyr_comparison_put_all(&text, metric);
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
