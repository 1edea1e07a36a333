/* SPDX-License-Identifier: MIT */
/* Load generators for servers whose results hold an object of statistics for each metric: GuideLLM,
 * AIPerf and GenAI-Perf. Compared with their own kind only, as in import_servers.c. */
#include "store/import_format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MS 1e6
#define S 1e9
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define QUANTILE(which) (PYR_KEPT_P50 + PYR_Q_##which)

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
    double count;
    if (!pyr_import_count(import, json_object_get(object, "count"), "count", &count, err))
        return false;
    if (count == 0) /* statistics of nothing are written as 0 */
        return true;
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
    if (count > 0 && !scalar)
        pyr_import_metric(import, kept, summary->metric)->n = (uint64_t)count;
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
    {"prompt_token_count", PYR_M_PROMPT_TOKENS, 1},
    {"output_token_count", PYR_M_OUTPUT_TOKENS, 1},
};

static bool is_guidellm(const json_t *root) {
    const json_t *first = json_array_get(json_object_get(root, "benchmarks"), 0);
    return json_is_object(json_object_get(first, "metrics"));
}

/* Where things stand has moved between versions. */
static const char *guidellm_id(struct pyr_import *import, const json_t *one, size_t number) {
    static const char *const places[] = {"config", "args"};
    static const char *const loads[] = {"rate", "streams", "max_concurrency", "rampup_duration",
                                        "burst"};
    for (size_t i = 0; i < COUNT(places); i++) {
        const json_t *strategy = json_object_get(json_object_get(one, places[i]), "strategy");
        const char *type = pyr_import_member_text(import, strategy, "type_");
        if (!type)
            continue;
        struct pyr_buf load = {0};
        pyr_import_settings(import, strategy, loads, COUNT(loads), ',', &load);
        const char *id = pyr_arena_printf(import->arena, "%s%s%s", type, load.length ? " " : "",
                                          pyr_buf_text(&load));
        pyr_buf_deinit(&load);
        return id;
    }
    pyr_import_caution(import, "its benchmark %zu does not say its load", number + 1);
    return pyr_arena_printf(import->arena, "#%zu", number + 1);
}

/* The prompts, as far as the file says: "prompt_tokens=256,output_tokens=128". */
static const char *guidellm_params(struct pyr_import *import, const json_t *root,
                                   const json_t *one) {
    const json_t *data = pyr_import_search(json_object_get(one, "config"), "data");
    if (!data)
        data = json_object_get(json_object_get(one, "request_loader"), "data");
    if (!data)
        data = pyr_import_search(json_object_get(root, "args"), "data");
    if (json_array_size(data) == 1)
        data = json_array_get(data, 0);
    const char *text = pyr_import_text_of(import, data);
    if (!text || !*text || strpbrk(text, ";\n"))
        return "";
    return pyr_arena_printf(import->arena, "data=%s", text);
}

static const json_t *guidellm_totals(const json_t *one) {
    static const char *const places[][2] = {{"request_totals", NULL},
                                            {"metrics", "request_totals"},
                                            {"scheduler_metrics", "requests_made"},
                                            {"scheduler_stats", "requests_made"},
                                            {"run_stats", "requests_made"}};
    for (size_t i = 0; i < COUNT(places); i++) {
        const json_t *at = json_object_get(one, places[i][0]);
        if (places[i][1])
            at = json_object_get(at, places[i][1]);
        if (json_object_get(at, "successful"))
            return at;
    }
    return NULL;
}

static bool read_guidellm_one(struct pyr_import *import, const json_t *root, const json_t *one,
                              size_t number, struct pyr_err *err) {
    struct pyr_kept_case *kept =
        pyr_import_case(import, "guidellm", guidellm_id(import, one, number));
    kept->params = guidellm_params(import, root, one);
    const json_t *totals = guidellm_totals(one), *metrics = json_object_get(one, "metrics");
    double good, bad;
    if (!pyr_import_count(import, json_object_get(totals, "successful"), "successful", &good,
                          err) ||
        !pyr_import_count(import, json_object_get(totals, "errored"), "errored", &bad, err))
        return false;
    if (!pyr_import_outcomes(import, kept, good, bad))
        return true;
    for (size_t k = 0; k < COUNT(guidellm_summaries); k++) {
        const struct summary *summary = &guidellm_summaries[k];
        const json_t *stats =
            json_object_get(json_object_get(metrics, summary->name), "successful");
        const json_t *count = json_object_get(stats, "count");
        if (json_is_number(count) && json_number_value(count) == 0)
            continue;
        if (!read_summary(import, kept, stats, summary, summary->scale, err) ||
            !read_summary(import, kept, json_object_get(stats, "percentiles"), summary,
                          summary->scale, err))
            return false;
    }
    return true;
}

static bool read_guidellm(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    enum { KNOWN_VERSION = 2 };
    json_int_t version =
        json_integer_value(json_object_get(json_object_get(root, "metadata"), "version"));
    if (version > KNOWN_VERSION)
        pyr_import_caution(import,
                           "GuideLLM's report version %lld is newer than %d, which this program "
                           "knows: read as far as it is alike",
                           (long long)version, KNOWN_VERSION);
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(root, "benchmarks"), i,
                       one) if (!read_guidellm_one(import, root, one, i, err)) return false;
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
    {"input_sequence_length", PYR_M_PROMPT_TOKENS, 1},
    {"output_sequence_length", PYR_M_OUTPUT_TOKENS, 1},
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

/* The file's unit decides (their documentation says so); NaN: none that this metric can have. */
static double aiperf_scale(const json_t *object, const struct summary *summary) {
    static const struct {
        const char *unit;
        double scale;
    } times[] = {{"ns", 1}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", MS}, {"sec", S}, {"s", S}};
    const char *unit = json_string_value(json_object_get(object, "unit"));
    enum pyr_unit ours = pyr_metric_info(summary->metric)->unit;
    if (!unit)
        return summary->scale;
    for (size_t i = 0; ours == PYR_UNIT_NS && i < COUNT(times); i++)
        if (strcmp(unit, times[i].unit) == 0)
            return times[i].scale;
    bool rate = ours == PYR_UNIT_PER_S || ours == PYR_UNIT_TOKENS_PER_S;
    const char *per = strchr(unit, '/');
    if (rate ? per && (strcmp(per, "/sec") == 0 || strcmp(per, "/s") == 0) : ours != PYR_UNIT_NS)
        return summary->scale;
    return (double)NAN;
}

/* The load is the case: concurrency 1 and 64 are no repetitions of each other. Its place moved:
 * input_config.loadgen, .perf_analyzer.stimulus, .phases... */
static const char *aiperf_id(struct pyr_import *import, const json_t *config) {
    static const char *const loads[] = {"concurrency", "request_rate",       "request_rate_mode",
                                        "batch_size",  "fixed_schedule",     "user_centric_rate",
                                        "num_users",   "prefill_concurrency"};
    struct pyr_buf id = {0};
    pyr_buf_puts(&id, "profile");
    for (size_t i = 0; i < COUNT(loads); i++) {
        const json_t *value = pyr_import_search(config, loads[i]);
        if (json_array_size(value) == 1)
            value = json_array_get(value, 0);
        const char *text = pyr_import_text_of(import, value);
        bool usual = text && ((strcmp(loads[i], "batch_size") == 0 && strcmp(text, "1") == 0) ||
                              strcmp(text, "false") == 0);
        if (text && *text && !usual)
            pyr_buf_printf(&id, " %s=%s", loads[i], text);
    }
    if (!strchr(pyr_buf_text(&id), '='))
        pyr_import_caution(import, "it does not say its load: only you can know that two such "
                                   "files are of the same");
    const char *copy = pyr_arena_strdup(import->arena, pyr_buf_text(&id));
    pyr_buf_deinit(&id);
    return copy;
}

static const char *aiperf_params(struct pyr_import *import, const json_t *config) {
    static const char *const names[] = {"synthetic_tokens", "input_tokens", "output_tokens", "isl",
                                        "osl"};
    static const char *const flat[] = {"synthetic_input_tokens_mean", "output_tokens_mean",
                                       "input_sequence_length", "output_sequence_length"};
    struct pyr_buf text = {0};
    const json_t *input = json_object_get(config, "input");
    const json_t *prompt = json_object_get(input, "prompt");
    for (size_t i = 0; i < COUNT(names); i++)
        for (int place = 0; place < 3; place++) {
            const json_t *at = place == 0 ? config : place == 1 ? input : prompt;
            const char *mean =
                pyr_import_member_text(import, json_object_get(at, names[i]), "mean");
            if (mean)
                pyr_buf_printf(&text, "%s%s=%s", text.length ? ";" : "", names[i], mean);
        }
    pyr_import_settings(import, config, flat, COUNT(flat), ';', &text);
    const char *copy = pyr_arena_strdup(import->arena, pyr_buf_text(&text));
    pyr_buf_deinit(&text);
    return copy;
}

static bool check_aiperf_version(struct pyr_import *import, const json_t *root,
                                 struct pyr_err *err) {
    const char *version = pyr_import_member_text(import, root, "schema_version");
    char *end;
    if (!version)
        return true; /* GenAI-Perf, and AIPerf before 1.0 */
    long major = strtol(version, &end, 10);
    return major == 1 ||
           pyr_fail(err, PYR_E_INPUT,
                    "%s: its schema_version is '%.32s' and this program (%s) knows 1; update "
                    "pyrometer, or write it with AIPerf of that schema",
                    import->name, version, PYR_VERSION);
}

static bool read_aiperf(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    const json_t *config = json_object_get(root, "input_config");
    const json_t *metrics = aiperf_metrics(root);
    double good, bad;
    if (!check_aiperf_version(import, root, err))
        return false;
    if (json_is_true(json_object_get(root, "was_cancelled")))
        import->run->partial = "cancelled, as the file says";
    struct pyr_kept_case *kept = pyr_import_case(import, "aiperf", aiperf_id(import, config));
    kept->params = aiperf_params(import, config);
    if (!pyr_import_count(import, json_object_get(json_object_get(metrics, "request_count"), "avg"),
                          "request_count", &good, err) ||
        !pyr_import_count(import,
                          json_object_get(json_object_get(metrics, "error_request_count"), "avg"),
                          "error_request_count", &bad, err))
        return false;
    if (!pyr_import_outcomes(import, kept, good, bad))
        return true;
    for (size_t i = 0; i < COUNT(aiperf_summaries); i++) {
        const struct summary *summary = &aiperf_summaries[i];
        const json_t *object = json_object_get(metrics, summary->name);
        double scale = object ? aiperf_scale(object, summary) : 1;
        if (isnan(scale))
            pyr_import_caution(import, "'%s' is in '%s', which is not known here: left out",
                               summary->name, json_string_value(json_object_get(object, "unit")));
        else if (!read_summary(import, kept, object, summary, scale, err))
            return false;
    }
    return true;
}

const struct pyr_import_format pyr_import_aiperf = {is_aiperf, read_aiperf};
