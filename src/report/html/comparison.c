/* SPDX-License-Identifier: MIT
 *
 * A comparison as one HTML page: the verdict, what it rests on, every metric's interval beside its
 * gate, and every pair or run as a dot.
 */
#include "report/comparison.h"

#include "report/figures.h"
#include "report/html/parts.h"
#include "report/meta.h"
#include "report/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHARTS_MAX = 12, POINTS_MAX = 256 };

static const char *level_of(enum pyr_verdict verdict) {
    return verdict == PYR_REGRESSED                              ? "bad"
           : verdict == PYR_IMPROVED || verdict == PYR_UNCHANGED ? "good"
                                                                 : "warn";
}

static void put_named(struct pyr_buf *out, const char *open,
                      const struct pyr_compared_metric *metric, const char *close) {
    struct pyr_buf name = {0};
    pyr_comparison_put_name(&name, metric);
    pyr_html_element(out, open, pyr_buf_text(&name), close);
    pyr_buf_deinit(&name);
}

/* --- the top --------------------------------------------------------------------------------- */

static void put_head(struct pyr_buf *out, const struct pyr_comparison *comparison) {
    struct pyr_buf title = {0};
    pyr_buf_printf(&title, "Pyrometer: %s against %s", comparison->current.name,
                   comparison->baseline.name);
    pyr_html_page_begin(out, pyr_buf_text(&title));
    pyr_buf_deinit(&title);
    pyr_buf_puts(out, "<header><p class=\"dim\">Pyrometer " PYR_VERSION " comparison</p>");
    pyr_html_element(out, "<h1>", comparison->current.name, "");
    pyr_html_element(out, " <span class=\"dim\">against</span> ", comparison->baseline.name,
                     "</h1></header>");
}

static void put_basis(struct pyr_buf *out, const struct pyr_comparison *comparison) {
    static const char *const answers[] = {[PYR_COMPARED_PAIRS] = "Interleaved pairs",
                                          [PYR_COMPARED_RUNS] = "Runs against runs",
                                          [PYR_COMPARED_SINGLE] = "Single runs"};
    bool simulated = comparison->baseline.simulated || comparison->current.simulated;
    bool weak = comparison->kind == PYR_COMPARED_SINGLE || comparison->warning_count ||
                comparison->verdict == PYR_INCOMPARABLE;
    struct pyr_buf why = {0};
    if (comparison->kind == PYR_COMPARED_PAIRS)
        pyr_buf_printf(&why, "%zu pairs in random order, both sides alive.", comparison->pairs);
    else
        pyr_buf_printf(&why, "%zu stored run%s against %zu.", comparison->baseline.runs,
                       comparison->baseline.runs == 1 ? "" : "s", comparison->current.runs);
    if (isnan(comparison->noise_floor.ratio))
        pyr_buf_puts(&why, " The noise floor of the machine was not measured.");
    else
        pyr_buf_printf(&why, " Noise floor of the machine: %.1f %%.",
                       100 * comparison->noise_floor.ratio);
    pyr_html_card(out,
                  simulated ? "bad"
                  : weak    ? "warn"
                            : "good",
                  "What does it rest on?", simulated ? "Simulated" : answers[comparison->kind],
                  pyr_buf_text(&why));
    pyr_buf_deinit(&why);
    if (comparison->noise_biased)
        pyr_buf_puts(out, "<p>Compared with itself, the same thing leaned to one side.</p>");
    pyr_buf_puts(out, "</div>");
}

static void put_verdict(struct pyr_buf *out, const struct pyr_comparison *comparison) {
    pyr_buf_puts(out, "<section class=\"verdict\" aria-label=\"Verdict\">");
    pyr_html_card(out, level_of(comparison->verdict), "What changed?",
                  pyr_verdict_name(comparison->verdict), comparison->summary);
    if (comparison->confirmed)
        pyr_buf_puts(out, "<p>Confirmed by a rerun of both sides, interleaved.</p>");
    if (comparison->more)
        pyr_html_element(out, "<p>", comparison->more, "</p>");
    pyr_buf_puts(out, "</div>");
    put_basis(out, comparison);
    pyr_buf_puts(out, "</section>");
    if (comparison->warning_count) {
        pyr_buf_puts(out, "<section class=\"warnings\"><h2>Warnings</h2>");
        pyr_html_list(out, "", comparison->warnings, comparison->warning_count);
        pyr_buf_puts(out, "</section>");
    }
}

/* --- the table ------------------------------------------------------------------------------- */

/* Changes up to this are drawn to scale, on both sides: as logarithms, so that twice and half lie
 * equally far. */
static double reach_of(const struct pyr_comparison *comparison, size_t from, size_t to) {
    double reach = log1p(comparison->threshold) * 2;
    for (size_t i = from; i < to; i++) {
        const struct pyr_compared_metric *metric = &comparison->metrics[i];
        const struct pyr_estimate *ratio = &metric->ratio;
        const double ends[] = {ratio->value, ratio->lo, ratio->hi,
                               1 + 1.2 * metric->judgement.gate};
        for (size_t j = 0; j < sizeof ends / sizeof *ends; j++)
            if (isfinite(ends[j]) && ends[j] > 0)
                reach = fmax(reach, fabs(log(ends[j])) * 1.1);
    }
    return fmin(fmax(reach, 0.02), log(10));
}

enum { FOREST_LEFT = 4, FOREST_RIGHT = 216, FOREST_MIDDLE = 110 };

static int forest_at(double ratio, double reach) {
    double share = fmin(fmax(log(fmax(ratio, 1e-9)) / reach, -1), 1);
    return (int)lround(FOREST_MIDDLE + share * (FOREST_RIGHT - FOREST_MIDDLE));
}

static void put_forest(struct pyr_buf *out, const struct pyr_compared_metric *metric,
                       double reach) {
    const struct pyr_estimate *ratio = &metric->ratio;
    if (!isfinite(ratio->value) || ratio->value <= 0)
        return;
    double gate = 1 + metric->judgement.gate;
    int lo = forest_at(isfinite(ratio->lo) ? ratio->lo : ratio->value, reach);
    int hi = forest_at(isfinite(ratio->hi) ? ratio->hi : ratio->value, reach);
    struct pyr_buf said = {0};
    pyr_comparison_put_change(&said, metric);
    pyr_buf_puts(out, "<svg class=\"mini\" viewBox=\"0 0 220 24\" role=\"img\" aria-label=\"");
    pyr_html_text(out, pyr_buf_text(&said));
    pyr_buf_deinit(&said);
    pyr_buf_printf(
        out,
        "\"><path class=\"track\" d=\"M%d 12H%d\"/><path class=\"zone\" d=\"M%d 12H%d\"/>"
        "<path class=\"limit\" d=\"M%d 3v18\"/><g class=\"%s\"><path class=\"reach\" "
        "d=\"M%d 12H%d\"/><path class=\"seen\" d=\"M%d 12h0\"/></g></svg>",
        FOREST_LEFT, FOREST_RIGHT, forest_at(1 / gate, reach), forest_at(gate, reach),
        FOREST_MIDDLE, level_of(metric->judgement.verdict), lo, hi > lo ? hi : lo + 1,
        forest_at(ratio->value, reach));
}

static void put_row(struct pyr_buf *out, const struct pyr_compared_metric *metric, double reach) {
    const struct pyr_judgement *judged = &metric->judgement;
    struct pyr_buf shown = {0};
    pyr_buf_printf(out, "<tr><td class=\"%s\">%s",
                   metric->gated ? level_of(judged->verdict) : "dim",
                   pyr_verdict_name(judged->verdict));
    pyr_html_element(out, "<th scope=\"row\">", metric->suite, " ");
    pyr_html_text(out, metric->case_id);
    put_named(out, "<td>", metric, "");
    pyr_buf_puts(out, pyr_metric_info(metric->metric)->better == PYR_BETTER_HIGHER
                          ? " <i>higher is better</i><td class=\"n\">"
                          : "<td class=\"n\">");
    pyr_comparison_put_side(&shown, metric, &metric->baseline);
    pyr_html_element(out, "", pyr_buf_text(&shown), "<td class=\"n\">");
    shown.length = 0;
    pyr_comparison_put_side(&shown, metric, &metric->current);
    pyr_html_element(out, "", pyr_buf_text(&shown), "<td class=\"n\">");
    shown.length = 0;
    pyr_comparison_put_change(&shown, metric);
    const char *change = pyr_buf_text(&shown), *bracket = strchr(change, '[');
    pyr_buf_printf(out, "%.*s", (int)(bracket ? bracket - change : (long)strlen(change)), change);
    if (bracket)
        pyr_buf_printf(out, "<i>%s</i>", bracket);
    pyr_buf_puts(out, "<td>");
    pyr_buf_deinit(&shown);
    put_forest(out, metric, reach);
    pyr_buf_printf(out, "<td class=\"n\">%.1f %%", 100 * judged->gate);
    pyr_html_element(out, "<td>",
                     metric->note     ? metric->note
                     : judged->reason ? judged->reason
                                      : "",
                     "</tr>");
}

static void put_table(struct pyr_buf *out, const struct pyr_comparison *comparison, size_t from,
                      size_t to) {
    double reach = reach_of(comparison, from, to);
    pyr_buf_puts(out, PYR_HTML_TABLE("t") "<thead><tr>" PYR_HTML_COL("verdict") PYR_HTML_COL("case")
                          PYR_HTML_COL("metric") PYR_HTML_COL("baseline") PYR_HTML_COL("current")
                              PYR_HTML_COL("change") PYR_HTML_COL("less, gate, more")
                                  PYR_HTML_COL("gate") PYR_HTML_COL("") "</tr></thead><tbody>");
    for (size_t i = from; i < to; i++)
        put_row(out, &comparison->metrics[i], reach);
    pyr_buf_puts(out, "</tbody>" PYR_HTML_TABLE_END);
}

/* --- the dots -------------------------------------------------------------------------------- */

static void open_chart(struct pyr_buf *out, const struct pyr_compared_metric *metric,
                       const char *unit) {
    put_named(out, "<figure><figcaption>", metric, " <span class=\"dim\">");
    pyr_html_text(out, metric->case_id);
    pyr_html_element(out, ", ", unit, "</span></figcaption>");
}

/* A dot a pair: by how much B differed from the A beside it. */
static void put_pair_chart(struct pyr_buf *out, const struct pyr_compared_metric *metric) {
    struct pyr_chart chart = {.out = out,
                              .x = {.low = 0, .high = 0, .label = "pair"},
                              .y = {.low = INFINITY, .high = -INFINITY, .label = "%"}};
    double at[POINTS_MAX], change[POINTS_MAX];
    size_t count = metric->baseline_count < metric->current_count ? metric->baseline_count
                                                                  : metric->current_count;
    count = count < POINTS_MAX ? count : POINTS_MAX;
    for (size_t i = 0; i < count; i++) {
        at[i] = (double)(i + 1);
        change[i] = metric->baseline_values[i] > 0
                        ? 100 * (metric->current_values[i] / metric->baseline_values[i] - 1)
                        : (double)NAN;
        pyr_axis_hold(&chart.y, change[i]);
    }
    double gate = 100 * metric->judgement.gate;
    pyr_axis_hold(&chart.y, gate * 1.2);
    pyr_axis_hold(&chart.y, -gate * 1.2);
    pyr_axis_hold(&chart.x, (double)count + 1);
    if (count < 2 || !pyr_axis_set(&chart.x) || !pyr_axis_set(&chart.y))
        return;
    double ends[2] = {chart.x.low, chart.x.high};
    double lo[2], hi[2], middle[2], zero[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        lo[i] = 100 * (metric->ratio.lo - 1);
        hi[i] = 100 * (metric->ratio.hi - 1);
        middle[i] = 100 * (metric->ratio.value - 1);
    }
    open_chart(out, metric, "change in %");
    pyr_chart_begin(&chart, "The change of each pair, with the estimate, its interval and the "
                            "gate; the table above holds the outcome.");
    pyr_chart_band(&chart, 0, ends, lo, hi, 2);
    pyr_chart_line(&chart, 5, false, ends, zero, 2);
    pyr_chart_line(&chart, 0, false, ends, middle, 2);
    for (int side = -1; side <= 1; side += 2) {
        double limit[2] = {side * gate, side * gate};
        pyr_chart_line(&chart, 1, true, ends, limit, 2);
    }
    for (size_t i = 0; i < count; i++) {
        char title[64];
        snprintf(title, sizeof title, "pair %zu: %+.2f %%", i + 1, change[i]);
        pyr_chart_point(&chart, 0, at[i], change[i], title);
    }
    pyr_chart_end(&chart);
    pyr_buf_puts(out, "</figure>");
}

/* A dot a run: the baseline's on the left, the current ones on the right. */
static void put_run_chart(struct pyr_buf *out, const struct pyr_compared_metric *metric) {
    struct pyr_chart chart = {.out = out,
                              .x = {.low = 0, .high = 0, .label = "run: baseline, then current"},
                              .y = {.low = INFINITY, .high = -INFINITY}};
    size_t before = metric->baseline_count, now = metric->current_count;
    if (!before || !now || before + now > POINTS_MAX)
        return;
    struct pyr_scale scale = pyr_scale_for(pyr_metric_info(metric->metric)->unit,
                                           fmax(metric->baseline.value, metric->current.value));
    for (size_t i = 0; i < before + now; i++)
        pyr_axis_hold(&chart.y, scale.factor * (i < before ? metric->baseline_values[i]
                                                           : metric->current_values[i - before]));
    double divide = (double)before + 1;
    pyr_axis_hold(&chart.x, divide + (double)now + 1);
    if (!pyr_axis_set(&chart.x) || !pyr_axis_set(&chart.y))
        return;
    chart.x.tick_count = 0;
    open_chart(out, metric, *scale.unit ? pyr_html_unit(scale.unit) : "count");
    pyr_chart_begin(&chart, "Every run of both sides; the table above holds the outcome.");
    pyr_chart_shade(&chart, divide, chart.x.high, "current");
    for (size_t i = 0; i < before + now; i++) {
        double value = scale.factor * (i < before ? metric->baseline_values[i]
                                                  : metric->current_values[i - before]);
        char title[96];
        snprintf(title, sizeof title, "%s run %zu: %.4g %s", i < before ? "baseline" : "current",
                 i < before ? i + 1 : i - before + 1, value, pyr_html_unit(scale.unit));
        pyr_chart_point(&chart, i < before ? 0 : 1, (double)(i < before ? i + 1 : i + 2), value,
                        title);
    }
    pyr_chart_end(&chart);
    pyr_buf_puts(out, "</figure>");
}

static void put_charts(struct pyr_buf *out, const struct pyr_comparison *comparison) {
    bool pairs = comparison->kind == PYR_COMPARED_PAIRS;
    size_t count = comparison->gated_count ? comparison->gated_count : comparison->metric_count;
    if (!count)
        return;
    pyr_buf_puts(out, pairs ? "<section><h2>Every pair</h2><p>A dot is one pair of neighbouring "
                              "blocks. Line and band: the estimate with its 95 % interval; dotted: "
                              "the gate.</p><div class=\"charts\">"
                            : "<section><h2>Every run</h2><p>A dot is a run; shaded: the current "
                              "ones.</p><div class=\"charts\">");
    for (size_t i = 0; i < count && i < CHARTS_MAX; i++)
        (pairs ? put_pair_chart : put_run_chart)(out, &comparison->metrics[i]);
    pyr_buf_puts(out, "</div>");
    if (count > CHARTS_MAX)
        pyr_buf_printf(out, "<p class=\"dim\">The first %d of %zu; the JSON has all.</p>",
                       CHARTS_MAX, count);
    pyr_buf_puts(out, "</section>");
}

/* --- the sides ------------------------------------------------------------------------------- */

static void put_cell(struct pyr_buf *out, const char *text) {
    pyr_html_element(out, "<td>", text ? text : "-", "");
}

static void put_sides(struct pyr_buf *out, const struct pyr_comparison *comparison) {
    const struct pyr_comparison_side *sides[] = {&comparison->baseline, &comparison->current};
    pyr_buf_puts(
        out, "<section><h2>The two sides</h2>" PYR_HTML_TABLE("t") "<thead><tr>" PYR_HTML_COL("")
                 PYR_HTML_COL("baseline") PYR_HTML_COL("current") "</tr></thead><tbody><tr><th "
                                                                  "scope=\"row\">name");
    for (int i = 0; i < 2; i++)
        put_cell(out, sides[i]->name);
    pyr_buf_puts(out, "</tr><tr><th scope=\"row\">runs");
    for (int i = 0; i < 2; i++)
        pyr_buf_printf(out, "<td>%zu", sides[i]->runs);
    pyr_buf_puts(out, "</tr><tr><th scope=\"row\">newest");
    for (int i = 0; i < 2; i++) {
        char when[32];
        pyr_report_iso_time(sides[i]->time_unix_s, when, sizeof when);
        put_cell(out, *when ? when : NULL);
    }
    pyr_buf_puts(out, "</tr><tr><th scope=\"row\">engine");
    for (int i = 0; i < 2; i++)
        put_cell(out, sides[i]->engine);
    pyr_buf_puts(out, "</tr><tr><th scope=\"row\">revision");
    for (int i = 0; i < 2; i++)
        put_cell(out, sides[i]->revision);
    pyr_buf_puts(out, "</tr></tbody>" PYR_HTML_TABLE_END);
    if (comparison->outputs == PYR_OUTPUTS_SAME)
        pyr_buf_printf(out, "<p>The texts that came out are the same (%zu compared).</p>",
                       comparison->outputs_compared);
    else if (comparison->outputs == PYR_OUTPUTS_DIFFER)
        pyr_buf_printf(out,
                       "<p class=\"warn\">The texts that came out differ in %zu of %zu cases: "
                       "speed is compared of work that is not the same.</p>",
                       comparison->outputs_different, comparison->outputs_compared);
    pyr_buf_puts(out, "</section>");
}

static void put_environment(struct pyr_buf *out, const struct pyr_comparison *comparison) {
    if (!comparison->part_count)
        return;
    pyr_buf_puts(out, "<section><h2>What else differs</h2>" PYR_HTML_TABLE(
                          "t") "<thead><tr>" PYR_HTML_COL("part") PYR_HTML_COL("baseline")
                          PYR_HTML_COL("current") PYR_HTML_COL("") "</tr></thead><tbody>");
    for (size_t i = 0; i < comparison->part_count; i++) {
        const struct pyr_compared_part *part = &comparison->parts[i];
        pyr_html_element(out, "<tr><th scope=\"row\">", part->part, "");
        put_cell(out, part->baseline);
        put_cell(out, part->current);
        put_cell(out, part->warning ? "no reason not to compare" : "not comparable");
        pyr_buf_puts(out, "</tr>");
    }
    pyr_buf_puts(out, "</tbody>" PYR_HTML_TABLE_END "</section>");
}

void pyr_comparison_html(const struct pyr_comparison *comparison,
                         const struct pyr_report_options *options, struct pyr_buf *out) {
    (void)options;
    put_head(out, comparison);
    put_verdict(out, comparison);
    if (comparison->gated_count) {
        pyr_buf_puts(out, "<section><h2>What is gated</h2>");
        put_table(out, comparison, 0, comparison->gated_count);
        pyr_buf_puts(out, "</section>");
    }
    put_charts(out, comparison);
    put_sides(out, comparison);
    put_environment(out, comparison);
    if (comparison->metric_count > comparison->gated_count) {
        pyr_buf_puts(out, "<details><summary>Metrics beside the gate</summary>");
        put_table(out, comparison, comparison->gated_count, comparison->metric_count);
        pyr_buf_puts(out, "</details>");
    }
    pyr_html_list(out, "<h2>Only in the baseline</h2>", comparison->only_baseline,
                  comparison->only_baseline_count);
    pyr_html_list(out, "<h2>Only in the current runs</h2>", comparison->only_current,
                  comparison->only_current_count);
    pyr_buf_puts(out,
                 "<section><h2>Reading this page</h2><p>Changes are of the number itself; a "
                 "metric is REGRESSED when it is worse by more than its gate and its 95 % "
                 "interval leaves out no change, UNCHANGED when the whole interval lies within "
                 "the threshold, INCONCLUSIVE when these runs cannot tell. The gate is the "
                 "threshold, or 1.5 times the noise floor where that is more.</p></section>");
    pyr_html_page_end(out);
}
