/* SPDX-License-Identifier: MIT
 *
 * The charts of the HTML report: which figures a suite and a case are drawn by. Parts append to
 * `out` and write nothing where there is nothing to draw.
 */
#ifndef PYR_REPORT_HTML_CHARTS_H
#define PYR_REPORT_HTML_CHARTS_H

#include "base/buf.h"
#include "stats/result.h"

/* Latency against throughput and goodput against load, where a suite tried several loads; then
 * percentile plots with their table. */
void pyr_html_suite_charts(struct pyr_buf *out, const struct pyr_suite_result *suite);
/* What a search for the highest load that holds the goals saw at each load it tried: goodput, and
 * what each of the goals looks at. Nothing where no such search was made. */
void pyr_html_capacity_charts(struct pyr_buf *out, const struct pyr_result *result);
/* Latency and output over time, with the warm-up cut, spikes and failures. */
void pyr_html_case_charts(struct pyr_buf *out, const struct pyr_case_result *result);

#endif
