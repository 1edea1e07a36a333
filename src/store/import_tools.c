/* SPDX-License-Identifier: MIT */
/* Benchmarks of whole commands and functions: hyperfine, criterion, llama-bench. */
#include "store/import_format.h"

#include <math.h>
#include <string.h>

/* --- hyperfine: sharkdp/hyperfine, src/benchmark/benchmark_result.rs ---------------------------
 */

static bool is_hyperfine(const json_t *root) {
    const json_t *first = json_array_get(json_object_get(root, "results"), 0);
    return json_object_get(first, "command") && json_object_get(first, "mean");
}

static bool read_hyperfine(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    static const struct pyr_import_key keys[] = {
        {"mean", PYR_M_BLOCK_TIME, PYR_KEPT_MEAN, 1e9},
        {"median", PYR_M_BLOCK_TIME, PYR_KEPT_P50, 1e9},
        {"stddev", PYR_M_BLOCK_TIME, PYR_IMPORT_SD, 1e9},
        {"min", PYR_M_BLOCK_TIME, PYR_IMPORT_MIN, 1e9},
        {"max", PYR_M_BLOCK_TIME, PYR_IMPORT_MAX, 1e9},
    };
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(root, "results"), i, one) {
        const char *command = pyr_import_member_text(import, one, "command");
        struct pyr_kept_case *kept =
            pyr_import_case(import, "command", command ? command : "unnamed");
        if (!pyr_import_keys(import, kept, one, keys, sizeof keys / sizeof *keys, 0, err) ||
            !pyr_import_values(import, kept, PYR_M_BLOCK_TIME, json_object_get(one, "times"), 1e9,
                               err))
            return false;
    }
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

static bool is_criterion(const json_t *root) {
    if (json_object_get(json_object_get(root, "mean"), "point_estimate") || is_line(root))
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
    if (!id || isnan(scale))
        return true;
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

static bool read_criterion(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    if (is_line(root))
        return read_line(import, root, err);
    if (json_is_array(root)) {
        size_t i;
        json_t *line;
        json_array_foreach(root, i, line) if (!read_line(import, line, err)) return false;
        return true;
    }
    static const struct criterion_names names = {"point_estimate", "confidence_interval",
                                                 "lower_bound", "upper_bound"};
    struct pyr_kept_case *kept = pyr_import_case(import, "criterion", name_from_path(import));
    return read_criterion_estimate(import, kept, json_object_get(root, "mean"), &names,
                                   PYR_KEPT_MEAN, 1, err) &&
           read_criterion_estimate(import, kept, json_object_get(root, "median"), &names,
                                   PYR_KEPT_P50, 1, err);
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

/* "pp512", "tg128", "pp512+tg128", then what else may differ between two rows of one file. */
static const char *row_id(struct pyr_import *import, const json_t *row) {
    long long prompt = json_integer_value(json_object_get(row, "n_prompt"));
    long long output = json_integer_value(json_object_get(row, "n_gen"));
    long long depth = json_integer_value(json_object_get(row, "n_depth"));
    const char *id = prompt && output
                         ? pyr_arena_printf(import->arena, "pp%lld+tg%lld", prompt, output)
                     : prompt ? pyr_arena_printf(import->arena, "pp%lld", prompt)
                              : pyr_arena_printf(import->arena, "tg%lld", output);
    if (depth)
        id = pyr_arena_printf(import->arena, "%s@d%lld", id, depth);
    static const char *const settings[] = {"model_type", "n_threads",  "n_gpu_layers", "n_batch",
                                           "n_ubatch",   "flash_attn", "type_k",       "type_v"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const char *value = pyr_import_member_text(import, row, settings[i]);
        if (value)
            id = pyr_arena_printf(import->arena, "%s %s=%s", id, settings[i], value);
    }
    return id;
}

static bool read_row(struct pyr_import *import, const json_t *row, struct pyr_err *err) {
    long long prompt = json_integer_value(json_object_get(row, "n_prompt"));
    long long output = json_integer_value(json_object_get(row, "n_gen"));
    double mean, sd;
    if (!pyr_import_number(import, json_object_get(row, "avg_ts"), "avg_ts", &mean, err) ||
        !pyr_import_number(import, json_object_get(row, "stddev_ts"), "stddev_ts", &sd, err))
        return false;
    struct pyr_kept_case *kept = pyr_import_case(import, "llama-bench", row_id(import, row));
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
    if (!json_is_array(root))
        return read_row(import, root, err);
    size_t i;
    json_t *row;
    json_array_foreach(root, i, row) if (is_row(row) && !read_row(import, row, err)) return false;
    return true;
}

const struct pyr_import_format pyr_import_llama_bench = {is_llama_bench, read_llama_bench};
