/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "judge/fingerprint.h"

#include <string.h>

#define META(kernel, version, engine, threads, goals, load)                                        \
    "{\"version\":\"" version "\",\"config\":{\"isolate\":[" threads "],\"goals\":[\"" goals       \
    "\"],\"options\":{\"flash_attn\":\"on\"}},\"target\":{\"kind\":\"local\",\"name\":\"tiny\","   \
    "\"engine\":\"" engine "\",\"weight_bytes\":1000},\"system_info\":{\"kernel\":\"" kernel       \
    "\",\"load_average\":[" load "],\"cpu\":{\"model\":\"x\",\"allowed\":2,\"governor\":\"p\"}}}"

static const char base[] = META("6.1", "0.1", "llama b1", "2", "ttft=1s", "0.1");

static void what_is_compared_and_what_drifts_is_left_out(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_fingerprint a = pyr_fingerprint_make(arena, base);
    struct pyr_fingerprint b =
        pyr_fingerprint_make(arena, META("6.1", "0.2", "llama b2", "2", "ttft=9s", "7.5"));
    assert_string_equal(a.hash, b.hash);
    assert_int_equal(strlen(a.hash), 16);
    struct pyr_fingerprint_difference *differences;
    size_t count;
    pyr_fingerprint_compare(arena, a.json, b.json, NULL, 0, &differences, &count);
    assert_int_equal(count, 1);
    assert_string_equal(differences[0].part, "pyrometer_version");
    assert_true(differences[0].warning);
    pyr_arena_destroy(arena);
}

static void what_differs_is_listed_with_both_values(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_fingerprint a = pyr_fingerprint_make(arena, base);
    struct pyr_fingerprint b =
        pyr_fingerprint_make(arena, META("6.8", "0.1", "llama b1", "4", "ttft=1s", "0.1"));
    assert_string_not_equal(a.hash, b.hash);
    struct pyr_fingerprint_difference *differences;
    size_t count;
    pyr_fingerprint_compare(arena, a.json, b.json, NULL, 0, &differences, &count);
    assert_int_equal(count, 2);
    assert_string_equal(differences[0].part, "config.isolate");
    assert_string_equal(differences[0].baseline, "[2]");
    assert_string_equal(differences[0].current, "[4]");
    assert_string_equal(differences[1].part, "kernel");
    const char *const vary[] = {"isolate"};
    pyr_fingerprint_compare(arena, a.json, b.json, vary, 1, &differences, &count);
    assert_int_equal(count, 1);
    assert_string_equal(differences[0].part, "kernel");
    pyr_arena_destroy(arena);
}

static void an_unknown_environment_never_equals_another(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_fingerprint_difference *differences;
    size_t count;
    const char *known = pyr_fingerprint_make(arena, base).json;
    const char *const unknown[] = {NULL, "", "{}", "[1]", "no json"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        pyr_fingerprint_compare(arena, known, unknown[i], NULL, 0, &differences, &count);
        assert_int_equal(count, 1);
        assert_string_equal(differences[0].part, "environment");
        assert_null(differences[0].current);
        assert_non_null(pyr_fingerprint_make(arena, unknown[i]).hash);
        pyr_fingerprint_compare(arena, unknown[i], unknown[i], NULL, 0, &differences, &count);
        assert_int_equal(count, 1);
    }
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_compared_and_what_drifts_is_left_out),
        cmocka_unit_test(what_differs_is_listed_with_both_values),
        cmocka_unit_test(an_unknown_environment_never_equals_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
