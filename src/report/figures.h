/* SPDX-License-Identifier: MIT
 *
 * What the reports for people show of a case, and how a number is written. Choosing lives here
 * once, so that terminal, Markdown and HTML show the same figures in the same units.
 */
#ifndef PYR_REPORT_FIGURES_H
#define PYR_REPORT_FIGURES_H

#include "base/buf.h"
#include "report/meta.h"
#include "stats/result.h"
#include "stats/uses.h"

#include <stdbool.h>
#include <stddef.h>

enum { PYR_FIGURE_VALUE = PYR_COLUMN_VALUE, PYR_FIGURE_MEAN = PYR_COLUMN_MEAN };

/* One number of a case. Times of requests are taken from the schedule in open loop and from the
 * sending in closed loop; other metrics have both fields equal. */
struct pyr_figure {
    enum pyr_metric closed, open;
    int quantile;       /* PYR_Q_..., or one of the above */
    const char *header; /* "TTFT p50" */
};

/* The figure that a row of uses stands for, in both loops. */
struct pyr_figure pyr_figure_of_use(const struct pyr_use *use);

/* The headline metrics of the flat keys: ttft_sched or ttft_sent, latency_sched or latency_sent. */
enum pyr_metric pyr_headline_ttft(const struct pyr_case_result *result);
enum pyr_metric pyr_headline_latency(const struct pyr_case_result *result);

/* Never invalid: unknown with a reason where the case lacks it. */
struct pyr_estimate pyr_figure_of(const struct pyr_case_result *result,
                                  const struct pyr_figure *figure);
/* A metric's one number for a table: its value, or its median. */
struct pyr_estimate pyr_metric_headline(const struct pyr_metric_result *row);
/* A distribution's quantile, unknown when there are fewer than 1 / (1 - q) values. */
struct pyr_estimate pyr_metric_quantile(const struct pyr_metric_result *row, int quantile);

enum { PYR_FIGURES_MAX = 16 };

/* The figures worth a column: the suite's own, first of all, where it names them, and else for the
 * cases that made requests those that at least one case knows; p99 only where at least half of them
 * can bound it. Returns their number. */
size_t pyr_figures_choose(const struct pyr_suite_result *suite, enum pyr_figure_group group,
                          struct pyr_figure figures[PYR_FIGURES_MAX]);

/* "long after 11 of 44 requests, medium after 37": the cases whose time was over before the
 * requests that the configuration asks for. Nothing where none was, or where requests are no cap.
 */
void pyr_put_cut(struct pyr_buf *buf, const struct pyr_suite_result *suite,
                 const struct pyr_report_meta *meta);

bool pyr_suite_has_requests(const struct pyr_suite_result *suite);
/* True when the case has a row in the suite's table. */
bool pyr_case_in_table(const struct pyr_suite_result *suite, const struct pyr_case_result *one);

/* More requests that the suite's worst case needs before p99 has an interval; 0: none. */
uint64_t pyr_figures_p99_needs(const struct pyr_suite_result *suite, const char **case_id);

/* shown = value * factor, in `unit`. */
struct pyr_scale {
    double factor;
    const char *unit; /* "ms", "tok/s", "%", "" */
};
/* The unit in which values up to `largest` (in the metric's own unit) read well. */
struct pyr_scale pyr_scale_for(enum pyr_unit unit, double largest);
/* For one figure over the suite's cases, and for one estimate alone. */
struct pyr_scale pyr_scale_of_figure(const struct pyr_suite_result *suite,
                                     const struct pyr_figure *figure);

/* Three significant digits, no exponent below ten million: "0.012", "1.23", "45.6", "1234". */
void pyr_put_number(struct pyr_buf *buf, double shown);
/* "1,234,567" */
void pyr_put_count(struct pyr_buf *buf, uint64_t count);
/* "12.3 [11.9, 12.8]"; an open end is "?", an unknown value "-", and a value whose interval is
 * itself, or that is a single reading, stands alone. No unit. */
void pyr_put_interval(struct pyr_buf *buf, const struct pyr_estimate *at, struct pyr_scale scale);
/* "12.3 +-4%": the larger half of the interval as a share of the value; `plus_minus` is the sign's
 * spelling. */
void pyr_put_compact(struct pyr_buf *buf, const struct pyr_estimate *at, struct pyr_scale scale,
                     const char *plus_minus);

/* ", 12 ok", ", 3 cancelled", ", 7 failed (timeout_first)". */
void pyr_put_outcome(struct pyr_buf *buf, enum pyr_outcome outcome, uint64_t count);

/* The id without the suite's own name before it: "short/c8" of "concurrent/short/c8". */
const char *pyr_case_short_id(const struct pyr_suite_result *suite,
                              const struct pyr_case_result *result);

/* The same with the suite's name before it, whichever way the id is written: for formats that put
 * the cases of all suites in one list. */
void pyr_put_case_name(struct pyr_buf *buf, const struct pyr_suite_result *suite,
                       const struct pyr_case_result *result);

/* What params holds, pair by pair. Start with *at = params; false at the end. Pairs without "="
 * come with an empty value. */
struct pyr_param {
    const char *key, *value;
    size_t key_bytes, value_bytes;
};
bool pyr_params_next(const char **at, struct pyr_param *param);

#endif
