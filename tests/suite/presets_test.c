/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "stats/goals_text.h"
#include "suite/bench.h"
#include "suite/presets.h"

#include <string.h>

static void every_row_has_its_preset_and_the_other_way_round(void **state) {
    (void)state;
    size_t rows = 0;
    for (; pyr_preset_rows[rows].name; rows++) {
        assert_true(rows < pyr_preset_count);
        assert_string_equal(pyr_preset_rows[rows].name, pyr_presets[rows].name);
        assert_true(strlen(pyr_preset_rows[rows].summary) > 0);
        assert_ptr_equal(pyr_preset_find(pyr_preset_rows[rows].name), &pyr_presets[rows]);
    }
    assert_int_equal(rows, pyr_preset_count);
    assert_null(pyr_preset_find("fast"));
}

static void every_preset_can_run(void **state) {
    (void)state;
    for (size_t i = 0; i < pyr_preset_count; i++) {
        const struct pyr_preset *preset = &pyr_presets[i];
        assert_true(preset->class_count > 0 && preset->level_count > 0 && preset->requests > 0);
        assert_true(preset->level_time_ns > 0 && preset->duration_ns > preset->level_time_ns);
        assert_true(preset->stress_level_count > 0 && preset->stress_ns > 0);
        assert_true(preset->index_size > 0 && preset->queries > 0 && preset->top_k == 10);
        for (size_t k = 1; k < preset->level_count; k++)
            assert_true(preset->levels[k] > preset->levels[k - 1]);
        for (size_t k = 0; k < preset->class_count; k++)
            for (size_t j = 0; j < k; j++)
                assert_string_not_equal(preset->classes[k].name, preset->classes[j].name);
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_goal *goals;
        size_t count;
        struct pyr_err err;
        assert_ok(err, pyr_goals_parse(arena, preset->goals, false, &goals, &count, &err));
        assert_true(count >= 2);
        char *rest = pyr_arena_strdup(arena, preset->suites), *suite;
        while ((suite = strsep(&rest, ","))) {
            bool known;
            pyr_suite_missing(suite, &known);
            assert_true(known);
        }
        pyr_arena_destroy(arena);
    }
}

static void the_quick_preset_is_made_for_two_cores(void **state) {
    (void)state;
    const struct pyr_preset *quick = pyr_preset_find("quick");
    assert_non_null(quick);
    assert_int_equal(quick->requests, 400);
    assert_int_equal(quick->class_count, 3);
    assert_int_equal(quick->classes[2].prompt_tokens, 256);
    assert_int_equal(quick->level_count, 4);
    assert_true(quick->duration_ns < UINT64_C(300) * 1000000000);
}

static void a_suite_that_is_not_there_says_so(void **state) {
    (void)state;
    bool known;
    assert_null(pyr_suite_missing("inference", &known));
    assert_true(known);
    assert_non_null(pyr_suite_missing("teleport", &known));
    assert_false(known);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_its_preset_and_the_other_way_round),
        cmocka_unit_test(every_preset_can_run),
        cmocka_unit_test(the_quick_preset_is_made_for_two_cores),
        cmocka_unit_test(a_suite_that_is_not_there_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
