/* SPDX-License-Identifier: MIT */
#include "support/result_fixture.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define MS 1e6

/* --- estimates and metrics ------------------------------------------------------------------- */

static struct pyr_estimate estimate(double value, double half_share) {
    return (struct pyr_estimate){value, value * (1 - half_share), value * (1 + 1.15 * half_share),
                                 NULL};
}

/* The logistic curve stands in for the normal one: near enough, and nothing to get wrong. */
static double normal_score(double q) {
    return log(q / (1 - q)) / 1.702;
}

/* A quantile of a log-normal law, with the two-sided interval that n values can give. */
static struct pyr_estimate quantile_of(struct pyr_arena *arena, double median, double sigma,
                                       double q, uint64_t n, uint64_t *needed) {
    double top = (double)n * (1 - q);
    uint64_t wanted = q == 0.5 ? 6 : (uint64_t)ceil(log(0.025) / log(q));
    *needed = n < wanted ? wanted - n : 0;
    if (top < 1)
        return pyr_estimate_unknown(pyr_arena_printf(arena, "n<%.0f", ceil(1 / (1 - q) - 1e-9)));
    struct pyr_estimate at = {.value = median * exp(sigma * normal_score(q))};
    double spread = 1.96 * sqrt(q * (1 - q) / (double)n);
    at.lo = median * exp(sigma * normal_score(fmax(q - spread, 0.01)));
    at.hi = *needed ? (double)NAN
                    : median * exp(sigma * normal_score(fmin(q + spread, 1 - 0.3 / top * (1 - q))));
    if (*needed)
        at.reason = pyr_arena_printf(arena, "n<%llu", (unsigned long long)wanted);
    return at;
}

static struct pyr_metric_result scalar(enum pyr_metric metric, double value, double half_share,
                                       uint64_t n) {
    return (struct pyr_metric_result){.metric = metric,
                                      .source = pyr_metric_info(metric)->source,
                                      .n = n,
                                      .value = estimate(value, half_share),
                                      .early_stopping_p99 = NAN};
}

static struct pyr_metric_result unknown_scalar(enum pyr_metric metric, const char *reason) {
    return (struct pyr_metric_result){.metric = metric,
                                      .source = pyr_metric_info(metric)->source,
                                      .value = pyr_estimate_unknown(reason),
                                      .early_stopping_p99 = NAN};
}

static void add_curve(struct pyr_arena *arena, struct pyr_metric_result *row, double median,
                      double sigma) {
    enum { POINTS = 48 };
    struct pyr_curve_point *curve = pyr_arena_array(arena, POINTS, sizeof *curve);
    double deepest = log10((double)row->n);
    for (int i = 0; i < POINTS; i++) {
        uint64_t needed;
        double q = 1 - pow(10, -deepest * (i + 0.5) / POINTS);
        curve[i].q = q;
        curve[i].at = quantile_of(arena, median, sigma, q, row->n, &needed);
        row->curve_count = (size_t)i + 1;
    }
    row->curve = curve;
}

/* The values that the law would give n draws, evenly spread over its quantiles. */
static const struct pyr_hist *hist_of(struct pyr_arena *arena, double median, double sigma,
                                      uint64_t n) {
    struct pyr_hist *hist = pyr_arena_alloc(arena, sizeof *hist);
    for (uint64_t i = 0; i < n; i++)
        pyr_hist_record(
            hist, (uint64_t)(median * exp(sigma * normal_score(((double)i + 0.5) / (double)n))));
    return hist;
}

static struct pyr_metric_result spread(struct pyr_arena *arena, enum pyr_metric metric,
                                       double median, double sigma, uint64_t n) {
    struct pyr_metric_result row = {.metric = metric,
                                    .source = pyr_metric_info(metric)->source,
                                    .n = n,
                                    .vif = 1.4,
                                    .n_effective = (double)n / 1.4,
                                    .sd = median * sigma,
                                    .early_stopping_p99 = NAN};
    for (int i = 0; i < PYR_Q_COUNT; i++)
        row.quantile[i] =
            quantile_of(arena, median, sigma, pyr_quantile_levels[i], n, &row.needed[i]);
    row.mean = estimate(median * exp(sigma * sigma / 2), 2 * sigma / sqrt((double)n));
    row.min = median * exp(-2.5 * sigma);
    row.max = median * exp(sigma * normal_score(1 - 0.4 / (double)n));
    if (n >= 459)
        row.early_stopping_p99 = row.quantile[PYR_Q_P99].value * 1.1;
    if (metric == PYR_M_ITL || metric == PYR_M_TTFT_SENT || metric == PYR_M_TTFT_SCHED ||
        metric == PYR_M_LATENCY_SENT || metric == PYR_M_LATENCY_SCHED)
        add_curve(arena, &row, median, sigma);
    return row;
}

/* --- cases ----------------------------------------------------------------------------------- */

/* What a case of the fixture measures; the law is a batch step that grows with the batch. */
struct shape {
    const char *suite, *id, *class_name;
    uint32_t concurrency, prompt_tokens;
    double rate; /* > 0: open loop */
    uint64_t n;
    uint64_t timeouts, rejected;
};

enum { OUTPUT_TOKENS = 64, METRICS_MAX = 40 };

static struct pyr_case *plan_of(struct pyr_arena *arena, const struct shape *shape,
                                uint32_t index) {
    struct pyr_case *plan = pyr_arena_alloc(arena, sizeof *plan);
    plan->index = index;
    plan->concurrency = shape->concurrency;
    plan->rate = shape->rate;
    plan->open_loop = shape->rate > 0;
    plan->exact_output = 1;
    snprintf(plan->suite, sizeof plan->suite, "%s", shape->suite);
    snprintf(plan->id, sizeof plan->id, "%s", shape->id);
    snprintf(plan->arrival, sizeof plan->arrival, "%s", shape->rate > 0 ? "poisson" : "closed");
    snprintf(plan->prompt_class, sizeof plan->prompt_class, "%s", shape->class_name);
    snprintf(plan->params, sizeof plan->params,
             "prompt_tokens=%u;output_tokens=%d;seed=1;temperature=0", shape->prompt_tokens,
             OUTPUT_TOKENS);
    return plan;
}

static size_t request_metrics(struct pyr_arena *arena, const struct shape *shape,
                              struct pyr_metric_result *rows) {
    double batch = shape->rate > 0 ? shape->rate * 2.1 : shape->concurrency;
    double step_ms = 18 + 1.6 * batch, prefill_ms = 4.1 * shape->prompt_tokens;
    double ttft = (prefill_ms + step_ms * (1 + 0.2 * batch)) * MS, itl = step_ms * MS;
    double latency = ttft + (OUTPUT_TOKENS - 1) * itl;
    double rate = shape->rate > 0 ? shape->rate * 0.98 : batch / (latency / 1e9);
    uint64_t n = shape->n, failed = shape->timeouts + shape->rejected;
    double failed_share = (double)failed / (double)(n + failed);
    size_t count = 0;
    rows[count++] = spread(arena, PYR_M_TTFT_SCHED, ttft * 1.01, 0.12 + 0.01 * batch, n);
    rows[count++] = spread(arena, PYR_M_TTFT_SENT, ttft, 0.12 + 0.01 * batch, n);
    rows[count++] = spread(arena, PYR_M_ITL, itl, 0.06, n * (OUTPUT_TOKENS - 1));
    rows[count++] = spread(arena, PYR_M_TPOT, itl, 0.03, n);
    rows[count++] = spread(arena, PYR_M_STALL, itl * 1.9, 0.3, n);
    rows[count++] = spread(arena, PYR_M_LATENCY_SCHED, latency * 1.01, 0.05 + 0.01 * batch, n);
    rows[count++] = spread(arena, PYR_M_LATENCY_SENT, latency, 0.05 + 0.01 * batch, n);
    rows[count++] = spread(arena, PYR_M_QUEUE_TIME, 0.2 * MS * batch, 0.4, n);
    rows[count++] = spread(arena, PYR_M_PREFILL_RATE, 1000 / 4.1, 0.05, n);
    rows[count++] = spread(arena, PYR_M_DECODE_RATE, 1e9 / itl, 0.03, n);
    rows[count++] = spread(arena, PYR_M_PROMPT_TOKENS, shape->prompt_tokens, 0, n);
    rows[count++] = spread(arena, PYR_M_OUTPUT_TOKENS, OUTPUT_TOKENS, 0, n);
    rows[count++] = scalar(PYR_M_REQUEST_THROUGHPUT, rate, 0.03, n);
    if (shape->rate > 0)
        rows[count++] = scalar(PYR_M_OFFERED_RATE, shape->rate, 0.01, n);
    rows[count++] = scalar(PYR_M_GOODPUT, rate * (batch > 8 ? 0.4 : 0.97), 0.05, n);
    rows[count++] =
        scalar(PYR_M_OUTPUT_TOKEN_THROUGHPUT, rate * OUTPUT_TOKENS, 0.03, n * OUTPUT_TOKENS);
    rows[count++] = scalar(PYR_M_PROMPT_TOKEN_THROUGHPUT, rate * shape->prompt_tokens, 0.03, n);
    rows[count++] = scalar(PYR_M_TOTAL_TOKEN_THROUGHPUT,
                           rate * (OUTPUT_TOKENS + shape->prompt_tokens), 0.03, n);
    rows[count++] = scalar(PYR_M_IN_FLIGHT, batch * 0.97, 0.01, n);
    rows[count++] = scalar(PYR_M_PARALLELISM, batch * 0.95, 0.02, n);
    rows[count] = scalar(PYR_M_ERROR_RATE, failed_share, 0.5, n + failed);
    rows[count++].value.hi += 3 / (double)(n + failed); /* the rule of three, for none at all */
    rows[count++] = scalar(PYR_M_SPIKE_RATE, 0.0083, 0.4, n);
    rows[count++] = scalar(PYR_M_SPIKE_RATE_ROBUST, 0.0021, 0.6, n);
    rows[count++] = scalar(PYR_M_LITTLE_RATIO, 1.004, 0.004, n);
    rows[count++] = scalar(PYR_M_CPU_UTILIZATION, 0.982, 0.002, 40);
    rows[count++] = scalar(PYR_M_RSS_PEAK, 812.4e6, 0, 40);
    rows[count++] = shape->concurrency == 1
                        ? scalar(PYR_M_BANDWIDTH_SHARE, 0.73, 0.02, 40)
                        : unknown_scalar(PYR_M_BANDWIDTH_SHARE, "only at one sequence");
    rows[count++] = unknown_scalar(PYR_M_ENERGY, "no energy counter is readable here");
    rows[count++] = unknown_scalar(PYR_M_ENERGY_PER_TOKEN, "no energy counter is readable here");
    return count;
}

static void add_timeline(struct pyr_arena *arena, struct pyr_case_result *result, double latency,
                         double rate) {
    enum { STEPS = 60 };
    struct pyr_timeline_point *points = pyr_arena_array(arena, STEPS, sizeof *points);
    double width = result->whole_s / STEPS;
    for (int i = 0; i < STEPS; i++) {
        double warm = 1 + 0.8 * exp(-i / 3.0), wave = 1 + 0.06 * sin(i * 0.7);
        points[i] = (struct pyr_timeline_point){
            .start_s = i * width,
            .width_s = width,
            .ok = (uint64_t)fmax(0, rate * width / warm),
            .failed = i == 40 ? 2 : 0,
            .output_tokens = (uint64_t)(rate * width * OUTPUT_TOKENS / warm),
            .latency_median_ns = i == 17 ? (double)NAN : latency * warm * wave,
            .latency_max_ns =
                i == 17 ? (double)NAN : latency * warm * wave * (i == 31 ? 4.2 : 1.35),
            .ttft_median_ns = i == 17 ? (double)NAN : latency * 0.2 * warm * wave,
            .in_flight = result->plan->open_loop ? rate * latency / 1e9 : result->plan->concurrency,
            .asked_rate = result->plan->open_loop ? result->plan->rate : (double)NAN,
            .asked_concurrency = result->plan->open_loop ? (double)NAN : result->plan->concurrency};
    }
    result->timeline = points;
    result->timeline_count = STEPS;
    struct pyr_spike *spikes = pyr_arena_array(arena, 2, sizeof *spikes);
    spikes[0] = (struct pyr_spike){31.5 * width, latency * 4.2};
    spikes[1] = (struct pyr_spike){31.8 * width, latency * 3.1};
    result->spikes = spikes;
    result->spike_count = 2;
    struct pyr_phase_result *phases = pyr_arena_array(arena, 2, sizeof *phases);
    phases[0] = (struct pyr_phase_result){.name = "warmup",
                                          .seconds = 2,
                                          .requests = 4,
                                          .ok = 4,
                                          .latency_p50_ns = latency * 1.6,
                                          .ttft_p50_ns = latency * 0.4,
                                          .rate = rate / 2,
                                          .asked_rate = NAN,
                                          .asked_concurrency = result->plan->concurrency};
    phases[1] = phases[0];
    phases[1].name = "measured";
    phases[1].start_s = 2;
    phases[1].seconds = result->whole_s - 2;
    phases[1].requests = result->total;
    phases[1].ok = result->ok;
    phases[1].latency_p50_ns = latency;
    phases[1].ttft_p50_ns = latency * 0.2;
    phases[1].rate = rate;
    result->phases = phases;
    result->phase_count = 2;
}

static struct pyr_case_result request_case(struct pyr_arena *arena, const struct shape *shape,
                                           uint32_t index) {
    struct pyr_metric_result *rows = pyr_arena_array(arena, METRICS_MAX, sizeof *rows);
    struct pyr_metric_result *whole = pyr_arena_array(arena, METRICS_MAX, sizeof *whole);
    struct shape longer = *shape;
    longer.n = shape->n + shape->n / 10;
    struct pyr_case_result result = {.plan = plan_of(arena, shape, index),
                                     .metrics = rows,
                                     .metric_count = request_metrics(arena, shape, rows),
                                     .whole = whole,
                                     .whole_count = request_metrics(arena, &longer, whole),
                                     .total = longer.n + shape->timeouts + shape->rejected,
                                     .ok = longer.n,
                                     .cut_s = 2.125,
                                     .outputs_hash = UINT64_C(0x9e3779b97f4a7c15)};
    for (size_t i = 0; i < result.whole_count; i++)
        whole[i].curve = NULL, whole[i].curve_count = 0;
    result.outcomes[PYR_OUTCOME_OK] = longer.n;
    result.outcomes[PYR_OUTCOME_TIMEOUT_FIRST] = shape->timeouts;
    result.outcomes[PYR_OUTCOME_REJECTED] = shape->rejected;
    double rate = pyr_case_metric(&result, PYR_M_REQUEST_THROUGHPUT)->value.value;
    result.steady_s = (double)shape->n / rate;
    result.whole_s = result.steady_s + result.cut_s;
    add_timeline(arena, &result,
                 pyr_case_metric(&result, PYR_M_LATENCY_SENT)->quantile[PYR_Q_P50].value, rate);
    return result;
}

static struct pyr_case_result start_case(struct pyr_arena *arena, uint32_t index) {
    struct pyr_metric_result *rows = pyr_arena_array(arena, 6, sizeof *rows);
    rows[0] = spread(arena, PYR_M_COLD_START, 1830 * MS, 0.03, 5);
    rows[1] = spread(arena, PYR_M_SPAWN_TIME, 3.1 * MS, 0.1, 5);
    rows[2] = spread(arena, PYR_M_LOAD_TIME_COLD, 1420 * MS, 0.03, 5);
    rows[3] = spread(arena, PYR_M_LOAD_TIME, 212 * MS, 0.04, 8);
    rows[4] = spread(arena, PYR_M_UNLOAD_TIME, 14 * MS, 0.1, 8);
    rows[5] = scalar(PYR_M_ENGINE_MEMORY, 655.1e6, 0, 1);
    struct shape shape = {
        .suite = "inference", .id = "inference/start", .class_name = "", .concurrency = 1};
    return (struct pyr_case_result){.plan = plan_of(arena, &shape, index),
                                    .metrics = rows,
                                    .metric_count = 6,
                                    .steadiness = PYR_STEADY_UNKNOWN};
}

/* --- whole results --------------------------------------------------------------------------- */

static const char meta[] =
    "{\"command\":\"pyrometer bench --preset quick --slo ttft_p90=800ms,itl_p90=60ms\","
    "\"repeat_command\":\"pyrometer bench models/tiny.gguf --preset quick --seed 1 --threads 2 "
    "--slo ttft_p90=800ms,itl_p90=60ms\","
    "\"started_unix_ns\":1704067200250000000,"
    "\"target\":{\"kind\":\"local\",\"spec\":\"models/tiny.gguf\",\"name\":\"tiny.gguf\","
    "\"engine\":\"llama.cpp 6123\",\"description\":\"TinyLlama-1.1B shape, Q4_0, 1.10 B "
    "parameters, 637 MB\",\"note\":\"synthesised here: TinyLlama-1.1B shape, Q4_0, random "
    "weights\","
    "\"threads\":2,\"sequences\":32,\"weight_bytes\":637699456},"
    "\"config\":{\"preset\":\"quick\",\"seed\":1,\"iterations\":100,\"concurrency\":[1,2,4,8,16,32]"
    ","
    "\"level_time_s\":10.0,\"load_model\":\"closed\"},"
    "\"system_info\":{\"cpu_model\":\"AMD EPYC 7B13\",\"cpu_count\":2,\"memory_total_gb\":24.6,"
    "\"kernel\":\"6.1.0-18-amd64\",\"os\":\"Debian GNU/Linux 12\",\"governor\":null,"
    "\"gpu_name\":null,\"gpu_memory_gb\":null}}";

static struct pyr_result *fresh(void) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_result *result = pyr_arena_alloc(arena, sizeof *result);
    result->arena = arena;
    result->meta_json = meta;
    result->run_path = "benchmark_results/history/2024-01-01T00-00-00/run.pyr";
    result->grade_reason = "no goal was set";
    return result;
}

static struct pyr_suite_result *add_suites(struct pyr_result *result, size_t count) {
    struct pyr_suite_result *suites = pyr_arena_array(result->arena, count, sizeof *suites);
    result->suites = suites;
    result->suite_count = count;
    return suites;
}

static const char *const *one_text(struct pyr_arena *arena, const char *text) {
    const char **list = pyr_arena_array(arena, 1, sizeof *list);
    list[0] = text;
    return list;
}

static void fill_inference(struct pyr_arena *arena, struct pyr_suite_result *suite) {
    static const struct shape shapes[] = {
        {"inference", "inference/short", "short", 1, 16, 0, 120, 0, 0},
        {"inference", "inference/medium", "medium", 1, 128, 0, 80, 0, 0},
        {"inference", "inference/long", "long", 1, 512, 0, 40, 0, 0},
    };
    struct pyr_case_result *cases = pyr_arena_array(arena, 4, sizeof *cases);
    cases[0] = start_case(arena, 0);
    for (uint32_t i = 0; i < 3; i++)
        cases[1 + i] = request_case(arena, &shapes[i], 1 + i);
    *suite = (struct pyr_suite_result){"inference", cases, 4, NULL, 0};
}

static void fill_concurrent(struct pyr_arena *arena, struct pyr_suite_result *suite) {
    static const uint32_t levels[] = {1, 2, 4, 8, 16, 32};
    static const uint64_t counts[] = {40, 60, 90, 130, 240, 400};
    struct pyr_case_result *cases = pyr_arena_array(arena, 12, sizeof *cases);
    for (uint32_t i = 0; i < 12; i++) {
        bool is_long = i >= 6;
        struct shape shape = {.suite = "concurrent",
                              .class_name = is_long ? "long" : "short",
                              .concurrency = levels[i % 6],
                              .prompt_tokens = is_long ? 512 : 16,
                              .n = is_long ? counts[i % 6] / 3 : counts[i % 6],
                              .timeouts = i == 11 ? 3 : 0,
                              .rejected = i == 11 ? 1 : 0};
        shape.id = pyr_arena_printf(arena, "concurrent/%s/c%u", shape.class_name, levels[i % 6]);
        cases[i] = request_case(arena, &shape, 4 + i);
    }
    cases[10].steadiness = PYR_NEVER_STEADY;
    cases[10].warnings = one_text(arena, "our own process did not run for 212 ms at 31.5 s");
    cases[10].warning_count = 1;
    cases[11].flag_short = 2;
    cases[11].saturating = true;
    *suite = (struct pyr_suite_result){"concurrent", cases, 12, NULL, 0};
}

static void fill_rate(struct pyr_arena *arena, struct pyr_suite_result *suite) {
    static const struct shape shapes[] = {
        {"rate", "rate/short/r1", "short", 0, 16, 1, 150, 0, 0},
        {"rate", "rate/short/r2", "short", 0, 16, 2, 310, 0, 0},
        {"rate", "rate/short/r4", "short", 0, 16, 4, 450, 4, 0},
    };
    struct pyr_case_result *cases = pyr_arena_array(arena, 3, sizeof *cases);
    for (uint32_t i = 0; i < 3; i++)
        cases[i] = request_case(arena, &shapes[i], 16 + i);
    cases[2].saturating = true;
    cases[0].serialises = "this target serialises: 1.02 requests at once with 4 in flight";
    *suite = (struct pyr_suite_result){"rate", cases, 3, NULL, 0};
}

static void add_goals(struct pyr_result *result) {
    static const struct pyr_goal goals[] = {
        {"ttft_sched", "p90", "", "ttft_p90=800ms", 0, 1, 1, {0}, 800 * MS},
        {"itl", "p90", "", "itl_p90=60ms", 0, 1, 1, {0}, 60 * MS},
        {"output_token_throughput", "value", "concurrent", "tok_s=30", 1, 0, 0, {0}, 30},
        {"error_rate", "value", "", "error=1%", 0, 1, 0, {0}, 0.01},
        {"energy_per_token", "value", "", "energy_per_token=1", 0, 0, 0, {0}, 1},
    };
    struct pyr_goal_result *rows = pyr_arena_array(result->arena, 5, sizeof *rows);
    rows[0] =
        (struct pyr_goal_result){&goals[0], "concurrent/long/c32", estimate(2510.2 * MS, 0.05),
                                 PYR_GOAL_MISSED, "2510 ms [2385, 2655] is above 800 ms"};
    rows[1] = (struct pyr_goal_result){&goals[1], "concurrent/short/c16", estimate(59.1 * MS, 0.04),
                                       PYR_GOAL_UNDECIDED,
                                       "59.1 ms [56.7, 61.8] holds the limit of 60 ms"};
    rows[2] = (struct pyr_goal_result){&goals[2], "concurrent/long/c1", estimate(41.2, 0.03),
                                       PYR_GOAL_MET, "41.2 tokens/s [40.0, 42.6] is above 30"};
    rows[3] = (struct pyr_goal_result){&goals[3], "concurrent/long/c32", estimate(0.0267, 0.5),
                                       PYR_GOAL_MISSED, "2.67 % [1.33, 4.21] is above 1 %"};
    rows[4] = (struct pyr_goal_result){&goals[4], NULL,
                                       pyr_estimate_unknown("no energy counter is readable here"),
                                       PYR_GOAL_UNKNOWN, "no case measured it"};
    result->goals = rows;
    result->goal_count = 5;
    result->goals_met = 1;
    result->goals_decided = 3;
    result->grade = PYR_GRADE_POOR;
    result->grade_reason = "1 of 3 decided goals met";
}

static void add_instrument(struct pyr_result *result) {
    struct pyr_metric_result *rows = pyr_arena_array(result->arena, 5, sizeof *rows);
    rows[0] = spread(result->arena, PYR_M_TTFT_ERROR, 2.4e3, 0.5, 4000);
    rows[1] = spread(result->arena, PYR_M_ITL_ERROR, 1.1e3, 0.6, 50000);
    rows[2] = spread(result->arena, PYR_M_PACING_LATENESS, 18e3, 0.7, 1200);
    rows[3] = scalar(PYR_M_HARNESS_CPU, 0.0041, 0.1, 40);
    rows[4] = scalar(PYR_M_CPU_PER_EVENT, 870, 0.03, 40);
    result->instrument = rows;
    result->instrument_count = 5;
    static const struct pyr_case plans[2] = {
        {.index = 19,
         .concurrency = 1,
         .open_loop = 1,
         .suite = PYR_CALIBRATION_SUITE,
         .id = "warm-up"},
        {.index = 20,
         .concurrency = 32,
         .open_loop = 1,
         .suite = PYR_CALIBRATION_SUITE,
         .id = "highest",
         .params = "events_per_second=1280;tokens_per_request=20;steps=together;"
                   "transport=loopback TCP;requests=320;failed=0;unmatched=0;seconds=2.9"}};
    static const char *const why[] = {"the server of known schedule: Operation not permitted"};
    struct pyr_case_result *loads = pyr_arena_array(result->arena, 2, sizeof *loads);
    loads[0] = (struct pyr_case_result){.plan = &plans[0], .warnings = why, .warning_count = 1};
    loads[1] = (struct pyr_case_result){.plan = &plans[1], .metrics = rows, .metric_count = 5};
    result->calibrations = loads;
    result->calibration_count = 2;
    static const char *const notes[] = {
        "concurrent/short/c32: TTFT p50 is 80 \u00b5s and the instrument's own error up to 30 "
        "\u00b5s (p99), 38 % of it: read it as a bound"};
    result->instrument_notes = notes;
    result->instrument_note_count = 1;
    result->instrument_alarm = true;
    static const struct pyr_noise_floor floor = {0.021, 6, "the same case run against itself"};
    result->noise_floor = &floor;
}

struct pyr_result *pyr_test_result_rich(void) {
    struct pyr_result *result = fresh();
    struct pyr_suite_result *suites = add_suites(result, 3);
    fill_inference(result->arena, &suites[0]);
    fill_concurrent(result->arena, &suites[1]);
    fill_rate(result->arena, &suites[2]);
    add_goals(result);
    add_instrument(result);
    static const char *const warnings[] = {
        "the CPU frequency governor is unknown: the machine may change its clock in mid-run",
        "12 % of the CPU was in use before the run began"};
    static const char *const recommendations[] = {
        "TTFT p90 is 2510 ms at concurrent/long/c32 against a goal of 800 ms: fewer requests at "
        "once (8 gives 612 ms)"};
    result->warnings = warnings;
    result->warning_count = 2;
    result->recommendations = recommendations;
    result->recommendation_count = 1;
    static const double stable[] = {1, 2, 4, 8};
    static const struct pyr_stress_result stress = {.max_sustainable_load = 8,
                                                    .first_failing_load = 16,
                                                    .failed_by = "ttft_p90",
                                                    .stable_levels = stable,
                                                    .stable_count = 4};
    result->stress = &stress;
    result->requests = 2204;
    result->chunks = 141056;
    return result;
}

struct pyr_result *pyr_test_result_partial(void) {
    struct pyr_result *result = fresh();
    fill_inference(result->arena, add_suites(result, 1));
    result->partial = "stopped by SIGINT in case 3 of 19";
    result->interrupted = true;
    result->simulated = true;
    result->grade_reason = "the target is simulated";
    result->requests = 240;
    result->chunks = 15360;
    return result;
}

struct pyr_result *pyr_test_result_large(void) {
    static const struct shape shapes[] = {
        {"concurrent", "concurrent/short/c8", "short", 8, 16, 0, 10000, 0, 0},
        {"concurrent", "concurrent/short/c64", "short", 64, 16, 0, 12000, 0, 0},
    };
    struct pyr_result *result = fresh();
    struct pyr_case_result *cases = pyr_arena_array(result->arena, 2, sizeof *cases);
    for (uint32_t i = 0; i < 2; i++)
        cases[i] = request_case(result->arena, &shapes[i], i);
    struct pyr_metric_result *rows = pyr_arena_array(result->arena, METRICS_MAX, sizeof *rows);
    memcpy(rows, cases[0].metrics, cases[0].metric_count * sizeof *rows);
    for (size_t i = 0; i < cases[0].metric_count; i++)
        if (rows[i].curve)
            rows[i].hist = hist_of(result->arena, rows[i].quantile[PYR_Q_P50].value,
                                   rows[i].sd / rows[i].quantile[PYR_Q_P50].value, rows[i].n);
    cases[0].metrics = rows;
    struct pyr_suite_result *suite = add_suites(result, 1);
    *suite = (struct pyr_suite_result){"concurrent", cases, 2, NULL, 0};
    static const struct pyr_goal goal = {"error_rate", "value", "", "error=5%", 0, 1, 0, {0}, 0.05};
    static const struct pyr_goal_result row = {&goal,
                                               "concurrent/short/c64",
                                               {0, 0, 0.0003, NULL},
                                               PYR_GOAL_MET,
                                               "0 % [0, 0.03] is below 5 %"};
    result->goals = &row;
    result->goal_count = result->goals_met = result->goals_decided = 1;
    result->grade = PYR_GRADE_EXCELLENT;
    result->grade_reason = "1 of 1 decided goals met";
    result->requests = 24200;
    result->chunks = 24200 * 64;
    return result;
}

struct pyr_result *pyr_test_result_empty(void) {
    struct pyr_result *result = fresh();
    result->meta_json = "{\"command\": not json";
    result->partial = "no end block: the run was killed";
    return result;
}

struct pyr_result *pyr_test_result_hostile(void) {
    struct pyr_result *result = fresh();
    static const char evil[] = "</script><img src=x onerror=alert(1)>\"'&,;%\r\n\x1b[31m\xff\xc3(";
    static const struct shape shape = {"=cmd|' /C calc'!A0", "evil", "<b>", 2, 16, 0, 50, 0, 0};
    struct pyr_case_result *cases = pyr_arena_array(result->arena, 2, sizeof *cases);
    for (uint32_t i = 0; i < 2; i++) {
        cases[i] = request_case(result->arena, &shape, i);
        cases[i].warnings = one_text(result->arena, evil);
        cases[i].warning_count = 1;
        struct pyr_case *plan = pyr_arena_alloc(result->arena, sizeof *plan);
        *plan = *cases[i].plan;
        snprintf(plan->id, sizeof plan->id, "%s%u", evil, i);
        snprintf(plan->params, sizeof plan->params, "a=%s;;=;novalue;b=1", evil);
        cases[i].plan = plan;
        struct pyr_metric_result *rows = pyr_arena_array(result->arena, METRICS_MAX, sizeof *rows);
        memcpy(rows, cases[i].metrics, cases[i].metric_count * sizeof *rows);
        rows[0].quantile[PYR_Q_P50] = (struct pyr_estimate){INFINITY, -INFINITY, INFINITY, NULL};
        rows[1].quantile[PYR_Q_P90] = (struct pyr_estimate){1e300, -1e300, 1e308, evil};
        rows[2].mean = pyr_estimate_unknown(NULL);
        rows[2].source = evil;
        cases[i].metrics = rows;
    }
    struct pyr_suite_result *suite = add_suites(result, 1);
    *suite = (struct pyr_suite_result){evil, cases, 2, NULL, 0};
    result->warnings = one_text(result->arena, evil);
    result->warning_count = 1;
    result->recommendations = result->warnings;
    result->recommendation_count = 1;
    result->partial = evil;
    result->grade_reason = evil;
    result->run_path = evil;
    result->meta_json = "{\"command\":\"<script>alert(1)</script> `$(rm)` | \\u001b[2J\","
                        "\"repeat_command\":7,\"target\":\"not an object\",\"config\":[1],"
                        "\"system_info\":{\"cpu_model\":\"<i>\",\"nested\":{\"a\":[1,{\"b\":2}]}}}";
    static struct pyr_goal goal = {"nonesuch", "p12", "", "", 1, 1, 0, {0}, INFINITY};
    struct pyr_goal_result *row = pyr_arena_alloc(result->arena, sizeof *row);
    snprintf(goal.label, sizeof goal.label, "%s", evil);
    *row =
        (struct pyr_goal_result){&goal, evil, pyr_estimate_unknown(evil), PYR_GOAL_UNKNOWN, evil};
    result->goals = row;
    result->goal_count = 1;
    return result;
}

void pyr_test_result_free(struct pyr_result *result) {
    pyr_arena_destroy(result->arena);
}
