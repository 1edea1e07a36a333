/* SPDX-License-Identifier: MIT
 *
 * A closed loop on a batching engine of known law, as users run it: what 400 requests say is held
 * against what 60,000 of them say. `of_60000` are the values that the long runs gave;
 * PYR_LONG_TESTS=1 works them out again and takes all 100 seeds, else a tenth of them.
 */
#include "support/support.h"

#include "base/clock.h"
#include "suite/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char law[] = "prefill_tok_s=8000,step_ms=12,per_seq_ms=0.5,jitter_pct=8,"
                          "spike_share=0.01,spike_x=6,context=4096";
static char dir[512];

static int make_dir(void **state) {
    (void)state;
    return pyr_test_temp_dir(dir, sizeof dir) ? 0 : -1;
}

static const struct figure {
    const char *name;
    enum pyr_metric metric;
    int level;
} figures[] = {{"TTFT p50", PYR_M_TTFT_SENT, PYR_Q_P50},
               {"TTFT p90", PYR_M_TTFT_SENT, PYR_Q_P90},
               {"ITL p50", PYR_M_ITL, PYR_Q_P50},
               {"ITL p90", PYR_M_ITL, PYR_Q_P90},
               {"latency p50", PYR_M_LATENCY_SENT, PYR_Q_P50},
               {"latency p90", PYR_M_LATENCY_SENT, PYR_Q_P90}};
enum { FIGURES = sizeof figures / sizeof *figures };

static const struct load {
    uint64_t users;
    const char *output;
    double of_60000[FIGURES]; /* ms */
    /* Of ten seeds at least so many hold each figure, and by how much the p50 may be off. With
     * outputs of one length users keep their places for thousands of requests, and 400 of them see
     * one draw of the places: docs/method/closed-loops.md says what is short of the mark. */
    unsigned least;
    double bias;
} loads[] = {
    {1, "32", {26.88, 39.51, 12.47, 13.86, 419.6, 486.5}, 8, 0.02},
    {1, "lognormal:64,60", {26.95, 39.95, 12.47, 13.86, 630.1, 1704}, 8, 0.03},
    {8, "32", {31.25, 47.16, 16.42, 32.13, 649.5, 755.5}, 7, 0.05},
    {8, "lognormal:64,60", {31.41, 48.14, 16.16, 24.27, 888.8, 2413}, 8, 0.03},
    {32, "32", {49.58, 70.98, 41.84, 63.4, 1421, 1655}, 8, 0.08},
    {32, "lognormal:64,60", {48.25, 73.69, 30.07, 54.5, 1765, 4868}, 8, 0.03},
    {128, "32", {959.6, 1249, 115.9, 128.8, 4643, 5258}, 7, 0.08},
    {128, "lognormal:64,60", {123.3, 259.7, 110.3, 131.5, 5328, 1.445e+04}, 6, 0.05},
};
enum { LOADS = sizeof loads / sizeof *loads };

static bool is_long(void) {
    return getenv("PYR_LONG_TESTS") != NULL;
}

static struct pyr_result *run(const struct load *load, uint64_t requests, unsigned seed) {
    char spec[256];
    snprintf(spec, sizeof spec, "sim:%s,seed=%u", law, seed);
    struct pyr_bench_options options = {.target = spec,
                                        .output = dir,
                                        .seed = seed,
                                        .preset = "quick",
                                        .suite = "concurrent",
                                        .concurrency = &load->users,
                                        .concurrency_count = 1,
                                        .prompt_tokens = "lognormal:128,64",
                                        .output_tokens = load->output,
                                        .requests = requests,
                                        .duration_ns = UINT64_C(1000000) * PYR_NS_PER_S,
                                        .level_time_ns = UINT64_C(1000000) * PYR_NS_PER_S,
                                        .no_calibrate = true};
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_bench_run(&options, NULL, NULL, &outcome, &err));
    unlink(outcome.run_path);
    return outcome.result;
}

static struct pyr_estimate seen(const struct pyr_result *result, const struct figure *figure) {
    const struct pyr_metric_result *row =
        pyr_case_metric(&result->suites[0].cases[0], figure->metric);
    assert_non_null(row);
    return row->quantile[figure->level];
}

/* The recorded values are still those of the law. */
static void long_run(const struct load *load) {
    struct pyr_result *result = run(load, 60000, 1000);
    double values[FIGURES];
    for (int f = 0; f < FIGURES; f++) {
        values[f] = seen(result, &figures[f]).value / 1e6;
        assert_near(values[f], load->of_60000[f], 0.05 * load->of_60000[f]);
    }
    pyr_result_destroy(result);
    print_message("    {%llu, \"%s\", {%.4g, %.4g, %.4g, %.4g, %.4g, %.4g}},\n",
                  (unsigned long long)load->users, load->output, values[0], values[1], values[2],
                  values[3], values[4], values[5]);
}

struct score {
    unsigned covered, open;
    double bias, width;
    unsigned bounded;
};

static void count(struct score *score, struct pyr_estimate estimate, double truth_ms,
                  unsigned seeds) {
    double truth = truth_ms * 1e6;
    bool open = isnan(estimate.lo) || isnan(estimate.hi);
    score->open += open;
    score->covered += (isnan(estimate.lo) || estimate.lo <= truth) &&
                      (isnan(estimate.hi) || truth <= estimate.hi);
    score->bias += (estimate.value / truth - 1) / seeds;
    if (!open) {
        score->width += (estimate.hi - estimate.lo) / truth;
        score->bounded++;
    }
}

static void intervals_hold_the_long_run(void **state) {
    (void)state;
    unsigned seeds = is_long() ? 100 : 10;
    for (size_t l = 0; l < LOADS; l++) {
        const struct load *load = &loads[l];
        const double *truth = load->of_60000;
        if (is_long())
            long_run(load);
        struct score scores[FIGURES] = {0};
        for (unsigned seed = 1; seed <= seeds; seed++) {
            struct pyr_result *result = run(load, 400, seed);
            for (int f = 0; f < FIGURES; f++)
                count(&scores[f], seen(result, &figures[f]), truth[f], seeds);
            assert_int_equal(result->suites[0].cases[0].total, 400);
            pyr_result_destroy(result);
        }
        for (int f = 0; f < FIGURES; f++) {
            print_message("%3llu users, %-16s %-12s %8.1f ms  bias %+5.1f %%  covered %3u of %u, "
                          "%u open, width %.0f %%\n",
                          (unsigned long long)load->users, load->output, figures[f].name, truth[f],
                          100 * scores[f].bias, scores[f].covered, seeds, scores[f].open,
                          100 * scores[f].width / fmax(1, scores[f].bounded));
            assert_true(scores[f].covered * 10 >= load->least * seeds);
            if (figures[f].level == PYR_Q_P50)
                assert_true(fabs(scores[f].bias) <= load->bias);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(intervals_hold_the_long_run)};
    return cmocka_run_group_tests(tests, make_dir, NULL);
}
