/* SPDX-License-Identifier: MIT */
#include "store/import.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "estimate/dist.h"
#include "store/import_format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A result file holds summaries; the largest that other tools write (every request in it) are some
 * hundred megabytes. */
static const size_t most_bytes = (size_t)512 << 20;

/* In the order in which they are tried: what is most particular first. */
const struct pyr_import_row pyr_import_rows[] = {
    {"pyrometer", "results.json of this program"},
    {"llama-bench", "llama-bench -o json or jsonl"},
    {"hyperfine", "hyperfine --export-json"},
    {"criterion", "cargo criterion --message-format=json, or an estimates.json"},
    {"guidellm", "GuideLLM's benchmarks.json"},
    {"aiperf", "AIPerf's profile_export_aiperf.json"},
    {"vllm", "vllm bench serve --save-result"},
    {"nested", "benchmarks.NAME and stress_test.concurrency_N with their keys"},
    {"array", "an array of one object a backend and model (baseline_results.json)"},
    {"flat", "one object with avg_latency_ms, throughput_rps, ..."},
    {NULL, NULL},
};
static const struct pyr_import_format *const formats[] = {
    &pyr_import_pyrometer, &pyr_import_llama_bench, &pyr_import_hyperfine, &pyr_import_criterion,
    &pyr_import_guidellm,  &pyr_import_aiperf,      &pyr_import_vllm,      &pyr_import_nested,
    &pyr_import_array,     &pyr_import_flat,
};

struct pyr_kept_case *pyr_import_case(struct pyr_import *import, const char *suite,
                                      const char *id) {
    struct pyr_kept_run *run = import->run;
    struct pyr_kept_case *cases = (struct pyr_kept_case *)run->cases;
    for (size_t i = 0; i < run->case_count; i++)
        if (strcmp(cases[i].id, id) == 0 && strcmp(cases[i].suite, suite) == 0)
            return &cases[i];
    if (run->case_count == import->case_capacity) {
        import->case_capacity = import->case_capacity ? 2 * import->case_capacity : 16;
        struct pyr_kept_case *grown =
            pyr_arena_array(import->arena, import->case_capacity, sizeof *grown);
        if (run->case_count)
            memcpy(grown, cases, run->case_count * sizeof *grown);
        run->cases = cases = grown;
    }
    struct pyr_kept_case *made = &cases[run->case_count++];
    *made = (struct pyr_kept_case){.suite = pyr_arena_strdup(import->arena, suite),
                                   .id = pyr_arena_strdup(import->arena, id),
                                   .params = ""};
    return made;
}

struct pyr_kept_metric *pyr_import_metric(struct pyr_import *import, struct pyr_kept_case *kept,
                                          enum pyr_metric metric) {
    struct pyr_kept_metric *metrics = (struct pyr_kept_metric *)kept->metrics;
    for (size_t i = 0; i < kept->metric_count; i++)
        if (metrics[i].metric == metric)
            return &metrics[i];
    size_t count = kept->metric_count;
    if (count == 0 || (count >= 8 && (count & (count - 1)) == 0)) { /* full: room doubles from 8 */
        struct pyr_kept_metric *grown =
            pyr_arena_array(import->arena, count ? 2 * count : 8, sizeof *grown);
        if (count)
            memcpy(grown, metrics, count * sizeof *grown);
        kept->metrics = metrics = grown;
    }
    struct pyr_kept_metric *made = &metrics[kept->metric_count++];
    *made = (struct pyr_kept_metric){.metric = metric,
                                     .source = import->source,
                                     .sd = (double)NAN,
                                     .min = (double)NAN,
                                     .max = (double)NAN};
    for (int i = 0; i < PYR_KEPT_COUNT; i++)
        made->at[i] = pyr_estimate_unknown(NULL);
    return made;
}

bool pyr_import_number(const struct pyr_import *import, const json_t *value, const char *what,
                       double *number, struct pyr_err *err) {
    *number = (double)NAN;
    if (!value || json_is_null(value))
        return true;
    if (!json_is_number(value))
        return pyr_fail(err, PYR_E_INPUT, "%s: '%s' is no number; write it again with its tool",
                        import->name, what);
    *number = json_number_value(value);
    return *number >= 0 ||
           pyr_fail(
               err, PYR_E_INPUT,
               "%s: '%s' is %g, and no such figure is below zero; write it again with its tool",
               import->name, what, *number);
}

bool pyr_import_count(const struct pyr_import *import, const json_t *value, const char *what,
                      double *count, struct pyr_err *err) {
    if (!pyr_import_number(import, value, what, count, err))
        return false;
    return !(*count > 0x1p53) ||
           pyr_fail(err, PYR_E_INPUT,
                    "%s: '%s' is %g, more than can be counted; write it again with its tool",
                    import->name, what, *count);
}

void pyr_import_put(struct pyr_import *import, struct pyr_kept_case *kept, enum pyr_metric metric,
                    int statistic, double value) {
    if (isnan(value))
        return;
    struct pyr_kept_metric *to = pyr_import_metric(import, kept, metric);
    if (statistic < PYR_KEPT_COUNT)
        to->at[statistic].value = value;
    else if (statistic == PYR_IMPORT_SD)
        to->sd = value;
    else if (statistic == PYR_IMPORT_MIN)
        to->min = value;
    else
        to->max = value;
}

bool pyr_import_keys(struct pyr_import *import, struct pyr_kept_case *kept, const json_t *object,
                     const struct pyr_import_key *keys, size_t key_count, uint64_t n,
                     struct pyr_err *err) {
    for (size_t i = 0; i < key_count; i++) {
        double number;
        if (!pyr_import_number(import, json_object_get(object, keys[i].key), keys[i].key, &number,
                               err))
            return false;
        if (isnan(number))
            continue;
        pyr_import_put(import, kept, keys[i].metric, keys[i].statistic, number * keys[i].scale);
        pyr_import_metric(import, kept, keys[i].metric)->n = n;
    }
    return true;
}

void pyr_import_bound_mean(struct pyr_kept_metric *metric) {
    struct pyr_estimate *mean = &metric->at[PYR_KEPT_MEAN];
    if (metric->n < 2 || isnan(metric->sd) || isnan(mean->value))
        return;
    double half =
        pyr_student_quantile(0.975, (double)(metric->n - 1)) * metric->sd / sqrt((double)metric->n);
    mean->lo = mean->value - half;
    mean->hi = mean->value + half;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool pyr_import_values(struct pyr_import *import, struct pyr_kept_case *kept,
                       enum pyr_metric metric, const json_t *values, double scale,
                       struct pyr_err *err) {
    size_t n = json_array_size(values);
    if (n == 0)
        return true;
    double *sorted = pyr_arena_array(import->arena, n, sizeof *sorted), sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (!pyr_import_number(import, json_array_get(values, i), "a measured value", &sorted[i],
                               err))
            return false;
        if (isnan(sorted[i]))
            return pyr_fail(err, PYR_E_INPUT, "%s: a measured value is null", import->name);
        sorted[i] *= scale;
        sum += sorted[i];
    }
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (sorted[i] - mean) * (sorted[i] - mean);
    qsort(sorted, n, sizeof *sorted, ascending);
    struct pyr_kept_metric *to = pyr_import_metric(import, kept, metric);
    to->n = n;
    to->min = sorted[0];
    to->max = sorted[n - 1];
    to->sd = n > 1 ? sqrt(squares / (double)(n - 1)) : (double)NAN;
    to->at[PYR_KEPT_MEAN].value = mean;
    to->at[PYR_KEPT_P50].value = sorted[(n + 1) / 2 - 1]; /* the order statistic ceil(n/2) */
    pyr_import_bound_mean(to);
    return true;
}

const char *pyr_import_member_text(struct pyr_import *import, const json_t *object,
                                   const char *key) {
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        return pyr_arena_strdup(import->arena, json_string_value(value));
    if (!json_is_number(value) && !json_is_boolean(value))
        return NULL;
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    const char *copy = pyr_arena_strdup(import->arena, text);
    pyr_free(text);
    return copy;
}

static bool is_blank(const char *text, size_t size) {
    while (size > 0 && strchr(" \t\r\n", *text))
        text++, size--;
    return size == 0;
}

/* `at_end`: nothing follows what could not be read, as where a word was cut in two. */
static json_t *fail_json(const char *name, const json_error_t *json, bool at_end,
                         struct pyr_err *err) {
    const char *cause = json->text;
    bool no_number = strstr(cause, "'NaN'") || strstr(cause, "'Infinity'") || strstr(cause, "'-'");
    if (strstr(cause, "end of file") || strstr(cause, "premature end") || (at_end && !no_number))
        pyr_fail(err, PYR_E_INPUT, "%s: cut off at line %d; copy or write it again", name,
                 json->line);
    else if (no_number)
        pyr_fail(err, PYR_E_INPUT,
                 "%s: line %d: %s: NaN and infinity are no JSON, and nothing can be compared with "
                 "them; write it again with its tool",
                 name, json->line, cause);
    else
        pyr_fail(err, PYR_E_INPUT, "%s: line %d is no JSON: %s", name, json->line, cause);
    return NULL;
}

/* One value, or the values of JSON lines as an array. */
static json_t *parse(const char *name, const char *text, size_t size, struct pyr_err *err) {
    json_t *lines = NULL;
    size_t at = 0;
    int line = 0;
    while (!is_blank(text + at, size - at)) {
        json_error_t json;
        json_t *value = json_loadb(text + at, size - at, JSON_DISABLE_EOF_CHECK, &json);
        if (!value) {
            json.line += line;
            json_decref(lines);
            size_t read = at + (size_t)json.position;
            return fail_json(name, &json, read >= size || is_blank(text + read, size - read), err);
        }
        size_t used = (size_t)json.position;
        for (size_t i = at; i < at + used; i++)
            line += text[i] == '\n';
        at += used;
        if (!lines && is_blank(text + at, size - at))
            return value;
        if (!lines)
            lines = json_array();
        json_array_append_new(lines, value);
    }
    if (!lines)
        pyr_fail(err, PYR_E_INPUT, "%s: empty; copy or write it again", name);
    return lines;
}

static bool fail_unknown(const char *name, struct pyr_err *err) {
    struct pyr_buf known = {0};
    for (const struct pyr_import_row *row = pyr_import_rows; row->name; row++)
        pyr_buf_printf(&known, "%s%s", known.length ? ", " : "", row->name);
    pyr_fail(err, PYR_E_INPUT, "%s: JSON, but no result file of a known format (%s)", name,
             pyr_buf_text(&known));
    pyr_buf_deinit(&known);
    return false;
}

static bool has_a_number(const struct pyr_kept_run *run) {
    for (size_t i = 0; i < run->case_count; i++)
        for (size_t k = 0; k < run->cases[i].metric_count; k++)
            for (int s = 0; s < PYR_KEPT_COUNT; s++)
                if (!isnan(run->cases[i].metrics[k].at[s].value))
                    return true;
    return false;
}

static bool read_run(struct pyr_arena *arena, const char *name, const json_t *root,
                     struct pyr_kept_run *run, struct pyr_err *err) {
    size_t which = 0, count = sizeof formats / sizeof *formats;
    while (which < count && !formats[which]->is(root))
        which++;
    if (which == count)
        return fail_unknown(name, err);
    const char *format = pyr_import_rows[which].name;
    struct pyr_import import = {.arena = arena, .name = name, .source = format, .run = run};
    *run = (struct pyr_kept_run){.id = pyr_arena_strdup(arena, name),
                                 .origin = format,
                                 .time_unix_s = (double)NAN,
                                 .noise_floor = pyr_estimate_unknown(NULL)};
    return formats[which]->read(&import, root, err) &&
           (has_a_number(run) ||
            pyr_fail(err, PYR_E_INPUT,
                     "%s: a %s file without a successful measurement; run that benchmark again",
                     name, format));
}

/* Our baseline file: {"schema": "pyrometer-baseline/1", "runs": [results.json, ...]}. */
static bool read_baseline(struct pyr_arena *arena, const char *name, const json_t *root,
                          struct pyr_kept_run **runs, size_t *count, struct pyr_err *err) {
    const char *schema = json_string_value(json_object_get(root, "schema"));
    if (strcmp(schema, PYR_BASELINE_SCHEMA) != 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: its schema is '%.32s' and this program (%s) knows " PYR_BASELINE_SCHEMA
                        "; update pyrometer, or make the baseline again",
                        name, schema, PYR_VERSION);
    const json_t *array = json_object_get(root, "runs");
    *count = json_array_size(array);
    *runs = pyr_arena_array(arena, *count, sizeof **runs);
    for (size_t i = 0; i < *count; i++) {
        const char *part = pyr_arena_printf(arena, "%s: run %zu", name, i + 1);
        if (!read_run(arena, part, json_array_get(array, i), &(*runs)[i], err))
            return false;
    }
    return *count > 0 ||
           pyr_fail(err, PYR_E_INPUT, "%s: a baseline without a run; make it again", name);
}

bool pyr_import_text(struct pyr_arena *arena, const char *name, const char *text, size_t size,
                     struct pyr_kept_run **runs, size_t *count, struct pyr_err *err) {
    json_t *root = parse(name, text, size, err);
    if (!root)
        return false;
    const char *schema = json_string_value(json_object_get(root, "schema"));
    bool fine;
    if (schema && strncmp(schema, "pyrometer-baseline/", 19) == 0) {
        fine = read_baseline(arena, name, root, runs, count, err);
    } else {
        *count = 1;
        *runs = pyr_arena_alloc(arena, sizeof **runs);
        fine = read_run(arena, name, root, *runs, err);
    }
    json_decref(root);
    return fine;
}

bool pyr_import_file(struct pyr_arena *arena, const char *path, struct pyr_kept_run **runs,
                     size_t *count, struct pyr_err *err) {
    static const struct pyr_root live = {""};
    struct pyr_buf text = {0};
    bool fine = pyr_fs_read(&live, path, most_bytes, &text, err) &&
                pyr_import_text(arena, path, pyr_buf_text(&text), text.length, runs, count, err);
    pyr_buf_deinit(&text);
    return fine;
}
