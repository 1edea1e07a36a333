/* SPDX-License-Identifier: MIT */
#include "report/markdown.h"

#include "codec/escape.h"
#include "report/calibration.h"
#include "report/figures.h"
#include "report/formats.h"
#include "report/json_text.h"
#include "report/meta.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LIST_MAX = 100, CLOSING_BYTES = 400 };

/* Foreign text as it is: no markup of Markdown or HTML, no line breaks, no cell's end. */
static void text(struct pyr_buf *out, const char *foreign) {
    struct pyr_buf html = {0};
    if (foreign)
        pyr_escape_html(&html, foreign, strlen(foreign));
    for (const char *at = pyr_buf_text(&html); *at; at++) {
        if (*at == '\n' || *at == '\r' || *at == '\t')
            pyr_buf_putc(out, ' ');
        else if (*at == '|')
            pyr_buf_puts(out, "&#124;");
        else if (strchr("\\`*_[]~", *at))
            pyr_buf_printf(out, "\\%c", *at);
        else
            pyr_buf_putc(out, *at);
    }
    pyr_buf_deinit(&html);
}

static void line(struct pyr_buf *out, const char *before, const char *foreign, const char *after) {
    pyr_buf_puts(out, before);
    text(out, foreign);
    pyr_buf_puts(out, after);
}

/* A block of code whose fence is longer than any run of backticks inside. */
static void code_block(struct pyr_buf *out, const char *foreign) {
    size_t longest = 2, run = 0;
    for (const char *at = foreign; *at; at++) {
        run = *at == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    char fence[64];
    size_t length = longest + 1 < sizeof fence ? longest + 1 : sizeof fence - 1;
    memset(fence, '`', length);
    fence[length] = '\0';
    pyr_buf_printf(out, "%s\n", fence);
    for (const char *at = foreign; *at; at++)
        pyr_buf_putc(out, (unsigned char)*at < 0x20 && *at != '\n' ? ' ' : *at);
    pyr_buf_printf(out, "\n%s\n", fence);
}

static void put_list(struct pyr_buf *out, const char *mark, const char *const *list, size_t count) {
    for (size_t i = 0; i < count && i < LIST_MAX; i++)
        line(out, mark, list[i], "\n");
    if (count > LIST_MAX)
        pyr_buf_printf(out, "%sand %zu more\n", mark, count - LIST_MAX);
}

/* --- the head -------------------------------------------------------------------------------- */

static void put_head(struct pyr_buf *out, const struct pyr_result *result,
                     const struct pyr_report_meta *meta) {
    const char *name = meta->name ? meta->name : meta->spec ? meta->spec : "an unknown target";
    const char *cpu = meta->cpu_model;
    double cores = pyr_report_meta_number(meta->system_info, "cpu_count");
    char when[32];
    pyr_report_iso_time(meta->started_unix_s, when, sizeof when);
    line(out, "# Pyrometer: ", name, "\n\n");
    line(out, "", meta->engine ? meta->engine : "an unknown engine", ", ");
    if (cores > 0)
        pyr_buf_printf(out, "%.0f core%s of ", cores, cores == 1 ? "" : "s");
    line(out, "", cpu ? cpu : "an unknown processor", ", ");
    pyr_buf_printf(out, "%s\n\n", *when ? when : "at an unknown time");
    if (meta->note)
        line(out, "The model was ", meta->note, ".\n\n");
    if (meta->notes && *meta->notes)
        line(out, "", meta->notes, "\n\n");
    if (result->partial)
        line(out, "> **Partial**: ", result->partial, "\n\n");
    if (result->simulated)
        pyr_buf_puts(out, "> **Simulated**: the target follows a set law and no model ran; these "
                          "figures say nothing about any engine or machine.\n\n");
    if (result->warning_count) {
        pyr_buf_puts(out, "**Warnings**\n\n");
        put_list(out, "- ", result->warnings, result->warning_count);
        pyr_buf_putc(out, '\n');
    }
    pyr_buf_printf(out, "**%s**: ", pyr_grade_name(result->grade));
    line(out, "", result->grade_reason ? result->grade_reason : "no goal was set", "\n\n");
}

static void put_goals(struct pyr_buf *out, const struct pyr_result *result) {
    static const char *const signs[] = {[PYR_GOAL_MET] = "\u2705",
                                        [PYR_GOAL_MISSED] = "\u274c",
                                        [PYR_GOAL_UNDECIDED] = "\u2753",
                                        [PYR_GOAL_UNKNOWN] = "\u2796"};
    if (!result->goal_count)
        return;
    pyr_buf_puts(out, "| | goal | because | judged in |\n|---|---|---|---|\n");
    for (size_t i = 0; i < result->goal_count && i < LIST_MAX; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        pyr_buf_printf(out, "| %s %s | ", signs[row->verdict], pyr_goal_verdict_name(row->verdict));
        line(out, "", row->goal->label, " | ");
        line(out, "", row->why, " | ");
        line(out, "", row->case_id ? row->case_id : "-", " |\n");
    }
    pyr_buf_putc(out, '\n');
}

/* --- sections, each of which may be left out -----------------------------------------------------
 */

static void put_estimate(struct pyr_buf *out, const struct pyr_estimate *at, double factor) {
    if (isfinite(at->value))
        pyr_put_interval(out, at, (struct pyr_scale){factor, ""});
    else
        pyr_buf_putc(out, '-');
}

static void put_figures(struct pyr_buf *out, const struct pyr_suite_result *suite,
                        enum pyr_figure_group group) {
    struct pyr_figure figures[PYR_FIGURES_MAX];
    struct pyr_scale scales[PYR_FIGURES_MAX];
    size_t count = pyr_figures_choose(suite, group, figures);
    if (!count)
        return;
    bool counts = pyr_suite_has_requests(suite);
    pyr_buf_puts(out, counts ? "| case | ok |" : "| case |");
    for (size_t i = 0; i < count; i++) {
        scales[i] = pyr_scale_of_figure(suite, &figures[i]);
        pyr_buf_printf(out, " %s%s%s |", figures[i].header, *scales[i].unit ? ", " : "",
                       scales[i].unit);
    }
    pyr_buf_puts(out, counts ? "\n|---|--:|" : "\n|---|");
    for (size_t i = 0; i < count; i++)
        pyr_buf_puts(out, "--:|");
    pyr_buf_putc(out, '\n');
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        if (!pyr_case_in_table(suite, result))
            continue;
        line(out, "| ", pyr_case_short_id(suite, result), counts ? " | " : "");
        if (counts)
            pyr_buf_printf(out, "%llu", (unsigned long long)result->ok);
        if (result->ok != result->total)
            pyr_buf_printf(out, "/%llu", (unsigned long long)result->total);
        for (size_t j = 0; j < count; j++) {
            struct pyr_estimate at = pyr_figure_of(result, &figures[j]);
            pyr_buf_puts(out, " | ");
            put_estimate(out, &at, scales[j].factor);
        }
        pyr_buf_puts(out, " |\n");
    }
    pyr_buf_putc(out, '\n');
}

static void put_metrics(struct pyr_buf *out, const char *title,
                        const struct pyr_metric_result *rows, size_t count) {
    line(out, "| ", title, " | value or p50 | unit | n |\n|---|--:|---|--:|\n");
    for (size_t i = 0; i < count; i++) {
        const struct pyr_metric_info *info = pyr_metric_info(rows[i].metric);
        struct pyr_estimate at = pyr_metric_headline(&rows[i]);
        struct pyr_scale scale = pyr_scale_for(info->unit, isnan(at.value) ? 0 : at.value);
        pyr_buf_printf(out, "| %s | ", info->label);
        put_estimate(out, &at, scale.factor);
        pyr_buf_printf(out, " | %s | %llu |\n", scale.unit, (unsigned long long)rows[i].n);
    }
    pyr_buf_putc(out, '\n');
}

static void put_notes(struct pyr_buf *out, const struct pyr_suite_result *suite) {
    size_t said = 0;
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        const char *notes[3] = {
            result->total && result->steadiness == PYR_NEVER_STEADY ? "never steady" : NULL,
            result->total && result->saturating ? "saturating: queue and TTFT still rose at the end"
                                                : NULL,
            result->serialises};
        for (size_t j = 0; j < 3 + result->warning_count; j++) {
            const char *note = j < 3 ? notes[j] : result->warnings[j - 3];
            if (!note || said++ >= LIST_MAX)
                continue;
            line(out, "- ", pyr_case_short_id(suite, result), ": ");
            line(out, "", note, "\n");
        }
    }
    const char *case_id = NULL;
    uint64_t needs = pyr_figures_p99_needs(suite, &case_id);
    if (needs) {
        pyr_buf_printf(
            out, "- p99 needs up to %llu more requests a case (most: ", (unsigned long long)needs);
        line(out, "", case_id, ")\n");
    }
    if (said || needs)
        pyr_buf_putc(out, '\n');
}

static void put_suite(struct pyr_buf *out, const struct pyr_suite_result *suite) {
    line(out, "## ", suite->name, "\n\n");
    for (size_t i = 0; i < suite->case_count; i++)
        if (!pyr_case_in_table(suite, &suite->cases[i]) && suite->cases[i].metric_count)
            put_metrics(out, pyr_case_short_id(suite, &suite->cases[i]), suite->cases[i].metrics,
                        suite->cases[i].metric_count);
    put_figures(out, suite, PYR_FIGURES_SPEED);
    put_notes(out, suite);
}

static void put_suite_details(struct pyr_buf *out, const struct pyr_suite_result *suite) {
    line(out, "<details><summary>more of ", suite->name, "</summary>\n\n");
    put_figures(out, suite, PYR_FIGURES_MORE);
    put_figures(out, suite, PYR_FIGURES_DETAIL);
    put_figures(out, suite, PYR_FIGURES_MACHINE);
    pyr_buf_puts(out, "</details>\n\n");
}

static void put_instrument(struct pyr_buf *out, const struct pyr_result *result) {
    pyr_buf_puts(out, "## Instrument\n\n");
    pyr_calibrations_markdown(out, result);
    struct pyr_metric_result rows[PYR_METRIC_COUNT];
    size_t count = pyr_calibrations_leave(result, rows);
    if (count)
        put_metrics(out, result->calibration_count ? "beside it" : "own error", rows, count);
    if (result->noise_floor) {
        pyr_buf_printf(out, "Noise floor of this machine: %.1f %% (%llu pairs, ",
                       100 * result->noise_floor->ratio,
                       (unsigned long long)result->noise_floor->pairs);
        line(out, "", result->noise_floor->source, "); smaller differences mean nothing.\n\n");
    }
}

static void put_environment(struct pyr_buf *out, const struct pyr_report_meta *meta) {
    const char *command = meta->repeat_command ? meta->repeat_command : meta->command;
    const char *key;
    json_t *value;
    pyr_buf_puts(out, "## Environment\n\n| | |\n|---|---|\n");
    json_object_foreach(meta->system_info, key, value) {
        struct pyr_buf shown = {0};
        if (json_is_string(value))
            pyr_buf_puts(&shown, json_string_value(value));
        else
            pyr_json_compact(&shown, value);
        line(out, "| ", key, " | ");
        line(out, "", json_is_null(value) ? "unknown" : pyr_buf_text(&shown), " |\n");
        pyr_buf_deinit(&shown);
    }
    pyr_buf_putc(out, '\n');
    if (command)
        code_block(out, command);
}

/* --- putting together --------------------------------------------------------------------------
 */

struct paper {
    struct pyr_buf *out;
    size_t max_bytes, left_out;
};

/* Takes the section over if it fits, and frees it. */
static void add_section(struct paper *paper, struct pyr_buf *section) {
    if (paper->out->length + section->length + CLOSING_BYTES <= paper->max_bytes)
        pyr_buf_append(paper->out, section->data, section->length);
    else
        paper->left_out++;
    pyr_buf_deinit(section);
}

void pyr_markdown_put(struct pyr_buf *out, const struct pyr_result *result, size_t max_bytes) {
    struct paper paper = {out, max_bytes, 0};
    struct pyr_report_meta meta;
    pyr_report_meta_open(result->meta_json, &meta);
    put_head(out, result, &meta);
    put_goals(out, result);
    if (result->recommendation_count) {
        pyr_buf_puts(out, "**Recommendations**\n\n");
        put_list(out, "- ", result->recommendations, result->recommendation_count);
        pyr_buf_putc(out, '\n');
    }
    if (!result->suite_count)
        pyr_buf_puts(out, "Nothing was measured.\n\n");
    struct pyr_buf section = {0};
    for (size_t i = 0; i < result->suite_count; i++) {
        put_suite(&section, &result->suites[i]);
        add_section(&paper, &section);
    }
    put_environment(&section, &meta);
    add_section(&paper, &section);
    if (result->instrument_count || result->calibration_count || result->noise_floor) {
        put_instrument(&section, result);
        add_section(&paper, &section);
    }
    for (size_t i = 0; i < result->suite_count; i++) {
        put_suite_details(&section, &result->suites[i]);
        add_section(&paper, &section);
    }
    if (paper.left_out)
        pyr_buf_printf(out,
                       "%zu sections were left out to keep this short; results.json has all.\n\n",
                       paper.left_out);
    pyr_buf_puts(out,
                 "Brackets hold 95 % intervals; ? is an end that so few values cannot bound.\n");
    pyr_report_meta_close(&meta);
}

bool pyr_report_markdown(const struct pyr_result *result, const struct pyr_report_options *options,
                         struct pyr_buf *out, struct pyr_err *err) {
    (void)options;
    (void)err;
    pyr_markdown_put(out, result, SIZE_MAX);
    return true;
}
