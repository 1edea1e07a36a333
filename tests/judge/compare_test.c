/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "judge/compare.h"

#include <string.h>

#define P50 (PYR_KEPT_P50 + PYR_Q_P50)
#define P95 (PYR_KEPT_P50 + PYR_Q_P95)

static const char environment[] = "{\"cpu\":\"x\",\"kernel\":\"6.1\",\"config.threads\":\"[2]\","
                                  "\"pyrometer_version\":\"0.1.0\"}";

/* What a made-up run shows: its numbers are these times a seeded run-to-run factor. */
struct shape {
    double tok_s, ttft_ns, itl_ns, latency_ns, rss_bytes, error_rate, bandwidth;
    double run_cv;
};
static const struct shape usual = {.tok_s = 40,
                                   .ttft_ns = 200e6,
                                   .itl_ns = 25e6,
                                   .latency_ns = 900e6,
                                   .rss_bytes = 800e6,
                                   .error_rate = 0,
                                   .bandwidth = 20e9,
                                   .run_cv = 0.01};

static void put(struct pyr_kept_metric *metric, enum pyr_metric which, int statistic,
                double value) {
    *metric = (struct pyr_kept_metric){.metric = which, .source = "made up", .n = 100};
    for (int i = 0; i < PYR_KEPT_COUNT; i++)
        metric->at[i] = pyr_estimate_unknown(NULL);
    metric->at[statistic] =
        (struct pyr_estimate){.value = value, .lo = value * 0.98, .hi = value * 1.02};
}

static struct pyr_kept_run make_run(struct pyr_arena *arena, const struct shape *shape,
                                    struct pyr_rng *rng) {
    double factor = pyr_rng_lognormal(rng, shape->run_cv);
    struct pyr_kept_metric *metrics = pyr_arena_array(arena, 7, sizeof *metrics);
    put(&metrics[0], PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_KEPT_VALUE, shape->tok_s / factor);
    put(&metrics[1], PYR_M_TTFT_SENT, P50, shape->ttft_ns * factor);
    put(&metrics[2], PYR_M_ITL, P50, shape->itl_ns * factor);
    put(&metrics[3], PYR_M_LATENCY_SENT, P95, shape->latency_ns * factor);
    put(&metrics[4], PYR_M_RSS_PEAK, PYR_KEPT_VALUE, shape->rss_bytes);
    put(&metrics[5], PYR_M_ERROR_RATE, PYR_KEPT_VALUE, shape->error_rate);
    put(&metrics[6], PYR_M_MEMORY_BANDWIDTH, PYR_KEPT_VALUE, shape->bandwidth);
    struct pyr_kept_case *kept = pyr_arena_alloc(arena, sizeof *kept);
    *kept = (struct pyr_kept_case){.suite = "concurrent",
                                   .id = "short/c8",
                                   .params = "",
                                   .total = 100,
                                   .ok = 100,
                                   .outputs_hash = 7,
                                   .metrics = metrics,
                                   .metric_count = 7};
    return (struct pyr_kept_run){.id = "made up",
                                 .origin = "pyrometer",
                                 .time_unix_s = 1,
                                 .fingerprint_json = environment,
                                 .noise_floor = pyr_estimate_unknown(NULL),
                                 .cases = kept,
                                 .case_count = 1};
}

struct scene {
    struct pyr_arena *arena;
    struct pyr_rng rng;
    struct pyr_kept_run baseline[8], current[8];
    size_t baseline_count, current_count;
    struct pyr_compare_options options;
    struct pyr_comparison *seen;
    struct pyr_err err;
};

static void open_scene(struct scene *scene, uint64_t seed, const struct shape *current) {
    *scene = (struct scene){.arena = pyr_arena_create(),
                            .baseline_count = 6,
                            .current_count = 1,
                            .options = {.threshold = 0.10}};
    pyr_rng_init(&scene->rng, seed);
    for (size_t i = 0; i < 8; i++) {
        scene->baseline[i] = make_run(scene->arena, &usual, &scene->rng);
        scene->current[i] = make_run(scene->arena, current, &scene->rng);
    }
}

static bool judge(struct scene *scene) {
    const struct pyr_compare_side baseline = {"old.json", scene->baseline, scene->baseline_count};
    const struct pyr_compare_side current = {"new.json", scene->current, scene->current_count};
    pyr_comparison_destroy(scene->seen);
    scene->seen = NULL;
    return pyr_compare_runs(&baseline, &current, &scene->options, &scene->seen, &scene->err);
}

static void close_scene(struct scene *scene) {
    pyr_comparison_destroy(scene->seen);
    pyr_arena_destroy(scene->arena);
}

static const struct pyr_compared_metric *metric_of(const struct scene *scene,
                                                   enum pyr_metric metric) {
    for (size_t i = 0; i < scene->seen->metric_count; i++)
        if (scene->seen->metrics[i].metric == metric)
            return &scene->seen->metrics[i];
    fail_msg("%s was not compared", pyr_metric_info(metric)->name);
    return NULL;
}

static void a_slower_run_is_a_regression_and_says_which_number(void **state) {
    (void)state;
    struct shape slow = usual;
    slow.ttft_ns *= 1.30;
    struct scene scene;
    open_scene(&scene, 1, &slow);
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->verdict, PYR_REGRESSED);
    assert_true(scene.seen->has_regression);
    assert_int_equal(pyr_comparison_exit_code(scene.seen, false), 3);
    assert_int_equal(scene.seen->metrics[0].metric, PYR_M_TTFT_SENT);
    assert_non_null(strstr(scene.seen->summary, "REGRESSED: TTFT p50 +"));
    assert_near(scene.seen->metrics[0].ratio.value, 1.3, 0.05);
    assert_int_equal(scene.seen->gated_count, 6);
    assert_int_equal(metric_of(&scene, PYR_M_ITL)->judgement.verdict, PYR_UNCHANGED);
    assert_int_equal(scene.seen->outputs, PYR_OUTPUTS_SAME);
    close_scene(&scene);
}

static void a_slower_rate_is_worse_and_a_faster_one_better(void **state) {
    (void)state;
    struct shape other = usual;
    other.tok_s /= 1.3;
    struct scene scene;
    open_scene(&scene, 2, &other);
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(metric_of(&scene, PYR_M_OUTPUT_TOKEN_THROUGHPUT)->judgement.verdict,
                     PYR_REGRESSED);
    close_scene(&scene);
    other.tok_s = usual.tok_s * 1.3;
    open_scene(&scene, 3, &other);
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->verdict, PYR_IMPROVED);
    assert_int_equal(pyr_comparison_exit_code(scene.seen, true), 0);
    close_scene(&scene);
}

static void the_same_is_shown_to_be_unchanged(void **state) {
    (void)state;
    unsigned unchanged = 0, regressed = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct scene scene;
        open_scene(&scene, seed, &usual);
        assert_ok(scene.err, judge(&scene));
        unchanged += scene.seen->verdict == PYR_UNCHANGED;
        regressed += scene.seen->verdict == PYR_REGRESSED;
        close_scene(&scene);
    }
    assert_true(unchanged >= 95);
    assert_int_equal(regressed, 0);
}

static void fewer_than_five_runs_are_not_judged_unless_asked(void **state) {
    (void)state;
    struct shape slow = usual;
    slow.itl_ns *= 1.5;
    struct scene scene;
    open_scene(&scene, 4, &slow);
    scene.baseline_count = 4;
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->verdict, PYR_INCOMPARABLE);
    assert_int_equal(pyr_comparison_exit_code(scene.seen, false), 4);
    assert_non_null(strstr(scene.seen->more, "has 4 runs and 5 are needed"));
    assert_near(metric_of(&scene, PYR_M_ITL)->current.value, 37.5e6, 3e6);
    scene.baseline_count = 1;
    scene.options.single = true;
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->kind, PYR_COMPARED_SINGLE);
    assert_int_equal(scene.seen->verdict, PYR_REGRESSED);
    assert_non_null(strstr(scene.seen->summary, "REGRESSED (single)"));
    close_scene(&scene);
}

static void other_environments_are_shown_and_never_judged(void **state) {
    (void)state;
    struct shape slow = usual;
    slow.itl_ns *= 3;
    struct scene scene;
    open_scene(&scene, 5, &slow);
    scene.current[0].fingerprint_json =
        "{\"cpu\":\"y\",\"kernel\":\"6.1\",\"config.threads\":\"[4]\","
        "\"pyrometer_version\":\"0.1.0\"}";
    scene.options.single = true;
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->verdict, PYR_INCOMPARABLE);
    assert_int_equal(scene.seen->part_count, 2);
    assert_string_equal(scene.seen->parts[0].part, "cpu");
    assert_near(metric_of(&scene, PYR_M_ITL)->current.value, 75e6, 5e6);
    static const char *const vary[] = {"threads", "cpu"};
    scene.options.vary = vary;
    scene.options.vary_count = 2;
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->verdict, PYR_REGRESSED);
    close_scene(&scene);
}

static void baseline_runs_of_another_machine_are_left_out(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, 6, &usual);
    scene.baseline_count = 8;
    scene.baseline[2].fingerprint_json = "{\"cpu\":\"y\"}";
    scene.baseline[3].partial = "a signal";
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->baseline.runs, 6);
    assert_int_equal(scene.seen->verdict, PYR_UNCHANGED);
    assert_int_equal(scene.seen->warning_count, 2);
    close_scene(&scene);
}

static void unknown_environments_need_the_users_word(void **state) {
    (void)state;
    struct shape slow = usual;
    slow.latency_ns *= 1.5;
    struct scene scene;
    open_scene(&scene, 7, &slow);
    scene.baseline_count = 1;
    scene.baseline[0].fingerprint_json = scene.current[0].fingerprint_json = NULL;
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->verdict, PYR_INCOMPARABLE);
    scene.options.single = true;
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->verdict, PYR_REGRESSED);
    assert_true(scene.seen->warning_count > 0);
    close_scene(&scene);
}

static void nothing_in_common_is_an_error(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, 8, &usual);
    ((struct pyr_kept_case *)scene.current[0].cases)->id = "long/c8";
    assert_false(judge(&scene));
    assert_int_equal(scene.err.code, PYR_E_INVALID);
    assert_non_null(strstr(scene.err.text, "old.json has concurrent short/c8"));
    scene.current[0].partial = "killed";
    assert_false(judge(&scene));
    assert_non_null(strstr(scene.err.text, "new.json has no whole run"));
    close_scene(&scene);
}

static void a_metric_on_one_side_only_is_listed(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, 9, &usual);
    ((struct pyr_kept_case *)scene.current[0].cases)->metric_count = 2;
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->only_baseline_count, 4);
    assert_int_equal(scene.seen->only_current_count, 0);
    assert_string_equal(scene.seen->only_baseline[0], "concurrent short/c8 itl p50");
    close_scene(&scene);
}

static void a_machine_that_moved_decides_nothing(void **state) {
    (void)state;
    struct shape slow = usual;
    slow.tok_s /= 1.4;
    slow.bandwidth /= 1.4;
    struct scene scene;
    open_scene(&scene, 10, &slow);
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->verdict, PYR_INCONCLUSIVE);
    assert_int_equal(pyr_comparison_exit_code(scene.seen, true), 5);
    assert_non_null(strstr(scene.seen->warnings[0], "memory bandwidth"));
    close_scene(&scene);
}

static void a_slowdown_far_beyond_what_the_machine_moved_by_is_still_one(void **state) {
    (void)state;
    struct shape slow = usual;
    slow.tok_s /= 2;
    slow.bandwidth /= 1.08;
    struct scene scene;
    open_scene(&scene, 10, &slow);
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->verdict, PYR_REGRESSED);
    assert_non_null(strstr(scene.seen->warnings[0], "memory bandwidth"));
    close_scene(&scene);
}

static void a_case_with_other_settings_under_the_same_name_is_not_judged(void **state) {
    (void)state;
    struct shape slow = usual;
    slow.itl_ns *= 1.5;
    struct scene scene;
    open_scene(&scene, 15, &slow);
    for (size_t i = 0; i < scene.baseline_count; i++)
        ((struct pyr_kept_case *)scene.baseline[i].cases)->params = "threads=2;prompt_tokens=64";
    ((struct pyr_kept_case *)scene.current[0].cases)->params = "prompt_tokens=64;threads=4";
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(metric_of(&scene, PYR_M_ITL)->judgement.verdict, PYR_INCOMPARABLE);
    assert_non_null(strstr(metric_of(&scene, PYR_M_ITL)->judgement.reason, "settings"));
    static const char *const vary[] = {"threads"};
    scene.options.vary = vary;
    scene.options.vary_count = 1;
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(metric_of(&scene, PYR_M_ITL)->judgement.verdict, PYR_REGRESSED);
    close_scene(&scene);
}

static void errors_are_compared_in_points(void **state) {
    (void)state;
    struct shape failing = usual;
    failing.error_rate = 0.2;
    struct scene scene;
    open_scene(&scene, 11, &failing);
    assert_ok(scene.err, judge(&scene));
    const struct pyr_compared_metric *rate = metric_of(&scene, PYR_M_ERROR_RATE);
    assert_int_equal(rate->judgement.verdict, PYR_REGRESSED);
    assert_near(rate->judgement.worse, 0.2, 1e-9);
    close_scene(&scene);
}

static void the_noise_floor_raises_the_gate(void **state) {
    (void)state;
    struct shape slow = usual;
    slow.itl_ns *= 1.2;
    struct scene scene;
    open_scene(&scene, 12, &slow);
    scene.baseline[0].noise_floor.value = 0.2;
    assert_ok(scene.err, judge(&scene));
    const struct pyr_compared_metric *itl = metric_of(&scene, PYR_M_ITL);
    assert_near(itl->judgement.gate, 0.3, 1e-9);
    assert_int_equal(itl->judgement.verdict, PYR_INCONCLUSIVE);
    close_scene(&scene);
}

static void thresholds_and_gates_can_be_named(void **state) {
    (void)state;
    struct shape slow = usual;
    slow.itl_ns *= 1.3;
    struct scene scene;
    open_scene(&scene, 13, &slow);
    assert_ok(scene.err, pyr_compare_parse_threshold(scene.arena, "10.0,itl_p50=50", &scene.options,
                                                     &scene.err));
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(metric_of(&scene, PYR_M_ITL)->judgement.verdict, PYR_UNCHANGED);
    assert_ok(scene.err,
              pyr_compare_parse_threshold(scene.arena, "10", &scene.options, &scene.err));
    assert_ok(scene.err,
              pyr_compare_parse_gates(scene.arena, "tok_s,ttft_p50", &scene.options, &scene.err));
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->gated_count, 2);
    assert_int_equal(scene.seen->verdict, PYR_UNCHANGED);
    static const struct {
        const char *text, *says;
    } bad[] = {{"-5", "below zero"}, {"fast", "no percentage"}, {"10,tftt=5", "no metric"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(
            pyr_compare_parse_threshold(scene.arena, bad[i].text, &scene.options, &scene.err));
        assert_int_equal(scene.err.code, PYR_E_USAGE);
        if (!strstr(scene.err.text, bad[i].says))
            fail_msg("'%s' gave: %s", bad[i].text, scene.err.text);
    }
    close_scene(&scene);
}

static void other_output_texts_are_noticed(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, 14, &usual);
    ((struct pyr_kept_case *)scene.current[0].cases)->outputs_hash = 8;
    assert_ok(scene.err, judge(&scene));
    assert_int_equal(scene.seen->outputs, PYR_OUTPUTS_DIFFER);
    assert_non_null(strstr(scene.seen->warnings[0], "output texts differ in 1 of 1"));
    close_scene(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slower_run_is_a_regression_and_says_which_number),
        cmocka_unit_test(a_slower_rate_is_worse_and_a_faster_one_better),
        cmocka_unit_test(the_same_is_shown_to_be_unchanged),
        cmocka_unit_test(fewer_than_five_runs_are_not_judged_unless_asked),
        cmocka_unit_test(other_environments_are_shown_and_never_judged),
        cmocka_unit_test(baseline_runs_of_another_machine_are_left_out),
        cmocka_unit_test(unknown_environments_need_the_users_word),
        cmocka_unit_test(nothing_in_common_is_an_error),
        cmocka_unit_test(a_metric_on_one_side_only_is_listed),
        cmocka_unit_test(a_machine_that_moved_decides_nothing),
        cmocka_unit_test(a_slowdown_far_beyond_what_the_machine_moved_by_is_still_one),
        cmocka_unit_test(a_case_with_other_settings_under_the_same_name_is_not_judged),
        cmocka_unit_test(errors_are_compared_in_points),
        cmocka_unit_test(the_noise_floor_raises_the_gate),
        cmocka_unit_test(thresholds_and_gates_can_be_named),
        cmocka_unit_test(other_output_texts_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
