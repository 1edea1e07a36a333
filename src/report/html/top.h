/* SPDX-License-Identifier: MIT
 *
 * The upper part of the HTML report, which answers before anything else: what was measured, can it
 * be trusted, and what came out.
 */
#ifndef PYR_REPORT_HTML_TOP_H
#define PYR_REPORT_HTML_TOP_H

#include "base/buf.h"
#include "report/meta.h"
#include "stats/result.h"

/* From <!doctype> to the goals and recommendations; the page stays open. */
void pyr_html_top(struct pyr_buf *out, const struct pyr_result *result,
                  const struct pyr_report_meta *meta);

/* A case's name with its suite, between `open` and `close`. */
void pyr_html_case_name(struct pyr_buf *out, const char *open, const struct pyr_suite_result *suite,
                        const struct pyr_case_result *result, const char *close);

#endif
