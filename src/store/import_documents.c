/* SPDX-License-Identifier: MIT */
/* The result files of the documents that this program answers: flat, array and nested. A latency
 * there is that of a closed loop, counted from the sending. */
#include "store/import_format.h"

#include <math.h>
#include <string.h>

#define MS 1e6 /* nanoseconds */
#define MB 1e6 /* bytes */
#define PERCENT 0.01
#define QUANTILE(which) (PYR_KEPT_P50 + PYR_Q_##which)

/* All three spell the same things in their own ways; no name means two things. */
static const struct pyr_import_key keys[] = {
    {"avg_latency_ms", PYR_M_LATENCY_SENT, PYR_KEPT_MEAN, MS},
    {"mean_latency_ms", PYR_M_LATENCY_SENT, PYR_KEPT_MEAN, MS},
    {"avg_inference_latency_ms", PYR_M_LATENCY_SENT, PYR_KEPT_MEAN, MS},
    {"mean_ms", PYR_M_LATENCY_SENT, PYR_KEPT_MEAN, MS},
    {"median_latency_ms", PYR_M_LATENCY_SENT, QUANTILE(P50), MS},
    {"p50_latency_ms", PYR_M_LATENCY_SENT, QUANTILE(P50), MS},
    {"p50_inference_latency_ms", PYR_M_LATENCY_SENT, QUANTILE(P50), MS},
    {"p50_ms", PYR_M_LATENCY_SENT, QUANTILE(P50), MS},
    {"p90_latency_ms", PYR_M_LATENCY_SENT, QUANTILE(P90), MS},
    {"p90_inference_latency_ms", PYR_M_LATENCY_SENT, QUANTILE(P90), MS},
    {"p95_latency_ms", PYR_M_LATENCY_SENT, QUANTILE(P95), MS},
    {"p95_ms", PYR_M_LATENCY_SENT, QUANTILE(P95), MS},
    {"p99_latency_ms", PYR_M_LATENCY_SENT, QUANTILE(P99), MS},
    {"p99_inference_latency_ms", PYR_M_LATENCY_SENT, QUANTILE(P99), MS},
    {"p99_ms", PYR_M_LATENCY_SENT, QUANTILE(P99), MS},
    {"p999_ms", PYR_M_LATENCY_SENT, QUANTILE(P99_9), MS},
    {"min_latency_ms", PYR_M_LATENCY_SENT, PYR_IMPORT_MIN, MS},
    {"min_ms", PYR_M_LATENCY_SENT, PYR_IMPORT_MIN, MS},
    {"max_latency_ms", PYR_M_LATENCY_SENT, PYR_IMPORT_MAX, MS},
    {"max_ms", PYR_M_LATENCY_SENT, PYR_IMPORT_MAX, MS},
    {"std_ms", PYR_M_LATENCY_SENT, PYR_IMPORT_SD, MS},
    {"throughput_rps", PYR_M_REQUEST_THROUGHPUT, PYR_KEPT_VALUE, 1},
    {"requests_per_second", PYR_M_REQUEST_THROUGHPUT, PYR_KEPT_VALUE, 1},
    {"tokens_per_second", PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, 1},
    {"throughput_tokens_per_sec", PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, 1},
    {"error_rate", PYR_M_ERROR_RATE, PYR_KEPT_VALUE, 1},
    {"error_rate_percent", PYR_M_ERROR_RATE, PYR_KEPT_VALUE, PERCENT},
    {"timeout_rate", PYR_M_TIMEOUT_RATE, PYR_KEPT_VALUE, 1},
    {"spike_rate_percent", PYR_M_SPIKE_RATE, PYR_KEPT_VALUE, PERCENT},
    {"memory_usage_mb", PYR_M_RSS_PEAK, PYR_KEPT_VALUE, MB},
    {"memory_peak_mb", PYR_M_RSS_PEAK, PYR_KEPT_VALUE, MB},
    {"peak_memory_mb", PYR_M_RSS_PEAK, PYR_KEPT_VALUE, MB},
    {"peak_memory_usage_mb", PYR_M_RSS_PEAK, PYR_KEPT_VALUE, MB},
    {"avg_memory_usage_mb", PYR_M_RSS, PYR_KEPT_MEAN, MB},
    {"memory_avg_mb", PYR_M_RSS, PYR_KEPT_MEAN, MB},
    {"model_loading_time_ms", PYR_M_LOAD_TIME, PYR_KEPT_MEAN, MS},
    {"load_time_ms", PYR_M_LOAD_TIME, PYR_KEPT_MEAN, MS},
    {"model_unloading_time_ms", PYR_M_UNLOAD_TIME, PYR_KEPT_MEAN, MS},
    {"cache_hit_ratio", PYR_M_CACHE_HIT_RATIO, PYR_KEPT_VALUE, 1},
    {"cpu_utilization", PYR_M_CPU_UTILIZATION, PYR_KEPT_VALUE, 1},
    {"cpu_avg_percent", PYR_M_CPU_UTILIZATION, PYR_KEPT_VALUE, PERCENT},
    {"memory_utilization", PYR_M_MEMORY_UTILIZATION, PYR_KEPT_VALUE, 1},
    {"energy_consumption_joules", PYR_M_ENERGY, PYR_KEPT_VALUE, 1},
};
enum { KEY_COUNT = sizeof keys / sizeof *keys };

/* Statistics in an object of their own below a case. */
static const struct pyr_import_key latency_keys[] = {
    {"mean", PYR_M_LATENCY_SENT, PYR_KEPT_MEAN, MS},
    {"median", PYR_M_LATENCY_SENT, QUANTILE(P50), MS},
    {"p50", PYR_M_LATENCY_SENT, QUANTILE(P50), MS},
    {"p95", PYR_M_LATENCY_SENT, QUANTILE(P95), MS},
    {"p99", PYR_M_LATENCY_SENT, QUANTILE(P99), MS},
};

static bool has_a_key(const json_t *object) {
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (json_object_get(object, keys[i].key))
            return true;
    return false;
}

/* The load names the case too, where the name does not have it already. */
static const char *load_id(struct pyr_import *import, const char *id, const json_t *object) {
    static const char *const loads[] = {"concurrency", "concurrent_requests", "request_rate",
                                        "batch_size"};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        const char *value = pyr_import_member_text(import, object, loads[i]);
        if (value && !strstr(id, "concurrency"))
            id = pyr_arena_printf(import->arena, "%s %s=%s", id, loads[i], value);
    }
    return id;
}

/* A case whose requests all failed has latencies of nothing. */
static bool read_object(struct pyr_import *import, const char *suite, const char *id,
                        const json_t *object, struct pyr_err *err) {
    static const char *const ok_keys[] = {"successful_requests", "completed_requests"};
    double ok = (double)NAN, failed;
    for (size_t i = 0; i < 2 && isnan(ok); i++)
        if (!pyr_import_count(import, json_object_get(object, ok_keys[i]), ok_keys[i], &ok, err))
            return false;
    if (!pyr_import_count(import, json_object_get(object, "failed_requests"), "failed_requests",
                          &failed, err))
        return false;
    struct pyr_kept_case *kept = pyr_import_case(import, suite, load_id(import, id, object));
    if (!pyr_import_outcomes(import, kept, ok, failed))
        return true;
    return pyr_import_keys(import, kept, object, keys, KEY_COUNT, kept->ok, err) &&
           pyr_import_keys(import, kept, json_object_get(object, "latency_stats"), latency_keys,
                           sizeof latency_keys / sizeof *latency_keys, kept->ok, err);
}

static void read_time(struct pyr_import *import, const json_t *root) {
    const json_t *time = json_object_get(root, "timestamp");
    if (json_is_number(time))
        import->run->time_unix_s = json_number_value(time);
    import->run->revision = pyr_import_member_text(import, root, "commit_hash");
}

/* --- flat ------------------------------------------------------------------------------------ */

static bool is_flat(const json_t *root) {
    return json_is_object(root) &&
           (has_a_key(root) || (json_object_get(root, "benchmark_type") &&
                                json_is_array(json_object_get(root, "results"))));
}

static bool read_flat(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    const char *type = pyr_import_member_text(import, root, "benchmark_type");
    const char *model = pyr_import_member_text(import, root, "model");
    if (!type)
        type = "inference";
    read_time(import, root);
    if (has_a_key(root) && !read_object(import, type, model ? model : type, root, err))
        return false;
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(root, "results"), i, one) {
        const char *level = pyr_import_member_text(import, one, "concurrency");
        const char *id = pyr_import_member_text(import, one, "id");
        if (!id)
            id = pyr_arena_printf(import->arena, "concurrency=%s", level ? level : "?");
        if (!read_object(import, type, id, one, err))
            return false;
    }
    return true;
}

const struct pyr_import_format pyr_import_flat = {is_flat, read_flat};

/* --- array ----------------------------------------------------------------------------------- */

static bool is_array(const json_t *root) {
    const json_t *first = json_array_get(root, 0);
    return has_a_key(first);
}

static bool read_array(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    size_t i;
    json_t *one;
    read_time(import, json_array_get(root, 0));
    json_array_foreach(root, i, one) {
        const char *backend = pyr_import_member_text(import, one, "backend_type");
        const char *model = pyr_import_member_text(import, one, "model_name");
        const char *type = pyr_import_member_text(import, one, "benchmark_type");
        const char *id = backend || model
                             ? pyr_arena_printf(import->arena, "%s/%s", backend ? backend : "?",
                                                model ? model : "?")
                             : pyr_arena_printf(import->arena, "#%zu", i + 1);
        if (!read_object(import, type ? type : "inference", id, one, err))
            return false;
    }
    return true;
}

const struct pyr_import_format pyr_import_array = {is_array, read_array};

/* --- nested ---------------------------------------------------------------------------------- */

static const char *const wrappers[] = {"benchmarks", "metrics"};

/* Named objects with our keys, under a wrapper or at the top. */
static const json_t *find_cases(const json_t *root) {
    for (size_t i = 0; i <= sizeof wrappers / sizeof *wrappers; i++) {
        const json_t *candidate = i < 2 ? json_object_get(root, wrappers[i]) : (const json_t *)root;
        const char *name;
        json_t *member;
        if (json_is_object(candidate))
            json_object_foreach((json_t *)candidate, name,
                                member) if (has_a_key(member)) return candidate;
    }
    return NULL;
}

static bool has_levels(const json_t *root) {
    const char *name;
    json_t *member;
    json_object_foreach(json_object_get(root, "stress_test"), name,
                        member) if (strncmp(name, "concurrency_", 12) == 0 &&
                                    json_is_object(member)) return true;
    return false;
}

static bool is_nested(const json_t *root) {
    return json_is_object(root) && (find_cases(root) || has_levels(root));
}

static bool read_nested(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    const char *name;
    json_t *member;
    read_time(import, root);
    json_object_foreach((json_t *)find_cases(root), name,
                        member) if (has_a_key(member) &&
                                    !read_object(import, name, name, member, err)) return false;
    json_object_foreach(json_object_get(root, "stress_test"), name,
                        member) if (strncmp(name, "concurrency_", 12) == 0 &&
                                    json_is_object(member) &&
                                    !read_object(import, "stress", name, member, err)) return false;
    return true;
}

const struct pyr_import_format pyr_import_nested = {is_nested, read_nested};
