/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "stats/goals_text.h"
#include "suite/config.h"

#include <string.h>

#define YAML_FILE PYR_TEST_DATA "/config/benchmark_config.yaml"

static void the_documented_file_loads_as_it_stands(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_config config;
    struct pyr_err err;
    assert_ok(err, pyr_config_load(arena, YAML_FILE, &config, &err));
    assert_near(config.goals.tok_s, 30, 0);
    assert_near(config.goals.spike_percent[1], 15, 0);
    assert_int_equal(config.iterations, 1000);
    assert_int_equal(config.batch_sizes.count, 5);
    assert_int_equal(config.text_lengths.items[4], 1000);
    assert_string_equal(config.model, "microsoft/DialoGPT-medium");
    assert_int_equal(config.hardware_count, 3);
    assert_string_equal(config.hardware[2].name, "cpu_only");
    assert_int_equal(config.hardware[2].batch_sizes.items[3], 8);
    assert_string_equal(config.output, "benchmark_results");
    assert_int_equal(config.html_report, 1);
    pyr_arena_destroy(arena);
}

static void the_command_line_goes_before_the_file_and_the_file_before_the_preset(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_config config;
    struct pyr_config_notes notes;
    struct pyr_err err;
    assert_ok(err, pyr_config_load(arena, YAML_FILE, &config, &err));

    struct pyr_bench_options open = {.preset = "quick"};
    assert_ok(err, pyr_config_apply(arena, &config, &open, &notes, &err));
    assert_int_equal(open.preset_data->requests, 1000);
    assert_int_equal(open.preset_data->class_count, 5);
    assert_string_equal(open.preset_data->classes[1].name, "p50");
    assert_int_equal(open.preset_data->level_count, 5);
    assert_true(open.preset_data->duration_ns == pyr_preset_find("quick")->duration_ns);
    assert_string_equal(open.slo, "tok_s=30,ttft_p50=5ms,spike_rate=15%");
    assert_string_equal(open.output, "benchmark_results");
    assert_string_equal(open.format, "html");
    assert_true(notes.count > 0);
    struct pyr_goal *goals;
    size_t count;
    assert_ok(err, pyr_goals_parse(arena, open.slo, true, &goals, &count, &err));
    assert_near(goals[2].limit, 0.15, 1e-12);

    struct pyr_bench_options said = {.preset = "quick", .slo = "error=1%", .output = "mine"};
    assert_ok(err, pyr_config_apply(arena, &config, &said, &notes, &err));
    assert_string_equal(said.slo, "error=1%");
    assert_string_equal(said.output, "mine");

    struct pyr_bench_options hardware = {.preset = "cpu_only"};
    assert_ok(err, pyr_config_apply(arena, &config, &hardware, &notes, &err));
    assert_string_equal(hardware.slo, "tok_s=10,ttft_p50=15ms,spike_rate=15%");
    assert_int_equal(hardware.preset_data->level_count, 4);
    pyr_arena_destroy(arena);
}

static bool read_text(struct pyr_arena *arena, const char *text, struct pyr_config *config,
                      struct pyr_err *err) {
    return pyr_config_read(arena, "my.yaml", text, strlen(text), config, err);
}

static const struct pyr_setting *said(const struct pyr_bench_options *options, const char *name) {
    for (size_t i = 0; i < options->setting_count; i++)
        if (strcmp(options->settings[i].name, name) == 0)
            return &options->settings[i];
    fail_msg("%s is not among the settings", name);
    return NULL;
}

static void every_setting_says_where_it_came_from(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_config config;
    struct pyr_config_notes notes;
    struct pyr_err err;
    const uint64_t levels[] = {2};
    const struct pyr_setting typed = {"concurrency", "2", "command line"};
    struct pyr_bench_options options = {.preset = "quick",
                                        .concurrency = levels,
                                        .concurrency_count = 1,
                                        .settings = &typed,
                                        .setting_count = 1};
    assert_ok(err, pyr_config_load(arena, YAML_FILE, &config, &err));
    assert_ok(err, pyr_config_apply(arena, &config, &options, &notes, &err));
    assert_string_equal(said(&options, "concurrency")->source, "command line");
    assert_string_equal(said(&options, "test_params.iterations")->value, "1000");
    assert_string_equal(said(&options, "test_params.iterations")->source, YAML_FILE);
    assert_string_equal(said(&options, "test_params.batch_sizes")->value, "1, 4, 8, 16, 32");
    assert_string_equal(said(&options, "test_params.batch_sizes")->source,
                        YAML_FILE ", overruled by --concurrency");
    pyr_arena_destroy(arena);
}

static void anchors_bring_keys_in_and_own_keys_overrule_them(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_config config;
    struct pyr_err err;
    assert_ok(err, read_text(arena,
                             "x-common: &common\n  iterations: 1e3\n  warmup_iterations: 5\n"
                             "x-slow: &slow {timeout_seconds: 9, iterations: 2}\n"
                             "test_params:\n  warmup_iterations: 7.0\n  <<: [*common, *slow]\n",
                             &config, &err));
    assert_int_equal(config.iterations, 1000);
    assert_int_equal(config.warmup_iterations, 7);
    assert_near(config.timeout_s, 9, 0);
    assert_int_equal(config.said_count, 3);
    pyr_arena_destroy(arena);
}

static void json_and_flat_keys_are_the_same_settings(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_config config;
    struct pyr_err err;
    assert_ok(err, read_text(arena,
                             "{\n\t\"target_tok_s\": 31.5,\n\t\"iterations\": 7,\n"
                             "\t\"stress_test\": {\"concurrency_levels\": [2, 3]},\n"
                             "\t\"regression\": {\"baseline_file\": null}\n}\n",
                             &config, &err));
    assert_near(config.goals.tok_s, 31.5, 0);
    assert_int_equal(config.iterations, 7);
    assert_int_equal(config.stress_levels.items[1], 3);
    assert_null(config.baseline_path);
    assert_true(isnan(config.goals.ttft_ms));
    pyr_arena_destroy(arena);
}

static void what_is_wrong_is_named_with_its_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"target_metrics:\n  tok_sec: 3\n",
         "my.yaml:2: unknown key 'target_metrics.tok_sec'; did you mean target_metrics.tok_s"},
        {"test_params:\n  iterations: many\n", "my.yaml:2: test_params.iterations: 'many' is not"},
        {"test_params:\n  iterations: -3\n", "is not a whole number"},
        {"test_params:\n  timeout_seconds: -1\n", "is not a number of 0 or more"},
        {"test_params:\n  batch_sizes: 4\n", "is not a list"},
        {"test_params:\n  batch_sizes: []\n", "something in it"},
        {"test_params:\n  batch_sizes: [0]\n", "at least 1"},
        {"target_metrics:\n  spike_rate_range: [15, 5]\n", "lower end first"},
        {"energy:\n  enabled: perhaps\n", "true or false"},
        {"hardware_configs:\n  rtx_9090:\n    target_tok_s: 1\n", "no preset of that name"},
        {"hardware_configs:\n  rtx_4090: 3\n", "not a group"},
        {"- a\n- b\n", "no group of keys"},
        {"", "empty"},
        {"a: [1, 2\nb: }", "my.yaml:"},
        {"? [a]\n: b\n", "is not a text"},
        {"&a test_params: *a\n", "unknown key"},
        {"iterations: 3\nbatch_sizes: [1]\niterations: 4\n",
         "my.yaml:3: 'iterations' stands twice, on line 1 too"},
        {"iterations: 3\n---\niterations: 4\n", "a second document begins here"},
        {"iterations: 2.5\n", "is not a whole number"},
        {"iterations: .inf\n", "is not a whole number"},
        {"test_params: &a\n  <<: *a\n", "it holds itself"},
        {"test_params:\n  <<: 3\n", "a group of keys, or a list of such"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_config config;
        struct pyr_err err;
        assert_false(read_text(arena, bad[i].text, &config, &err));
        assert_int_equal(err.code, PYR_E_USAGE);
        if (!strstr(err.text, bad[i].says))
            fail_msg("'%s' gave: %s", bad[i].text, err.text);
        pyr_arena_destroy(arena);
    }
}

static void documented_goals_become_goals(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_err err;
    const char *slo;
    assert_ok(err,
              pyr_targets_load(arena, PYR_TEST_DATA "/config/custom_targets.json", &slo, &err));
    struct pyr_goal *goals;
    size_t count;
    assert_ok(err, pyr_goals_parse(arena, slo, true, &goals, &count, &err));
    assert_int_equal(count, 7);
    assert_string_equal(goals[0].metric, "latency_sched");
    assert_string_equal(goals[0].statistic, "mean");
    assert_near(goals[0].limit, 80e6, 0);
    assert_near(goals[1].limit, 400e6, 0);
    assert_true(goals[2].at_least && goals[4].at_least && !goals[5].at_least);
    assert_near(goals[6].limit, 0.65, 1e-12);

    const char text[] = "{\"cpu_utilization_percent\": 75}";
    assert_ok(err, pyr_targets_read(arena, "t.json", text, strlen(text), &slo, &err));
    assert_string_equal(slo, "cpu_utilization=0.75");
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{\"cpu_utilization\": 80}", "80 is more than the whole"},
        {"{\"cpu_utilization_percent\": 180}", "as cpu_utilization_percent: 80"},
        {"{\"throughput_rp\": 80}", "did you mean throughput_rps"},
        {"{\"throughput_rps\": \"high\"}", "is not a number"},
        {"{}", "no goal"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(
            pyr_targets_read(arena, "t.json", bad[i].text, strlen(bad[i].text), &slo, &err));
        if (!strstr(err.text, bad[i].says))
            fail_msg("'%s' gave: %s", bad[i].text, err.text);
    }
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_file_loads_as_it_stands),
        cmocka_unit_test(the_command_line_goes_before_the_file_and_the_file_before_the_preset),
        cmocka_unit_test(every_setting_says_where_it_came_from),
        cmocka_unit_test(anchors_bring_keys_in_and_own_keys_overrule_them),
        cmocka_unit_test(json_and_flat_keys_are_the_same_settings),
        cmocka_unit_test(what_is_wrong_is_named_with_its_line),
        cmocka_unit_test(documented_goals_become_goals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
