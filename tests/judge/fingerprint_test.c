/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/fs.h"
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

/* Two configurations on one machine, compared both ways; how many settings differ. */
static size_t differences_of(const char *before, const char *later) {
    struct pyr_arena *arena = pyr_arena_create();
    const char *const a =
        pyr_fingerprint_make(arena, pyr_arena_printf(arena,
                                                     "{\"config\":{\"load_model\":"
                                                     "\"closed\"%s}}",
                                                     before))
            .json;
    const char *const b =
        pyr_fingerprint_make(arena, pyr_arena_printf(arena,
                                                     "{\"config\":{\"load_model\":"
                                                     "\"closed\"%s}}",
                                                     later))
            .json;
    struct pyr_fingerprint_difference *differences;
    size_t count, back;
    pyr_fingerprint_compare(arena, a, b, NULL, 0, &differences, &count);
    pyr_fingerprint_compare(arena, b, a, NULL, 0, &differences, &back);
    assert_int_equal(count, back);
    pyr_arena_destroy(arena);
    return count;
}

static void a_setting_that_is_not_said_was_at_its_default(void **state) {
    (void)state;
    static const char *const defaults[] = {
        ",\"new_flag\":false",         ",\"new_count\":0", ",\"new_share\":0.0",
        ",\"new_text\":null",          ",\"new_list\":[]", ",\"new_group\":{\"inner\":false}",
        ",\"heed_retry_after\":false", ",\"drain_s\":0.0",
    };
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        assert_int_equal(differences_of("", defaults[i]), 0);
    static const char *const others[] = {
        ",\"new_flag\":true",
        ",\"new_count\":2",
        ",\"new_text\":\"x\"",
        ",\"new_list\":[1]",
        ",\"new_group\":{\"inner\":3}",
        ",\"heed_retry_after\":true",
        ",\"drain_s\":0.5",
        ",\"options\":{\"n_gpu_layers\":\"0\"}",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(differences_of("", others[i]), 1);
}

/* A history groups runs by the hash: a new setting at its default must not begin a new series. */
static void a_new_setting_at_its_default_leaves_the_hash(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    const char *before = pyr_fingerprint_make(arena, "{\"config\":{\"exact_output\":false}}").hash;
    const char *later = pyr_fingerprint_make(arena, "{\"config\":{\"exact_output\":false,"
                                                    "\"new_flag\":false}}")
                            .hash;
    assert_string_equal(before, later);
    pyr_arena_destroy(arena);
}

/* The hash by which the first version kept this run in a history. */
static void a_run_of_the_first_version_keeps_its_hash(void **state) {
    (void)state;
    static const struct pyr_root root = {PYR_TEST_DATA};
    struct pyr_err err;
    struct pyr_buf text = {0};
    assert_ok(err, pyr_fs_read(&root, "/baseline/first.json", 1 << 20, &text, &err));
    struct pyr_arena *arena = pyr_arena_create();
    assert_string_equal(pyr_fingerprint_make(arena, pyr_buf_text(&text)).hash, "30fcc9a75e8d61c3");
    pyr_buf_deinit(&text);
    pyr_arena_destroy(arena);
}

static void what_the_machine_hides_is_the_same_however_it_is_worded(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    static const char *const machines[] = {
        "{\"system_info\":{\"kernel\":\"6\",\"cpu\":{\"governor\":\"not available: no file\"}}}",
        "{\"system_info\":{\"kernel\":\"6\",\"cpu\":{\"governor\":\"not available: hidden\"}}}",
        "{\"system_info\":{\"kernel\":\"6\",\"cpu\":{}}}",
        "{\"system_info\":{\"kernel\":\"6\",\"cpu\":{\"governor\":\"powersave\"}}}",
    };
    struct pyr_fingerprint_difference *differences;
    for (size_t i = 1; i < 4; i++) {
        size_t count;
        pyr_fingerprint_compare(arena, pyr_fingerprint_make(arena, machines[0]).json,
                                pyr_fingerprint_make(arena, machines[i]).json, NULL, 0,
                                &differences, &count);
        assert_int_equal(count, i == 3);
    }
    pyr_arena_destroy(arena);
}

/* A part is named in full, without "config", or by its last word; another name varies nothing. */
static void a_part_that_may_vary_is_named_by_its_end(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    static const char *const names[] = {"config.options.flash_attn",
                                        "options.flash_attn",
                                        "flash_attn",
                                        "attn",
                                        "config",
                                        "options",
                                        "kernel"};
    const char *a =
        pyr_fingerprint_make(arena, "{\"config\":{\"options\":{\"flash_attn\":\"on\"}}}").json;
    const char *b =
        pyr_fingerprint_make(arena, "{\"config\":{\"options\":{\"flash_attn\":\"off\"}}}").json;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct pyr_fingerprint_difference *differences;
        size_t count;
        pyr_fingerprint_compare(arena, a, b, &names[i], 1, &differences, &count);
        assert_int_equal(count, i < 3 ? 0 : 1);
    }
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
        cmocka_unit_test(a_setting_that_is_not_said_was_at_its_default),
        cmocka_unit_test(a_new_setting_at_its_default_leaves_the_hash),
        cmocka_unit_test(a_run_of_the_first_version_keeps_its_hash),
        cmocka_unit_test(what_the_machine_hides_is_the_same_however_it_is_worded),
        cmocka_unit_test(a_part_that_may_vary_is_named_by_its_end),
        cmocka_unit_test(an_unknown_environment_never_equals_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
