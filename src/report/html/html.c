/* SPDX-License-Identifier: MIT */
#include "report/calibration.h"
#include "report/figures.h"
#include "report/formats.h"
#include "report/html/charts.h"
#include "report/html/parts.h"
#include "report/html/top.h"
#include "report/meta.h"
#include "stats/capacity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What mail and browsers take without complaint. Cases are told in detail while that fits, the
 * rest by their rows in the suites' tables alone. */
enum { PAGE_BYTES_MAX = 150000, LINE_BYTES = 200 };

/* --- tables of figures ----------------------------------------------------------------------- */

/* A try of a level that another one decided. */
static bool is_again(const struct pyr_stress_result *stress, const struct pyr_case_result *one) {
    if (!stress || !pyr_case_is_level(one->plan))
        return false;
    double load = one->plan->open_loop ? one->plan->rate : one->plan->concurrency;
    for (size_t i = 0; i < stress->level_count; i++)
        if (stress->levels[i].load == load)
            return stress->levels[i].one != one;
    return false;
}

static void put_figures(struct pyr_buf *out, const struct pyr_suite_result *suite,
                        const struct pyr_stress_result *stress, enum pyr_figure_group group) {
    struct pyr_figure figures[PYR_FIGURES_MAX];
    struct pyr_scale scales[PYR_FIGURES_MAX];
    size_t count = pyr_figures_choose(suite, group, figures);
    if (!count)
        return;
    bool counts = pyr_suite_has_requests(suite);
    pyr_buf_puts(out, PYR_HTML_TABLE("fig") "<thead><tr><th scope=\"col\">case");
    pyr_buf_puts(out, counts ? "<th scope=\"col\">ok" : "");
    for (size_t i = 0; i < count; i++) {
        scales[i] = pyr_scale_of_figure(suite, &figures[i]);
        pyr_buf_printf(out, "<th scope=\"col\">%s<span>%s</span>", figures[i].header,
                       pyr_html_unit(scales[i].unit));
    }
    pyr_buf_puts(out, "</tr></thead><tbody>");
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        if (!pyr_case_in_table(suite, result))
            continue;
        pyr_buf_puts(out, is_again(stress, result) ? "<tr class=\"again\">" : "<tr>");
        pyr_html_element(out, "<th scope=\"row\">", pyr_case_short_id(suite, result), "");
        pyr_buf_puts(out, result->steadiness == PYR_NEVER_STEADY ? " ~" : "");
        pyr_buf_puts(out, result->saturating ? " ^" : "");
        if (counts)
            pyr_buf_printf(out, "<td>%llu", (unsigned long long)result->ok);
        if (result->ok != result->total)
            pyr_buf_printf(out, "/%llu", (unsigned long long)result->total);
        for (size_t j = 0; j < count; j++) {
            struct pyr_estimate at = pyr_figure_of(result, &figures[j]);
            pyr_buf_puts(out, "<td>");
            pyr_html_estimate(out, &at, scales[j].factor);
        }
        pyr_buf_puts(out, "</tr>");
    }
    pyr_buf_puts(out, "</tbody>" PYR_HTML_TABLE_END);
}

static void put_metric_row(struct pyr_buf *out, const struct pyr_metric_result *row) {
    const struct pyr_metric_info *info = pyr_metric_info(row->metric);
    struct pyr_estimate at = pyr_metric_headline(row);
    struct pyr_scale scale = pyr_scale_for(info->unit, isnan(at.value) ? 0 : at.value);
    pyr_buf_printf(out, "<tr><th scope=\"row\">%s<td>%s<td>%llu<td>", info->label,
                   pyr_html_unit(scale.unit), (unsigned long long)row->n);
    pyr_html_estimate(out, &at, scale.factor);
    static const int tails[] = {PYR_Q_P90, PYR_Q_P99};
    for (size_t i = 0; i < 2 && info->kind == PYR_KIND_DISTRIBUTION; i++) {
        at = pyr_metric_quantile(row, tails[i]);
        pyr_buf_puts(out, "<td>");
        pyr_html_estimate(out, &at, scale.factor);
    }
    if (info->kind == PYR_KIND_DISTRIBUTION) {
        pyr_buf_puts(out, "<td>");
        pyr_put_number(out, row->max * scale.factor);
    } else {
        pyr_buf_puts(out, "<td><td><td>");
    }
    pyr_buf_puts(out, "</tr>");
}

static void put_metrics(struct pyr_buf *out, const struct pyr_metric_result *rows, size_t count) {
    pyr_buf_puts(
        out, PYR_HTML_TABLE(
                 "fig own") "<thead><tr><th scope=\"col\">metric<th scope=\"col\">unit"
                            "<th scope=\"col\">n<th scope=\"col\">value or p50<th scope=\"col\">p90"
                            "<th scope=\"col\">p99<th scope=\"col\">most</tr></thead><tbody>");
    for (size_t i = 0; i < count; i++)
        put_metric_row(out, &rows[i]);
    pyr_buf_puts(out, "</tbody>" PYR_HTML_TABLE_END);
}

/* --- suites ---------------------------------------------------------------------------------- */

static void put_notes(struct pyr_buf *out, const struct pyr_suite_result *suite) {
    size_t start = out->length;
    pyr_buf_puts(out, "<ul class=\"w warn\">");
    size_t empty = out->length;
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        const char *id = pyr_case_short_id(suite, result);
        struct pyr_buf said = {0};
        if (result->total && result->steadiness == PYR_NEVER_STEADY)
            pyr_buf_puts(&said, "<li>~ never steady, so the figures mix warm-up and run");
        if (result->total && result->saturating)
            pyr_buf_puts(&said, "<li>^ saturating: queue and TTFT were still rising at the end");
        for (size_t j = 0; j < result->warning_count; j++)
            pyr_html_element(&said, "<li>", result->warnings[j], "");
        if (result->serialises)
            pyr_html_element(&said, "<li>", result->serialises, "");
        if (result->flag_short)
            pyr_buf_printf(&said, "<li>%llu answers were shorter than asked",
                           (unsigned long long)result->flag_short);
        for (size_t j = 0; j < result->metric_count; j++)
            if (result->metrics[j].overflow)
                pyr_buf_printf(&said, "<li>%llu values of %s lay outside the histogram",
                               (unsigned long long)result->metrics[j].overflow,
                               pyr_metric_info(result->metrics[j].metric)->label);
        if (said.length) {
            pyr_html_element(out, "<li>", id, "<ul>");
            pyr_buf_append(out, said.data, said.length);
            pyr_buf_puts(out, "</ul>");
        }
        pyr_buf_deinit(&said);
    }
    if (out->length == empty)
        out->length = start;
    else
        pyr_buf_puts(out, "</ul>");
}

static void put_outcomes(struct pyr_buf *out, const struct pyr_suite_result *suite) {
    uint64_t total = 0, outcomes[PYR_OUTCOME_COUNT] = {0};
    bool open = false, closed = false;
    for (size_t i = 0; i < suite->case_count; i++) {
        total += suite->cases[i].total;
        open |= suite->cases[i].total && suite->cases[i].plan->open_loop;
        closed |= suite->cases[i].total && !suite->cases[i].plan->open_loop;
        for (int j = 0; j < PYR_OUTCOME_COUNT; j++)
            outcomes[j] += suite->cases[i].outcomes[j];
    }
    pyr_buf_printf(out, "<p class=\"dim\">%zu case%s, ", suite->case_count,
                   suite->case_count == 1 ? "" : "s");
    pyr_put_count(out, total);
    pyr_buf_puts(out, total == 1 ? " request" : " requests");
    if (total && outcomes[PYR_OUTCOME_OK] == total)
        pyr_buf_puts(out, ", all ok");
    else
        for (int j = 0; j < PYR_OUTCOME_COUNT; j++)
            if (outcomes[j])
                pyr_put_outcome(out, (enum pyr_outcome)j, outcomes[j]);
    pyr_buf_puts(out, open && closed ? "; times from the schedule in open loop, from the sending "
                                       "in closed loop.</p>"
                      : open         ? "; times from the schedule (open loop).</p>"
                      : closed       ? "; times from the sending (closed loop).</p>"
                                     : ".</p>");
}

static void put_phases(struct pyr_buf *out, const struct pyr_case_result *result) {
    if (!result->phase_count)
        return;
    pyr_buf_puts(out,
                 PYR_HTML_TABLE(
                     "fig") "<thead><tr><th scope=\"col\">phase<th scope=\"col\">from"
                            "<span>s</span><th scope=\"col\">length<span>s</span><th scope=\"col\">"
                            "requests<th scope=\"col\">ok<th scope=\"col\">rate<span>/s</span>"
                            "<th scope=\"col\">latency p50<span>ms</span><th scope=\"col\">TTFT p50"
                            "<span>ms</span></tr></thead><tbody>");
    for (size_t i = 0; i < result->phase_count; i++) {
        const struct pyr_phase_result *phase = &result->phases[i];
        const double numbers[] = {phase->rate, phase->latency_p50_ns / 1e6,
                                  phase->ttft_p50_ns / 1e6};
        pyr_html_element(out, "<tr><th scope=\"row\">", phase->name, "<td>");
        pyr_put_number(out, phase->start_s);
        pyr_buf_puts(out, "<td>");
        pyr_put_number(out, phase->seconds);
        pyr_buf_printf(out, "<td>%llu<td>%llu", (unsigned long long)phase->requests,
                       (unsigned long long)phase->ok);
        for (size_t j = 0; j < 3; j++) {
            pyr_buf_puts(out, "<td>");
            pyr_put_number(out, numbers[j]);
        }
        pyr_buf_puts(out, "</tr>");
    }
    pyr_buf_puts(out, "</tbody>" PYR_HTML_TABLE_END);
}

static void put_params(struct pyr_buf *out, const struct pyr_case *plan) {
    pyr_buf_puts(out, "<p class=\"dim\">");
    struct pyr_param param;
    for (const char *at = plan->params; pyr_params_next(&at, &param);) {
        char pair[sizeof plan->params];
        snprintf(pair, sizeof pair, "%.*s %.*s", (int)param.key_bytes, param.key,
                 (int)param.value_bytes, param.value);
        pyr_html_element(out, "", pair, "; ");
    }
    pyr_buf_printf(out, "%s loop</p>", plan->open_loop ? "open" : "closed");
}

static void put_case(struct pyr_buf *out, const struct pyr_suite_result *suite,
                     const struct pyr_case_result *result, bool open) {
    pyr_html_case_name(out, open ? "<details open=\"open\"><summary>" : "<details><summary>", suite,
                       result, "</summary>");
    put_params(out, result->plan);
    pyr_html_case_charts(out, result);
    put_phases(out, result);
    put_metrics(out, result->metrics, result->metric_count);
    pyr_buf_puts(out, "</details>");
}

/* The one that is shown without being asked for: the last, which is the most loaded, that has a
 * course over time. */
static const struct pyr_case_result *case_to_show(const struct pyr_result *result) {
    const struct pyr_case_result *last = NULL;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++)
            if (result->suites[i].cases[j].timeline_count > 1)
                last = &result->suites[i].cases[j];
    return last;
}

/* As many cases as leave room for what comes behind them. */
static void put_cases(struct pyr_buf *out, const struct pyr_result *result, size_t tail_bytes) {
    size_t left_out = 0;
    const struct pyr_case_result *shown = case_to_show(result);
    pyr_buf_puts(out, "<section><h2 id=\"cases\">Case by case</h2>");
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            if (!result->suites[i].cases[j].total)
                continue;
            struct pyr_buf one = {0};
            const struct pyr_case_result *entry = &result->suites[i].cases[j];
            put_case(&one, &result->suites[i], entry, entry == shown);
            if (out->length + one.length + tail_bytes + LINE_BYTES <= PAGE_BYTES_MAX)
                pyr_buf_append(out, one.data, one.length);
            else
                left_out++;
            pyr_buf_deinit(&one);
        }
    if (left_out)
        pyr_buf_printf(out,
                       "<p class=\"dim\">%zu more cases are told in detail by results.json.</p>",
                       left_out);
    pyr_buf_puts(out, "</section>");
}

static void put_suite(struct pyr_buf *out, const struct pyr_suite_result *suite, size_t number,
                      const struct pyr_stress_result *stress, const struct pyr_report_meta *meta,
                      bool whole) {
    pyr_buf_printf(out, "<section><h2 id=\"suite%zu\">", number);
    pyr_html_element(out, "", suite->name, "</h2>");
    put_outcomes(out, suite);
    struct pyr_buf cut = {0};
    pyr_put_cut(&cut, suite, meta);
    if (cut.length)
        pyr_html_element(out, whole ? "<p>Cut by the time limit: " : "<p>Cut short: ",
                         pyr_buf_text(&cut), ".</p>");
    pyr_buf_deinit(&cut);
    put_notes(out, suite);
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        if (pyr_case_in_table(suite, result) || !result->metric_count)
            continue;
        pyr_html_element(out, "<h3>", pyr_case_short_id(suite, result), "</h3>");
        put_metrics(out, result->metrics, result->metric_count);
    }
    put_figures(out, suite, stress, PYR_FIGURES_SPEED);
    put_figures(out, suite, stress, PYR_FIGURES_MORE);
    pyr_buf_puts(out, "<details><summary>More figures</summary>");
    put_figures(out, suite, stress, PYR_FIGURES_DETAIL);
    put_figures(out, suite, stress, PYR_FIGURES_MACHINE);
    pyr_buf_puts(out, "</details>");
    const char *case_id = NULL;
    uint64_t needs = pyr_figures_p99_needs(suite, &case_id);
    if (needs) {
        pyr_buf_printf(
            out, "<p>p99 needs up to %llu more requests a case (most: ", (unsigned long long)needs);
        pyr_html_element(out, "", case_id, ").</p>");
    }
    pyr_html_suite_charts(out, suite);
    pyr_buf_puts(out, "</section>");
}

/* --- the end --------------------------------------------------------------------------------- */

static void put_capacity(struct pyr_buf *out, const struct pyr_result *result) {
    if (!result->stress)
        return;
    pyr_buf_puts(out, "<section><h2 id=\"load\">Sustainable load</h2>");
    pyr_html_capacity_charts(out, result);
    pyr_buf_puts(out, "</section>");
}

static void put_instrument(struct pyr_buf *out, const struct pyr_result *result) {
    pyr_buf_puts(out, "<section><h2 id=\"instrument\">Instrument</h2><p>How far our own figures "
                      "can be off.</p>");
    struct pyr_metric_result rows[PYR_METRIC_COUNT];
    size_t count = pyr_calibrations_leave(result, rows);
    pyr_calibrations_html(out, result);
    if (count)
        put_metrics(out, rows, count);
    else if (!result->calibration_count)
        pyr_buf_puts(out, "<p>Its own error was not measured in this run: <code>pyrometer "
                          "calibrate</code> does.</p>");
    if (result->noise_floor) {
        pyr_buf_printf(out, "<p>Noise floor of this machine: %.1f %% (%llu pairs, ",
                       100 * result->noise_floor->ratio,
                       (unsigned long long)result->noise_floor->pairs);
        pyr_html_element(out, "", result->noise_floor->source,
                         "); smaller differences mean nothing.</p>");
    } else {
        pyr_buf_puts(out, "<p>The noise floor of the machine was not measured in this run: "
                          "<code>pyrometer compare --ab</code> does, and judges by it.</p>");
    }
    pyr_buf_puts(out, "</section>");
}

/* --- environment ----------------------------------------------------------------------------- */

/* A member of system_info or of an object in it ("cpu.governor"), or NULL. */
static const json_t *member(const json_t *object, const char *path) {
    const char *dot = strchr(path, '.');
    if (!dot)
        return json_object_get(object, path);
    char outer[32];
    snprintf(outer, sizeof outer, "%.*s", (int)(dot - path), path);
    return json_object_get(json_object_get(object, outer), dot + 1);
}

/* What a reader asks first when a number looks strange; the rest is one click away. */
static void put_facts(struct pyr_buf *out, const json_t *system_info) {
    static const struct {
        const char *label, *path, *unit;
    } facts[] = {
        {"processor", "cpu.model", ""},
        {"cores this process may use", "cpu.cores_allowed", ""},
        {"governor", "cpu.governor", ""},
        {"turbo", "cpu.turbo", ""},
        {"memory", "memory_total_gb", " GB"},
        {"GPU", "gpu_name", ""},
        {"virtual machine", "virtualised", ""},
        {"system", "platform", ""},
        {"load before the run", "load_average", ""},
    };
    pyr_buf_puts(out, PYR_HTML_TABLE("t") "<tbody>");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const json_t *value = member(system_info, facts[i].path);
        if (!value)
            continue;
        pyr_buf_printf(out, "<tr><th scope=\"row\">%s<td>", facts[i].label);
        if (json_is_null(value))
            pyr_buf_puts(out, "none found");
        else if (json_is_string(value))
            pyr_html_text(out, json_string_value(value));
        else
            for (size_t j = 0; j < (json_is_array(value) ? json_array_size(value) : 1); j++) {
                const json_t *at = json_is_array(value) ? json_array_get(value, j) : value;
                pyr_buf_puts(out, j ? ", " : "");
                if (json_is_integer(at))
                    pyr_buf_printf(out, "%lld", (long long)json_integer_value(at));
                else
                    pyr_put_number(out, json_is_number(at) ? json_number_value(at) : (double)NAN);
            }
        pyr_buf_printf(out, "%s</tr>", json_is_null(value) ? "" : facts[i].unit);
    }
    pyr_buf_puts(out, "</tbody>" PYR_HTML_TABLE_END);
}

static void put_end(struct pyr_buf *out, const struct pyr_result *result,
                    const struct pyr_report_meta *meta) {
    const char *command = meta->repeat_command ? meta->repeat_command : meta->command;
    if (command)
        pyr_html_element(out, "<section><h2 id=\"repeat\">Repeat</h2><pre>", command, "</pre>");
    else
        pyr_buf_puts(out, "<section><h2 id=\"repeat\">Repeat</h2><p>The run does not say by which "
                          "command it was made.</p>");
    if (result->run_path) {
        pyr_html_element(out, "<p class=\"dim\">Everything here can be worked out again from ",
                         result->run_path, ".</p>");
    }
    pyr_buf_puts(out, "</section><section><h2 id=\"environment\">Environment</h2>");
    if (json_object_size(meta->system_info))
        put_facts(out, meta->system_info);
    pyr_html_object(out, "All of the machine", meta->system_info);
    pyr_html_object(out, "Target", meta->target);
    pyr_html_object(out, "Configuration", meta->config);
    pyr_buf_puts(out,
                 "</section><section><h2>Reading this page</h2><p>Small figures and bands are "
                 "two-sided 95 % intervals, corrected for autocorrelation; ? is an end that so few "
                 "values cannot bound, and a curve is dotted from there on. A dash was not "
                 "measured; point at it for the reason, and at a mark for its number. Figures are "
                 "of the steady window; results.json has the whole run too.</p></section>");
    pyr_html_page_end(out);
}

bool pyr_report_html(const struct pyr_result *result, const struct pyr_report_options *options,
                     struct pyr_buf *out, struct pyr_err *err) {
    (void)options;
    (void)err;
    struct pyr_report_meta meta;
    pyr_report_meta_open(result->meta_json, &meta);
    pyr_html_top(out, result, &meta);
    put_capacity(out, result);
    for (size_t i = 0; i < result->suite_count; i++)
        put_suite(out, &result->suites[i], i + 1, result->stress, &meta,
                  !result->partial && !result->interrupted);
    struct pyr_buf tail = {0};
    put_instrument(&tail, result);
    put_end(&tail, result, &meta);
    if (result->suite_count)
        put_cases(out, result, tail.length);
    pyr_buf_append(out, tail.data, tail.length);
    pyr_buf_deinit(&tail);
    pyr_report_meta_close(&meta);
    return true;
}
