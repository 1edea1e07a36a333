/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "report/comparison.h"

#include <jansson.h>
#include <string.h>

static const double before[] = {200e6, 210e6, 190e6}, after[] = {260e6, 265e6, 255e6};
static const struct pyr_compared_part parts[] = {{"pyrometer_version", "0.1.0", "0.2.0", true},
                                                 {"kernel", "6.1", NULL, false}};
static const char *const warnings[] = {"the <texts> differ | in 1 of 2 cases"};
static const char *const only[] = {"concurrent short/c16"};

static void fill(struct pyr_compared_metric *metrics, struct pyr_comparison *comparison) {
    metrics[0] = (struct pyr_compared_metric){
        .suite = "concurrent",
        .case_id = "short/c8",
        .metric = PYR_M_TTFT_SENT,
        .statistic = "p50",
        .gated = true,
        .threshold = 0.1,
        .baseline = {.value = 200e6, .lo = 190e6, .hi = 210e6},
        .current = {.value = 260e6, .lo = 255e6, .hi = 265e6},
        .baseline_values = before,
        .baseline_count = 3,
        .current_values = after,
        .current_count = 3,
        .ratio = {.value = 1.3, .lo = 1.25, .hi = 1.35},
        .p = 0.001,
        .spread = 0.02,
        .judgement = {
            .verdict = PYR_REGRESSED, .gate = 0.1, .worse = 0.3, .least_detectable = 0.12}};
    metrics[1] = (struct pyr_compared_metric){
        .suite = "concurrent",
        .case_id = "short/c8",
        .metric = PYR_M_ERROR_RATE,
        .statistic = "value",
        .gated = true,
        .threshold = 0.1,
        .current = {.value = 0.05, .lo = 0.05, .hi = 0.05},
        .ratio = {.value = (double)NAN, .lo = (double)NAN, .hi = (double)NAN, .reason = "points"},
        .p = (double)NAN,
        .spread = (double)NAN,
        .judgement = {.verdict = PYR_INCONCLUSIVE,
                      .gate = 0.01,
                      .worse = 0.05,
                      .least_detectable = (double)NAN,
                      .reason = "error rates are compared in points"}};
    metrics[2] = metrics[0];
    metrics[2].metric = PYR_M_RSS_PEAK;
    metrics[2].statistic = "value";
    metrics[2].gated = false;
    metrics[2].baseline.value = metrics[2].current.value = 800e6;
    metrics[2].ratio = (struct pyr_estimate){.value = 1, .lo = 1, .hi = 1};
    metrics[2].judgement.verdict = PYR_UNCHANGED;
    *comparison = (struct pyr_comparison){
        .kind = PYR_COMPARED_RUNS,
        .baseline = {.name = "old.json", .runs = 6, .revision = "abc", .time_unix_s = 1704067200},
        .current = {.name = "new.json", .runs = 1, .time_unix_s = (double)NAN},
        .threshold = 0.1,
        .noise_floor = {.ratio = 0.012, .pairs = 20, .source = "A/A"},
        .metrics = metrics,
        .metric_count = 3,
        .gated_count = 2,
        .parts = parts,
        .part_count = 2,
        .only_baseline = only,
        .only_baseline_count = 1,
        .outputs = PYR_OUTPUTS_DIFFER,
        .outputs_compared = 2,
        .outputs_different = 1,
        .verdict = PYR_REGRESSED,
        .has_regression = true,
        .summary = "REGRESSED: TTFT p50 is 30 % worse",
        .more = "--confirm",
        .warnings = warnings,
        .warning_count = 1};
}

static void write_as(const char *format, struct pyr_buf *out) {
    struct pyr_compared_metric metrics[3];
    struct pyr_comparison comparison;
    fill(metrics, &comparison);
    const struct pyr_report_options options = {.width = 100, .ascii = true};
    pyr_comparison_format_find(format)->write(&comparison, &options, out);
}

static void a_terminal_shows_the_verdict_first(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    write_as("terminal", &out);
    pyr_test_golden("comparison-terminal.txt", pyr_buf_text(&out));
    pyr_buf_deinit(&out);
}

static void json_has_what_a_gate_reads(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    write_as("json", &out);
    json_t *root = json_loads(pyr_buf_text(&out), 0, NULL);
    assert_non_null(root);
    assert_true(json_is_true(json_object_get(root, "has_regression")));
    assert_string_equal(json_string_value(json_object_get(root, "verdict")), "REGRESSED");
    assert_non_null(strstr(json_string_value(json_object_get(root, "summary")), "30 %"));
    const json_t *metrics = json_object_get(root, "metrics");
    assert_int_equal(json_array_size(metrics), 3);
    const json_t *first = json_array_get(metrics, 0);
    assert_near(json_number_value(json_object_get(json_object_get(first, "ratio"), "lo")), 1.25, 0);
    assert_int_equal(json_array_size(json_object_get(json_object_get(first, "baseline"), "values")),
                     3);
    assert_true(json_is_null(json_object_get(json_array_get(metrics, 1), "p")));
    json_decref(root);
    pyr_buf_deinit(&out);
}

static void markdown_keeps_its_table_whole(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    write_as("markdown", &out);
    pyr_test_golden("comparison.md", pyr_buf_text(&out));
    pyr_buf_deinit(&out);
}

static void junit_fails_a_regression_and_skips_what_is_undecided(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    write_as("junit", &out);
    pyr_test_golden("comparison-junit.xml", pyr_buf_text(&out));
    pyr_buf_deinit(&out);
}

static void annotations_are_few_and_escaped(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    write_as("github", &out);
    pyr_test_golden("comparison-github.txt", pyr_buf_text(&out));
    pyr_buf_deinit(&out);
}

static void a_page_shows_the_verdict_each_run_and_no_foreign_markup(void **state) {
    (void)state;
    struct pyr_compared_metric metrics[3];
    struct pyr_comparison comparison;
    fill(metrics, &comparison);
    comparison.current.name = "<script>alert(1)</script>";
    metrics[0].case_id = "\"><img src=x onerror=alert(1)>";
    const struct pyr_report_options options = {0};
    for (int kind = PYR_COMPARED_PAIRS; kind <= PYR_COMPARED_SINGLE; kind++) {
        struct pyr_buf out = {0};
        comparison.kind = (enum pyr_comparison_kind)kind;
        pyr_comparison_html(&comparison, &options, &out);
        const char *page = pyr_buf_text(&out);
        assert_non_null(strstr(page, "class=\"answer\">REGRESSED<"));
        assert_true(strstr(page, "REGRESSED<") < strstr(page, "<table"));
        assert_non_null(strstr(page, "+30.0 % [+25.0, +35.0]"));
        /* Of three pairs the first: 260 against 200. */
        const char *dot = kind == PYR_COMPARED_PAIRS ? "pair 1: +30.00 %" : "current run 3: 255 ms";
        assert_non_null(strstr(page, dot));
        static const char *const foreign[] = {"<script>alert", "<img", "http://", "https://",
                                              "url("};
        for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
            assert_null(strstr(page, foreign[i]));
        /* One of our own. */
        assert_null(strstr(strstr(page, "<script>") + 1, "<script"));
        assert_non_null(strstr(page, "&lt;script&gt;"));
        pyr_buf_deinit(&out);
    }
}

static void a_page_of_nothing_comparable_is_still_a_page(void **state) {
    (void)state;
    const struct pyr_comparison nothing = {.baseline = {.name = "a"},
                                           .current = {.name = "b"},
                                           .noise_floor = {.ratio = (double)NAN},
                                           .summary = "INCOMPARABLE: no metric in common"};
    const struct pyr_report_options options = {0};
    struct pyr_buf out = {0};
    pyr_comparison_html(&nothing, &options, &out);
    assert_non_null(strstr(pyr_buf_text(&out), "class=\"answer\">INCOMPARABLE<"));
    assert_null(strstr(pyr_buf_text(&out), "<svg"));
    assert_null(strstr(pyr_buf_text(&out), "nan"));
    pyr_buf_deinit(&out);
}

static void the_exit_code_follows_the_verdict(void **state) {
    (void)state;
    static const int plain[] = {[PYR_INCOMPARABLE] = 4,
                                [PYR_INCONCLUSIVE] = 0,
                                [PYR_UNCHANGED] = 0,
                                [PYR_IMPROVED] = 0,
                                [PYR_REGRESSED] = 3};
    for (int verdict = PYR_INCOMPARABLE; verdict <= PYR_REGRESSED; verdict++) {
        const struct pyr_comparison comparison = {.verdict = (enum pyr_verdict)verdict};
        assert_int_equal(pyr_comparison_exit_code(&comparison, false), plain[verdict]);
        assert_int_equal(pyr_comparison_exit_code(&comparison, true),
                         verdict == PYR_INCONCLUSIVE ? 5 : plain[verdict]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_shows_the_verdict_first),
        cmocka_unit_test(json_has_what_a_gate_reads),
        cmocka_unit_test(markdown_keeps_its_table_whole),
        cmocka_unit_test(junit_fails_a_regression_and_skips_what_is_undecided),
        cmocka_unit_test(annotations_are_few_and_escaped),
        cmocka_unit_test(a_page_shows_the_verdict_each_run_and_no_foreign_markup),
        cmocka_unit_test(a_page_of_nothing_comparable_is_still_a_page),
        cmocka_unit_test(the_exit_code_follows_the_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
