/* SPDX-License-Identifier: MIT */
#include "report/baseline.h"

#include "estimate/predict.h"
#include "report/figures.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 4 };

static const char *label_of(const struct pyr_run_spread *spread) {
    return pyr_metric_info(spread->metric)->label;
}

static struct pyr_scale scale_of(const struct pyr_run_spread *spread) {
    return pyr_scale_for(pyr_metric_info(spread->metric)->unit, spread->most);
}

static void put_range(struct pyr_buf *out, const struct pyr_run_spread *spread) {
    struct pyr_scale scale = scale_of(spread);
    pyr_put_number(out, spread->least * scale.factor);
    pyr_buf_puts(out, " .. ");
    pyr_put_number(out, spread->most * scale.factor);
}

static void put_mean(struct pyr_buf *out, const struct pyr_run_spread *spread) {
    struct pyr_scale scale = scale_of(spread);
    pyr_put_number(out, spread->mean * scale.factor);
    pyr_buf_printf(out, " %s", scale.unit);
}

static void put_statistic(struct pyr_buf *out, const struct pyr_run_spread *spread) {
    if (strcmp(spread->statistic, "value") != 0)
        pyr_buf_printf(out, " %s", spread->statistic);
}

/* --- for a terminal ------------------------------------------------------------------------------
 */

static const char *keep_text(struct pyr_arena *arena, struct pyr_buf *buf, bool ascii) {
    struct pyr_buf clean = {0};
    pyr_text_clean(&clean, pyr_buf_text(buf), ascii);
    const char *text = pyr_arena_strdup(arena, pyr_buf_text(&clean));
    pyr_buf_deinit(&clean);
    pyr_buf_clear(buf);
    return text;
}

/* "TTFT (from sent)" without what stands in brackets: a case has one of the two. */
static void fill_cells(struct pyr_arena *arena, const struct pyr_run_spread *spread, bool ascii,
                       struct pyr_cell *cells) {
    struct pyr_buf buf = {0};
    const char *label = label_of(spread);
    pyr_buf_printf(&buf, "%s %.*s", *spread->case_id ? spread->case_id : spread->suite,
                   (int)strcspn(label, "("), label);
    while (buf.length && buf.data[buf.length - 1] == ' ')
        buf.data[--buf.length] = '\0';
    put_statistic(&buf, spread);
    cells[0].full = keep_text(arena, &buf, ascii);
    put_mean(&buf, spread);
    cells[1].full = keep_text(arena, &buf, ascii);
    put_range(&buf, spread);
    cells[2].full = keep_text(arena, &buf, ascii);
    pyr_buf_printf(&buf, "%.1f %%", 100 * spread->cv);
    cells[3].full = keep_text(arena, &buf, ascii);
    pyr_buf_deinit(&buf);
}

/* The names of metrics that too few runs have. */
static void note_missing(struct pyr_buf *missing, const struct pyr_run_spread *spread,
                         size_t runs) {
    pyr_buf_printf(missing, "%s%s %s", missing->length ? ", " : "", spread->case_id,
                   label_of(spread));
    put_statistic(missing, spread);
    pyr_buf_printf(missing, " (%zu of %zu runs)", spread->count, runs);
}

void pyr_report_baseline_terminal(const struct pyr_run_spread *spreads, size_t count, size_t runs,
                                  const struct pyr_paper *paper) {
    static const struct pyr_column columns[COLUMNS] = {{"metric", "", true},
                                                       {"mean of the runs", "", false},
                                                       {"least .. most", "", false},
                                                       {"spread", "", false}};
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_cell *cells = pyr_arena_array(arena, count * COLUMNS, sizeof *cells);
    struct pyr_buf missing = {0};
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        if (!spreads[i].judged_by)
            continue;
        if (spreads[i].count < PYR_STORED_RUNS_LEAST)
            note_missing(&missing, &spreads[i], runs);
        else
            fill_cells(arena, &spreads[i], paper->ascii, &cells[rows++ * COLUMNS]);
    }
    const struct pyr_table table = {columns, cells, COLUMNS, rows};
    if (rows)
        pyr_paper_table(paper, &table);
    pyr_paper_wrap(paper, PYR_STYLE_DIM, "  ",
                   "spread: the coefficient of variation between runs; a further run is judged "
                   "against it");
    if (missing.length) {
        struct pyr_buf text = {0};
        pyr_buf_printf(&text,
                       "too few runs to judge by, give more --duration (the time of all runs "
                       "together): %s",
                       pyr_buf_text(&missing));
        pyr_paper_wrap(paper, PYR_STYLE_WARN, "  ! ", pyr_buf_text(&text));
        pyr_buf_deinit(&text);
    }
    pyr_buf_deinit(&missing);
    pyr_arena_destroy(arena);
}

/* --- Markdown ------------------------------------------------------------------------------------
 */

static void put_row(const struct pyr_run_spread *spread, struct pyr_buf *out) {
    pyr_buf_printf(out, "| %s %s | %s", spread->suite, spread->case_id, label_of(spread));
    put_statistic(out, spread);
    pyr_buf_puts(out, " | ");
    put_mean(out, spread);
    pyr_buf_puts(out, " | ");
    put_range(out, spread);
    if (isnan(spread->cv))
        pyr_buf_printf(out, " | - | %zu |\n", spread->count);
    else
        pyr_buf_printf(out, " | %.1f %% | %zu |\n", 100 * spread->cv, spread->count);
}

static void put_text(struct pyr_buf *out, const char *label, const json_t *object,
                     const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    if (text)
        pyr_buf_printf(out, "- %s: `%s`\n", label, text);
}

static void put_goals(const json_t *result, struct pyr_buf *out) {
    const json_t *assessment = json_object_get(result, "overall_assessment");
    const json_t *targets = json_object_get(assessment, "targets");
    if (json_array_size(targets) == 0)
        return;
    pyr_buf_puts(out, "\n## Goals of the last run\n\n| goal | verdict | why |\n|---|---|---|\n");
    size_t i;
    json_t *one;
    json_array_foreach(targets, i, one) {
        const char *label = json_string_value(json_object_get(one, "label"));
        const char *verdict = json_string_value(json_object_get(one, "verdict"));
        const char *why = json_string_value(json_object_get(one, "why"));
        pyr_buf_printf(out, "| `%s` | %s | %s |\n", label ? label : "", verdict ? verdict : "",
                       why ? why : "");
    }
    pyr_buf_printf(out, "\n%lld of %lld decided goals met, %lld goals in all.\n",
                   (long long)json_integer_value(json_object_get(assessment, "targets_met")),
                   (long long)json_integer_value(json_object_get(assessment, "targets_decided")),
                   (long long)json_integer_value(json_object_get(assessment, "total_targets")));
}

void pyr_report_baseline_markdown(const json_t *results, const struct pyr_run_spread *spreads,
                                  size_t count, struct pyr_buf *out) {
    size_t runs = json_array_size(results);
    const json_t *last = json_array_get(results, runs - 1);
    const json_t *system = json_object_get(last, "system_info");
    pyr_buf_printf(out, "# Baseline\n\n%zu runs, each in a process of its own.\n\n", runs);
    put_text(out, "command of a run", last, "command");
    put_text(out, "target", json_object_get(last, "target"), "name");
    put_text(out, "engine", json_object_get(last, "target"), "engine");
    put_text(out, "CPU", json_object_get(system, "cpu"), "model");
    put_text(out, "kernel", system, "kernel");
    pyr_buf_puts(out, "\nThe spread is the coefficient of variation between runs: what one further "
                      "run is held against.\n\n"
                      "| case | metric | mean | least .. most | spread | runs |\n"
                      "|---|---|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < count; i++)
        put_row(&spreads[i], out);
    put_goals(last, out);
}
