/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "stats/goals_text.h"
#include "stats/tables.h"
#include "suite/suite.h"

#include <string.h>

static void every_preset_can_be_found(void **state) {
    (void)state;
    for (size_t i = 0; i < pyr_preset_count; i++) {
        assert_true(strlen(pyr_presets[i].summary) > 0);
        assert_ptr_equal(pyr_preset_find(pyr_presets[i].name), &pyr_presets[i]);
    }
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
            assert_non_null(pyr_suite_find(suite));
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
    struct pyr_err err;
    assert_non_null(pyr_suite_find("inference"));
    assert_null(pyr_suite_find("inference")->missing);
    assert_null(pyr_suite_find("teleport"));
    assert_false(pyr_suite_fail("inferense", &err));
    assert_non_null(strstr(err.text, "did you mean inference"));
}

/* A row either runs or says why not, its columns are metrics, and its goals can be read. */
static void every_suite_is_whole(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    for (size_t i = 0; pyr_suites[i]; i++) {
        const struct pyr_suite *suite = pyr_suites[i];
        assert_ptr_equal(pyr_suite_find(suite->name), suite);
        assert_true(strlen(suite->name) < sizeof((struct pyr_case *)0)->suite);
        assert_non_null(suite->summary);
        assert_true(!suite->missing == (suite->plan && suite->run));
        assert_true(!suite->part_of || pyr_suite_find(suite->part_of));
        if (suite->columns) {
            const struct pyr_suite_column *columns;
            size_t wanted = 1;
            for (const char *c = suite->columns; *c; c++)
                wanted += *c == ',';
            assert_int_equal(pyr_columns_parse(suite->columns, arena, &columns), wanted);
        }
        struct pyr_goal *goals;
        size_t count;
        struct pyr_err err;
        if (suite->goals)
            assert_ok(err, pyr_goals_parse(arena, suite->goals, false, &goals, &count, &err));
    }
    pyr_arena_destroy(arena);
}

static void a_part_runs_whenever_its_whole_is_asked_for(void **state) {
    (void)state;
    const struct pyr_suite *startup = pyr_suite_find("startup");
    char list[256];
    assert_true(pyr_suite_wanted(startup, "inference"));
    assert_true(pyr_suite_wanted(startup, "concurrent,startup"));
    assert_false(pyr_suite_wanted(startup, "concurrent"));
    assert_false(pyr_suite_wanted(pyr_suite_find("inference"), "startup"));
    assert_false(pyr_suite_wanted(pyr_suite_find("inference"), "inferences"));
    pyr_suite_list("all", pyr_preset_find("quick"), list, sizeof list);
    assert_true(pyr_suite_wanted(pyr_suite_find("stress"), list));
    assert_true(pyr_suites_need_target(list));
    pyr_suite_list(NULL, pyr_preset_find("quick"), list, sizeof list);
    assert_string_equal(list, "inference,concurrent");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_preset_can_be_found),
        cmocka_unit_test(every_preset_can_run),
        cmocka_unit_test(the_quick_preset_is_made_for_two_cores),
        cmocka_unit_test(a_suite_that_is_not_there_says_so),
        cmocka_unit_test(every_suite_is_whole),
        cmocka_unit_test(a_part_runs_whenever_its_whole_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
