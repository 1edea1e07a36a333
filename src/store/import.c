/* SPDX-License-Identifier: MIT */
#include "store/import.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/import_format.h"
#include "store/import_text.h"

#include <math.h>
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
    {"aiperf", "AIPerf's profile_export_aiperf.json, GenAI-Perf's profile_export_genai_perf.json"},
    {"vllm", "vllm bench serve --save-result, SGLang's bench_serving --output-file"},
    {"vllm-throughput", "vllm bench throughput --output-json"},
    {"llmperf", "LLMPerf's ..._summary.json"},
    {"nested", "benchmarks.NAME and stress_test.concurrency_N with their keys"},
    {"array", "an array of one object a backend and model (baseline_results.json)"},
    {"flat", "one object with avg_latency_ms, throughput_rps, ..."},
    {NULL, NULL},
};
static const struct pyr_import_format *const formats[] = {
    &pyr_import_pyrometer, &pyr_import_llama_bench,     &pyr_import_hyperfine,
    &pyr_import_criterion, &pyr_import_guidellm,        &pyr_import_aiperf,
    &pyr_import_vllm,      &pyr_import_vllm_throughput, &pyr_import_llmperf,
    &pyr_import_nested,    &pyr_import_array,           &pyr_import_flat,
};

static bool is_blank(const char *text, size_t size) {
    while (size > 0 && strchr(" \t\r\n", *text))
        text++, size--;
    return size == 0;
}

/* `at_end`: nothing follows what could not be read, as where a word was cut in two. */
static json_t *fail_json(const char *name, const json_error_t *json, bool at_end,
                         struct pyr_err *err) {
    const char *cause = json->text;
    bool decoded = !strstr(cause, "unable to decode");
    if (strstr(cause, "end of file") || strstr(cause, "premature end") || (at_end && decoded))
        pyr_fail(err, PYR_E_INPUT, "%s: cut off at line %d; copy or write it again", name,
                 json->line);
    else if (!decoded)
        pyr_fail(err, PYR_E_INPUT,
                 "%s: line %d: encoded neither as UTF-8 nor as UTF-16: %s; write it again as UTF-8",
                 name, json->line, cause);
    else if (strstr(cause, "duplicate"))
        pyr_fail(err, PYR_E_INPUT,
                 "%s: line %d: %s: only one of them can be meant; write it again with its tool",
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
        json_t *value = json_loadb(text + at, size - at,
                                   JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &json);
        if (!value) {
            json.line += line;
            json_decref(lines);
            if (at == 0 && !pyr_import_disguise(name, text, size, err))
                return NULL;
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

/* Other tools' results that are met and have no counterpart here, by two of their keys. */
static const struct {
    const char *key, *other, *is;
} strangers[] = {
    {"avg_latency", "latencies", "vllm bench latency (the time of a whole batch)"},
    {"summary", "latencyPercentiles", "oha (it knows no tokens)"},
    {"metrics", "root_group", "k6 (it knows no tokens)"},
    {"ALL STATS", "configuration", "memtier_benchmark"},
    {"engine", "performance", "trtllm-bench"},
    {"measured_change_in_time", "new_time", "cargo bench"},
    {"results", "config_general", "lm-evaluation-harness (it measures quality)"},
};

static const char *stranger(const json_t *root) {
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (json_object_get(root, strangers[i].key) && json_object_get(root, strangers[i].other))
            return strangers[i].is;
    return NULL;
}

static bool fail_unknown(const char *name, const json_t *root, struct pyr_err *err) {
    struct pyr_buf known = {0};
    if (stranger(root))
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: a result of %s, which is not read; docs/formats/imports.md lists what "
                        "is",
                        name, stranger(root));
    for (const struct pyr_import_row *row = pyr_import_rows; row->name; row++)
        pyr_buf_printf(&known, "%s%s", known.length ? ", " : "", row->name);
    pyr_fail(err, PYR_E_INPUT, "%s: JSON, but no result file of a known format (%s)", name,
             pyr_buf_text(&known));
    pyr_buf_deinit(&known);
    return false;
}

/* Nothing takes no time, and no rate of something is zero: where every figure is 0, the tool wrote
 * it for want of a value. A goodput and a share may be 0. */
static bool is_measured(const struct pyr_kept_metric *metric) {
    enum pyr_unit unit = pyr_metric_info(metric->metric)->unit;
    bool may_be_zero =
        unit == PYR_UNIT_RATIO || unit == PYR_UNIT_COUNT || metric->metric == PYR_M_GOODPUT;
    for (int s = 0; s < PYR_KEPT_COUNT; s++)
        if (metric->at[s].value > 0 || (may_be_zero && !isnan(metric->at[s].value)))
            return true;
    return false;
}

/* Only failures are no measurement of the thing. */
static bool is_work(const struct pyr_kept_metric *metric) {
    return metric->metric != PYR_M_ERROR_RATE && metric->metric != PYR_M_TIMEOUT_RATE;
}

/* Where everything failed, times are those of failures. */
static bool all_failed(const struct pyr_kept_case *kept) {
    const struct pyr_kept_metric *rate = pyr_kept_metric(kept, PYR_M_ERROR_RATE);
    return rate && rate->at[PYR_KEPT_VALUE].value >= 1;
}

/* Leaves what was measured; false when that is nothing. Our own files say "unknown" themselves. */
static bool drop_unmeasured(struct pyr_import *import, bool ours) {
    struct pyr_kept_case *cases = (struct pyr_kept_case *)import->run->cases;
    size_t found = 0;
    for (size_t i = 0; i < import->run->case_count; i++) {
        struct pyr_kept_metric *metrics = (struct pyr_kept_metric *)cases[i].metrics;
        bool failed = !ours && all_failed(&cases[i]);
        size_t left = 0;
        for (size_t k = 0; k < cases[i].metric_count; k++) {
            bool measured = is_measured(&metrics[k]) && (!failed || !is_work(&metrics[k]));
            found += measured && is_work(&metrics[k]);
            if (measured || ours)
                metrics[left++] = metrics[k];
        }
        if (left < cases[i].metric_count)
            pyr_import_caution(import, "%s: %zu of its figures are 0 or missing and left out",
                               cases[i].id, cases[i].metric_count - left);
        cases[i].metric_count = left;
    }
    return found > 0;
}

static bool read_run(struct pyr_arena *arena, const char *name, const json_t *root,
                     struct pyr_kept_run *run, struct pyr_err *err) {
    size_t which = 0, count = sizeof formats / sizeof *formats;
    while (which < count && !formats[which]->is(root))
        which++;
    if (which == count)
        return fail_unknown(name, root, err);
    const char *format = pyr_import_rows[which].name;
    struct pyr_import import = {.arena = arena, .name = name, .source = format, .run = run};
    *run = (struct pyr_kept_run){.id = pyr_arena_strdup(arena, name),
                                 .origin = format,
                                 .time_unix_s = (double)NAN,
                                 .noise_floor = pyr_estimate_unknown(NULL)};
    return formats[which]->read(&import, root, err) &&
           (drop_unmeasured(&import, which == 0) ||
            pyr_fail(err, PYR_E_INPUT,
                     "%s: a %s file without a successful measurement%s%s%s; run that benchmark "
                     "again",
                     name, format, import.failure ? " (" : "", import.failure ? import.failure : "",
                     import.failure ? ")" : ""));
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
    struct pyr_buf plain = {0};
    json_t *root = pyr_import_plain(name, text, size, &plain, err)
                       ? parse(name, pyr_buf_text(&plain), plain.length, err)
                       : NULL;
    pyr_buf_deinit(&plain);
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
    struct pyr_buf text = {0};
    bool fine = pyr_fs_read_file(path, most_bytes, &text, err) &&
                pyr_import_text(arena, path, pyr_buf_text(&text), text.length, runs, count, err);
    pyr_buf_deinit(&text);
    return fine;
}
