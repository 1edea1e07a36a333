/* SPDX-License-Identifier: MIT */
#include "report/figures.h"
#include "report/formats.h"
#include "report/html_charts.h"
#include "report/html_style.h"
#include "report/json_text.h"
#include "report/meta.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What mail and browsers take without complaint. Cases are told in detail while that fits, the
 * rest by their rows in the suites' tables alone. */
enum { PAGE_BYTES_MAX = 150000, LINE_BYTES = 200 };

#define OPEN_TABLE(CLASS) "<div class=\"scroll\" tabindex=\"0\"><table class=\"" CLASS "\">"
#define CLOSE_TABLE "</table></div>"

static void text(struct pyr_buf *out, const char *foreign) {
    pyr_html_text(out, foreign);
}

static void element(struct pyr_buf *out, const char *open, const char *foreign, const char *close) {
    pyr_buf_puts(out, open);
    text(out, foreign);
    pyr_buf_puts(out, close);
}

static void put_list(struct pyr_buf *out, const char *open, const char *const *list, size_t count) {
    if (!count)
        return;
    pyr_buf_puts(out, open);
    pyr_buf_puts(out, "<ul class=\"w\">");
    for (size_t i = 0; i < count; i++)
        element(out, "<li>", list[i], "");
    pyr_buf_puts(out, "</ul>");
}

static void case_name(struct pyr_buf *out, const char *open, const struct pyr_suite_result *suite,
                      const struct pyr_case_result *result, const char *close) {
    struct pyr_buf name = {0};
    pyr_put_case_name(&name, suite, result);
    element(out, open, pyr_buf_text(&name), close);
    pyr_buf_deinit(&name);
}

/* --- the top --------------------------------------------------------------------------------- */

static void put_title(struct pyr_buf *out, const struct pyr_report_meta *meta) {
    const char *name = meta->name ? meta->name : meta->spec ? meta->spec : "an unknown target";
    const char *cpu = meta->cpu_model;
    double threads = meta->threads;
    double cores = pyr_report_meta_number(meta->system_info, "cpu_count");
    char when[32];
    pyr_report_iso_time(meta->started_unix_s, when, sizeof when);
    pyr_buf_puts(out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<meta http-equiv=\"Content-Security-Policy\" content=\"");
    pyr_buf_puts(out, pyr_html_policy);
    pyr_buf_puts(out, "\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                      "<meta name=\"referrer\" content=\"no-referrer\">");
    element(out, "<title>Pyrometer: ", name, "</title><style>");
    pyr_buf_puts(out, pyr_html_style);
    element(out, "</style></head><body><main><header><p class=\"dim\">Pyrometer " PYR_VERSION " ",
            when, "</p>");
    element(out, "<h1>", name, "</h1><p>");
    if (meta->engine)
        element(out, "", meta->engine, "");
    if (meta->kind && strcmp(meta->kind, "worker") == 0)
        pyr_buf_puts(out, " in a worker process");
    if (threads > 0)
        pyr_buf_printf(out, ", %.0f thread%s", threads, threads == 1 ? "" : "s");
    if (cores > 0)
        pyr_buf_printf(out, ", %.0f core%s", cores, cores == 1 ? "" : "s");
    if (cpu)
        element(out, " of ", cpu, "");
    pyr_buf_puts(out, "</p>");
    if (meta->description)
        element(out, "<p>", meta->description, "</p>");
    if (meta->note)
        element(out, "<p>The model was ", meta->note, ".</p>");
    if (meta->notes && *meta->notes)
        element(out, "<p>", meta->notes, "</p>");
    pyr_buf_puts(out, "</header>");
}

static void banner(struct pyr_buf *out, const char *level, const char *word, const char *rest) {
    pyr_buf_printf(out, "<div class=\"banner %s\"><b>", level);
    text(out, word);
    element(out, "</b> ", rest, "</div>");
}

static void put_verdict(struct pyr_buf *out, const struct pyr_result *result) {
    size_t missed = 0;
    for (size_t i = 0; i < result->goal_count; i++)
        missed += result->goals[i].verdict == PYR_GOAL_MISSED;
    bool all = result->goals_decided && result->goals_met == result->goals_decided;
    bool graded = result->grade != PYR_GRADE_UNGRADED;
    const char *level = !graded ? "" : missed ? "bad" : !all ? "" : "good";
    if (graded && all && result->goals_decided < result->goal_count)
        level = "warn";
    banner(out, level, pyr_grade_name(result->grade),
           result->grade_reason ? result->grade_reason : "no goal was set");
    if (result->partial)
        banner(out, "bad", "Partial", result->partial);
    if (result->simulated)
        banner(out, "bad", "Simulated",
               "the target follows a set law and no model ran: these figures test this program and "
               "say nothing about any engine or machine");
    if (result->warning_count) {
        pyr_buf_puts(out, "<div class=\"banner warn\">");
        put_list(out, "<b>Warnings</b>", result->warnings, result->warning_count);
        pyr_buf_puts(out, "</div>");
    }
}

/* The best value of one figure over all cases, with the case it comes from. */
struct best {
    struct pyr_estimate at;
    const struct pyr_suite_result *suite;
    const struct pyr_case_result *entry; /* NULL: none */
};

static struct best best_of(const struct pyr_result *result, const struct pyr_figure *figure,
                           bool highest) {
    struct best best = {pyr_estimate_unknown("not measured"), NULL, NULL};
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *entry = &result->suites[i].cases[j];
            struct pyr_estimate at = pyr_figure_of(entry, figure);
            if (!entry->ok || isnan(at.value))
                continue;
            if (isnan(best.at.value) ||
                (highest ? at.value > best.at.value : at.value < best.at.value))
                best = (struct best){at, &result->suites[i], entry};
        }
    return best;
}

static void put_tiles(struct pyr_buf *out, const struct pyr_result *result) {
    static const struct {
        struct pyr_figure figure;
        bool highest;
    } tiles[] = {
        {{PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_FIGURE_VALUE,
          "most output"},
         true},
        {{PYR_M_TTFT_SENT, PYR_M_TTFT_SCHED, PYR_Q_P50, "shortest TTFT p50"}, false},
        {{PYR_M_ITL, PYR_M_ITL, PYR_Q_P50, "shortest ITL p50"}, false},
        {{PYR_M_DECODE_RATE, PYR_M_DECODE_RATE, PYR_Q_P50, "fastest decode, one request"}, true}};
    pyr_buf_puts(out, "<ul class=\"tiles\">");
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        struct best best = best_of(result, &tiles[i].figure, tiles[i].highest);
        if (!best.entry)
            continue;
        struct pyr_scale scale =
            pyr_scale_for(pyr_metric_info(tiles[i].figure.closed)->unit, best.at.value);
        pyr_buf_printf(out, "<li>%s<b>", tiles[i].figure.header);
        pyr_put_number(out, best.at.value * scale.factor);
        pyr_buf_printf(out, " %s</b>", pyr_html_unit(scale.unit));
        case_name(out, "<span class=\"dim\">in ", best.suite, best.entry, "</span>");
    }
    pyr_buf_puts(out, "</ul>");
}

static void put_goals(struct pyr_buf *out, const struct pyr_result *result) {
    static const struct {
        const char *level, *sign;
    } marks[] = {[PYR_GOAL_MET] = {"good", "\u2713"},
                 [PYR_GOAL_MISSED] = {"bad", "\u2717"},
                 [PYR_GOAL_UNDECIDED] = {"warn", "?"},
                 [PYR_GOAL_UNKNOWN] = {"dim", "-"}};
    if (!result->goal_count)
        return;
    pyr_buf_puts(out, "<h2>Goals</h2>" OPEN_TABLE("t") "<thead><tr><th>verdict<th>goal<th>because"
                                                       "<th>worst case</tr></thead><tbody>");
    for (size_t i = 0; i < result->goal_count; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        pyr_buf_printf(out, "<tr><td class=\"%s\">%s %s", marks[row->verdict].level,
                       marks[row->verdict].sign, pyr_goal_verdict_name(row->verdict));
        element(out, "<td>", row->goal->label, "");
        element(out, "<td>", row->why, "");
        element(out, "<td>", row->case_id ? row->case_id : "-", "</tr>");
    }
    pyr_buf_puts(out, "</tbody>" CLOSE_TABLE);
}

/* --- tables of figures ----------------------------------------------------------------------- */

static void put_figures(struct pyr_buf *out, const struct pyr_suite_result *suite,
                        enum pyr_figure_group group) {
    struct pyr_figure figures[PYR_FIGURES_MAX];
    struct pyr_scale scales[PYR_FIGURES_MAX];
    size_t count = pyr_figures_choose(suite, group, figures);
    if (!count)
        return;
    pyr_buf_puts(out, OPEN_TABLE("fig") "<thead><tr><th scope=\"col\">case<th scope=\"col\">ok");
    for (size_t i = 0; i < count; i++) {
        scales[i] = pyr_scale_of_figure(suite, &figures[i]);
        pyr_buf_printf(out, "<th scope=\"col\">%s<span>%s</span>", figures[i].header,
                       pyr_html_unit(scales[i].unit));
    }
    pyr_buf_puts(out, "</tr></thead><tbody>");
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        if (!result->total)
            continue;
        element(out, "<tr><th scope=\"row\">", pyr_case_short_id(suite, result), "");
        pyr_buf_puts(out, result->steadiness == PYR_NEVER_STEADY ? " ~" : "");
        pyr_buf_puts(out, result->saturating ? " ^" : "");
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
    pyr_buf_puts(out, "</tbody>" CLOSE_TABLE);
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
    }
    pyr_buf_puts(out, "</tr>");
}

static void put_metrics(struct pyr_buf *out, const struct pyr_metric_result *rows, size_t count) {
    pyr_buf_puts(
        out,
        OPEN_TABLE("fig") "<thead><tr><th scope=\"col\">metric<th scope=\"col\">unit"
                          "<th scope=\"col\">n<th scope=\"col\">value or p50<th scope=\"col\">p90"
                          "<th scope=\"col\">p99<th scope=\"col\">most</tr></thead><tbody>");
    for (size_t i = 0; i < count; i++)
        put_metric_row(out, &rows[i]);
    pyr_buf_puts(out, "</tbody>" CLOSE_TABLE);
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
            element(&said, "<li>", result->warnings[j], "");
        if (result->serialises)
            element(&said, "<li>", result->serialises, "");
        if (result->flag_short)
            pyr_buf_printf(&said, "<li>%llu answers were shorter than asked",
                           (unsigned long long)result->flag_short);
        for (size_t j = 0; j < result->metric_count; j++)
            if (result->metrics[j].overflow)
                pyr_buf_printf(&said, "<li>%llu values of %s lay outside the histogram",
                               (unsigned long long)result->metrics[j].overflow,
                               pyr_metric_info(result->metrics[j].metric)->label);
        if (said.length) {
            element(out, "<li>", id, "<ul>");
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
    pyr_buf_printf(out, "<p class=\"dim\">%zu cases, ", suite->case_count);
    pyr_put_count(out, total);
    pyr_buf_puts(out, " requests");
    for (int j = 0; j < PYR_OUTCOME_COUNT; j++)
        if (outcomes[j])
            pyr_buf_printf(out, ", %llu %s", (unsigned long long)outcomes[j],
                           pyr_outcome_name((enum pyr_outcome)j));
    pyr_buf_puts(out, open && closed ? "; times from the schedule in open loop, from the sending "
                                       "in closed loop.</p>"
                      : open         ? "; times from the schedule (open loop).</p>"
                      : closed       ? "; times from the sending (closed loop).</p>"
                                     : ".</p>");
}

static void put_phases(struct pyr_buf *out, const struct pyr_case_result *result) {
    if (!result->phase_count)
        return;
    pyr_buf_puts(
        out,
        OPEN_TABLE("fig") "<thead><tr><th scope=\"col\">phase<th scope=\"col\">from"
                          "<span>s</span><th scope=\"col\">length<span>s</span><th scope=\"col\">"
                          "requests<th scope=\"col\">ok<th scope=\"col\">rate<span>/s</span>"
                          "<th scope=\"col\">latency p50<span>ms</span><th scope=\"col\">TTFT p50"
                          "<span>ms</span></tr></thead><tbody>");
    for (size_t i = 0; i < result->phase_count; i++) {
        const struct pyr_phase_result *phase = &result->phases[i];
        const double numbers[] = {phase->rate, phase->latency_p50_ns / 1e6,
                                  phase->ttft_p50_ns / 1e6};
        element(out, "<tr><th scope=\"row\">", phase->name, "<td>");
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
    pyr_buf_puts(out, "</tbody>" CLOSE_TABLE);
}

static void put_params(struct pyr_buf *out, const struct pyr_case *plan) {
    pyr_buf_puts(out, "<p class=\"dim\">");
    struct pyr_param param;
    for (const char *at = plan->params; pyr_params_next(&at, &param);) {
        char pair[sizeof plan->params];
        snprintf(pair, sizeof pair, "%.*s %.*s", (int)param.key_bytes, param.key,
                 (int)param.value_bytes, param.value);
        element(out, "", pair, "; ");
    }
    pyr_buf_printf(out, "%s loop</p>", plan->open_loop ? "open" : "closed");
}

static void put_case(struct pyr_buf *out, const struct pyr_suite_result *suite,
                     const struct pyr_case_result *result) {
    case_name(out, "<details><summary>", suite, result, "</summary>");
    put_params(out, result->plan);
    pyr_html_case_charts(out, result);
    put_phases(out, result);
    put_metrics(out, result->metrics, result->metric_count);
    pyr_buf_puts(out, "</details>");
}

/* As many cases as leave room for what comes behind them. */
static void put_cases(struct pyr_buf *out, const struct pyr_result *result, size_t tail_bytes) {
    size_t left_out = 0;
    pyr_buf_puts(out, "<h2>Case by case</h2>");
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            if (!result->suites[i].cases[j].total)
                continue;
            struct pyr_buf one = {0};
            put_case(&one, &result->suites[i], &result->suites[i].cases[j]);
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
}

static void put_suite(struct pyr_buf *out, const struct pyr_suite_result *suite) {
    element(out, "<section><h2>", suite->name, "</h2>");
    put_outcomes(out, suite);
    put_notes(out, suite);
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        if (result->total || !result->metric_count)
            continue;
        element(out, "<h3>", pyr_case_short_id(suite, result), "</h3>");
        put_metrics(out, result->metrics, result->metric_count);
    }
    put_figures(out, suite, PYR_FIGURES_SPEED);
    put_figures(out, suite, PYR_FIGURES_MORE);
    pyr_buf_puts(out, "<details><summary>More figures</summary>");
    put_figures(out, suite, PYR_FIGURES_DETAIL);
    put_figures(out, suite, PYR_FIGURES_MACHINE);
    pyr_buf_puts(out, "</details>");
    const char *case_id = NULL;
    uint64_t needs = pyr_figures_p99_needs(suite, &case_id);
    if (needs) {
        pyr_buf_printf(
            out, "<p>p99 needs up to %llu more requests a case (most: ", (unsigned long long)needs);
        element(out, "", case_id, ").</p>");
    }
    pyr_html_suite_charts(out, suite);
    pyr_buf_puts(out, "</section>");
}

/* --- the end --------------------------------------------------------------------------------- */

static void put_stress(struct pyr_buf *out, const struct pyr_stress_result *stress) {
    if (!stress)
        return;
    pyr_buf_puts(out, "<h2>Sustainable load</h2><p>");
    if (isnan(stress->max_sustainable_load))
        pyr_buf_puts(out, "None of the loads tried");
    else
        pyr_buf_printf(out, "%g %s", stress->max_sustainable_load,
                       stress->open_loop ? "requests/s" : "requests at once");
    if (!isnan(stress->first_failing_load))
        pyr_buf_printf(out, "; %g failed", stress->first_failing_load);
    if (stress->failed_by)
        element(out, " by ", stress->failed_by, "");
    pyr_buf_puts(out, ".</p>");
}

static void put_instrument(struct pyr_buf *out, const struct pyr_result *result) {
    if (!result->instrument_count && !result->noise_floor)
        return;
    pyr_buf_puts(out, "<h2>Instrument</h2><p>How far our own figures can be off.</p>");
    if (result->instrument_count)
        put_metrics(out, result->instrument, result->instrument_count);
    if (result->noise_floor) {
        pyr_buf_printf(out, "<p>Noise floor of this machine: %.1f %% (%llu pairs, ",
                       100 * result->noise_floor->ratio,
                       (unsigned long long)result->noise_floor->pairs);
        element(out, "", result->noise_floor->source, "); smaller differences mean nothing.</p>");
    }
}

enum { OBJECT_DEPTH_MAX = 3, VALUE_BYTES_MAX = 400 };

/* A row a value: the members of an object inside are named behind its own name. */
static void put_members(struct pyr_buf *out, const char *prefix, const json_t *object, int depth) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        struct pyr_buf name = {0}, shown = {0};
        pyr_buf_printf(&name, "%s%s%s", prefix, *prefix ? " " : "", key);
        if (json_object_size(value) && depth < OBJECT_DEPTH_MAX) {
            put_members(out, pyr_buf_text(&name), value, depth + 1);
            pyr_buf_deinit(&name);
            continue;
        }
        if (json_is_string(value))
            pyr_buf_puts(&shown, json_string_value(value));
        else if (json_is_null(value))
            pyr_buf_puts(&shown, "unknown");
        else
            pyr_json_compact(&shown, value);
        if (shown.length > VALUE_BYTES_MAX) {
            shown.data[VALUE_BYTES_MAX] = '\0';
            shown.length = VALUE_BYTES_MAX;
            pyr_buf_puts(&shown, "...");
        }
        element(out, "<tr><th scope=\"row\">", pyr_buf_text(&name), "<td>");
        element(out, "", pyr_buf_text(&shown), "</tr>");
        pyr_buf_deinit(&name);
        pyr_buf_deinit(&shown);
    }
}

static void put_object(struct pyr_buf *out, const char *title, const json_t *object) {
    if (!json_object_size(object))
        return;
    pyr_buf_printf(out, "<details><summary>%s</summary>" OPEN_TABLE("t") "<tbody>", title);
    put_members(out, "", object, 1);
    pyr_buf_puts(out, "</tbody>" CLOSE_TABLE "</details>");
}

static void put_environment(struct pyr_buf *out, const struct pyr_result *result,
                            const struct pyr_report_meta *meta) {
    const char *command = meta->repeat_command ? meta->repeat_command : meta->command;
    if (command)
        element(out, "<h2>Repeat</h2><pre>", command, "</pre>");
    if (result->run_path)
        element(out, "<p class=\"dim\">Raw records: ", result->run_path, "</p>");
    pyr_buf_puts(out, "<h2>Environment</h2>");
    put_object(out, "Machine", meta->system_info);
    put_object(out, "Target", meta->target);
    put_object(out, "Configuration", meta->config);
    pyr_buf_puts(out,
                 "<h2>Reading this page</h2><p>Brackets and bands hold two-sided 95 % intervals, "
                 "corrected for autocorrelation; ? is an end that so few values cannot bound, and "
                 "a curve is dotted from there on. A dash was not measured; point at it for the "
                 "reason. Figures are of the steady window; results.json has the whole run too."
                 "</p></main></body></html>\n");
}

bool pyr_report_html(const struct pyr_result *result, const struct pyr_report_options *options,
                     struct pyr_buf *out, struct pyr_err *err) {
    (void)options;
    (void)err;
    struct pyr_report_meta meta;
    pyr_report_meta_open(result->meta_json, &meta);
    put_title(out, &meta);
    put_verdict(out, result);
    put_tiles(out, result);
    put_goals(out, result);
    put_list(out, "<h2>Recommendations</h2>", result->recommendations,
             result->recommendation_count);
    for (size_t i = 0; i < result->suite_count; i++)
        put_suite(out, &result->suites[i]);
    if (!result->suite_count)
        pyr_buf_puts(out, "<p>Nothing was measured.</p>");
    struct pyr_buf tail = {0};
    put_stress(&tail, result->stress);
    put_instrument(&tail, result);
    put_environment(&tail, result, &meta);
    if (result->suite_count)
        put_cases(out, result, tail.length);
    pyr_buf_append(out, tail.data, tail.length);
    pyr_buf_deinit(&tail);
    pyr_report_meta_close(&meta);
    return true;
}
