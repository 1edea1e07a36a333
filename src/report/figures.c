/* SPDX-License-Identifier: MIT */
#include "report/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct pyr_figure pyr_figure_of_use(const struct pyr_use *use) {
    return (struct pyr_figure){.closed = use->metric,
                               .open = pyr_metric_by_load(use->metric, true),
                               .quantile = use->statistic,
                               .header = use->text};
}

enum pyr_metric pyr_headline_ttft(const struct pyr_case_result *result) {
    return pyr_metric_by_load(PYR_M_TTFT_SENT, result->plan->open_loop);
}

enum pyr_metric pyr_headline_latency(const struct pyr_case_result *result) {
    return pyr_metric_by_load(PYR_M_LATENCY_SENT, result->plan->open_loop);
}

struct pyr_estimate pyr_metric_quantile(const struct pyr_metric_result *row, int quantile) {
    struct pyr_estimate at = row->quantile[quantile];
    double tail = 1 - pyr_quantile_levels[quantile];
    /* The tail is not exact in binary: 100 values do give a p99. */
    if ((double)row->n * tail < 1 - 1e-9)
        return pyr_estimate_unknown(at.reason ? at.reason : "too few values");
    return at;
}

struct pyr_estimate pyr_metric_headline(const struct pyr_metric_result *row) {
    return pyr_metric_info(row->metric)->kind == PYR_KIND_SCALAR
               ? row->value
               : pyr_metric_quantile(row, PYR_Q_P50);
}

struct pyr_estimate pyr_figure_of(const struct pyr_case_result *result,
                                  const struct pyr_figure *figure) {
    const struct pyr_metric_result *row =
        pyr_case_metric(result, result->plan->open_loop ? figure->open : figure->closed);
    if (!row)
        return pyr_estimate_unknown("not measured");
    struct pyr_estimate at = figure->quantile == PYR_FIGURE_VALUE ? row->value
                             : figure->quantile == PYR_FIGURE_MEAN
                                 ? row->mean
                                 : pyr_metric_quantile(row, figure->quantile);
    return isfinite(at.value) ? at : pyr_estimate_unknown(at.reason ? at.reason : "no number");
}

bool pyr_suite_has_requests(const struct pyr_suite_result *suite) {
    for (size_t i = 0; i < suite->case_count; i++)
        if (suite->cases[i].total)
            return true;
    return false;
}

bool pyr_case_in_table(const struct pyr_suite_result *suite, const struct pyr_case_result *one) {
    return one->total > 0 || (suite->column_count > 0 && one->metric_count > 0);
}

static bool worth_a_column(const struct pyr_suite_result *suite, const struct pyr_figure *figure) {
    size_t cases = 0, known = 0, bounded = 0, nonzero = 0;
    for (size_t i = 0; i < suite->case_count; i++) {
        if (!pyr_case_in_table(suite, &suite->cases[i]))
            continue;
        struct pyr_estimate at = pyr_figure_of(&suite->cases[i], figure);
        cases++;
        known += pyr_estimate_is_known(&at);
        bounded += pyr_estimate_is_bounded(&at);
        nonzero += pyr_estimate_is_known(&at) && at.value != 0;
    }
    if (figure->closed == PYR_M_ERROR_RATE)
        return nonzero > 0;
    if (figure->quantile == PYR_Q_P99)
        return bounded > 0 && 2 * bounded >= cases;
    return known > 0;
}

/* A rate of one sequence is a share of a batch where others are beside it, and what all have
 * together says nothing new where one is alone. */
static bool one_at_a_time(const struct pyr_suite_result *suite) {
    for (size_t i = 0; i < suite->case_count; i++)
        if (suite->cases[i].plan->open_loop || suite->cases[i].plan->concurrency > 1)
            return false;
    return true;
}

/* What a suite asked for is shown where it is known. */
static size_t own_figures(const struct pyr_suite_result *suite,
                          struct pyr_figure figures[PYR_FIGURES_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < suite->column_count && count < PYR_FIGURES_MAX; i++) {
        const struct pyr_suite_column *column = &suite->columns[i];
        struct pyr_figure *figure = &figures[count];
        *figure =
            (struct pyr_figure){column->metric, column->metric, column->statistic, column->header};
        if (!figure->header)
            figure->header = pyr_metric_info(column->metric)->name;
        count += worth_a_column(suite, figure);
    }
    return count;
}

/* Each median with the farthest tail, and no tail of the latency: the columns that people compare,
 * within a hundred characters. */
static bool in_short(const struct pyr_figure *figure) {
    return figure->quantile <= PYR_Q_P50 ||
           (figure->quantile == PYR_Q_P99 && figure->closed != PYR_M_LATENCY_SENT);
}

size_t pyr_figures_choose(const struct pyr_suite_result *suite, enum pyr_figure_group group,
                          struct pyr_figure figures[PYR_FIGURES_MAX]) {
    if (suite->column_count)
        return group <= PYR_FIGURES_SPEED ? own_figures(suite, figures) : 0;
    int set = group == PYR_FIGURES_SHORT ? PYR_FIGURES_SPEED : (int)group;
    enum pyr_use_kind apart = one_at_a_time(suite) ? PYR_USE_OF_MANY : PYR_USE_OF_ONE;
    struct pyr_use uses[PYR_USES_MAX];
    size_t all = pyr_uses_of(PYR_USE_SHOWN, uses), count = 0;
    for (size_t i = 0; i < all && count < PYR_FIGURES_MAX; i++) {
        struct pyr_figure figure = pyr_figure_of_use(&uses[i]);
        if (group == PYR_FIGURES_SHORT && !in_short(&figure))
            continue;
        if (uses[i].set == set && !pyr_metric_is(uses[i].metric, apart) &&
            worth_a_column(suite, &figure))
            figures[count++] = figure;
    }
    return count;
}

uint64_t pyr_figures_p99_needs(const struct pyr_suite_result *suite, const char **case_id) {
    uint64_t most = 0;
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_metric_result *row =
            pyr_case_metric(&suite->cases[i], pyr_headline_latency(&suite->cases[i]));
        if (row && suite->cases[i].total && row->needed[PYR_Q_P99] > most) {
            most = row->needed[PYR_Q_P99];
            *case_id = pyr_case_short_id(suite, &suite->cases[i]);
        }
    }
    return most;
}

/* Files from before the case's own cap: what the configuration asked of each. */
static uint64_t cap_of(const struct pyr_case_result *one, const struct pyr_report_meta *meta) {
    const char *suite = one->plan->suite;
    if (one->plan->requests_cap)
        return one->plan->requests_cap;
    bool capped = strcmp(suite, "inference") == 0 || strcmp(suite, "concurrent") == 0;
    double asked = pyr_report_meta_number(meta->config, "iterations");
    return capped && asked > 0 ? (uint64_t)asked : 0;
}

void pyr_put_cut(struct pyr_buf *buf, const struct pyr_suite_result *suite,
                 const struct pyr_report_meta *meta) {
    uint64_t told = 0;
    if (pyr_report_meta_text(meta->config, "trace") ||
        pyr_report_meta_text(meta->config, "sessions"))
        return;
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *one = &suite->cases[i];
        uint64_t asked = cap_of(one, meta);
        if (!one->total || one->total >= asked)
            continue;
        pyr_buf_puts(buf, told ? ", " : "");
        pyr_buf_puts(buf, pyr_case_short_id(suite, one));
        pyr_buf_puts(buf, " after ");
        pyr_put_count(buf, one->total);
        if (asked != told) {
            pyr_buf_puts(buf, " of ");
            pyr_put_count(buf, asked);
            pyr_buf_puts(buf, told ? "" : " requests");
        }
        told = asked;
    }
}

/* --- units and numbers ----------------------------------------------------------------------- */

struct pyr_scale pyr_scale_for(enum pyr_unit unit, double largest) {
    largest = fabs(largest);
    switch (unit) {
    case PYR_UNIT_NS:
        return largest >= 10e9                  ? (struct pyr_scale){1e-9, "s"}
               : largest >= 1e6 || largest == 0 ? (struct pyr_scale){1e-6, "ms"}
               : largest >= 1e3                 ? (struct pyr_scale){1e-3, "us"}
                                                : (struct pyr_scale){1, "ns"};
    case PYR_UNIT_BYTES:
        return largest >= 10e9  ? (struct pyr_scale){1e-9, "GB"}
               : largest >= 1e6 ? (struct pyr_scale){1e-6, "MB"}
               : largest >= 1e3 ? (struct pyr_scale){1e-3, "kB"}
                                : (struct pyr_scale){1, "B"};
    case PYR_UNIT_BYTES_PER_S:
        return largest >= 1e9 ? (struct pyr_scale){1e-9, "GB/s"} : (struct pyr_scale){1e-6, "MB/s"};
    case PYR_UNIT_JOULES:
        return largest < 1 ? (struct pyr_scale){1e3, "mJ"} : (struct pyr_scale){1, "J"};
    case PYR_UNIT_RATIO:
        return (struct pyr_scale){100, "%"};
    case PYR_UNIT_PER_S:
        return (struct pyr_scale){1, "/s"};
    case PYR_UNIT_TOKENS_PER_S:
        return (struct pyr_scale){1, "tok/s"};
    case PYR_UNIT_TOKENS:
        return (struct pyr_scale){1, "tokens"};
    case PYR_UNIT_WATTS:
        return (struct pyr_scale){1, "W"};
    case PYR_UNIT_CELSIUS:
        return (struct pyr_scale){1, "C"};
    case PYR_UNIT_COUNT:
        break;
    }
    return (struct pyr_scale){1, ""};
}

struct pyr_scale pyr_scale_of_figure(const struct pyr_suite_result *suite,
                                     const struct pyr_figure *figure) {
    double largest = 0;
    struct pyr_figure median = *figure; /* p50 and p99 of a thing stand in the same unit */
    if (median.quantile >= 0)
        median.quantile = PYR_Q_P50;
    for (size_t i = 0; i < suite->case_count; i++) {
        struct pyr_estimate at = pyr_figure_of(&suite->cases[i], &median);
        if (pyr_estimate_is_known(&at) && fabs(at.value) > largest)
            largest = fabs(at.value);
    }
    return pyr_scale_for(pyr_metric_info(figure->closed)->unit, largest);
}

static int decimals_of(double shown) {
    double size = fabs(shown);
    return size >= 99.95 || size == 0 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
}

static void put_fixed(struct pyr_buf *buf, double shown, int decimals) {
    double size = fabs(shown);
    if (!isfinite(shown))
        pyr_buf_puts(buf, isnan(shown) ? "-" : shown > 0 ? "inf" : "-inf");
    else if (size >= 1e7)
        pyr_buf_printf(buf, "%.3g", shown);
    else if (size > 0 && size < 5e-4 && decimals >= 3)
        pyr_buf_printf(buf, "%.1g", shown);
    else
        pyr_buf_printf(buf, "%.*f", decimals, shown);
}

void pyr_put_number(struct pyr_buf *buf, double shown) {
    put_fixed(buf, shown, decimals_of(shown));
}

void pyr_put_count(struct pyr_buf *buf, uint64_t count) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            pyr_buf_putc(buf, ',');
        pyr_buf_putc(buf, digits[i]);
    }
}

void pyr_put_outcome(struct pyr_buf *buf, enum pyr_outcome outcome, uint64_t count) {
    bool plain = outcome == PYR_OUTCOME_OK || outcome == PYR_OUTCOME_CANCELLED ||
                 outcome == PYR_OUTCOME_UNFINISHED;
    pyr_buf_puts(buf, ", ");
    pyr_put_count(buf, count);
    pyr_buf_printf(buf, plain ? " %s" : " failed (%s)", pyr_outcome_name(outcome));
}

/* A reading that no sampling made unsure stands alone, and so does one that has nothing beside it
 * to tell how sure it is. */
static bool stands_alone(const struct pyr_estimate *at) {
    bool single = isnan(at->lo) && isnan(at->hi) && at->reason &&
                  strncmp(at->reason, "one reading", strlen("one reading")) == 0;
    return single || (at->lo == at->value && at->hi == at->value);
}

static void put_end(struct pyr_buf *buf, double end, struct pyr_scale scale, int decimals) {
    if (isnan(end))
        pyr_buf_putc(buf, '?');
    else
        put_fixed(buf, end * scale.factor, decimals);
}

void pyr_put_interval(struct pyr_buf *buf, const struct pyr_estimate *at, struct pyr_scale scale) {
    double shown = at->value * scale.factor;
    pyr_put_number(buf, shown);
    if (!isfinite(shown) || stands_alone(at))
        return;
    /* The ends take as many decimals as the value, so that the three line up in the reader's eye;
     * a value of nothing borrows them from its upper end. */
    int decimals = decimals_of(shown != 0 || isnan(at->hi) ? shown : at->hi * scale.factor);
    pyr_buf_puts(buf, " [");
    put_end(buf, at->lo, scale, decimals);
    pyr_buf_puts(buf, ", ");
    put_end(buf, at->hi, scale, decimals);
    pyr_buf_putc(buf, ']');
}

void pyr_put_compact(struct pyr_buf *buf, const struct pyr_estimate *at, struct pyr_scale scale,
                     const char *plus_minus) {
    double shown = at->value * scale.factor;
    pyr_put_number(buf, shown);
    if (!isfinite(shown) || stands_alone(at))
        return;
    pyr_buf_putc(buf, ' ');
    if (isnan(at->lo) || isnan(at->hi)) {
        pyr_buf_printf(buf, "%s?", plus_minus);
        return;
    }
    if (shown == 0) {
        pyr_buf_puts(buf, "<=");
        pyr_put_number(buf, at->hi * scale.factor);
        return;
    }
    double percent = 100 * fmax(at->hi - at->value, at->value - at->lo) / fabs(at->value);
    if (percent > 0 && percent < 0.05)
        pyr_buf_printf(buf, "%s<0.1%%", plus_minus);
    else if (percent > 999)
        pyr_buf_printf(buf, "%s>999%%", plus_minus);
    else
        pyr_buf_printf(buf, "%s%.*f%%", plus_minus, percent < 0.95 && percent > 0 ? 1 : 0, percent);
}

/* --- names ----------------------------------------------------------------------------------- */

const char *pyr_case_short_id(const struct pyr_suite_result *suite,
                              const struct pyr_case_result *result) {
    size_t length = strlen(suite->name);
    const char *id = result->plan->id;
    return length && strncmp(id, suite->name, length) == 0 && id[length] == '/' && id[length + 1]
               ? id + length + 1
               : id;
}

void pyr_put_case_name(struct pyr_buf *buf, const struct pyr_suite_result *suite,
                       const struct pyr_case_result *result) {
    const char *id = pyr_case_short_id(suite, result);
    bool prefixed = id != result->plan->id;
    pyr_buf_printf(buf, "%s%s%s", suite->name, *suite->name || prefixed ? "/" : "", id);
}

bool pyr_params_next(const char **at, struct pyr_param *param) {
    while (**at == ';')
        ++*at;
    if (!**at)
        return false;
    const char *end = strchrnul(*at, ';'), *equals = memchr(*at, '=', (size_t)(end - *at));
    const char *key_end = equals ? equals : end, *value = equals ? equals + 1 : end;
    *param = (struct pyr_param){*at, value, (size_t)(key_end - *at), (size_t)(end - value)};
    *at = end;
    return true;
}
