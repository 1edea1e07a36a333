/* SPDX-License-Identifier: MIT */
/* Load generators for servers whose results are flat: vLLM's and SGLang's, LLMPerf. Their
 * definitions of the same word differ from ours in detail, so their numbers are compared with their
 * own kind only. */
#include "store/import_format.h"

#include <math.h>
#include <string.h>

#define MS 1e6
#define S 1e9
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define QUANTILE(which) (PYR_KEPT_P50 + PYR_Q_##which)

/* --- vLLM: vllm-project/vllm, vllm/benchmarks/serve.py; SGLang's bench_serving.py, which is made
 * after it ---------------------------------------------------------------------------------------
 */

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
    {"input_throughput", PYR_M_PROMPT_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, 1},
};

static bool has_a_vllm_key(const json_t *run) {
    size_t found = 0;
    for (size_t i = 0; i < COUNT(vllm_keys); i++)
        found += json_object_get(run, vllm_keys[i].key) != NULL;
    return found > 1;
}

/* AIPerf has the same name for an object. SGLang's offline runs have throughputs alone, and what
 * embeds has no tokens. */
static bool is_vllm_run(const json_t *run) {
    return json_is_number(json_object_get(run, "request_throughput")) && has_a_vllm_key(run);
}

static bool is_vllm(const json_t *root) {
    return is_vllm_run(root) || is_vllm_run(json_array_get(root, 0));
}

/* The load names the case; `burstiness` 1 is Poisson and what older versions, which do not say, do.
 */
static const char *vllm_id(struct pyr_import *import, const json_t *run) {
    static const char *const more[] = {"burstiness",      "ramp_up_strategy", "ramp_up_start_rps",
                                       "ramp_up_end_rps", "max_loras",        "num_turns"};
    const char *model = pyr_import_member_text(import, run, "model_id");
    const char *rate = pyr_import_member_text(import, run, "request_rate");
    const char *level = pyr_import_member_text(import, run, "max_concurrency");
    if (!rate && !level && json_object_get(run, "completed"))
        pyr_import_caution(import, "a result in it does not say its load: only you can know that "
                                   "two such are of the same");
    struct pyr_buf others = {0};
    bool poisson = json_number_value(json_object_get(run, "burstiness")) == 1;
    pyr_import_settings(import, run, more + poisson, COUNT(more) - poisson, ',', &others);
    const char *id =
        pyr_arena_printf(import->arena, "%s%srequest_rate=%s,max_concurrency=%s%s%s",
                         model ? model : "", model ? " " : "", rate ? rate : "?",
                         level ? level : "none", others.length ? "," : "", pyr_buf_text(&others));
    pyr_buf_deinit(&others);
    return id;
}

/* What must be the same on both sides for their numbers to be compared. */
static const char *vllm_params(struct pyr_import *import, const json_t *run) {
    static const char *const keys[] = {
        "dataset_name",      "random_input_len", "random_output_len",   "random_range_ratio",
        "random_prefix_len", "fixed_output_len", "sharegpt_output_len", "input_len",
        "output_len",        "ignore_eos"};
    struct pyr_buf text = {0};
    pyr_import_settings(import, run, keys, COUNT(keys), ';', &text);
    const char *params = pyr_arena_strdup(import->arena, pyr_buf_text(&text));
    pyr_buf_deinit(&text);
    return params;
}

/* Tokens of all requests together into the mean of one. */
static bool put_mean_tokens(struct pyr_import *import, struct pyr_kept_case *kept,
                            const json_t *run, const char *key, enum pyr_metric metric,
                            double *total, struct pyr_err *err) {
    if (!pyr_import_count(import, json_object_get(run, key), key, total, err))
        return false;
    if (kept->ok > 0 && *total > 0) {
        pyr_import_put(import, kept, metric, PYR_KEPT_MEAN, *total / (double)kept->ok);
        pyr_import_metric(import, kept, metric)->n = kept->ok;
    }
    return true;
}

static bool read_vllm_run(struct pyr_import *import, const json_t *run, struct pyr_err *err) {
    double completed, failed, asked, input, output;
    struct pyr_kept_case *kept = pyr_import_case(import, "serve", vllm_id(import, run));
    kept->params = vllm_params(import, run);
    const json_t *said = json_object_get(run, "completed");
    if (!said)
        said = json_object_get(run, "successful_requests"); /* SGLang's offline runs */
    if (!pyr_import_count(import, said, "completed", &completed, err) ||
        !pyr_import_count(import, json_object_get(run, "failed"), "failed", &failed, err) ||
        !pyr_import_count(import, json_object_get(run, "num_prompts"), "num_prompts", &asked, err))
        return false;
    if (isnan(failed) && asked >= completed) /* before `failed` was there */
        failed = asked - completed;
    if (!pyr_import_outcomes(import, kept, completed, failed)) /* its zeros are no measurements */
        return true;
    if (!put_mean_tokens(import, kept, run, "total_input_tokens", PYR_M_PROMPT_TOKENS, &input,
                         err) ||
        !put_mean_tokens(import, kept, run, "total_output_tokens", PYR_M_OUTPUT_TOKENS, &output,
                         err))
        return false;
    if (output == 0) {
        pyr_import_failed(import, "%s: %llu requests completed without one output token", kept->id,
                          (unsigned long long)kept->ok);
        return true;
    }
    return pyr_import_keys(import, kept, run, vllm_keys, COUNT(vllm_keys), kept->ok, err);
}

static bool read_vllm(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    if (!json_is_array(root))
        return read_vllm_run(import, root, err);
    size_t i;
    json_t *run;
    json_array_foreach(root, i, run) {
        if (!is_vllm_run(run))
            pyr_import_caution(import, "its entry %zu is no result and is left out", i + 1);
        else if (!read_vllm_run(import, run, err))
            return false;
    }
    return true;
}

const struct pyr_import_format pyr_import_vllm = {is_vllm, read_vllm};

/* --- vLLM: vllm/benchmarks/throughput.py: its tokens are those of prompts and outputs together --
 */

static bool is_vllm_throughput(const json_t *root) {
    return json_object_get(root, "elapsed_time") && json_object_get(root, "total_num_tokens") &&
           json_object_get(root, "tokens_per_second");
}

static bool read_vllm_throughput(struct pyr_import *import, const json_t *root,
                                 struct pyr_err *err) {
    static const struct pyr_import_key keys[] = {
        {"requests_per_second", PYR_M_REQUEST_THROUGHPUT, PYR_KEPT_VALUE, 1},
        {"tokens_per_second", PYR_M_TOTAL_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, 1},
    };
    double requests;
    if (!pyr_import_count(import, json_object_get(root, "num_requests"), "num_requests", &requests,
                          err))
        return false;
    struct pyr_kept_case *kept = pyr_import_case(import, "throughput", "offline");
    return !pyr_import_outcomes(import, kept, requests, (double)NAN) ||
           pyr_import_keys(import, kept, root, keys, COUNT(keys), kept->ok, err);
}

const struct pyr_import_format pyr_import_vllm_throughput = {is_vllm_throughput,
                                                             read_vllm_throughput};

/* --- LLMPerf: ray-project/llmperf, token_benchmark_ray.py; times in seconds ---------------------
 */

#define LLMPERF_KEYS(name, metric)                                                                 \
    {"results_" name "_mean", metric, PYR_KEPT_MEAN, S},                                           \
        {"results_" name "_stddev", metric, PYR_IMPORT_SD, S},                                     \
        {"results_" name "_min", metric, PYR_IMPORT_MIN, S},                                       \
        {"results_" name "_max", metric, PYR_IMPORT_MAX, S},                                       \
        {"results_" name "_quantiles_p50", metric, QUANTILE(P50), S},                              \
        {"results_" name "_quantiles_p75", metric, QUANTILE(P75), S},                              \
        {"results_" name "_quantiles_p90", metric, QUANTILE(P90), S},                              \
        {"results_" name "_quantiles_p95", metric, QUANTILE(P95), S}, {                            \
        "results_" name "_quantiles_p99", metric, QUANTILE(P99), S                                 \
    }

/* Its inter-token latency is latency / tokens, one a request, with the TTFT in it: no gap between
 * tokens, and left out. */
static const struct pyr_import_key llmperf_keys[] = {
    LLMPERF_KEYS("ttft_s", PYR_M_TTFT_SENT),
    LLMPERF_KEYS("end_to_end_latency_s", PYR_M_LATENCY_SENT),
    {"results_mean_output_throughput_token_per_s", PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_KEPT_VALUE,
     1},
};

static bool is_llmperf(const json_t *root) {
    return json_object_get(root, "results_ttft_s_mean") ||
           json_object_get(root, "results_end_to_end_latency_s_mean");
}

static bool read_llmperf(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    static const char *const loads[] = {"num_concurrent_requests", "mean_input_tokens",
                                        "mean_output_tokens"};
    struct pyr_buf load = {0};
    const char *model = pyr_import_member_text(import, root, "model");
    pyr_import_settings(import, root, loads, COUNT(loads), ',', &load);
    struct pyr_kept_case *kept =
        pyr_import_case(import, "llmperf",
                        pyr_arena_printf(import->arena, "%s%s%s", model ? model : "",
                                         model && load.length ? " " : "", pyr_buf_text(&load)));
    pyr_buf_deinit(&load);
    double started, errors, ok;
    if (!pyr_import_count(import, json_object_get(root, "results_num_requests_started"),
                          "results_num_requests_started", &started, err) ||
        !pyr_import_count(import, json_object_get(root, "results_number_errors"),
                          "results_number_errors", &errors, err) ||
        !pyr_import_count(import, json_object_get(root, "results_num_completed_requests"),
                          "results_num_completed_requests", &ok, err))
        return false;
    if (started >= errors) /* what completed holds the failed ones too in some versions */
        ok = started - errors;
    return !pyr_import_outcomes(import, kept, ok, errors) ||
           pyr_import_keys(import, kept, root, llmperf_keys, COUNT(llmperf_keys), kept->ok, err);
}

const struct pyr_import_format pyr_import_llmperf = {is_llmperf, read_llmperf};
