/* SPDX-License-Identifier: MIT */
#include "judge/baseline.h"

#include "base/fs.h"
#include "judge/compare_rows.h"
#include "report/json_text.h"
#include "stats/uses.h"
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

/* --- the spread ----------------------------------------------------------------------------------
 */

/* False when no run has it. An error rate of 0 has no logarithm. */
static bool spread_of(struct pyr_arena *arena, const struct pyr_kept_run *const *runs, size_t count,
                      const struct pyr_kept_case *kept, const struct pyr_compare_row *row,
                      struct pyr_run_spread *spread) {
    struct pyr_compare_values values =
        pyr_compare_gather(arena, runs, count, kept->suite, kept->id, row);
    if (values.count == 0 || row->metric == PYR_M_ERROR_RATE)
        return false;
    double logs = 0, squares = 0;
    *spread = (struct pyr_run_spread){.suite = kept->suite,
                                      .case_id = kept->id,
                                      .metric = pyr_metric_by_load(row->metric, kept->open_loop),
                                      .statistic = pyr_kept_names[row->statistic],
                                      .count = values.count,
                                      .least = (double)INFINITY,
                                      .cv = (double)NAN};
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
    return true;
}

size_t pyr_baseline_spreads(struct pyr_arena *arena, const struct pyr_kept_run *runs, size_t count,
                            const struct pyr_run_spread **spreads) {
    const struct pyr_kept_run **all = pyr_arena_array(arena, count, sizeof *all);
    const struct pyr_kept_run *last = &runs[count - 1];
    struct pyr_compare_rows rows;
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        all[i] = &runs[i];
    pyr_compare_rows_fill(&rows);
    struct pyr_run_spread *list =
        pyr_arena_array(arena, last->case_count * rows.count, sizeof *list);
    for (size_t i = 0; i < last->case_count; i++) {
        bool taken[PYR_COMPARE_GROUPS] = {false};
        for (size_t k = 0; k < rows.count; k++) {
            const struct pyr_compare_row *row = &rows.items[k];
            if (!spread_of(arena, all, count, &last->cases[i], row, &list[found]))
                continue;
            list[found++].judged_by = row->group != 0 && !taken[row->group];
            taken[row->group] = true;
        }
    }
    *spreads = list;
    return found;
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

bool pyr_baseline_write(const char *folder, const json_t *results, const char *report,
                        const char *targets, struct pyr_err *err) {
    struct pyr_buf text = {0};
    if (!pyr_fs_make_dirs(folder, err) || !move_older(folder, err))
        return false;
    pyr_baseline_json(results, &text);
    bool fine = write_buf(folder, "baseline_results.json", &text, err);
    if (targets) {
        pyr_buf_puts(&text, targets);
    } else {
        json_t *object = targets_json(json_array_get(results, json_array_size(results) - 1));
        pyr_json_pretty(&text, object);
        json_decref(object);
    }
    fine = fine && write_buf(folder, "performance_targets.json", &text, err);
    pyr_buf_clear(&text);
    pyr_buf_puts(&text, report);
    fine = fine && write_buf(folder, "baseline_report.md", &text, err);
    pyr_buf_deinit(&text);
    return fine;
}
