/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "stats/goals_text.h"

#include <string.h>

static void a_list_is_read_with_its_units_and_directions(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_goal *goals;
    size_t count;
    struct pyr_err err;
    assert_ok(err, pyr_goals_parse(arena, "ttft_p99=500ms,error=1%,tok_s=30,itl=50ms", true, &goals,
                                   &count, &err));
    assert_int_equal(count, 4);
    assert_string_equal(goals[0].metric, "ttft_sched");
    assert_string_equal(goals[0].statistic, "p99");
    assert_true(goals[0].limit == 500e6 && !goals[0].at_least && goals[0].per_request);
    assert_string_equal(goals[1].metric, "error_rate");
    assert_true(goals[1].limit == 0.01 && !goals[1].per_request);
    assert_string_equal(goals[2].statistic, "value");
    assert_true(goals[2].at_least && goals[2].user);
    assert_string_equal(goals[3].statistic, "p99");
    pyr_arena_destroy(arena);
}

static void a_preset_stands_for_its_pair_of_goals(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_goal *goals;
    size_t count;
    struct pyr_err err;
    assert_ok(err, pyr_goals_parse(arena, "mlperf-llama2-70b-interactive,error=1%", true, &goals,
                                   &count, &err));
    assert_int_equal(count, 3);
    assert_string_equal(goals[0].metric, "ttft_sched");
    assert_string_equal(goals[0].statistic, "p99");
    assert_true(goals[0].limit == 450e6);
    assert_string_equal(goals[1].metric, "tpot");
    assert_true(goals[1].limit == 40e6 && goals[1].per_request && goals[1].user);
    for (const struct pyr_slo_preset *preset = pyr_slo_presets; preset->name; preset++)
        assert_ok(err, pyr_goals_parse(arena, preset->name, true, &goals, &count, &err));
    assert_false(pyr_goals_parse(arena, "mlperf-llama9", true, &goals, &count, &err));
    assert_non_null(strstr(err.text, "mlperf-gpt-oss-120b"));
    pyr_arena_destroy(arena);
}

static void what_makes_no_sense_is_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"ttft_p99", "write it as"},
        {"tftt_p99=1s", "no metric"},
        {"error=150%", "between 0 and 1"},
        {"error_rate_p99=1%", "one value"},
        {"ttft_p99=fast", "fast"},
        {"tok_s=-1", "below zero"},
        {"", "write it as"},
    };
    struct pyr_arena *arena = pyr_arena_create();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pyr_goal *goals;
        size_t count;
        struct pyr_err err;
        assert_false(pyr_goals_parse(arena, bad[i].text, true, &goals, &count, &err));
        assert_int_equal(err.code, PYR_E_USAGE);
        if (!strstr(err.text, bad[i].says))
            fail_msg("'%s' gave: %s", bad[i].text, err.text);
    }
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read_with_its_units_and_directions),
        cmocka_unit_test(a_preset_stands_for_its_pair_of_goals),
        cmocka_unit_test(what_makes_no_sense_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
