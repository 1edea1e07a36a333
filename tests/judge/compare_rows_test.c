/* SPDX-License-Identifier: MIT
 *
 * What the comparisons share: error rates in points, a row's values over runs, and whether two
 * cases are the same work.
 */
#include "support/support.h"

#include "judge/compare_rows.h"

#include <string.h>

static void an_error_rate_is_judged_in_points(void **state) {
    (void)state;
    static const struct {
        double baseline, lo, hi, current;
        enum pyr_verdict verdict;
    } cases[] = {
        {0.02, 0.01, 0.03, 0.05, PYR_REGRESSED},    /* a point more, and above every run */
        {0.02, 0.01, 0.06, 0.05, PYR_INCONCLUSIVE}, /* some run was as bad */
        {0.02, 0.01, 0.025, 0.029, PYR_UNCHANGED},  /* above every run, but no point */
        {0.05, 0.04, 0.06, 0.02, PYR_IMPROVED},     {0.05, 0.01, 0.06, 0.02, PYR_INCONCLUSIVE},
        {0.029, 0.028, 0.03, 0.02, PYR_UNCHANGED},  {0, 0, 0, 0, PYR_UNCHANGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_compared_metric metric = {
            .metric = PYR_M_ERROR_RATE,
            .baseline = {.value = cases[i].baseline, .lo = cases[i].lo, .hi = cases[i].hi},
            .current = {.value = cases[i].current},
            .ratio = {.value = 7}};
        pyr_compare_error_rate(&metric);
        assert_int_equal(metric.judgement.verdict, cases[i].verdict);
        assert_near(metric.judgement.worse, cases[i].current - cases[i].baseline, 1e-12);
        assert_near(metric.judgement.gate, 0.01, 0);
        assert_true(isnan(metric.ratio.value));
    }
}

struct lengths {
    struct pyr_kept_metric metrics[2];
    struct pyr_kept_case kept;
};

static void fill(struct lengths *l, double prompt, double output) {
    memset(l, 0, sizeof *l);
    l->metrics[0].metric = PYR_M_PROMPT_TOKENS;
    l->metrics[0].at[PYR_KEPT_MEAN].value = prompt;
    l->metrics[1].metric = PYR_M_OUTPUT_TOKENS;
    l->metrics[1].at[PYR_KEPT_MEAN].value = output;
    l->kept.metrics = l->metrics;
    l->kept.metric_count = 2;
}

static void a_fifth_more_tokens_is_the_same_work_and_a_quarter_is_not(void **state) {
    (void)state;
    static const struct {
        double prompt, output;
        bool same;
    } cases[] = {{100, 10, true}, {120, 10, true}, {125, 10, false}, {80, 10, false},
                 {84, 10, true},  {100, 12, true}, {100, 13, false}, {100, 8, false}};
    struct lengths a, b;
    fill(&a, 100, 10);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill(&b, cases[i].prompt, cases[i].output);
        assert_true(pyr_compare_same_lengths(&a.kept, &b.kept) == cases[i].same);
        assert_true(pyr_compare_same_lengths(&b.kept, &a.kept) == cases[i].same);
    }
    /* Where one side does not say, nothing speaks against it. */
    fill(&b, 500, 500);
    b.kept.metric_count = 0;
    assert_true(pyr_compare_same_lengths(&a.kept, &b.kept));
}

static void a_value_of_zero_counts_for_an_error_rate_alone(void **state) {
    (void)state;
    static const enum pyr_metric metrics[] = {PYR_M_ERROR_RATE, PYR_M_REQUEST_THROUGHPUT};
    struct pyr_arena *arena = pyr_arena_create();
    for (size_t m = 0; m < 2; m++) {
        struct pyr_kept_metric kept[3];
        struct pyr_kept_case cases[3];
        struct pyr_kept_run runs[3];
        const struct pyr_kept_run *all[3];
        memset(kept, 0, sizeof kept);
        memset(cases, 0, sizeof cases);
        memset(runs, 0, sizeof runs);
        for (size_t i = 0; i < 3; i++) {
            kept[i].metric = metrics[m];
            kept[i].at[PYR_KEPT_VALUE].value = (double)i / 4;
            cases[i] = (struct pyr_kept_case){
                .suite = "s", .id = "c", .metrics = &kept[i], .metric_count = 1};
            runs[i].cases = &cases[i];
            runs[i].case_count = 1;
            all[i] = &runs[i];
        }
        const struct pyr_compare_row row = {.metric = metrics[m], .statistic = PYR_KEPT_VALUE};
        struct pyr_compare_values values = pyr_compare_gather(arena, all, 3, "s", "c", &row);
        assert_int_equal(values.count, m == 0 ? 3 : 2);
        assert_near(values.items[values.count - 1], 0.5, 0);
        assert_near(values.only.value, 0.5, 0);
        assert_int_equal(pyr_compare_gather(arena, all, 3, "s", "other", &row).count, 0);
    }
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_rate_is_judged_in_points),
        cmocka_unit_test(a_fifth_more_tokens_is_the_same_work_and_a_quarter_is_not),
        cmocka_unit_test(a_value_of_zero_counts_for_an_error_rate_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
