/* SPDX-License-Identifier: MIT
 *
 * The sim target follows a set law, so what the report says can be held against what is true: over
 * 100 seeds each figure's printed 95 % interval must contain the truth in at least 90, and the knee
 * must be found where it was put.
 *
 * A run is several thousand requests in virtual time. PYR_LONG_TESTS=1 asks for all 100 seeds;
 * without it 16 are taken and the bar scales with them.
 */
#include "support/support.h"

#include "base/fs.h"
#include "suite/bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[512];

static int make_dir(void **state) {
    (void)state;
    return pyr_test_temp_dir(dir, sizeof dir) ? 0 : -1;
}

static unsigned seed_count(void) {
    return getenv("PYR_LONG_TESTS") ? 100 : 16;
}

static struct pyr_result *run(const char *law, unsigned seed, struct pyr_bench_options options) {
    char spec[256];
    snprintf(spec, sizeof spec, "sim:%s,seed=%u", law, seed);
    options.target = spec;
    options.output = dir;
    options.seed = seed;
    options.preset = "quick";
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    unlink(outcome.run_path);
    return outcome.result;
}

static const struct pyr_metric_result *metric(const struct pyr_result *result, size_t case_index,
                                              enum pyr_metric which) {
    const struct pyr_metric_result *row =
        pyr_case_metric(&result->suites[0].cases[case_index], which);
    if (!row)
        fail_msg("no %s", pyr_metric_info(which)->name);
    return row;
}

static bool contains(struct pyr_estimate seen, double truth) {
    return seen.lo <= truth && truth <= seen.hi;
}

/* One sequence, 64 prompt tokens, 8 of output: steps of 10 + 2 ms, the first with 64/4000 s more,
 * each times a log-normal factor of mean 1 and CV 10 %. */
static void step_cost_and_prefill_rate_are_recovered(void **state) {
    (void)state;
    const double cv = 0.10, step_ns = 12e6, prefill_ns = 12e6 + 64.0 / 4000 * 1e9;
    /* The median of a log-normal of mean 1. */
    const double median_factor = 1 / sqrt(1 + cv * cv);
    unsigned step_hits = 0, rate_hits = 0, throughput_hits = 0, seeds = seed_count();
    for (unsigned seed = 1; seed <= seeds; seed++) {
        struct pyr_bench_options options = {
            .suite = "inference", .prompt_tokens = "64", .output_tokens = "8", .requests = 300};
        struct pyr_result *result =
            run("step_ms=10,per_seq_ms=2,prefill_tok_s=4000,jitter_pct=10", seed, options);
        step_hits += contains(metric(result, 0, PYR_M_ITL)->mean, step_ns);
        rate_hits += contains(metric(result, 0, PYR_M_PREFILL_RATE)->quantile[PYR_Q_P50],
                              64 / (prefill_ns * 1e-9) / median_factor);
        throughput_hits += contains(metric(result, 0, PYR_M_REQUEST_THROUGHPUT)->value,
                                    1e9 / (prefill_ns + 7 * step_ns));
        pyr_result_destroy(result);
    }
    print_message("step cost %u, prefill rate %u, throughput %u of %u\n", step_hits, rate_hits,
                  throughput_hits, seeds);
    assert_true(step_hits >= seeds * 9 / 10);
    assert_true(rate_hits >= seeds * 9 / 10);
    assert_true(throughput_hits >= seeds * 9 / 10);
}

/* One-token answers take one step, so that the share of spiking steps is the share of spikes. */
static void the_share_of_spikes_is_recovered(void **state) {
    (void)state;
    unsigned hits = 0, seeds = seed_count();
    for (unsigned seed = 1; seed <= seeds; seed++) {
        struct pyr_bench_options options = {.suite = "inference",
                                            .prompt_tokens = "16",
                                            .output_tokens = "1",
                                            .requests = 1500,
                                            .level_time_ns = UINT64_C(100000000000)};
        struct pyr_result *result =
            run("step_ms=10,jitter_pct=5,spike_share=0.02,spike_x=8", seed, options);
        hits += contains(metric(result, 0, PYR_M_SPIKE_RATE_ROBUST)->value, 0.02);
        pyr_result_destroy(result);
    }
    print_message("spike share %u of %u\n", hits, seeds);
    assert_true(hits >= seeds * 9 / 10);
}

/* A step of 10 ms whatever else runs: a latency is its number of tokens. */
static struct pyr_result *heavy_tailed(unsigned seed, uint64_t drain_ns, double seconds) {
    struct pyr_bench_options options = {.suite = "concurrent",
                                        .rate = 20,
                                        .arrival = "poisson",
                                        .prompt_tokens = "1",
                                        .output_tokens = "lognormal:100,250",
                                        .requests = UINT64_C(1000000),
                                        .level_time_ns = (uint64_t)(seconds * 1e9),
                                        .drain_ns = drain_ns};
    return run("step_ms=10,per_seq_ms=0,jitter_pct=0,prefill_tok_s=1000000000", seed, options);
}

/* The long answers of a level that ends by time are still in flight then: the drain keeps them, and
 * where it is too short they count as later than all that came, which bounds from above. */
static void a_window_that_ends_by_time_keeps_its_slow_answers(void **state) {
    (void)state;
    static const int q[] = {PYR_Q_P50, PYR_Q_P90, PYR_Q_P95};
    struct pyr_result *truth = heavy_tailed(9999, 0, 2000);
    unsigned kept[3] = {0}, cut[3] = {0}, seeds = seed_count();
    uint64_t in_flight_at_end = 0, unfinished = 0;
    for (unsigned seed = 1; seed <= seeds; seed++) {
        struct pyr_result *whole = heavy_tailed(seed, 0, 20);
        struct pyr_result *short_of = heavy_tailed(seed, UINT64_C(100000000), 20);
        const struct pyr_case_result *one = &whole->suites[0].cases[0];
        const struct pyr_case_result *other = &short_of->suites[0].cases[0];
        assert_int_equal(one->outcomes[PYR_OUTCOME_UNFINISHED], 0);
        in_flight_at_end += metric(whole, 0, PYR_M_LATENCY_SCHED)->max > 5e9;
        unfinished += other->outcomes[PYR_OUTCOME_UNFINISHED];
        const struct pyr_metric_result *full = metric(whole, 0, PYR_M_LATENCY_SCHED);
        const struct pyr_metric_result *left = metric(short_of, 0, PYR_M_LATENCY_SCHED);
        for (size_t i = 0; i < 3; i++) {
            double at = metric(truth, 0, PYR_M_LATENCY_SCHED)->quantile[q[i]].value;
            kept[i] += !(full->quantile[q[i]].lo > at) && !(full->quantile[q[i]].hi < at);
            const struct pyr_estimate *all =
                left->of_all ? &left->of_all->quantile[q[i]] : &left->quantile[q[i]];
            cut[i] += !(all->hi < at);
        }
        pyr_result_destroy(whole);
        pyr_result_destroy(short_of);
    }
    pyr_result_destroy(truth);
    print_message("p50 %u, p90 %u, p95 %u of %u with the drain; %u, %u, %u bounded without it\n",
                  kept[0], kept[1], kept[2], seeds, cut[0], cut[1], cut[2]);
    assert_true(in_flight_at_end > 0 && unfinished > 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(kept[i] >= seeds * 9 / 10);
        assert_true(cut[i] >= seeds * 9 / 10);
    }
}

/* The knee is where more in flight no longer raises throughput. */
static void the_knee_is_found_where_it_was_put(void **state) {
    (void)state;
    static const uint64_t levels[] = {1, 2, 4, 8, 16};
    unsigned hits = 0, seeds = seed_count();
    for (unsigned seed = 1; seed <= seeds; seed++) {
        struct pyr_bench_options options = {.suite = "concurrent",
                                            .prompt_tokens = "16",
                                            .output_tokens = "8",
                                            .concurrency = levels,
                                            .concurrency_count = 5,
                                            .requests = 150};
        struct pyr_result *result =
            run("step_ms=20,per_seq_ms=0.5,jitter_pct=5,knee=4", seed, options);
        for (size_t i = 0; i < result->recommendation_count; i++)
            hits += strstr(result->recommendations[i], "stops growing at 4 in flight") != NULL;
        pyr_result_destroy(result);
    }
    print_message("knee %u of %u\n", hits, seeds);
    assert_true(hits >= seeds * 9 / 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_cost_and_prefill_rate_are_recovered),
        cmocka_unit_test(the_share_of_spikes_is_recovered),
        cmocka_unit_test(a_window_that_ends_by_time_keeps_its_slow_answers),
        cmocka_unit_test(the_knee_is_found_where_it_was_put),
    };
    return cmocka_run_group_tests(tests, make_dir, NULL);
}
