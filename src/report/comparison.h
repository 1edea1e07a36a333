/* SPDX-License-Identifier: MIT
 *
 * The formats in which a comparison can be told. All read the same `struct pyr_comparison`.
 */
#ifndef PYR_REPORT_COMPARISON_H
#define PYR_REPORT_COMPARISON_H

#include "base/buf.h"
#include "base/err.h"
#include "report/formats.h"
#include "stats/comparison.h"

/* Appends the comparison to `out`. */
typedef void pyr_comparison_fn(const struct pyr_comparison *comparison,
                               const struct pyr_report_options *options, struct pyr_buf *out);

struct pyr_comparison_format {
    const char *name;      /* as after --format */
    const char *extension; /* with its dot */
    pyr_comparison_fn *write;
};

extern const struct pyr_comparison_format pyr_comparison_formats[]; /* ends with a NULL name */
const struct pyr_comparison_format *pyr_comparison_format_find(const char *name); /* or NULL */

pyr_comparison_fn pyr_comparison_terminal, pyr_comparison_json, pyr_comparison_markdown,
    pyr_comparison_junit, pyr_comparison_github, pyr_comparison_html;

/* "12.3 ms", "-" when unknown: one side of a metric, in a unit that suits both. */
void pyr_comparison_put_side(struct pyr_buf *buf, const struct pyr_compared_metric *metric,
                             const struct pyr_estimate *side);
/* "+14.8 % [+11.9, +17.7]": the change, with the sign of the number itself (not of worse). */
void pyr_comparison_put_change(struct pyr_buf *buf, const struct pyr_compared_metric *metric);
/* Decimals of a percentage: of a change by more than the whole, tenths say nothing. */
int pyr_comparison_digits(const struct pyr_estimate *ratio);
/* "TTFT (from sent) p50" */
void pyr_comparison_put_name(struct pyr_buf *buf, const struct pyr_compared_metric *metric);
/* Both sides, the change and what it was held against, as one sentence's part. */
void pyr_comparison_put_all(struct pyr_buf *text, const struct pyr_compared_metric *metric);

#endif
