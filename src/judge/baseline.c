/* SPDX-License-Identifier: MIT */
#include "judge/baseline.h"

#include "base/fs.h"
#include "estimate/predict.h"
#include "judge/compare_rows.h"
#include "report/figures.h"
#include "report/json_text.h"
#include "store/import.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

void pyr_baseline_json(const json_t *results, struct pyr_buf *out) {
    json_t *root = json_object();
    pyr_json_put(root, "schema", pyr_json_text(PYR_BASELINE_SCHEMA));
    json_object_set(root, "runs", (json_t *)results);
    pyr_json_pretty(out, root);
    json_decref(root);
}

/* --- the report ----------------------------------------------------------------------------------
 */

/* One number over the runs. */
struct spread {
    size_t count;
    double mean, least, most, cv; /* geometric; cv NaN for one run alone */
    const struct pyr_metric_info *info;
    struct pyr_scale scale;
};

/* False when no run has it. An error rate of 0 has no logarithm. */
static bool spread_of(struct pyr_arena *arena, const struct pyr_kept_run *const *runs, size_t count,
                      const struct pyr_kept_case *kept, const struct pyr_compare_row *row,
                      struct spread *spread) {
    struct pyr_compare_values values =
        pyr_compare_gather(arena, runs, count, kept->suite, kept->id, row);
    if (values.count == 0 || row->metric == PYR_M_ERROR_RATE)
        return false;
    double logs = 0, squares = 0;
    *spread = (struct spread){.count = values.count, .least = (double)INFINITY, .cv = (double)NAN};
    for (size_t i = 0; i < values.count; i++) {
        logs += log(values.items[i]) / (double)values.count;
        spread->least = fmin(spread->least, values.items[i]);
        spread->most = fmax(spread->most, values.items[i]);
    }
    for (size_t i = 0; i < values.count; i++)
        squares += (log(values.items[i]) - logs) * (log(values.items[i]) - logs);
    spread->mean = exp(logs);
    if (values.count > 1)
        spread->cv = sqrt(squares / (double)(values.count - 1));
    spread->info = pyr_metric_info(pyr_metric_by_load(row->metric, kept->open_loop));
    spread->scale = pyr_scale_for(spread->info->unit, spread->most);
    return true;
}

static void put_range(struct pyr_buf *out, const struct spread *spread) {
    pyr_put_number(out, spread->least * spread->scale.factor);
    pyr_buf_puts(out, " .. ");
    pyr_put_number(out, spread->most * spread->scale.factor);
}

static void put_statistic(struct pyr_buf *out, const struct pyr_compare_row *row) {
    if (row->statistic != PYR_KEPT_VALUE)
        pyr_buf_printf(out, " %s", pyr_kept_names[row->statistic]);
}

static void put_row(struct pyr_arena *arena, const struct pyr_kept_run *const *runs, size_t count,
                    const struct pyr_kept_case *kept, const struct pyr_compare_row *row,
                    struct pyr_buf *out) {
    struct spread spread;
    if (!spread_of(arena, runs, count, kept, row, &spread))
        return;
    pyr_buf_printf(out, "| %s %s | %s", kept->suite, kept->id, spread.info->label);
    put_statistic(out, row);
    pyr_buf_puts(out, " | ");
    pyr_put_number(out, spread.mean * spread.scale.factor);
    pyr_buf_printf(out, " %s | ", spread.scale.unit);
    put_range(out, &spread);
    if (isnan(spread.cv))
        pyr_buf_printf(out, " | - | %zu |\n", spread.count);
    else
        pyr_buf_printf(out, " | %.1f %% | %zu |\n", 100 * spread.cv, spread.count);
}

/* --- for a terminal ------------------------------------------------------------------------------
 */

enum { COLUMNS = 4 };

static const char *keep_text(struct pyr_arena *arena, struct pyr_buf *buf, bool ascii) {
    struct pyr_buf clean = {0};
    pyr_text_clean(&clean, pyr_buf_text(buf), ascii);
    const char *text = pyr_arena_strdup(arena, pyr_buf_text(&clean));
    pyr_buf_deinit(&clean);
    pyr_buf_clear(buf);
    return text;
}

/* "TTFT (from sent)" without what stands in brackets: a case has one of the two. */
static void fill_cells(struct pyr_arena *arena, const struct pyr_kept_case *kept,
                       const struct pyr_compare_row *row, const struct spread *spread, bool ascii,
                       struct pyr_cell *cells) {
    struct pyr_buf buf = {0};
    pyr_buf_printf(&buf, "%s %.*s", *kept->id ? kept->id : kept->suite,
                   (int)(strcspn(spread->info->label, "(")), spread->info->label);
    while (buf.length && buf.data[buf.length - 1] == ' ')
        buf.data[--buf.length] = '\0';
    put_statistic(&buf, row);
    cells[0].full = keep_text(arena, &buf, ascii);
    pyr_put_number(&buf, spread->mean * spread->scale.factor);
    pyr_buf_printf(&buf, " %s", spread->scale.unit);
    cells[1].full = keep_text(arena, &buf, ascii);
    put_range(&buf, spread);
    cells[2].full = keep_text(arena, &buf, ascii);
    pyr_buf_printf(&buf, "%.1f %%", 100 * spread->cv);
    cells[3].full = keep_text(arena, &buf, ascii);
    pyr_buf_deinit(&buf);
}

/* The names of a case's metrics that too few runs have. */
static void note_missing(struct pyr_buf *missing, const struct pyr_kept_case *kept,
                         const struct spread *spread, const struct pyr_compare_row *row,
                         size_t count) {
    pyr_buf_printf(missing, "%s%s %s", missing->length ? ", " : "", kept->id, spread->info->label);
    put_statistic(missing, row);
    pyr_buf_printf(missing, " (%zu of %zu runs)", spread->count, count);
}

void pyr_baseline_terminal(const struct pyr_kept_run *runs, size_t count,
                           const struct pyr_paper *paper) {
    static const struct pyr_column columns[COLUMNS] = {{"metric", "", true},
                                                       {"mean of the runs", "", false},
                                                       {"least .. most", "", false},
                                                       {"spread", "", false}};
    struct pyr_arena *arena = pyr_arena_create();
    const struct pyr_kept_run **all = pyr_arena_array(arena, count, sizeof *all);
    size_t room = 0, rows = 0;
    for (size_t i = 0; i < count; i++)
        all[i] = &runs[i];
    const struct pyr_kept_run *last = all[count - 1];
    for (size_t i = 0; i < last->case_count; i++)
        room += PYR_COMPARE_GROUPS;
    struct pyr_cell *cells = pyr_arena_array(arena, room * COLUMNS, sizeof *cells);
    struct pyr_buf missing = {0};
    struct pyr_compare_rows compared;
    pyr_compare_rows_fill(&compared);
    for (size_t i = 0; i < last->case_count; i++) {
        bool taken[PYR_COMPARE_GROUPS] = {false};
        for (size_t k = 0; k < compared.count; k++) {
            const struct pyr_compare_row *row = &compared.items[k];
            struct spread spread;
            if (row->group == 0 || taken[row->group] ||
                !spread_of(arena, all, count, &last->cases[i], row, &spread))
                continue;
            taken[row->group] = true;
            if (spread.count < PYR_STORED_RUNS_LEAST)
                note_missing(&missing, &last->cases[i], &spread, row, count);
            else
                fill_cells(arena, &last->cases[i], row, &spread, paper->ascii,
                           &cells[rows++ * COLUMNS]);
        }
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

void pyr_baseline_markdown(const json_t *results, const struct pyr_kept_run *runs, size_t count,
                           struct pyr_buf *out) {
    struct pyr_arena *arena = pyr_arena_create();
    const struct pyr_kept_run **all = pyr_arena_array(arena, count, sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = &runs[i];
    const json_t *last = json_array_get(results, count - 1);
    const json_t *system = json_object_get(last, "system_info");
    pyr_buf_printf(out, "# Baseline\n\n%zu runs, each in a process of its own.\n\n", count);
    put_text(out, "command of a run", last, "command");
    put_text(out, "target", json_object_get(last, "target"), "name");
    put_text(out, "engine", json_object_get(last, "target"), "engine");
    put_text(out, "CPU", json_object_get(system, "cpu"), "model");
    put_text(out, "kernel", system, "kernel");
    pyr_buf_puts(out, "\nThe spread is the coefficient of variation between runs: what one further "
                      "run is held against.\n\n"
                      "| case | metric | mean | least .. most | spread | runs |\n"
                      "|---|---|---:|---:|---:|---:|\n");
    struct pyr_compare_rows compared;
    pyr_compare_rows_fill(&compared);
    for (size_t i = 0; i < runs[count - 1].case_count; i++)
        for (size_t k = 0; k < compared.count; k++)
            put_row(arena, all, count, &runs[count - 1].cases[i], &compared.items[k], out);
    put_goals(last, out);
    pyr_arena_destroy(arena);
}

/* --- the goals -----------------------------------------------------------------------------------
 */

/* The seven keys that --targets knows, from the goals that the run was held against. */
static json_t *targets_json(const json_t *result) {
    static const struct {
        const char *key, *metric, *statistic;
        double scale; /* from the metric's unit */
    } keys[] = {
        {"inference_latency_ms", "latency_sched", "mean", 1e-6},
        {"memory_efficiency_mb", "engine_memory", "value", 1e-6},
        {"throughput_rps", "request_throughput", "value", 1},
        {"model_loading_time_ms", "load_time", "mean", 1e-6},
        {"cache_hit_ratio", "cache_hit_ratio", "value", 1},
        {"cpu_utilization", "cpu_utilization", "value", 1},
        {"memory_utilization", "memory_utilization", "value", 1},
    };
    const json_t *targets =
        json_object_get(json_object_get(result, "overall_assessment"), "targets");
    json_t *object = json_object();
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        pyr_json_put(object, keys[k].key, json_null());
        size_t i;
        json_t *one;
        json_array_foreach(targets, i, one) {
            const char *metric = json_string_value(json_object_get(one, "metric"));
            const char *statistic = json_string_value(json_object_get(one, "statistic"));
            const json_t *limit = json_object_get(one, "limit");
            if (metric && statistic && json_is_number(limit) &&
                strcmp(metric, keys[k].metric) == 0 && strcmp(statistic, keys[k].statistic) == 0)
                pyr_json_put(object, keys[k].key,
                             pyr_json_number(json_number_value(limit) * keys[k].scale));
        }
    }
    return object;
}

static bool write_buf(const char *folder, const char *name, struct pyr_buf *text,
                      struct pyr_err *err) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    bool fine = pyr_fs_write_whole(path, pyr_buf_text(text), text->length, err);
    pyr_buf_clear(text);
    return fine;
}

/* The baseline that lies there is somebody's yardstick: it is moved, not overwritten. */
static bool move_older(const char *folder, struct pyr_err *err) {
    char from[4096], to[8192];
    snprintf(from, sizeof from, "%s/baseline_results.json", folder);
    struct stat file;
    if (stat(from, &file) != 0)
        return true;
    char when[32];
    struct tm utc;
    gmtime_r(&file.st_mtime, &utc);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &utc);
    snprintf(to, sizeof to, "%s/history/%s", folder, when);
    if (!pyr_fs_make_dirs(to, err))
        return false;
    snprintf(to, sizeof to, "%s/history/%s/baseline_results.json", folder, when);
    return rename(from, to) == 0 || pyr_fail_errno(err, errno, "%s: moving it to %s", from, to);
}

bool pyr_baseline_write(const char *folder, const json_t *results, const struct pyr_kept_run *runs,
                        size_t count, const char *targets, struct pyr_err *err) {
    struct pyr_buf text = {0};
    if (!pyr_fs_make_dirs(folder, err) || !move_older(folder, err))
        return false;
    pyr_baseline_json(results, &text);
    bool fine = write_buf(folder, "baseline_results.json", &text, err);
    if (targets) {
        pyr_buf_puts(&text, targets);
    } else {
        json_t *object = targets_json(json_array_get(results, count - 1));
        pyr_json_pretty(&text, object);
        json_decref(object);
    }
    fine = fine && write_buf(folder, "performance_targets.json", &text, err);
    pyr_buf_clear(&text);
    pyr_baseline_markdown(results, runs, count, &text);
    fine = fine && write_buf(folder, "baseline_report.md", &text, err);
    pyr_buf_deinit(&text);
    return fine;
}
