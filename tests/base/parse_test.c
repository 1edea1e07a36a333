/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/parse.h"

#include <string.h>

static void durations_are_read_with_their_units(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {{"30s", 30000000000u}, {"500ms", 500000000u}, {"1.5", 1500000000u},
                 {"2m", 120000000000u}, {"10us", 10000u},      {"7ns", 7u}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t ns = 0;
        struct pyr_err err;
        assert_ok(err, pyr_parse_duration_ns(cases[i].text, &ns, &err));
        assert_int_equal(ns, cases[i].ns);
    }
}

static void rubbish_is_refused_and_quoted(void **state) {
    (void)state;
    static const char *const bad[] = {"", "-1", "1x", " 1", "nan", "1e99s", "s"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t value;
        struct pyr_err err;
        assert_false(pyr_parse_duration_ns(bad[i], &value, &err));
        assert_int_equal(err.code, PYR_E_USAGE);
        assert_non_null(strstr(err.text, bad[i]));
    }
}

static void lists_take_values_and_ranges(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    uint64_t *values;
    size_t count;
    struct pyr_err err;
    assert_ok(err, pyr_parse_u64_list(arena, "1,4..6,9-10", &values, &count, &err));
    assert_int_equal(count, 6);
    static const uint64_t expected[] = {1, 4, 5, 6, 9, 10};
    assert_memory_equal(values, expected, sizeof expected);
    assert_false(pyr_parse_u64_list(arena, "1,,2", &values, &count, &err));
    assert_false(pyr_parse_u64_list(arena, "5-1", &values, &count, &err));
    assert_false(pyr_parse_u64_list(arena, "1-1000000", &values, &count, &err));
    pyr_arena_destroy(arena);
}

static void the_nearest_name_is_found_only_when_near(void **state) {
    (void)state;
    static const char *const names[] = {"--concurrency", "--requests", "--rate"};
    assert_string_equal(pyr_nearest("--concurency", names, 3), "--concurrency");
    assert_string_equal(pyr_nearest("--request", names, 3), "--requests");
    assert_null(pyr_nearest("--zzzzzzzz", names, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_with_their_units),
        cmocka_unit_test(rubbish_is_refused_and_quoted),
        cmocka_unit_test(lists_take_values_and_ranges),
        cmocka_unit_test(the_nearest_name_is_found_only_when_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
