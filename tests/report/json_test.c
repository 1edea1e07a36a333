/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/fs.h"
#include "report/figures.h"
#include "report/formats.h"
#include "report/json_text.h"
#include "support/result_fixture.h"

#include <stdlib.h>
#include <string.h>

static json_t *told(struct pyr_result *result) {
    struct pyr_buf out = {0};
    struct pyr_err err = {0};
    const struct pyr_report_options options = {0};
    assert_ok(err, pyr_report_json(result, &options, &out, &err));
    json_error_t error;
    json_t *root = json_loads(pyr_buf_text(&out), JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("not JSON: line %d: %s", error.line, error.text);
    assert_int_equal(out.data[out.length - 1], '\n');
    pyr_buf_deinit(&out);
    pyr_test_result_free(result);
    return root;
}

static const json_t *at(const json_t *value, const char *path) {
    char key[128];
    while (*path) {
        size_t bytes = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)bytes, path);
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(key))
                                     : json_object_get(value, key);
        if (!value)
            fail_msg("no %s", path);
        path += bytes + (path[bytes] == '.');
    }
    return value;
}

/* --- enough of JSON Schema for our own schema --------------------------------------------------
 */

struct checker {
    const json_t *schema;
    char *why; /* (500) */
};

static bool fits(const struct checker *checker, const json_t *rule, const json_t *value,
                 const char *where);

static bool is_type(const json_t *value, const char *type) {
    return strcmp(type, "object") == 0    ? json_is_object(value)
           : strcmp(type, "array") == 0   ? json_is_array(value)
           : strcmp(type, "string") == 0  ? json_is_string(value)
           : strcmp(type, "integer") == 0 ? json_is_integer(value)
           : strcmp(type, "number") == 0  ? json_is_number(value)
           : strcmp(type, "boolean") == 0 ? json_is_boolean(value)
           : strcmp(type, "null") == 0    ? json_is_null(value)
                                          : false;
}

static bool misfit(const struct checker *checker, const char *where, const char *what) {
    snprintf(checker->why, 500, "%s: %s", where, what);
    return false;
}

static bool fits_type(const json_t *types, const json_t *value) {
    if (json_is_string(types))
        return is_type(value, json_string_value(types));
    for (size_t i = 0; i < json_array_size(types); i++)
        if (is_type(value, json_string_value(json_array_get(types, i))))
            return true;
    return false;
}

static bool fits_members(const struct checker *checker, const json_t *rule, const json_t *value,
                         const char *where) {
    const json_t *required = json_object_get(rule, "required");
    for (size_t i = 0; i < json_array_size(required); i++)
        if (!json_object_get(value, json_string_value(json_array_get(required, i))))
            return misfit(checker, where, json_string_value(json_array_get(required, i)));
    const json_t *known = json_object_get(rule, "properties");
    const json_t *others = json_object_get(rule, "additionalProperties");
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member) {
        char below[300];
        snprintf(below, sizeof below, "%.200s.%.80s", where, key);
        const json_t *own = json_object_get(known, key);
        if (!own && json_is_false(others))
            return misfit(checker, below, "not in the schema");
        if (!own)
            own = others;
        if (own && !fits(checker, own, member, below))
            return false;
    }
    return true;
}

static bool fits_choice(const struct checker *checker, const json_t *rule, const json_t *value,
                        const char *where) {
    const json_t *any = json_object_get(rule, "anyOf"), *list = json_object_get(rule, "enum");
    const json_t *constant = json_object_get(rule, "const");
    bool found = !any && !list;
    for (size_t i = 0; i < json_array_size(any); i++)
        found |= fits(checker, json_array_get(any, i), value, where);
    for (size_t i = 0; i < json_array_size(list); i++)
        found |= json_equal(json_array_get(list, i), value);
    if (!found)
        return any ? false : misfit(checker, where, "not one of the enum");
    return !constant || json_equal(constant, value) || misfit(checker, where, "not the constant");
}

static bool fits(const struct checker *checker, const json_t *rule, const json_t *value,
                 const char *where) {
    const char *reference = json_string_value(json_object_get(rule, "$ref"));
    if (reference) {
        assert_memory_equal(reference, "#/$defs/", 8);
        rule = json_object_get(json_object_get(checker->schema, "$defs"), reference + 8);
        assert_non_null(rule);
    }
    const json_t *types = json_object_get(rule, "type"), *items = json_object_get(rule, "items");
    if (types && !fits_type(types, value))
        return misfit(checker, where, "wrong type");
    if (!fits_choice(checker, rule, value, where))
        return false;
    if (json_is_object(value) && !fits_members(checker, rule, value, where))
        return false;
    for (size_t i = 0; items && i < json_array_size(value); i++) {
        char below[300];
        snprintf(below, sizeof below, "%.200s[%zu]", where, i);
        if (!fits(checker, items, json_array_get(value, i), below))
            return false;
    }
    return true;
}

static void every_result_fits_the_schema(void **state) {
    (void)state;
    json_error_t error;
    json_t *schema =
        json_load_file(PYR_TEST_DATA "/../../docs/formats/results.schema.json", 0, &error);
    if (!schema)
        fail_msg("schema: line %d: %s", error.line, error.text);
    struct pyr_result *(*makers[])(void) = {pyr_test_result_rich, pyr_test_result_partial,
                                            pyr_test_result_large, pyr_test_result_empty,
                                            pyr_test_result_hostile};
    char why[500];
    struct checker checker = {schema, why};
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        json_t *root = told(makers[i]());
        if (!fits(&checker, schema, root, "results"))
            fail_msg("result %zu: %s", i, why);
        json_decref(root);
    }
    /* The checker itself can say no. */
    json_t *root = told(pyr_test_result_empty());
    json_object_set_new(root, "simulated", json_string("no"));
    assert_false(fits(&checker, schema, root, "results"));
    json_object_set_new(root, "simulated", json_false());
    json_object_set_new(root, "surplus", json_false());
    assert_false(fits(&checker, schema, root, "results"));
    json_decref(root);
    json_decref(schema);
}

/* --- contents ------------------------------------------------------------------------------------
 */

static void the_older_documents_find_their_keys(void **state) {
    (void)state;
    json_t *root = told(pyr_test_result_rich());
    assert_near(json_real_value(at(root, "timestamp")), 1704067200.25, 0);
    assert_string_equal(json_string_value(at(root, "timestamp_iso")), "2024-01-01T00:00:00Z");
    assert_int_equal(json_integer_value(at(root, "config.iterations")), 100);
    assert_int_equal(json_integer_value(at(root, "system_info.cpu_count")), 2);
    assert_string_equal(json_string_value(at(root, "overall_assessment.performance_grade")),
                        "POOR");
    assert_int_equal(json_integer_value(at(root, "overall_assessment.targets_met")), 1);
    assert_int_equal(json_integer_value(at(root, "overall_assessment.total_targets")), 5);
    assert_near(json_number_value(at(root, "stress_test.max_sustainable_load")), 8, 0);
    assert_int_equal(json_integer_value(at(root, "stress_test.stable_concurrency_levels.3")), 8);
    assert_true(json_is_real(at(root, "benchmarks.concurrent.tokens_per_second")));
    assert_true(json_is_real(at(root, "benchmarks.concurrent.p50_ms")));
    assert_true(json_is_false(at(root, "benchmarks.concurrent.target_scores.ttft_p90")));
    assert_true(json_is_true(at(root, "benchmarks.concurrent.target_scores.tok_s")));
    json_decref(root);
}

static void flat_keys_are_the_metrics_in_other_units(void **state) {
    (void)state;
    json_t *root = told(pyr_test_result_rich());
    const json_t *closed = at(root, "benchmarks.concurrent.cases.5");
    const json_t *open = at(root, "benchmarks.rate.cases.1");
    assert_near(json_number_value(at(closed, "avg_latency_ms")),
                json_number_value(at(closed, "metrics.latency_sent.mean.value")) / 1e6, 1e-5);
    assert_near(json_number_value(at(closed, "p99_latency_ms")),
                json_number_value(at(closed, "metrics.latency_sent.p99.value")) / 1e6, 1e-5);
    assert_near(json_number_value(at(open, "p90_latency_ms")),
                json_number_value(at(open, "metrics.latency_sched.p90.value")) / 1e6, 1e-5);
    assert_near(json_number_value(at(open, "ttft_p50_ms")),
                json_number_value(at(open, "metrics.ttft_sched.p50.value")) / 1e6, 1e-5);
    assert_near(json_number_value(at(closed, "throughput_rps")),
                json_number_value(at(closed, "metrics.request_throughput.value")), 0);
    assert_near(json_number_value(at(closed, "spike_rate_percent")),
                100 * json_number_value(at(closed, "metrics.spike_rate.value")), 1e-9);
    assert_near(json_number_value(at(closed, "memory_usage_mb")), 812.4, 1e-9);
    assert_true(json_is_null(at(closed, "energy_consumption_joules")));
    json_decref(root);
}

static void a_quantile_that_n_cannot_give_is_null_with_its_reason(void **state) {
    (void)state;
    json_t *root = told(pyr_test_result_rich());
    const json_t *p99 = at(root, "benchmarks.concurrent.cases.0.metrics.latency_sent.p99");
    assert_true(json_is_null(at(p99, "value")));
    assert_string_equal(json_string_value(at(p99, "reason")), "n<100");
    assert_true(json_is_null(at(root, "benchmarks.concurrent.cases.0.p99_latency_ms")));
    /* A hundred and more give the value; its upper end needs 368. */
    p99 = at(root, "benchmarks.inference.cases.1.metrics.latency_sent.p99");
    assert_true(json_is_real(at(p99, "value")));
    assert_true(json_is_null(at(p99, "hi")));
    assert_string_equal(json_string_value(at(p99, "reason")), "n<368");
    assert_int_equal(json_integer_value(at(p99, "needs")), 248);
    json_decref(root);

    struct pyr_metric_result row = {.n = 99};
    row.quantile[PYR_Q_P99] = (struct pyr_estimate){1, 1, 1, NULL};
    assert_true(isnan(pyr_metric_quantile(&row, PYR_Q_P99).value));
    row.n = 100;
    assert_near(pyr_metric_quantile(&row, PYR_Q_P99).value, 1, 0);
    row.n = 10;
    row.quantile[PYR_Q_P90] = (struct pyr_estimate){2, 2, 2, NULL};
    assert_near(pyr_metric_quantile(&row, PYR_Q_P90).value, 2, 0);
}

static void hostile_names_and_infinite_values_stay_valid_json(void **state) {
    (void)state;
    json_t *root = told(pyr_test_result_hostile());
    const json_t *suites = at(root, "benchmarks");
    assert_int_equal(json_object_size(suites), 1);
    const char *name = json_object_iter_key(json_object_iter((json_t *)suites));
    assert_non_null(strstr(name, "\xef\xbf\xbd"));
    const json_t *one = json_object_iter_value(json_object_iter((json_t *)suites));
    const json_t *p50 = at(one, "cases.0.metrics.ttft_sched.p50");
    assert_true(json_is_null(at(p50, "value")) && json_is_null(at(p50, "lo")));
    assert_string_equal(json_string_value(at(p50, "reason")), "unknown");
    json_decref(root);
}

static void a_case_only_scores_what_was_decided_for_it(void **state) {
    (void)state;
    json_t *root = told(pyr_test_result_rich());
    /* ttft_p90 was missed in long/c32, so of short/c1 nothing is known but what was met. */
    assert_true(json_is_null(at(root, "benchmarks.concurrent.cases.0.meets_targets")));
    const json_t *scores = at(root, "benchmarks.concurrent.cases.0.target_scores");
    assert_int_equal(json_object_size(scores), 1);
    assert_true(json_is_true(at(scores, "tok_s")));
    assert_true(json_is_false(at(root, "benchmarks.concurrent.cases.11.meets_targets")));
    json_decref(root);
    root = told(pyr_test_result_large());
    assert_true(json_is_true(at(root, "benchmarks.concurrent.cases.0.meets_targets")));
    assert_true(json_is_true(at(root, "benchmarks.concurrent.meets_targets")));
    json_decref(root);
}

static void lines_stay_short_and_numbers_keep_nine_digits(void **state) {
    (void)state;
    struct pyr_buf out = {0};
    json_t *value = pyr_json_number(0.1 + 0.2);
    pyr_json_compact(&out, value);
    assert_string_equal(out.data, "0.3");
    json_decref(value);
    pyr_buf_clear(&out);
    value = pyr_json_text("a\xff\x80z\x01");
    pyr_json_compact(&out, value);
    assert_string_equal(out.data, "\"a\xef\xbf\xbd\xef\xbf\xbdz\\u0001\"");
    json_decref(value);
    pyr_buf_clear(&out);
    value = json_array();
    for (int i = 0; i < 60; i++)
        json_array_append_new(value, json_integer(i));
    pyr_json_pretty(&out, value);
    assert_memory_equal(out.data, "[\n  0,\n  1,", 11);
    json_t *again = json_loads(out.data, 0, NULL);
    assert_true(json_equal(value, again));
    json_decref(again);
    json_decref(value);
    pyr_buf_deinit(&out);
}

static void a_line_that_fills_up_within_a_key_is_broken_there(void **state) {
    (void)state;
    for (int length = 60; length < 130; length++) {
        char filler[160] = "";
        memset(filler, 'x', (size_t)length);
        json_t *value = json_object();
        pyr_json_put(value, "reason", pyr_json_text(filler));
        pyr_json_put(value, "needs", json_integer(7));
        struct pyr_buf text = {0};
        pyr_json_pretty(&text, value);
        json_t *again = json_loads(pyr_buf_text(&text), 0, NULL);
        assert_true(json_equal(again, value));
        json_decref(again);
        json_decref(value);
        pyr_buf_deinit(&text);
    }
}

static void a_report_file_is_written_whole(void **state) {
    (void)state;
    char dir[256], path[300];
    struct pyr_err err = {0};
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/results.json", dir);
    struct pyr_result *result = pyr_test_result_large();
    const struct pyr_report_options options = {0};
    assert_ok(err,
              pyr_report_write_file(pyr_report_format_find("json"), result, &options, path, &err));
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    json_decref(root);
    snprintf(path, sizeof path, "%s/none/results.json", dir);
    assert_false(
        pyr_report_write_file(pyr_report_format_find("json"), result, &options, path, &err));
    assert_int_equal(err.code, PYR_E_IO);
    pyr_test_result_free(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_fits_the_schema),
        cmocka_unit_test(the_older_documents_find_their_keys),
        cmocka_unit_test(flat_keys_are_the_metrics_in_other_units),
        cmocka_unit_test(a_quantile_that_n_cannot_give_is_null_with_its_reason),
        cmocka_unit_test(hostile_names_and_infinite_values_stay_valid_json),
        cmocka_unit_test(a_case_only_scores_what_was_decided_for_it),
        cmocka_unit_test(lines_stay_short_and_numbers_keep_nine_digits),
        cmocka_unit_test(a_line_that_fills_up_within_a_key_is_broken_there),
        cmocka_unit_test(a_report_file_is_written_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
