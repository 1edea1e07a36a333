/* SPDX-License-Identifier: MIT */
/* Load generators for servers: vLLM's, GuideLLM, AIPerf. Their definitions of the same word differ
 * from ours in detail, so their numbers are compared with their own kind only. */
#include "store/import_format.h"

#include <math.h>
#include <string.h>

#define MS 1e6
#define S 1e9
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define QUANTILE(which) (PYR_KEPT_P50 + PYR_Q_##which)

/* --- vLLM: vllm-project/vllm, vllm/benchmarks/serve.py ---------------------------------------- */

#define VLLM_KEYS(name, metric)                                                                    \
    {"mean_" name "_ms", metric, PYR_KEPT_MEAN, MS},                                               \
        {"std_" name "_ms", metric, PYR_IMPORT_SD, MS},                                            \
        {"median_" name "_ms", metric, QUANTILE(P50), MS},                                         \
        {"p50_" name "_ms", metric, QUANTILE(P50), MS},                                            \
        {"p75_" name "_ms", metric, QUANTILE(P75), MS},                                            \
        {"p90_" name "_ms", metric, QUANTILE(P90), MS},                                            \
        {"p95_" name "_ms", metric, QUANTILE(P95), MS},                                            \
        {"p99_" name "_ms", metric, QUANTILE(P99), MS}, {                                          \
        "p99.9_" name "_ms", metric, QUANTILE(P99_9), MS                                           \
    }

static const struct pyr_import_key vllm_keys[] = {
    VLLM_KEYS("ttft", PYR_M_TTFT_SENT),
    VLLM_KEYS("tpot", PYR_M_TPOT),
    VLLM_KEYS("itl", PYR_M_ICL),
    VLLM_KEYS("e2el", PYR_M_LATENCY_SENT),
    VLLM_KEYS("e2e_latency", PYR_M_LATENCY_SENT),
    {"request_throughput", PYR_M_REQUEST_THROUGHPUT, PYR_KEPT_VALUE, 1},
    {"request_goodput", PYR_M_GOODPUT, PYR_KEPT_VALUE, 1},
    {"output_throughput", PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, 1},
    {"total_token_throughput", PYR_M_TOTAL_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, 1},
    {"total_throughput", PYR_M_TOTAL_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, 1},
};

static bool is_vllm_run(const json_t *run) {
    return json_object_get(run, "request_throughput") && json_object_get(run, "mean_ttft_ms");
}

static bool is_vllm(const json_t *root) {
    return is_vllm_run(root) || is_vllm_run(json_array_get(root, 0));
}

static bool read_vllm_run(struct pyr_import *import, const json_t *run, struct pyr_err *err) {
    const char *model = pyr_import_member_text(import, run, "model_id");
    const char *rate = pyr_import_member_text(import, run, "request_rate");
    const char *level = pyr_import_member_text(import, run, "max_concurrency");
    const char *id = pyr_arena_printf(import->arena, "%s%srequest_rate=%s,max_concurrency=%s",
                                      model ? model : "", model ? " " : "", rate ? rate : "?",
                                      level ? level : "none");
    double completed, failed;
    if (!pyr_import_count(import, json_object_get(run, "completed"), "completed", &completed,
                          err) ||
        !pyr_import_count(import, json_object_get(run, "failed"), "failed", &failed, err))
        return false;
    struct pyr_kept_case *kept = pyr_import_case(import, "serve", id);
    kept->ok = completed > 0 ? (uint64_t)completed : 0;
    kept->total = kept->ok + (failed > 0 ? (uint64_t)failed : 0);
    if (completed == 0) /* its zeros are no measurements */
        return true;
    return pyr_import_keys(import, kept, run, vllm_keys, COUNT(vllm_keys), kept->ok, err);
}

static bool read_vllm(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    if (!json_is_array(root))
        return read_vllm_run(import, root, err);
    size_t i;
    json_t *run;
    json_array_foreach(root, i,
                       run) if (is_vllm_run(run) && !read_vllm_run(import, run, err)) return false;
    return true;
}

const struct pyr_import_format pyr_import_vllm = {is_vllm, read_vllm};

/* --- what the next two share: an object of statistics for each metric ---------------------------
 */

struct summary {
    const char *name;
    enum pyr_metric metric;
    double scale; /* of a time, where the file names no unit */
};

static const struct {
    const char *name;
    int statistic;
} statistics[] = {
    {"mean", PYR_KEPT_MEAN},    {"avg", PYR_KEPT_MEAN}, {"median", QUANTILE(P50)},
    {"p50", QUANTILE(P50)},     {"p75", QUANTILE(P75)}, {"p90", QUANTILE(P90)},
    {"p95", QUANTILE(P95)},     {"p99", QUANTILE(P99)}, {"p999", QUANTILE(P99_9)},
    {"std_dev", PYR_IMPORT_SD}, {"std", PYR_IMPORT_SD}, {"min", PYR_IMPORT_MIN},
    {"max", PYR_IMPORT_MAX},
};

static bool read_summary(struct pyr_import *import, struct pyr_kept_case *kept,
                         const json_t *object, const struct summary *summary, double scale,
                         struct pyr_err *err) {
    bool scalar = pyr_metric_info(summary->metric)->kind == PYR_KIND_SCALAR;
    for (size_t i = 0; i < COUNT(statistics); i++) {
        double number;
        if (!pyr_import_number(import, json_object_get(object, statistics[i].name), summary->name,
                               &number, err))
            return false;
        if (!scalar)
            pyr_import_put(import, kept, summary->metric, statistics[i].statistic, number * scale);
        else if (statistics[i].statistic == PYR_KEPT_MEAN)
            pyr_import_put(import, kept, summary->metric, PYR_KEPT_VALUE, number * scale);
    }
    double count;
    if (!pyr_import_count(import, json_object_get(object, "count"), "count", &count, err))
        return false;
    if (count > 0 && kept->metric_count > 0 && !scalar) {
        struct pyr_kept_metric *metric = pyr_import_metric(import, kept, summary->metric);
        metric->n = (uint64_t)count;
    }
    return true;
}

/* --- GuideLLM: vllm-project/guidellm, src/guidellm/benchmark ------------------------------------
 */

static const struct summary guidellm_summaries[] = {
    {"requests_per_second", PYR_M_REQUEST_THROUGHPUT, 1},
    {"output_tokens_per_second", PYR_M_OUTPUT_TOKEN_THROUGHPUT, 1},
    {"tokens_per_second", PYR_M_TOTAL_TOKEN_THROUGHPUT, 1},
    {"request_latency", PYR_M_LATENCY_SENT, S},
    {"time_to_first_token_ms", PYR_M_TTFT_SENT, MS},
    {"time_per_output_token_ms", PYR_M_TPOT, MS},
    {"inter_token_latency_ms", PYR_M_ITL, MS},
};

static bool is_guidellm(const json_t *root) {
    const json_t *first = json_array_get(json_object_get(root, "benchmarks"), 0);
    return json_is_object(json_object_get(first, "metrics"));
}

/* Where the load of a benchmark stands has moved between versions. */
static const char *guidellm_id(struct pyr_import *import, const json_t *one, size_t number) {
    static const char *const places[] = {"config", "args"};
    static const char *const loads[] = {"rate", "streams", "max_concurrency"};
    for (size_t i = 0; i < COUNT(places); i++) {
        const json_t *strategy = json_object_get(json_object_get(one, places[i]), "strategy");
        const char *type = pyr_import_member_text(import, strategy, "type_");
        if (!type)
            continue;
        for (size_t k = 0; k < COUNT(loads); k++) {
            const char *load = pyr_import_member_text(import, strategy, loads[k]);
            if (load)
                return pyr_arena_printf(import->arena, "%s %s=%s", type, loads[k], load);
        }
        return type;
    }
    return pyr_arena_printf(import->arena, "#%zu", number + 1);
}

static bool read_guidellm(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(root, "benchmarks"), i, one) {
        struct pyr_kept_case *kept =
            pyr_import_case(import, "guidellm", guidellm_id(import, one, i));
        const json_t *metrics = json_object_get(one, "metrics");
        for (size_t k = 0; k < COUNT(guidellm_summaries); k++) {
            const struct summary *summary = &guidellm_summaries[k];
            const json_t *good =
                json_object_get(json_object_get(metrics, summary->name), "successful");
            if (!read_summary(import, kept, good, summary, summary->scale, err) ||
                !read_summary(import, kept, json_object_get(good, "percentiles"), summary,
                              summary->scale, err))
                return false;
        }
    }
    return true;
}

const struct pyr_import_format pyr_import_guidellm = {is_guidellm, read_guidellm};

/* --- AIPerf: ai-dynamo/aiperf, profile_export_aiperf.json ----------------------------------------
 */

static const struct summary aiperf_summaries[] = {
    {"request_throughput", PYR_M_REQUEST_THROUGHPUT, 1},
    {"goodput", PYR_M_GOODPUT, 1},
    {"output_token_throughput", PYR_M_OUTPUT_TOKEN_THROUGHPUT, 1},
    {"total_token_throughput", PYR_M_TOTAL_TOKEN_THROUGHPUT, 1},
    {"request_latency", PYR_M_LATENCY_SENT, MS},
    {"time_to_first_token", PYR_M_TTFT_SENT, MS},
    {"ttft", PYR_M_TTFT_SENT, MS},
    {"inter_token_latency", PYR_M_TPOT, MS}, /* theirs is a mean a request */
    {"inter_chunk_latency", PYR_M_ICL, MS},
};

static const json_t *aiperf_metrics(const json_t *root) {
    const json_t *records = json_object_get(root, "records");
    return json_is_object(records) ? records : root;
}

static bool is_aiperf(const json_t *root) {
    const json_t *metrics = aiperf_metrics(root);
    for (size_t i = 0; i < COUNT(aiperf_summaries); i++) {
        const json_t *one = json_object_get(metrics, aiperf_summaries[i].name);
        if (json_object_get(one, "unit") && json_object_get(one, "avg"))
            return true;
    }
    return false;
}

static double aiperf_scale(const json_t *object, const struct summary *summary) {
    static const struct {
        const char *unit;
        double scale;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", MS}, {"sec", S}, {"s", S}};
    const char *unit = json_string_value(json_object_get(object, "unit"));
    if (pyr_metric_info(summary->metric)->unit == PYR_UNIT_NS)
        for (size_t i = 0; unit && i < COUNT(units); i++)
            if (strcmp(unit, units[i].unit) == 0)
                return units[i].scale;
    return summary->scale;
}

static bool read_aiperf(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    static const char *const loads[] = {"concurrency", "request_rate"};
    const json_t *config = json_object_get(root, "input_config");
    const json_t *generator = json_object_get(config, "loadgen");
    const char *id = "profile";
    for (size_t i = 0; i < COUNT(loads); i++) {
        const char *load = pyr_import_member_text(import, generator, loads[i]);
        if (load)
            id = pyr_arena_printf(import->arena, "%s %s=%s", id, loads[i], load);
    }
    struct pyr_kept_case *kept = pyr_import_case(import, "aiperf", id);
    const json_t *metrics = aiperf_metrics(root);
    double good, bad;
    if (!pyr_import_count(import, json_object_get(json_object_get(metrics, "request_count"), "avg"),
                          "request_count", &good, err) ||
        !pyr_import_count(import,
                          json_object_get(json_object_get(metrics, "error_request_count"), "avg"),
                          "error_request_count", &bad, err))
        return false;
    kept->ok = good > 0 ? (uint64_t)good : 0;
    kept->total = kept->ok + (bad > 0 ? (uint64_t)bad : 0);
    if (good == 0)
        return true;
    for (size_t i = 0; i < COUNT(aiperf_summaries); i++) {
        const struct summary *summary = &aiperf_summaries[i];
        const json_t *object = json_object_get(metrics, summary->name);
        if (!read_summary(import, kept, object, summary, aiperf_scale(object, summary), err))
            return false;
    }
    return true;
}

const struct pyr_import_format pyr_import_aiperf = {is_aiperf, read_aiperf};
