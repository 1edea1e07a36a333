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
        {"{\n\"avg_latency_ms\": NaN}", "line 2"},
        {"{\"avg_latency_ms\": -Infinity}", "NaN and infinity"},
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
        {"<html>", "line 1 is no JSON"},
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
        cmocka_unit_test(json_lines_are_one_file),
        cmocka_unit_test(a_baseline_file_holds_several_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
