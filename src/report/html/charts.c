/* SPDX-License-Identifier: MIT */
#include "report/html/charts.h"

#include "report/figures.h"
#include "report/html/parts.h"
#include "report/svg.h"
#include "stats/capacity.h"
#include "stats/goals.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POINTS_MAX = 256, GROUPS_MAX = PYR_CHART_SERIES };

/* Cases drawn together: the same thing at several loads, in the order of those, or several things
 * at one load each. */
struct group {
    const struct pyr_case_result *cases[64];
    size_t count;
    bool by_load;
    char name[96]; /* the id without its load: "medium", "medium/threads=2" */
};

/* --- groups ---------------------------------------------------------------------------------- */

static double load_of(const struct pyr_case_result *result) {
    return result->plan->open_loop ? result->plan->rate : result->plan->concurrency;
}

static void name_group(struct group *group, const struct pyr_suite_result *suite,
                       const struct pyr_case_result *result) {
    char load[2][32];
    snprintf(load[0], sizeof load[0], "c%u", result->plan->concurrency);
    snprintf(load[1], sizeof load[1], "r%g", result->plan->rate);
    size_t length = 0;
    for (const char *at = pyr_case_short_id(suite, result); *at;) {
        size_t bytes = strcspn(at, "/");
        bool is_load = false;
        for (int i = 0; i < 2; i++)
            is_load |= bytes == strlen(load[i]) && strncmp(at, load[i], bytes) == 0;
        if (!is_load && length + bytes + 2 < sizeof group->name)
            length += (size_t)snprintf(group->name + length, sizeof group->name - length, "%s%.*s",
                                       length ? "/" : "", (int)bytes, at);
        at += bytes + (at[bytes] == '/');
    }
}

/* By load; a load that was tried again stands for itself (a search repeats what it doubts). */
static void add_case(struct group *group, const struct pyr_case_result *result) {
    size_t at = group->count;
    while (at > 0 && load_of(group->cases[at - 1]) > load_of(result))
        at--;
    if (at > 0 && load_of(group->cases[at - 1]) == load_of(result)) {
        group->cases[at - 1] = result;
        return;
    }
    if (group->count == sizeof group->cases / sizeof *group->cases)
        return;
    memmove(&group->cases[at + 1], &group->cases[at], (group->count - at) * sizeof *group->cases);
    group->cases[at] = result;
    group->count++;
}

static size_t make_groups(const struct pyr_suite_result *suite, struct group groups[GROUPS_MAX]) {
    size_t count = 0;
    bool by_load = false;
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        size_t g = 0;
        while (g < count && strcmp(groups[g].cases[0]->plan->params, result->plan->params) != 0)
            g++;
        if (!result->ok || g == GROUPS_MAX)
            continue;
        if (g == count) {
            groups[count++] = (struct group){.count = 0};
            name_group(&groups[g], suite, result);
        }
        if (groups[g].count && load_of(groups[g].cases[0]) != load_of(result))
            by_load = true;
        add_case(&groups[g], result);
    }
    if (!by_load) {
        /* One load each: the things are what is to be compared. */
        for (size_t g = 1; g < count; g++)
            for (size_t i = 0; i < groups[g].count && groups[0].count < 64; i++)
                groups[0].cases[groups[0].count++] = groups[g].cases[i];
        count = count ? 1 : 0;
    }
    for (size_t g = 0; g < count; g++) {
        groups[g].by_load = by_load;
        /* Levels of a search are numbered: no name for what they have in common. */
        if (strncmp(groups[g].name, "level ", 6) == 0)
            snprintf(groups[g].name, sizeof groups[g].name, "%s",
                     groups[g].cases[0]->plan->prompt_class);
    }
    return count;
}

static void put_label(struct pyr_buf *out, const struct pyr_suite_result *suite,
                      const struct group *group, const struct pyr_case_result *result) {
    if (!group->by_load)
        pyr_buf_puts(out, pyr_case_short_id(suite, result));
    else if (result->plan->open_loop)
        pyr_buf_printf(out, "%g requests/s", result->plan->rate);
    else
        pyr_buf_printf(out, "%u at once", result->plan->concurrency);
}

static void put_legend_entry(struct pyr_buf *out, unsigned series, const char *text) {
    static const char *const shapes[PYR_CHART_SERIES] = {"\u25cf", "\u25a0", "\u25b2",
                                                         "\u25c6", "\u2715", "\u271a"};
    pyr_buf_printf(out, "<li><span class=\"c%u\" aria-hidden=\"true\">%s</span> ",
                   series % PYR_CHART_SERIES, shapes[series % PYR_CHART_SERIES]);
    pyr_html_text(out, text);
    pyr_buf_puts(out, "</li>");
}

static void open_figure(struct pyr_buf *out, const char *caption, const char *unit,
                        const char *more) {
    pyr_buf_printf(out, "<figure><figcaption>%s <span class=\"dim\">%s%s</span></figcaption>",
                   caption, unit, more);
}

/* --- percentile plots ------------------------------------------------------------------------ */

static const struct pyr_figure percentile_figures[] = {
    {PYR_M_TTFT_SENT, PYR_M_TTFT_SCHED, PYR_Q_P50, "time to first token"},
    {PYR_M_ITL, PYR_M_ITL, PYR_Q_P50, "inter-token latency"},
    {PYR_M_LATENCY_SENT, PYR_M_LATENCY_SCHED, PYR_Q_P50, "request latency"},
};

static const struct pyr_metric_result *row_of(const struct pyr_case_result *result,
                                              const struct pyr_figure *figure) {
    return pyr_case_metric(result, result->plan->open_loop ? figure->open : figure->closed);
}

/* At most PYR_CHART_SERIES of the group's cases, the first and the last among them. */
static size_t pick_cases(const struct group *group,
                         const struct pyr_case_result *picked[PYR_CHART_SERIES]) {
    size_t count = group->count < PYR_CHART_SERIES ? group->count : PYR_CHART_SERIES;
    for (size_t i = 0; i < count; i++)
        picked[i] = group->cases[count > 1 ? i * (group->count - 1) / (count - 1) : 0];
    return count;
}

static void draw_curve(const struct pyr_chart *chart, unsigned series,
                       const struct pyr_metric_result *row, double factor) {
    double q[POINTS_MAX], lo[POINTS_MAX], hi[POINTS_MAX], sure[POINTS_MAX], unsure[POINTS_MAX];
    size_t count = row->curve_count < POINTS_MAX ? row->curve_count : POINTS_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct pyr_estimate *at = &row->curve[i].at;
        bool bounded = isfinite(at->lo) && isfinite(at->hi);
        q[i] = row->curve[i].q;
        lo[i] = at->lo * factor;
        hi[i] = at->hi * factor;
        sure[i] = bounded ? at->value * factor : (double)NAN;
        unsure[i] = bounded ? (double)NAN : at->value * factor;
        /* The last sure point begins the unsure part, so that the line does not break. */
        if (!bounded && i > 0 && isfinite(sure[i - 1]))
            unsure[i - 1] = sure[i - 1];
    }
    pyr_chart_band(chart, series, q, lo, hi, count);
    pyr_chart_line(chart, series, false, q, sure, count);
    pyr_chart_line(chart, series, true, q, unsure, count);
}

static void draw_named_quantiles(const struct pyr_chart *chart, unsigned series,
                                 const struct pyr_metric_result *row, struct pyr_scale scale,
                                 const char *label) {
    static const int quantiles[] = {PYR_Q_P50, PYR_Q_P90, PYR_Q_P99};
    for (size_t i = 0; i < 3; i++) {
        struct pyr_estimate at = pyr_metric_quantile(row, quantiles[i]);
        struct pyr_buf title = {0};
        pyr_buf_printf(&title, "%s: %s ", label, pyr_quantile_names[quantiles[i]]);
        pyr_put_interval(&title, &at, scale);
        pyr_buf_printf(&title, " %s", pyr_html_unit(scale.unit));
        pyr_chart_point(chart, series, pyr_quantile_levels[quantiles[i]], at.value * scale.factor,
                        pyr_buf_text(&title));
        pyr_buf_deinit(&title);
    }
}

static bool percentile_axes(struct pyr_chart *chart, const struct pyr_figure *figure,
                            const struct pyr_case_result *const *cases, size_t count,
                            struct pyr_scale *scale) {
    struct pyr_axis empty = {.low = INFINITY, .high = -INFINITY};
    chart->x = chart->y = empty;
    chart->x.kind = PYR_AXIS_QUANTILE;
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pyr_metric_result *row = row_of(cases[i], figure);
        for (size_t j = 0; row && j < row->curve_count; j++)
            if (isfinite(row->curve[j].at.value))
                largest = fmax(largest, row->curve[j].at.value);
    }
    *scale = pyr_scale_for(pyr_metric_info(figure->closed)->unit, largest);
    for (size_t i = 0; i < count; i++) {
        const struct pyr_metric_result *row = row_of(cases[i], figure);
        for (size_t j = 0; row && j < row->curve_count; j++) {
            const struct pyr_estimate *at = &row->curve[j].at;
            pyr_axis_hold(&chart->x, isfinite(at->value) ? row->curve[j].q : (double)NAN);
            pyr_axis_hold(&chart->y, at->value * scale->factor);
            /* An interval far beyond all values would press them flat. */
            if (at->hi <= 1.5 * largest)
                pyr_axis_hold(&chart->y, at->hi * scale->factor);
        }
    }
    if (chart->y.low > 0 && chart->y.high / chart->y.low > 10)
        chart->y.kind = PYR_AXIS_LOG;
    chart->x.label = "quantile";
    chart->y.label = pyr_html_unit(scale->unit);
    return pyr_axis_set(&chart->x) && pyr_axis_set(&chart->y);
}

static void put_percentile_plot(struct pyr_buf *out, const struct pyr_suite_result *suite,
                                const struct group *group, const struct pyr_figure *figure,
                                const struct pyr_case_result *const *cases, size_t count) {
    struct pyr_chart chart = {.out = out};
    struct pyr_scale scale;
    if (!percentile_axes(&chart, figure, cases, count, &scale))
        return;
    open_figure(out, figure->header, chart.y.label, "");
    pyr_chart_begin(&chart, "Quantiles with 95 % intervals; the table below holds the same.");
    for (size_t i = 0; i < count; i++) {
        const struct pyr_metric_result *row = row_of(cases[i], figure);
        if (!row || !row->curve_count)
            continue;
        struct pyr_buf label = {0};
        put_label(&label, suite, group, cases[i]);
        draw_curve(&chart, (unsigned)i, row, scale.factor);
        draw_named_quantiles(&chart, (unsigned)i, row, scale, pyr_buf_text(&label));
        pyr_buf_deinit(&label);
    }
    pyr_chart_end(&chart);
    pyr_buf_puts(out, "</figure>");
}

static void put_of_all_asked(struct pyr_buf *out, const struct pyr_of_all_asked *of_all,
                             double factor) {
    pyr_buf_printf(out,
                   "<tr class=\"sub\"><th scope=\"row\">with %llu that failed, as never<td>%llu",
                   (unsigned long long)of_all->failed, (unsigned long long)of_all->asked);
    for (int j = 0; j < PYR_Q_COUNT; j++) {
        pyr_buf_puts(out, "<td>");
        if (isinf(of_all->quantile[j].value))
            pyr_buf_puts(out, "never");
        else
            pyr_html_estimate(out, &of_all->quantile[j], factor);
    }
    pyr_buf_puts(out, "</tr>");
}

static void put_quantile_table(struct pyr_buf *out, const struct pyr_suite_result *suite,
                               const struct group *group, const struct pyr_figure *figure) {
    double largest = 0;
    for (size_t i = 0; i < group->count; i++) {
        const struct pyr_metric_result *row = row_of(group->cases[i], figure);
        if (row && isfinite(row->quantile[PYR_Q_P50].value))
            largest = fmax(largest, row->quantile[PYR_Q_P50].value);
    }
    struct pyr_scale scale = pyr_scale_for(pyr_metric_info(figure->closed)->unit, largest);
    pyr_buf_puts(out, "<div class=\"scroll\" tabindex=\"0\"><table class=\"fig\"><thead><tr><th "
                      "scope=\"col\">");
    pyr_buf_printf(out, "%s, %s<th scope=\"col\">n", figure->header, pyr_html_unit(scale.unit));
    for (int j = 0; j < PYR_Q_COUNT; j++)
        pyr_buf_printf(out, "<th scope=\"col\">%s",
                       j == PYR_Q_P99_9 ? "p99.9" : pyr_quantile_names[j]);
    pyr_buf_puts(out, "</tr></thead><tbody>");
    for (size_t i = 0; i < group->count; i++) {
        const struct pyr_metric_result *row = row_of(group->cases[i], figure);
        if (!row)
            continue;
        pyr_buf_puts(out, "<tr><th scope=\"row\">");
        pyr_html_text(out, pyr_case_short_id(suite, group->cases[i]));
        pyr_buf_printf(out, "<td>%llu", (unsigned long long)row->n);
        for (int j = 0; j < PYR_Q_COUNT; j++) {
            struct pyr_estimate at = pyr_metric_quantile(row, j);
            pyr_buf_puts(out, "<td>");
            pyr_html_estimate(out, &at, scale.factor);
        }
        pyr_buf_puts(out, "</tr>");
        if (row->of_all)
            put_of_all_asked(out, row->of_all, scale.factor);
    }
    pyr_buf_puts(out, "</tbody></table></div>");
}

static void put_percentiles(struct pyr_buf *out, const struct pyr_suite_result *suite,
                            const struct group *group) {
    const struct pyr_case_result *cases[PYR_CHART_SERIES];
    size_t count = pick_cases(group, cases);
    pyr_buf_puts(out, "<h3>Percentiles");
    if (group->by_load && *group->name) {
        pyr_buf_puts(out, ": ");
        pyr_html_text(out, group->name);
    }
    pyr_buf_puts(out, "</h3><ul class=\"legend\">");
    for (size_t i = 0; i < count; i++) {
        struct pyr_buf label = {0};
        put_label(&label, suite, group, cases[i]);
        put_legend_entry(out, (unsigned)i, pyr_buf_text(&label));
        pyr_buf_deinit(&label);
    }
    if (count < group->count)
        pyr_buf_printf(out, "<li class=\"dim\">%zu of %zu cases; the table has all</li>", count,
                       group->count);
    pyr_buf_puts(out, "</ul><div class=\"charts\">");
    for (size_t i = 0; i < 3; i++)
        put_percentile_plot(out, suite, group, &percentile_figures[i], cases, count);
    pyr_buf_puts(out, "</div><details><summary>These percentiles as tables</summary>");
    for (size_t i = 0; i < 3; i++)
        put_quantile_table(out, suite, group, &percentile_figures[i]);
    pyr_buf_puts(out, "</details>");
}

/* --- load charts ----------------------------------------------------------------------------- */

static double figure_value(const struct pyr_case_result *result, enum pyr_metric closed,
                           enum pyr_metric open, int quantile) {
    struct pyr_figure figure = {closed, open, quantile, ""};
    return pyr_figure_of(result, &figure).value;
}

static void put_latency_chart(struct pyr_buf *out, const struct pyr_suite_result *suite,
                              const struct group *groups, size_t count) {
    struct pyr_axis empty = {.low = INFINITY, .high = -INFINITY};
    struct pyr_chart chart = {.out = out, .x = empty, .y = empty};
    double x[GROUPS_MAX][64], y[2][GROUPS_MAX][64], largest = 0;
    for (size_t g = 0; g < count; g++)
        for (size_t i = 0; i < groups[g].count; i++) {
            const struct pyr_case_result *result = groups[g].cases[i];
            x[g][i] = figure_value(result, PYR_M_OUTPUT_TOKEN_THROUGHPUT,
                                   PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_FIGURE_VALUE);
            for (int j = 0; j < 2; j++) {
                y[j][g][i] = figure_value(result, PYR_M_LATENCY_SENT, PYR_M_LATENCY_SCHED,
                                          j ? PYR_Q_P90 : PYR_Q_P50);
                largest = isfinite(y[j][g][i]) ? fmax(largest, y[j][g][i]) : largest;
            }
        }
    struct pyr_scale scale = pyr_scale_for(PYR_UNIT_NS, largest);
    for (size_t g = 0; g < count; g++)
        for (size_t i = 0; i < groups[g].count; i++) {
            pyr_axis_hold(&chart.x, x[g][i]);
            for (int j = 0; j < 2; j++)
                pyr_axis_hold(&chart.y, y[j][g][i] *= scale.factor);
        }
    chart.x.label = "output tok/s";
    chart.y.label = pyr_html_unit(scale.unit);
    pyr_axis_hold(&chart.x, 0);
    pyr_axis_hold(&chart.y, 0);
    if (!pyr_axis_set(&chart.x) || !pyr_axis_set(&chart.y))
        return;
    open_figure(out, "latency against throughput", chart.y.label, ", p50; dotted p90");
    pyr_chart_begin(&chart, "Latency p50 and p90 against output tokens per second, a point for "
                            "each load; the table above holds the same.");
    for (size_t g = 0; g < count; g++) {
        pyr_chart_line(&chart, (unsigned)g, true, x[g], y[1][g], groups[g].count);
        pyr_chart_line(&chart, (unsigned)g, false, x[g], y[0][g], groups[g].count);
        for (size_t i = 0; i < groups[g].count; i++) {
            struct pyr_buf label = {0};
            put_label(&label, suite, &groups[g], groups[g].cases[i]);
            pyr_chart_point(&chart, (unsigned)g, x[g][i], y[0][g][i], pyr_buf_text(&label));
            pyr_buf_deinit(&label);
            char load[32];
            snprintf(load, sizeof load, "%g", load_of(groups[g].cases[i]));
            pyr_chart_text(&chart, x[g][i], y[0][g][i], load);
        }
    }
    pyr_chart_end(&chart);
    pyr_buf_puts(out, "</figure>");
}

static void put_goodput_chart(struct pyr_buf *out, const struct pyr_suite_result *suite,
                              const struct group *groups, size_t count) {
    struct pyr_axis empty = {.low = INFINITY, .high = -INFINITY};
    struct pyr_chart chart = {.out = out, .x = empty, .y = empty};
    double x[GROUPS_MAX][64], y[2][GROUPS_MAX][64];
    bool open = false, good = false;
    const struct group *longest = &groups[0];
    for (size_t g = 0; g < count; g++) {
        longest = groups[g].count > longest->count ? &groups[g] : longest;
        for (size_t i = 0; i < groups[g].count; i++) {
            const struct pyr_case_result *result = groups[g].cases[i];
            x[g][i] = load_of(result);
            open |= result->plan->open_loop;
            y[0][g][i] = figure_value(result, PYR_M_REQUEST_THROUGHPUT, PYR_M_REQUEST_THROUGHPUT,
                                      PYR_FIGURE_VALUE);
            y[1][g][i] = figure_value(result, PYR_M_GOODPUT, PYR_M_GOODPUT, PYR_FIGURE_VALUE);
            good |= isfinite(y[1][g][i]);
            pyr_axis_hold(&chart.x, x[g][i]);
            pyr_axis_hold(&chart.y, y[0][g][i]);
            pyr_axis_hold(&chart.y, y[1][g][i]);
        }
    }
    chart.x.kind = PYR_AXIS_LOG;
    chart.x.label = open ? "requests/s asked" : "requests at once";
    chart.y.label = "requests/s";
    pyr_axis_hold(&chart.y, 0);
    if (!pyr_axis_set(&chart.x) || !pyr_axis_set(&chart.y))
        return;
    pyr_axis_ticks_at(&chart.x, x[longest - groups], longest->count);
    open_figure(out, "throughput against load", chart.y.label, good ? "; dotted goodput" : "");
    pyr_chart_begin(&chart, "Requests per second, and those that met every goal, against the load; "
                            "the table above holds the same.");
    for (size_t g = 0; g < count; g++) {
        pyr_chart_line(&chart, (unsigned)g, true, x[g], y[1][g], groups[g].count);
        pyr_chart_line(&chart, (unsigned)g, false, x[g], y[0][g], groups[g].count);
        for (size_t i = 0; i < groups[g].count; i++) {
            struct pyr_buf label = {0};
            put_label(&label, suite, &groups[g], groups[g].cases[i]);
            pyr_chart_point(&chart, (unsigned)g, x[g][i], y[0][g][i], pyr_buf_text(&label));
            pyr_buf_deinit(&label);
        }
    }
    pyr_chart_end(&chart);
    pyr_buf_puts(out, "</figure>");
}

void pyr_html_suite_charts(struct pyr_buf *out, const struct pyr_suite_result *suite) {
    struct group groups[GROUPS_MAX];
    size_t count = make_groups(suite, groups);
    if (!count)
        return;
    if (groups[0].by_load) {
        pyr_buf_puts(out, "<h3>Load</h3><ul class=\"legend\">");
        for (size_t g = 0; g < count && count > 1; g++)
            put_legend_entry(out, (unsigned)g, *groups[g].name ? groups[g].name : "requests");
        pyr_buf_puts(out, "</ul><div class=\"charts\">");
        put_latency_chart(out, suite, groups, count);
        put_goodput_chart(out, suite, groups, count);
        pyr_buf_puts(out, "</div>");
    }
    for (size_t g = 0; g < count; g++)
        put_percentiles(out, suite, &groups[g]);
}

/* --- the highest load that holds the goals --------------------------------------------------- */

enum { LEVELS_MAX = 64 };

/* Every level of the search, repeats too: they show how sure the edge is. */
struct levels {
    const struct pyr_case_result *cases[LEVELS_MAX];
    size_t count;
    struct pyr_axis load;
    double ticks[LEVELS_MAX];
    size_t tick_count;
};

static bool passed(const struct pyr_stress_result *stress, double load) {
    for (size_t i = 0; i < stress->stable_count; i++)
        if (stress->stable_levels[i] == load)
            return true;
    return false;
}

static bool find_levels(const struct pyr_result *result, struct levels *levels) {
    *levels = (struct levels){.load = {.kind = PYR_AXIS_LOG, .low = INFINITY, .high = -INFINITY}};
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *one = &result->suites[i].cases[j];
            if (!pyr_case_is_level(one->plan) || !one->total || levels->count == LEVELS_MAX)
                continue;
            pyr_axis_hold(&levels->load, load_of(one));
            levels->cases[levels->count++] = one;
            size_t at = 0;
            while (at < levels->tick_count && levels->ticks[at] < load_of(one))
                at++;
            if (at < levels->tick_count && levels->ticks[at] == load_of(one))
                continue;
            memmove(&levels->ticks[at + 1], &levels->ticks[at],
                    (levels->tick_count - at) * sizeof *levels->ticks);
            levels->ticks[at] = load_of(one);
            levels->tick_count++;
        }
    if (!levels->count || !pyr_axis_set(&levels->load))
        return false;
    levels->load.label = levels->cases[0]->plan->open_loop ? "requests/s" : "requests at once";
    pyr_axis_ticks_at(&levels->load, levels->ticks, levels->tick_count);
    return true;
}

static void draw_levels(struct pyr_chart *chart, const struct pyr_stress_result *stress,
                        const struct levels *levels, const struct pyr_estimate *seen,
                        double factor) {
    enum { PASS = 2, FAIL = 4, UNDECIDED = 5 };
    if (isfinite(stress->max_sustainable_load) && isfinite(stress->first_failing_load))
        pyr_chart_shade(chart, stress->max_sustainable_load, stress->first_failing_load,
                        "the edge lies in here");
    for (size_t i = 0; i < levels->count; i++) {
        double load = load_of(levels->cases[i]), x[2] = {load, load};
        double y[2] = {seen[i].lo * factor, seen[i].hi * factor};
        bool fails = load >= stress->first_failing_load, holds = passed(stress, load);
        unsigned series = holds ? PASS : fails ? FAIL : UNDECIDED;
        struct pyr_buf title = {0};
        pyr_buf_printf(&title, "%g: ", load);
        pyr_put_interval(&title, &seen[i], (struct pyr_scale){factor, ""});
        pyr_buf_printf(&title, " %s, %s", chart->y.label,
                       holds   ? "holds"
                       : fails ? "fails"
                               : "not held");
        pyr_chart_line(chart, series, false, x, y, 2);
        pyr_chart_point(chart, series, load, seen[i].value * factor, pyr_buf_text(&title));
        pyr_buf_deinit(&title);
    }
}

/* One figure of every level; `limit` (NaN: none) is what a goal asks of it, in shown units. */
static void put_level_chart(struct pyr_buf *out, const struct pyr_stress_result *stress,
                            const struct levels *levels, const struct pyr_estimate *seen,
                            struct pyr_scale scale, double limit, const char *caption) {
    struct pyr_chart chart = {.out = out, .x = levels->load, .y = {.low = 0, .high = 0}};
    double largest = isfinite(limit) ? limit : 0;
    for (size_t i = 0; i < levels->count; i++)
        largest = fmax(largest, isfinite(seen[i].value) ? seen[i].value * scale.factor : 0);
    pyr_axis_hold(&chart.y, largest);
    for (size_t i = 0; i < levels->count; i++)
        if (seen[i].hi * scale.factor <= 1.5 * largest)
            pyr_axis_hold(&chart.y, seen[i].hi * scale.factor);
    chart.y.label = pyr_html_unit(scale.unit);
    if (largest <= 0 || !pyr_axis_set(&chart.y))
        return;
    pyr_buf_puts(out, "<figure><figcaption>");
    pyr_html_text(out, caption);
    pyr_buf_printf(out, " <span class=\"dim\">%s%s</span></figcaption>", chart.y.label,
                   isfinite(limit) ? "; dotted: the goal" : "");
    pyr_chart_begin(&chart, "One figure of each load tried, with its interval; the table of the "
                            "suite holds the same.");
    if (isfinite(limit)) {
        double x[2] = {chart.x.low, chart.x.high}, y[2] = {limit, limit};
        pyr_chart_line(&chart, 1, true, x, y, 2);
    }
    draw_levels(&chart, stress, levels, seen, scale.factor);
    pyr_chart_end(&chart);
    pyr_buf_puts(out, "</figure>");
}

static void put_goal_chart(struct pyr_buf *out, const struct pyr_result *result,
                           const struct levels *levels, const struct pyr_goal *goal) {
    struct pyr_estimate seen[LEVELS_MAX];
    double largest = goal->limit;
    for (size_t i = 0; i < levels->count; i++) {
        seen[i] = pyr_goal_seen(goal, levels->cases[i]);
        if (isinf(seen[i].value)) /* never has no place on an axis */
            seen[i] = pyr_estimate_unknown(seen[i].reason);
        if (isinf(seen[i].hi))
            seen[i].hi = NAN;
        largest = isfinite(seen[i].value) ? fmax(largest, seen[i].value) : largest;
    }
    enum pyr_unit unit = pyr_metric_info(pyr_metric_find(goal->metric))->unit;
    struct pyr_scale scale = pyr_scale_for(unit, largest);
    char caption[128];
    snprintf(caption, sizeof caption, "%s %s",
             pyr_metric_info(pyr_metric_find(goal->metric))->label,
             strcmp(goal->statistic, "value") == 0 ? "" : goal->statistic);
    put_level_chart(out, result->stress, levels, seen, scale, goal->limit * scale.factor, caption);
}

void pyr_html_capacity_charts(struct pyr_buf *out, const struct pyr_result *result) {
    struct levels levels;
    if (!result->stress || !find_levels(result, &levels))
        return;
    pyr_buf_puts(out, "<ul class=\"legend\">");
    put_legend_entry(out, 2, "held every goal");
    put_legend_entry(out, 4, "failed");
    put_legend_entry(out, 5, "not held for sure");
    if (isfinite(result->stress->max_sustainable_load) &&
        isfinite(result->stress->first_failing_load))
        pyr_buf_puts(out, "<li class=\"dim\">shaded: the edge lies in here");
    pyr_buf_puts(out, "</ul><div class=\"charts\">");
    struct pyr_estimate seen[LEVELS_MAX];
    static const struct pyr_figure goodput = {PYR_M_GOODPUT, PYR_M_GOODPUT, PYR_FIGURE_VALUE, ""};
    for (size_t i = 0; i < levels.count; i++)
        seen[i] = pyr_figure_of(levels.cases[i], &goodput);
    put_level_chart(out, result->stress, &levels, seen, (struct pyr_scale){1, "requests/s"},
                    (double)NAN, "goodput");
    enum { GOALS_DRAWN = 3 };
    int drawn = 0;
    for (size_t i = 0; i < result->goal_count && drawn < GOALS_DRAWN; i++) {
        enum pyr_metric metric = pyr_metric_find(result->goals[i].goal->metric);
        if (metric == PYR_METRIC_COUNT || metric == PYR_M_GOODPUT)
            continue;
        put_goal_chart(out, result, &levels, result->goals[i].goal);
        drawn++;
    }
    pyr_buf_puts(out, "</div>");
}

/* --- over time ------------------------------------------------------------------------------- */

static void draw_events(const struct pyr_chart *chart, const struct pyr_case_result *result,
                        double factor) {
    enum { SPIKES_DRAWN = 20 };
    size_t stride = (result->spike_count + SPIKES_DRAWN - 1) / SPIKES_DRAWN;
    for (size_t i = 0; i < result->spike_count; i += stride) {
        char title[64];
        snprintf(title, sizeof title, "spike at %.4g s: %.4g %s", result->spikes[i].at_s,
                 result->spikes[i].latency_ns * factor, chart->y.label);
        pyr_chart_point(chart, 1, result->spikes[i].at_s, result->spikes[i].latency_ns * factor,
                        title);
    }
    for (size_t i = 0; i < result->timeline_count; i++) {
        const struct pyr_timeline_point *at = &result->timeline[i];
        if (!at->failed)
            continue;
        char title[64];
        snprintf(title, sizeof title, "%llu failed at %.4g s", (unsigned long long)at->failed,
                 at->start_s + at->width_s / 2);
        pyr_chart_point(chart, 4, at->start_s + at->width_s / 2, chart->y.low, title);
    }
}

static void put_latency_over_time(struct pyr_buf *out, const struct pyr_case_result *result,
                                  struct pyr_axis time, const double *x) {
    struct pyr_chart chart = {.out = out, .x = time, .y = {.low = 0, .high = 0}, .zoom = true};
    double latency[POINTS_MAX], ttft[POINTS_MAX], worst[POINTS_MAX], largest = 0;
    size_t count = result->timeline_count < POINTS_MAX ? result->timeline_count : POINTS_MAX;
    for (size_t i = 0; i < count; i++)
        if (isfinite(result->timeline[i].latency_max_ns))
            largest = fmax(largest, result->timeline[i].latency_max_ns);
    if (largest <= 0)
        return;
    struct pyr_scale scale = pyr_scale_for(PYR_UNIT_NS, largest);
    for (size_t i = 0; i < count; i++) {
        latency[i] = result->timeline[i].latency_median_ns * scale.factor;
        worst[i] = result->timeline[i].latency_max_ns * scale.factor;
        ttft[i] = result->timeline[i].ttft_median_ns * scale.factor;
        pyr_axis_hold(&chart.y, worst[i]);
    }
    chart.y.label = pyr_html_unit(scale.unit);
    if (!pyr_axis_set(&chart.y))
        return;
    open_figure(out, "latency over time", chart.y.label, "");
    pyr_chart_begin(&chart, "Median and worst latency and median time to first token over time, "
                            "with spikes and failures.");
    if (result->cut_s > 0)
        pyr_chart_shade(&chart, 0, result->cut_s, "warm-up, cut");
    pyr_chart_line(&chart, 5, true, x, worst, count);
    pyr_chart_line(&chart, 2, false, x, ttft, count);
    pyr_chart_line(&chart, 0, false, x, latency, count);
    draw_events(&chart, result, scale.factor);
    pyr_chart_end(&chart);
    pyr_buf_puts(out, "</figure>");
}

static void put_output_over_time(struct pyr_buf *out, const struct pyr_case_result *result,
                                 struct pyr_axis time) {
    struct pyr_chart chart = {.out = out, .x = time, .y = {.low = 0, .high = 0}, .zoom = true};
    double start[POINTS_MAX], rate[POINTS_MAX];
    size_t count = result->timeline_count < POINTS_MAX ? result->timeline_count : POINTS_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct pyr_timeline_point *at = &result->timeline[i];
        start[i] = at->start_s;
        rate[i] = at->width_s > 0 ? (double)at->output_tokens / at->width_s : (double)NAN;
        pyr_axis_hold(&chart.y, rate[i]);
    }
    chart.y.label = "tok/s";
    if (chart.y.high <= 0 || !pyr_axis_set(&chart.y))
        return;
    open_figure(out, "output over time", chart.y.label, "");
    pyr_chart_begin(&chart, "Output tokens per second over time.");
    if (result->cut_s > 0)
        pyr_chart_shade(&chart, 0, result->cut_s, "warm-up, cut");
    pyr_chart_steps(&chart, 3, start, rate, count);
    pyr_chart_end(&chart);
    pyr_buf_puts(out, "</figure>");
}

void pyr_html_case_charts(struct pyr_buf *out, const struct pyr_case_result *result) {
    if (result->timeline_count < 2)
        return;
    double middle[POINTS_MAX];
    size_t count = result->timeline_count < POINTS_MAX ? result->timeline_count : POINTS_MAX;
    const struct pyr_timeline_point *last = &result->timeline[count - 1];
    struct pyr_axis time = {.low = 0, .high = last->start_s + last->width_s, .label = "seconds"};
    if (!pyr_axis_set(&time))
        return;
    time.high = last->start_s + last->width_s;
    while (time.tick_count && time.ticks[time.tick_count - 1] > time.high)
        time.tick_count--;
    for (size_t i = 0; i < count; i++)
        middle[i] = result->timeline[i].start_s + result->timeline[i].width_s / 2;
    pyr_buf_puts(out, "<ul class=\"legend\">");
    put_legend_entry(out, 0, "latency, median");
    put_legend_entry(out, 2, "TTFT, median");
    put_legend_entry(out, 5, "latency, worst");
    put_legend_entry(out, 3, "output");
    if (result->spike_count)
        put_legend_entry(out, 1, "spikes");
    put_legend_entry(out, 4, "failed requests");
    if (result->cut_s > 0)
        pyr_buf_puts(out, "<li class=\"dim\">shaded: warm-up, cut from the figures</li>");
    pyr_buf_puts(out, "</ul><div class=\"charts\">");
    put_latency_over_time(out, result, time, middle);
    put_output_over_time(out, result, time);
    pyr_buf_puts(out, "</div>");
}
