/* SPDX-License-Identifier: MIT */
/* Benchmarks of whole commands and functions: hyperfine, criterion, llama-bench. */
#include "store/import_format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- hyperfine: sharkdp/hyperfine, src/benchmark/benchmark_result.rs ---------------------------
 */

static bool is_hyperfine(const json_t *root) {
    const json_t *first = json_array_get(json_object_get(root, "results"), 0);
    return json_object_get(first, "command") && json_object_get(first, "mean");
}

/* "server threads=4": with --parameter-list one name has many results. */
static const char *hyperfine_id(struct pyr_import *import, const json_t *one) {
    const char *command = pyr_import_member_text(import, one, "command"), *key;
    const json_t *parameters = json_object_get(one, "parameters");
    const char *id = command ? command : "unnamed";
    json_t *value;
    json_object_foreach((json_t *)parameters, key, value) {
        const char *text = pyr_import_text_of(import, value);
        id = pyr_arena_printf(import->arena, "%s %s=%s", id, key, text ? text : "");
    }
    return id;
}

/* The times of the runs that ended with 0, all of them where no code is written; NULL: none did.
 * (With --ignore-failure a command that is not there takes no time at all.) The caller's. */
static json_t *good_times(struct pyr_import *import, struct pyr_kept_case *kept,
                          const json_t *one) {
    json_t *times = json_object_get(one, "times"), *codes = json_object_get(one, "exit_codes");
    size_t runs = json_array_size(codes), good = 0;
    if (runs == 0)
        return json_incref(times ? times : json_null());
    json_t *kept_times = json_array();
    struct pyr_buf bad = {0};
    for (size_t i = 0; i < runs; i++) {
        json_t *code = json_array_get(codes, i), *time = json_array_get(times, i);
        bool ended_well = json_is_integer(code) && json_integer_value(code) == 0;
        good += ended_well;
        if (ended_well && time)
            json_array_append(kept_times, time);
        char text[24] = "by a signal"; /* null */
        if (json_is_integer(code))
            snprintf(text, sizeof text, "%lld", (long long)json_integer_value(code));
        if (!ended_well && !strstr(pyr_buf_text(&bad), text) && bad.length < 64)
            pyr_buf_printf(&bad, "%s%s", bad.length ? ", " : "", text);
    }
    if (good < runs)
        pyr_import_failed(import, "'%.200s': %zu of %zu runs failed, exit codes %s%s", kept->id,
                          runs - good, runs, pyr_buf_text(&bad),
                          good ? "; their times are left out" : "");
    pyr_buf_deinit(&bad);
    if (pyr_import_outcomes(import, kept, (double)good, (double)(runs - good)))
        return kept_times;
    json_decref(kept_times);
    return NULL;
}

static bool read_hyperfine_one(struct pyr_import *import, const json_t *one, struct pyr_err *err) {
    static const struct pyr_import_key keys[] = {
        {"mean", PYR_M_BLOCK_TIME, PYR_KEPT_MEAN, 1e9},
        {"median", PYR_M_BLOCK_TIME, PYR_KEPT_P50, 1e9},
        {"stddev", PYR_M_BLOCK_TIME, PYR_IMPORT_SD, 1e9},
        {"min", PYR_M_BLOCK_TIME, PYR_IMPORT_MIN, 1e9},
        {"max", PYR_M_BLOCK_TIME, PYR_IMPORT_MAX, 1e9},
    };
    struct pyr_kept_case *kept = pyr_import_case(import, "command", hyperfine_id(import, one));
    json_t *times = good_times(import, kept, one);
    if (!times)
        return true;
    /* Its own statistics are over all runs, the failed ones too. */
    bool all_good = kept->ok == kept->total;
    bool fine = (!all_good ||
                 pyr_import_keys(import, kept, one, keys, sizeof keys / sizeof *keys, 0, err)) &&
                pyr_import_values(import, kept, PYR_M_BLOCK_TIME, times, 1e9, err);
    json_decref(times);
    return fine;
}

static bool read_hyperfine(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(root, "results"), i,
                       one) if (!read_hyperfine_one(import, one, err)) return false;
    return true;
}

const struct pyr_import_format pyr_import_hyperfine = {is_hyperfine, read_hyperfine};

/* --- criterion: lines of cargo-criterion, or one benchmark's estimates.json ---------------------
 */

static bool is_line(const json_t *line) {
    const char *reason = json_string_value(json_object_get(line, "reason"));
    return reason &&
           (strcmp(reason, "benchmark-complete") == 0 || strcmp(reason, "group-complete") == 0);
}

/* Criterion before 0.3 wrote "Mean", "Median". */
static const json_t *estimate_of(const json_t *root, const char *name, const char *old_name) {
    const json_t *found = json_object_get(root, name);
    return found ? found : json_object_get(root, old_name);
}

static bool is_criterion(const json_t *root) {
    if (json_object_get(estimate_of(root, "mean", "Mean"), "point_estimate") || is_line(root))
        return true;
    size_t i;
    json_t *line;
    json_array_foreach(root, i, line) if (is_line(line)) return true;
    return false;
}

static double scale_of(const char *unit) {
    static const struct {
        const char *name;
        double scale;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    for (size_t i = 0; unit && i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].name, unit) == 0)
            return units[i].scale;
    return unit ? (double)NAN : 1; /* a custom measurement is no time */
}

struct criterion_names {
    const char *value, *interval, *lo, *hi;
};

static bool read_criterion_estimate(struct pyr_import *import, struct pyr_kept_case *kept,
                                    const json_t *object, const struct criterion_names *names,
                                    int statistic, double scale, struct pyr_err *err) {
    const json_t *interval = names->interval ? json_object_get(object, names->interval) : object;
    struct pyr_estimate seen = {0};
    if (!pyr_import_number(import, json_object_get(object, names->value), names->value, &seen.value,
                           err) ||
        !pyr_import_number(import, json_object_get(interval, names->lo), names->lo, &seen.lo,
                           err) ||
        !pyr_import_number(import, json_object_get(interval, names->hi), names->hi, &seen.hi, err))
        return false;
    if (isnan(seen.value))
        return true;
    struct pyr_kept_metric *metric = pyr_import_metric(import, kept, PYR_M_BLOCK_TIME);
    metric->at[statistic] = (struct pyr_estimate){
        .value = seen.value * scale, .lo = seen.lo * scale, .hi = seen.hi * scale};
    return true;
}

static bool read_line(struct pyr_import *import, const json_t *line, struct pyr_err *err) {
    static const struct criterion_names names = {"estimate", NULL, "lower_bound", "upper_bound"};
    const char *id = pyr_import_member_text(import, line, "id");
    const json_t *mean = json_object_get(line, "mean");
    const char *unit = json_string_value(json_object_get(mean, "unit"));
    double scale = scale_of(unit ? unit : json_string_value(json_object_get(line, "unit")));
    if (!id)
        return true;
    if (isnan(scale)) {
        pyr_import_failed(import, "%.200s: measured in '%.32s', which is no time: left out", id,
                          unit ? unit : json_string_value(json_object_get(line, "unit")));
        return true;
    }
    struct pyr_kept_case *kept = pyr_import_case(import, "criterion", id);
    if (!read_criterion_estimate(import, kept, mean, &names, PYR_KEPT_MEAN, scale, err) ||
        !read_criterion_estimate(import, kept, json_object_get(line, "median"), &names,
                                 PYR_KEPT_P50, scale, err))
        return false;
    if (kept->metric_count > 0)
        pyr_import_metric(import, kept, PYR_M_BLOCK_TIME)->n =
            json_array_size(json_object_get(line, "measured_values"));
    return true;
}

/* ".../target/criterion/GROUP/BENCH/new/estimates.json" names the benchmark GROUP/BENCH. */
static const char *name_from_path(struct pyr_import *import) {
    char *path = pyr_arena_strdup(import->arena, import->name), *slash;
    for (int cut = 0; cut < 2 && (slash = strrchr(path, '/')); cut++)
        *slash = '\0';
    const char *below = strstr(path, "criterion/");
    return below ? below + strlen("criterion/") : path;
}

/* One benchmark's estimates.json. That below change/ has the same names for ratios to the run
 * before: only times come with the deviation of what was measured. */
static bool read_estimates(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    static const struct criterion_names names = {"point_estimate", "confidence_interval",
                                                 "lower_bound", "upper_bound"};
    if (!estimate_of(root, "std_dev", "StdDev") &&
        !estimate_of(root, "median_abs_dev", "MedianAbsDev"))
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: estimates of a change, which are ratios and no times; give "
                        "new/estimates.json or base/estimates.json of the same benchmark",
                        import->name);
    struct pyr_kept_case *kept = pyr_import_case(import, "criterion", name_from_path(import));
    double sd;
    if (!read_criterion_estimate(import, kept, estimate_of(root, "mean", "Mean"), &names,
                                 PYR_KEPT_MEAN, 1, err) ||
        !read_criterion_estimate(import, kept, estimate_of(root, "median", "Median"), &names,
                                 PYR_KEPT_P50, 1, err) ||
        !pyr_import_number(
            import, json_object_get(estimate_of(root, "std_dev", "StdDev"), "point_estimate"),
            "std_dev", &sd, err))
        return false;
    pyr_import_put(import, kept, PYR_M_BLOCK_TIME, PYR_IMPORT_SD, sd);
    return true;
}

static bool read_criterion(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    if (is_line(root))
        return read_line(import, root, err);
    if (json_is_array(root)) {
        size_t i;
        json_t *line;
        json_array_foreach(root, i, line) if (!read_line(import, line, err)) return false;
        return true;
    }
    return read_estimates(import, root, err);
}

const struct pyr_import_format pyr_import_criterion = {is_criterion, read_criterion};

/* --- llama-bench: ggml-org/llama.cpp, tools/llama-bench ------------------------------------------
 */

static bool is_row(const json_t *row) {
    return json_object_get(row, "avg_ts") && json_object_get(row, "n_prompt") &&
           json_object_get(row, "n_gen");
}

static bool is_llama_bench(const json_t *root) {
    return is_row(root) || is_row(json_array_get(root, 0));
}

/* Settings that always name the case, and those that do where they are not what they are by
 * default (null: whatever they are). */
static const struct {
    const char *key, *usual;
} row_settings[] = {
    {"model_type", NULL},
    {"n_threads", NULL},
    {"n_gpu_layers", NULL},
    {"n_batch", NULL},
    {"n_ubatch", NULL},
    {"flash_attn", NULL},
    {"type_k", NULL},
    {"type_v", NULL},
    {"split_mode", "layer"},
    {"main_gpu", "0"},
    {"no_kv_offload", "false"},
    {"use_mmap", "true"},
    {"use_direct_io", "false"},
    {"embeddings", "false"},
    {"cpu_mask", "0x0"},
    {"cpu_strict", "false"},
    {"poll", "50"},
    {"tensor_split", "0.00"},
    {"n_cpu_moe", "0"},
    {"devices", "auto"},
    {"tensor_buft_overrides", "none"},
    {"no_op_offload", "0"},
    {"no_host", "false"},
    {"numa", "disabled"},
    {"prio", "0"},
    {"delay", "0"},
};
enum { ROW_SETTINGS = sizeof row_settings / sizeof *row_settings };

/* What a row measured, or says of the machine for good: never part of a name. */
static bool is_outcome(const char *key) {
    static const char *const outcomes[] = {
        "test_time",  "avg_ns",   "stddev_ns", "samples_ns", "avg_ts",     "stddev_ts",
        "samples_ts", "n_prompt", "n_gen",     "n_depth",    "model_size", "model_n_params"};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        if (strcmp(key, outcomes[i]) == 0)
            return true;
    for (size_t i = 0; i < ROW_SETTINGS; i++)
        if (strcmp(key, row_settings[i].key) == 0)
            return true;
    return false;
}

/* Keys of which two rows have different values, beside the settings. */
struct differing {
    const char **keys;
    size_t count, capacity;
};

static void add_key(struct pyr_import *import, struct differing *differing, const char *key) {
    for (size_t i = 0; i < differing->count; i++)
        if (strcmp(differing->keys[i], key) == 0)
            return;
    if (differing->count < differing->capacity)
        differing->keys[differing->count++] = pyr_arena_strdup(import->arena, key);
}

/* Rows that do not have a key say nothing of it. */
static struct differing find_differing(struct pyr_import *import, const json_t *rows) {
    enum { MOST = 64 };
    struct differing differing = {pyr_arena_array(import->arena, MOST, sizeof(const char *)), 0,
                                  MOST};
    json_t *seen = json_object(), *row, *value;
    size_t i;
    json_array_foreach(rows, i, row) {
        const char *key;
        json_object_foreach(row, key, value) {
            const json_t *first = json_object_get(seen, key);
            if (!first)
                json_object_set(seen, key, value);
            else if (!is_outcome(key) && !json_equal(first, value))
                add_key(import, &differing, key);
        }
    }
    json_decref(seen);
    return differing;
}

/* "pp512", "tg128", "pp512+tg128", the settings, then whatever else differs between two rows of
 * this file: a build, a model's file, a setting that this program does not know. */
static const char *row_id(struct pyr_import *import, const json_t *row,
                          const struct differing *differing) {
    long long prompt = json_integer_value(json_object_get(row, "n_prompt"));
    long long output = json_integer_value(json_object_get(row, "n_gen"));
    long long depth = json_integer_value(json_object_get(row, "n_depth"));
    struct pyr_buf id = {0};
    if (prompt)
        pyr_buf_printf(&id, "pp%lld", prompt);
    if (output || !prompt)
        pyr_buf_printf(&id, "%stg%lld", prompt ? "+" : "", output);
    if (depth)
        pyr_buf_printf(&id, "@d%lld", depth);
    for (size_t i = 0; i < ROW_SETTINGS; i++) {
        const char *value = pyr_import_member_text(import, row, row_settings[i].key);
        if (value && (!row_settings[i].usual || strcmp(value, row_settings[i].usual) != 0))
            pyr_buf_printf(&id, " %s=%s", row_settings[i].key, value);
    }
    for (size_t i = 0; i < differing->count; i++) {
        const char *value = pyr_import_member_text(import, row, differing->keys[i]);
        if (value)
            pyr_buf_printf(&id, " %s=%s", differing->keys[i], value);
    }
    const char *copy = pyr_arena_strdup(import->arena, pyr_buf_text(&id));
    pyr_buf_deinit(&id);
    return copy;
}

static bool read_row(struct pyr_import *import, const json_t *row, const char *id,
                     struct pyr_err *err) {
    long long prompt = json_integer_value(json_object_get(row, "n_prompt"));
    long long output = json_integer_value(json_object_get(row, "n_gen"));
    double mean, sd;
    if (!pyr_import_number(import, json_object_get(row, "avg_ts"), "avg_ts", &mean, err) ||
        !pyr_import_number(import, json_object_get(row, "stddev_ts"), "stddev_ts", &sd, err))
        return false;
    struct pyr_kept_case *kept = pyr_import_case(import, "llama-bench", id);
    if (mean == 0) {
        pyr_import_failed(import, "%.200s: no token a second", kept->id);
        return true;
    }
    if (prompt && output) {
        pyr_import_put(import, kept, PYR_M_TOTAL_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, mean);
        return true;
    }
    enum pyr_metric metric = prompt ? PYR_M_PREFILL_RATE : PYR_M_DECODE_RATE;
    pyr_import_put(import, kept, metric, PYR_KEPT_MEAN, mean);
    pyr_import_put(import, kept, metric, PYR_IMPORT_SD, sd);
    return pyr_import_values(import, kept, metric, json_object_get(row, "samples_ts"), 1, err);
}

static bool read_llama_bench(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    const json_t *first = json_is_array(root) ? json_array_get(root, 0) : root;
    import->run->revision = pyr_import_member_text(import, first, "build_commit");
    struct differing differing = find_differing(import, root);
    if (!json_is_array(root))
        return read_row(import, root, row_id(import, root, &differing), err);
    size_t i;
    json_t *row;
    json_array_foreach(root, i, row) {
        if (!is_row(row))
            pyr_import_caution(import, "its row %zu has no avg_ts and is left out", i + 1);
        else if (!read_row(import, row, row_id(import, row, &differing), err))
            return false;
    }
    return true;
}

const struct pyr_import_format pyr_import_llama_bench = {is_llama_bench, read_llama_bench};
