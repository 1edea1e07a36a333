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
/* Latency and output over time, with the warm-up cut, spikes and failures. */
void pyr_html_case_charts(struct pyr_buf *out, const struct pyr_case_result *result);

/* Text for humans that came from outside. NULL appends nothing. */
void pyr_html_text(struct pyr_buf *out, const char *text);
/* "12.3 <i>[11.9, 12.8]</i>", or a dash that names its reason when pointed at. */
void pyr_html_estimate(struct pyr_buf *out, const struct pyr_estimate *at, double factor);
/* The unit as people write it: "us" with its proper letter. */
const char *pyr_html_unit(const char *unit);

#endif
