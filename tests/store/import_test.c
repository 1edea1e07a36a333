/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "store/import.h"

#include <string.h>

struct expected {
    const char *file, *origin, *suite, *id;
    enum pyr_metric metric;
    int statistic;
    double value;
};

#define P50 (PYR_KEPT_P50 + PYR_Q_P50)
#define P90 (PYR_KEPT_P50 + PYR_Q_P90)
#define P95 (PYR_KEPT_P50 + PYR_Q_P95)
#define P99 (PYR_KEPT_P50 + PYR_Q_P99)
#define P99_9 (PYR_KEPT_P50 + PYR_Q_P99_9)
#define LLAMA                                                                                      \
    " model_type=llama 1B Q4_0 n_threads=2 n_gpu_layers=0 n_batch=2048 n_ubatch=512 "              \
    "flash_attn=false type_k=f16 type_v=f16"

static const struct expected known[] = {
    {"flat.json", "flat", "inference", "inference", PYR_M_LATENCY_SENT, PYR_KEPT_MEAN, 45.2e6},
    {"flat.json", "flat", "inference", "inference", PYR_M_LATENCY_SENT, P99, 124.7e6},
    {"flat.json", "flat", "inference", "inference", PYR_M_RSS_PEAK, PYR_KEPT_VALUE, 256e6},
    {"flat_levels.json", "flat", "concurrent", "concurrency=8", PYR_M_LATENCY_SENT, PYR_KEPT_MEAN,
     180.5e6},
    {"array.json", "array", "inference", "gguf/tiny.gguf", PYR_M_LATENCY_SENT, P90, 90e6},
    {"array.json", "array", "inference", "onnx/tiny.onnx", PYR_M_REQUEST_THROUGHPUT, PYR_KEPT_VALUE,
     16},
    {"nested.json", "nested", "token_throughput", "token_throughput", PYR_M_OUTPUT_TOKEN_THROUGHPUT,
     PYR_KEPT_VALUE, 32.5},
    {"nested.json", "nested", "token_throughput", "token_throughput", PYR_M_SPIKE_RATE,
     PYR_KEPT_VALUE, 0.083},
    {"nested.json", "nested", "retrieval_performance", "retrieval_performance", PYR_M_LATENCY_SENT,
     P95, 18.3e6},
    {"nested.json", "nested", "stress", "concurrency_5", PYR_M_LATENCY_SENT, PYR_KEPT_MEAN, 240e6},
    {"nested_summary.json", "nested", "token_throughput", "token_throughput", PYR_M_LATENCY_SENT,
     P50, 4.5e6},
    {"llama_bench.json", "llama-bench", "llama-bench", "pp512" LLAMA, PYR_M_PREFILL_RATE,
     PYR_KEPT_MEAN, 7100.004},
    {"llama_bench.json", "llama-bench", "llama-bench", "tg128" LLAMA, PYR_M_DECODE_RATE, P50, 40},
    {"llama_bench.json", "llama-bench", "llama-bench",
     "pp512+tg128 model_type=llama 1B Q4_0 n_threads=2", PYR_M_TOTAL_TOKEN_THROUGHPUT,
     PYR_KEPT_VALUE, 300},
    {"hyperfine.json", "hyperfine", "command", "./before", PYR_M_BLOCK_TIME, PYR_KEPT_MEAN, 0.2e9},
    {"hyperfine.json", "hyperfine", "command", "./after", PYR_M_BLOCK_TIME, P50, 0.3e9},
    {"criterion.jsonl", "criterion", "criterion", "fib/10", PYR_M_BLOCK_TIME, PYR_KEPT_MEAN, 3500},
    {"criterion_estimates.json", "criterion", "criterion", NULL, PYR_M_BLOCK_TIME, P50, 4950000},
    {"vllm.json", "vllm", "serve", "tiny request_rate=4.0,max_concurrency=none", PYR_M_TTFT_SENT,
     P99, 45.6e6},
    {"vllm.json", "vllm", "serve", "tiny request_rate=4.0,max_concurrency=none", PYR_M_LATENCY_SENT,
     PYR_KEPT_MEAN, 456.7e6},
    {"guidellm.json", "guidellm", "guidellm", "concurrent streams=8", PYR_M_LATENCY_SENT, P99_9,
     4e9},
    {"guidellm.json", "guidellm", "guidellm", "concurrent streams=8", PYR_M_REQUEST_THROUGHPUT,
     PYR_KEPT_VALUE, 2.5},
    {"aiperf.json", "aiperf", "aiperf", "profile concurrency=10", PYR_M_TTFT_SENT, P50, 15.34e6},
    {"aiperf.json", "aiperf", "aiperf", "profile concurrency=10", PYR_M_OUTPUT_TOKEN_THROUGHPUT,
     PYR_KEPT_VALUE, 4675.5},
    {"pyrometer.json", "pyrometer", "concurrent", "short.c8", PYR_M_LATENCY_SENT, P50, 249e6},
    {"pyrometer.json", "pyrometer", "instrument", "", PYR_M_HARNESS_CPU, PYR_KEPT_VALUE, 0.01},
};

static void every_known_format_is_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct expected *want = &known[i];
        char path[512];
        snprintf(path, sizeof path, "%s/import/%s", PYR_TEST_DATA, want->file);
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_kept_run *run;
        size_t count;
        struct pyr_err err;
        assert_ok(err, pyr_import_file(arena, path, &run, &count, &err));
        assert_string_equal(run->origin, want->origin);
        const struct pyr_kept_case *kept =
            want->id ? pyr_kept_case(run, want->suite, want->id) : &run->cases[0];
        if (!kept)
            fail_msg("%s has '%s', not '%s'", want->file, run->cases[0].id, want->id);
        const struct pyr_kept_metric *metric = pyr_kept_metric(kept, want->metric);
        assert_non_null(metric);
        assert_near(metric->at[want->statistic].value, want->value, want->value * 1e-9);
        pyr_arena_destroy(arena);
    }
}

static void intervals_and_counts_come_along(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_kept_run *run;
    size_t count;
    struct pyr_err err;
    assert_ok(err,
              pyr_import_file(arena, PYR_TEST_DATA "/import/hyperfine.json", &run, &count, &err));
    const struct pyr_kept_metric *metric =
        pyr_kept_metric(pyr_kept_case(run, "command", "./before"), PYR_M_BLOCK_TIME);
    assert_int_equal(metric->n, 3);
    /* 0.2 s +- t(2, 0.975) 0.01 / sqrt 3, t = 4.302653 */
    assert_near(metric->at[PYR_KEPT_MEAN].lo, 0.2e9 - 4.302653 * 0.01e9 / sqrt(3), 1e3);
    metric = pyr_kept_metric(pyr_kept_case(run, "command", "./after"), PYR_M_BLOCK_TIME);
    assert_true(isnan(metric->at[PYR_KEPT_MEAN].lo));

    assert_ok(err,
              pyr_import_file(arena, PYR_TEST_DATA "/import/pyrometer.json", &run, &count, &err));
    const struct pyr_kept_case *kept = pyr_kept_case(run, "concurrent", "short.c8");
    assert_int_equal(kept->ok, 43);
    assert_true(kept->outputs_hash == 0xfedcba9876543210);
    assert_string_equal(kept->params, "concurrency=8;class=short");
    metric = pyr_kept_metric(kept, PYR_M_LATENCY_SENT);
    assert_true(isnan(metric->at[P99].value));
    assert_near(run->noise_floor.value, 0.012, 0);
    assert_near(run->time_unix_s, 1704067200.5, 0);
    assert_non_null(strstr(run->meta_json, "\"kernel\":\"6.1\""));
    assert_int_equal(kept->metric_count, 2);
    pyr_arena_destroy(arena);
}

static void what_cannot_be_read_is_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "empty"},
        {" \n ", "empty"},
        {"{\"results\": [", "cut off at line 1"},
        {"{\"avg_latency_ms\": 4", "cut off"},
        {"{\"avg_latency_ms\": nu", "cut off"},
        {"{\"avg_latency_ms\": \"4\\u00", "cut off"},
        {"{\n\"avg_latency_ms\": NaN}", "'avg_latency_ms' is NaN"},
        {"{\"avg_latency_ms\": -Infinity}", "'avg_latency_ms' is infinite"},
        {"{\"avg_latency_ms\": -nan}", "'avg_latency_ms' is NaN"},
        {"{\"avg_latency_ms\": 0}", "without a successful measurement"},
        {"{\"avg_latency_ms\": 5, \"error_rate\": 1.0}", "without a successful measurement"},
        {"{\"avg_latency_ms\": 1, \"avg_latency_ms\": 9}", "duplicate object key"},
        {"{\"benchmarks\": {\"a\": {\"p50_ms\": 1},\n \"a\": {\"p50_ms\": 9}}}", "line 2"},
        {"{\"results\":[{\"command\":\"x\",\"mean\":1,\"times\":[1,1],\"exit_codes\":[127,127]}]}",
         "2 of 2 runs failed, exit codes 127"},
        {"{\"results\":[{\"command\":\"x\",\"mean\":1,\"times\":[1],\"exit_codes\":[null]}]}",
         "by a signal"},
        {"{\"mean\":{\"point_estimate\":-0.02},\"median\":{\"point_estimate\":-0.02}}",
         "which are ratios and no times"},
        {"{\"request_throughput\": 9, \"mean_ttft_ms\": 1, \"completed\": 9, "
         "\"total_output_tokens\": 0}",
         "without one output token"},
        {"{\"request_throughput\": 9, \"mean_ttft_ms\": 1, \"completed\": 0, \"failed\": 9}",
         "none of 9 went well"},
        {"{\"schema_version\": \"2.0\", \"request_latency\": {\"unit\": \"ms\", \"avg\": 1}}",
         "schema_version is '2.0'"},
        {"[{\"n_prompt\": 8, \"n_gen\": 0, \"avg_ts\": 0.0}]", "no token a second"},
        {"{\"avg_latency\": 1.2, \"latencies\": [1.2]}", "vllm bench latency"},
        {"| model | t/s |", "a Markdown table"},
        {"build_commit,build_number\n", "llama-bench's CSV"},
        {"{\"name\": \"caf\xe9\"}", "neither as UTF-8 nor as UTF-16"},
        {"{\"avg_latency_ms\": -4}", "'avg_latency_ms' is -4"},
        {"{\"avg_latency_ms\": \"fast\"}", "is no number"},
        {"{\"avg_latency_ms\": 4, \"successful_requests\": 1e28}", "more than can be counted"},
        {"{\"request_throughput\": 1, \"mean_ttft_ms\": 1, \"completed\": 1, \"failed\": 1e28}",
         "'failed' is 1e+28"},
        {"{\"avg_latency_ms\": null}", "without a successful measurement"},
        {"{\"avg_latency_ms\": 0, \"successful_requests\": 0, \"failed_requests\": 5}",
         "without a successful measurement"},
        {"{\"request_throughput\": 0, \"mean_ttft_ms\": 0, \"completed\": 0}",
         "without a successful measurement"},
        {"{\"schema\": \"pyrometer/2\"}", "update pyrometer"},
        {"{\"schema\": \"pyrometer/1\", \"benchmarks\": {}}", "without a successful measurement"},
        {"{\"name\": \"a package\"}", "no result file of a known format (pyrometer, llama-bench"},
        {"{\"schema\": \"pyrometer-baseline/2\"}", "update pyrometer"},
        {"{\"schema\": \"pyrometer-baseline/1\", \"runs\": []}", "without a run"},
        {"{\"schema\": \"pyrometer-baseline/1\", \"runs\": [{\"avg_latency_ms\": -1}]}",
         "run 1: 'avg_latency_ms' is -1"},
        {"[1, 2, 3]", "no result file of a known format"},
        {"<html>", "HTML or XML"},
        {"results: 5", "line 1 is no JSON"},
        {"{\"results\":[{\"command\":\"x\",\"mean\":1,\"times\":[1,null]}]}", "is null"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_kept_run *run;
        size_t count;
        struct pyr_err err;
        assert_false(pyr_import_text(arena, "new.json", bad[i].text, strlen(bad[i].text), &run,
                                     &count, &err));
        assert_int_equal(err.code, PYR_E_INPUT);
        if (!strstr(err.text, bad[i].says) || strncmp(err.text, "new.json: ", 10) != 0)
            fail_msg("'%s' gave: %s", bad[i].text, err.text);
        pyr_arena_destroy(arena);
    }
}

/* Reads text, and wants as many cases; the arena is the caller's to destroy. */
static struct pyr_kept_run *read_text(struct pyr_arena *arena, const char *text, size_t size,
                                      size_t cases) {
    struct pyr_kept_run *run;
    size_t count;
    struct pyr_err err;
    assert_ok(err, pyr_import_text(arena, "new.json", text, size, &run, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(run->case_count, cases);
    return run;
}

static double value_of(const struct pyr_kept_run *run, size_t i, enum pyr_metric metric,
                       int statistic) {
    const struct pyr_kept_metric *found = pyr_kept_metric(&run->cases[i], metric);
    return found ? found->at[statistic].value : (double)NAN;
}

#define VLLM(ttft)                                                                                 \
    "{\"request_rate\": \"inf\", \"max_concurrency\": 8, \"completed\": 10, \"failed\": 0, "       \
    "\"request_throughput\": 5, \"mean_ttft_ms\": " ttft "}"

/* Result files are appended to, and one command is run with many parameters. */
static void two_results_of_one_name_are_two_cases(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    static const char vllm[] = VLLM("100") "\n" VLLM("300") "\n" VLLM("500");
    struct pyr_kept_run *run = read_text(arena, vllm, strlen(vllm), 3);
    for (size_t i = 0; i < 3; i++)
        assert_near(value_of(run, i, PYR_M_TTFT_SENT, PYR_KEPT_MEAN), (100 + 200 * (double)i) * 1e6,
                    1);
    assert_string_equal(run->cases[0].id, "request_rate=inf,max_concurrency=8");
    assert_string_equal(run->cases[1].id, "request_rate=inf,max_concurrency=8 #2");
    assert_string_equal(run->cases[2].id, "request_rate=inf,max_concurrency=8 #3");

    static const char hyperfine[] =
        "{\"results\": [{\"command\": \"s\", \"mean\": 1, \"parameters\": {\"threads\": \"1\"}},"
        "{\"command\": \"s\", \"mean\": 2, \"parameters\": {\"threads\": \"4\"}}]}";
    run = read_text(arena, hyperfine, strlen(hyperfine), 2);
    assert_string_equal(run->cases[1].id, "s threads=4");
    assert_near(value_of(run, 0, PYR_M_BLOCK_TIME, PYR_KEPT_MEAN), 1e9, 1);

    /* A setting that is known, one that is not, and one that is at its default. */
    static const char rows[] =
        "[{\"n_prompt\": 8, \"n_gen\": 0, \"avg_ts\": 1, \"split_mode\": \"layer\"},"
        "{\"n_prompt\": 8, \"n_gen\": 0, \"avg_ts\": 2, \"split_mode\": \"row\", \"new\": 6},"
        "{\"n_prompt\": 8, \"n_gen\": 0, \"avg_ts\": 3, \"split_mode\": \"layer\", \"new\": 7}]";
    run = read_text(arena, rows, strlen(rows), 3);
    assert_string_equal(run->cases[0].id, "pp8");
    assert_string_equal(run->cases[1].id, "pp8 split_mode=row new=6");
    assert_string_equal(run->cases[2].id, "pp8 new=7");
    pyr_arena_destroy(arena);
}

static void the_load_is_part_of_the_name(void **state) {
    (void)state;
    static const struct {
        const char *config, *id;
    } files[] = {
        {"{\"loadgen\": {\"concurrency\": 64}}", "profile concurrency=64"},
        {"{\"perf_analyzer\": {\"stimulus\": {\"concurrency\": 64}}}", "profile concurrency=64"},
        {"{\"concurrency\": [64], \"request_rate\": null}", "profile concurrency=64"},
        {"{\"phases\": [{\"name\": \"profiling\", \"concurrency\": 64}]}",
         "profile concurrency=64"},
        {"{\"loadgen\": {\"concurrency\": 1, \"request_rate\": 2.5}}",
         "profile concurrency=1 request_rate=2.5"},
        {"{}", "profile"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct pyr_arena *arena = pyr_arena_create();
        const char *text = pyr_arena_printf(
            arena, "{\"input_config\": %s, \"request_latency\": {\"unit\": \"ms\", \"avg\": 5}}",
            files[i].config);
        struct pyr_kept_run *run = read_text(arena, text, strlen(text), 1);
        assert_string_equal(run->cases[0].id, files[i].id);
        bool said = run->cautions && strstr(run->cautions, "does not say its load");
        assert_true(said == (strcmp(files[i].id, "profile") == 0));
        pyr_arena_destroy(arena);
    }
    struct pyr_arena *arena = pyr_arena_create();
    static const char array[] =
        "[{\"model_name\": \"m\", \"avg_latency_ms\": 3, \"concurrency\": 1},"
        "{\"model_name\": \"m\", \"avg_latency_ms\": 9, \"concurrency\": 8}]";
    struct pyr_kept_run *run = read_text(arena, array, strlen(array), 2);
    assert_string_equal(run->cases[1].id, "?/m concurrency=8");
    static const char silent[] =
        "{\"completed\": 5, \"request_throughput\": 5, \"mean_ttft_ms\": 10}";
    run = read_text(arena, silent, strlen(silent), 1);
    assert_non_null(strstr(run->cautions, "does not say its load"));
    static const char llmperf[] =
        "{\"model\": \"m\", \"num_concurrent_requests\": 4, \"mean_input_tokens\": 550,"
        "\"results_ttft_s_mean\": 0.2, \"results_num_requests_started\": 100,"
        "\"results_number_errors\": 3}";
    run = read_text(arena, llmperf, strlen(llmperf), 1);
    assert_string_equal(run->cases[0].id, "m num_concurrent_requests=4,mean_input_tokens=550");
    assert_near(value_of(run, 0, PYR_M_TTFT_SENT, PYR_KEPT_MEAN), 0.2e9, 1);
    assert_near(value_of(run, 0, PYR_M_ERROR_RATE, PYR_KEPT_VALUE), 0.03, 1e-12);
    pyr_arena_destroy(arena);
}

static void what_failed_is_no_measurement(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    static const char one_of_three[] =
        "{\"results\": [{\"command\": \"x\", \"mean\": 0.6, \"times\": [1.0, 0.01, 0.8],"
        "\"exit_codes\": [0, 127, 0]}]}";
    struct pyr_kept_run *run = read_text(arena, one_of_three, strlen(one_of_three), 1);
    assert_near(value_of(run, 0, PYR_M_BLOCK_TIME, PYR_KEPT_MEAN), 0.9e9, 1);
    assert_near(value_of(run, 0, PYR_M_ERROR_RATE, PYR_KEPT_VALUE), 1.0 / 3, 1e-12);
    assert_non_null(strstr(run->cautions, "1 of 3 runs failed, exit codes 127"));

    /* Statistics of nothing are written as 0, beside others that are something. */
    static const char guidellm[] =
        "{\"benchmarks\": [{\"config\": {\"strategy\": {\"type_\": \"concurrent\", \"streams\": "
        "2}},"
        "\"metrics\": {\"request_totals\": {\"successful\": 3, \"errored\": 1},"
        "\"time_to_first_token_ms\": {\"successful\": {\"mean\": 0, \"count\": 0,"
        "\"percentiles\": {\"p50\": 0}}},"
        "\"request_latency\": {\"successful\": {\"mean\": 2, \"count\": 3}}}}]}";
    run = read_text(arena, guidellm, strlen(guidellm), 1);
    assert_null(pyr_kept_metric(&run->cases[0], PYR_M_TTFT_SENT));
    assert_near(value_of(run, 0, PYR_M_LATENCY_SENT, PYR_KEPT_MEAN), 2e9, 1);
    const struct pyr_kept_metric *rate = pyr_kept_metric(&run->cases[0], PYR_M_ERROR_RATE);
    assert_near(rate->at[PYR_KEPT_VALUE].value, 0.25, 1e-12);
    assert_true(rate->at[PYR_KEPT_VALUE].lo > 0.04 && rate->at[PYR_KEPT_VALUE].hi < 0.71);

    static const char throughput[] =
        "{\"elapsed_time\": 10, \"num_requests\": 100, \"total_num_tokens\": 64000,"
        "\"requests_per_second\": 10, \"tokens_per_second\": 6400}";
    run = read_text(arena, throughput, strlen(throughput), 1);
    assert_null(pyr_kept_metric(&run->cases[0], PYR_M_OUTPUT_TOKEN_THROUGHPUT));
    assert_near(value_of(run, 0, PYR_M_TOTAL_TOKEN_THROUGHPUT, PYR_KEPT_VALUE), 6400, 0);

    /* Seconds a user: no rate of the server. */
    static const char unit[] =
        "{\"request_latency\": {\"unit\": \"ms\", \"avg\": 5}, \"output_token_throughput\":"
        "{\"unit\": \"tokens/sec/user\", \"avg\": 50}}";
    run = read_text(arena, unit, strlen(unit), 1);
    assert_null(pyr_kept_metric(&run->cases[0], PYR_M_OUTPUT_TOKEN_THROUGHPUT));
    assert_non_null(strstr(run->cautions, "tokens/sec/user"));
    pyr_arena_destroy(arena);
}

static void what_is_no_number_is_left_out(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    static const char text[] = "{\"request_rate\": Infinity, \"completed\": 10, \"failed\": 0,\n"
                               "\"note\": \"a NaN, \\\" an Infinity\", \"request_throughput\": 5,"
                               "\"mean_ttft_ms\": 10, \"mean_tpot_ms\": NaN, \"p99_tpot_ms\":-nan,"
                               "\"mean_itl_ms\": inf}";
    struct pyr_kept_run *run = read_text(arena, text, strlen(text), 1);
    assert_string_equal(run->cases[0].id, "request_rate=inf,max_concurrency=none");
    assert_near(value_of(run, 0, PYR_M_TTFT_SENT, PYR_KEPT_MEAN), 10e6, 1);
    assert_null(pyr_kept_metric(&run->cases[0], PYR_M_TPOT));
    assert_non_null(strstr(run->cautions, "'mean_tpot_ms' is NaN"));
    assert_non_null(strstr(run->cautions, "'mean_itl_ms' is infinite"));
    pyr_arena_destroy(arena);
}

/* The same file as a shell of another system writes it. */
static void other_encodings_are_read(void **state) {
    (void)state;
    static const char text[] = "{\"benchmark_type\": \"caf\xc3\xa9 \xf0\x9f\x98\x80\", "
                               "\"avg_latency_ms\": 4}";
    static const uint16_t units[] = {0xe9, ' ', 0xd83d, 0xde00}; /* what the 7 bytes above are */
    char wide[4][2 * sizeof text + 8];
    size_t size[4] = {0};
    for (int kind = 0; kind < 4; kind++) { /* bit 0: big end first; bit 1: with a mark */
        uint16_t all[sizeof text + 1];
        size_t count = 0;
        if (kind & 2)
            all[count++] = 0xfeff;
        const char *odd = strstr(text, "\xc3");
        for (const char *at = text; *at; at++) {
            if (at != odd) {
                all[count++] = (unsigned char)*at;
                continue;
            }
            memcpy(&all[count], units, sizeof units);
            count += 4;
            at += 6;
        }
        for (size_t i = 0; i < count; i++) {
            wide[kind][size[kind]++] = (char)(kind & 1 ? all[i] >> 8 : all[i] & 0xff);
            wide[kind][size[kind]++] = (char)(kind & 1 ? all[i] & 0xff : all[i] >> 8);
        }
    }
    struct pyr_arena *arena = pyr_arena_create();
    char marked[sizeof text + 3];
    int length = snprintf(marked, sizeof marked, "\xef\xbb\xbf%s", text);
    assert_string_equal(read_text(arena, marked, (size_t)length, 1)->cases[0].suite,
                        "caf\xc3\xa9 \xf0\x9f\x98\x80");
    for (int kind = 0; kind < 4; kind++)
        assert_string_equal(read_text(arena, wide[kind], size[kind], 1)->cases[0].suite,
                            "caf\xc3\xa9 \xf0\x9f\x98\x80");
    struct pyr_kept_run *run;
    size_t count;
    struct pyr_err err;
    assert_false(pyr_import_text(arena, "x", wide[2], size[2] - 1, &run, &count, &err));
    assert_non_null(strstr(err.text, "UTF-16 and cut off"));
    assert_false(pyr_import_text(arena, "x", "\xff\xfe\0\0{\0\0\0", 8, &run, &count, &err));
    assert_non_null(strstr(err.text, "UTF-32"));
    assert_false(pyr_import_text(arena, "x", "\xff\xfe{\0\0\xdc", 6, &run, &count, &err));
    assert_non_null(strstr(err.text, "half a character"));
    pyr_arena_destroy(arena);
}

static void json_lines_are_one_file(void **state) {
    (void)state;
    const char text[] = "{\"n_prompt\":8,\"n_gen\":0,\"avg_ts\":1.5}\n"
                        "{\"n_prompt\":0,\"n_gen\":8,\"avg_ts\":2.5}\n";
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_kept_run *run;
    size_t count;
    struct pyr_err err;
    assert_ok(err, pyr_import_text(arena, "x", text, strlen(text), &run, &count, &err));
    assert_int_equal(run->case_count, 2);
    assert_string_equal(run->cases[1].id, "tg8");
    pyr_arena_destroy(arena);
}

static void a_baseline_file_holds_several_runs(void **state) {
    (void)state;
    const char text[] = "{\"schema\":\"pyrometer-baseline/1\",\"runs\":["
                        "{\"avg_latency_ms\":1},{\"avg_latency_ms\":2}]}";
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_kept_run *runs;
    size_t count;
    struct pyr_err err;
    assert_ok(err, pyr_import_text(arena, "x", text, strlen(text), &runs, &count, &err));
    assert_int_equal(count, 2);
    assert_near(runs[1].cases[0].metrics[0].at[PYR_KEPT_MEAN].value, 2e6, 0);
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_format_is_read),
        cmocka_unit_test(intervals_and_counts_come_along),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(two_results_of_one_name_are_two_cases),
        cmocka_unit_test(the_load_is_part_of_the_name),
        cmocka_unit_test(what_failed_is_no_measurement),
        cmocka_unit_test(what_is_no_number_is_left_out),
        cmocka_unit_test(other_encodings_are_read),
        cmocka_unit_test(json_lines_are_one_file),
        cmocka_unit_test(a_baseline_file_holds_several_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
