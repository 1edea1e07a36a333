/* SPDX-License-Identifier: MIT
 *
 * Patterns and the search for the most that a target carries, in virtual time on a known law.
 */
#include "support/support.h"

#include "base/clock.h"
#include "suite/pattern.h"
#include "suite/stress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static char dir[512];

static int make_dir(void **state) {
    (void)state;
    return pyr_test_temp_dir(dir, sizeof dir) ? 0 : -1;
}

#define S PYR_NS_PER_S

static struct pyr_pattern make(struct pyr_arena *arena, struct pyr_pattern_options options) {
    struct pyr_pattern pattern;
    struct pyr_err err;
    assert_ok(err, pyr_pattern_make(&options, arena, &pattern, &err));
    return pattern;
}

static void every_pattern_fills_its_time_and_keeps_below_the_top(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    for (const struct pyr_pattern_row *row = pyr_pattern_rows; row->name; row++) {
        struct pyr_pattern pattern =
            make(arena, (struct pyr_pattern_options){
                            .name = row->name, .top = 40, .duration_ns = 600 * S, .whole = true});
        assert_true(pattern.phase_count >= 1);
        assert_int_equal(pattern.phases[pattern.phase_count - 1].end_ns, 600 * S);
        double most = 0;
        for (uint64_t t = 0; t < 600; t++) {
            double value = pyr_curve_value(&pattern.curve, t * S);
            assert_true(value >= 1 && value <= 40);
            most = value > most ? value : most;
        }
        assert_true(most > 10);
    }
    pyr_arena_destroy(arena);
}

static void a_spike_has_period_height_and_width(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_pattern pattern = make(arena, (struct pyr_pattern_options){.name = "spike",
                                                                          .top = 40,
                                                                          .duration_ns = 100 * S,
                                                                          .spike_height = 4,
                                                                          .spike_period_ns = 20 * S,
                                                                          .spike_width_ns = 5 * S});
    assert_near(pyr_curve_value(&pattern.curve, 14 * S), 10, 0);
    assert_near(pyr_curve_value(&pattern.curve, 16 * S), 40, 0);
    assert_near(pyr_curve_value(&pattern.curve, 21 * S), 10, 0);
    assert_near(pyr_curve_value(&pattern.curve, 99 * S), 40, 0);
    pyr_arena_destroy(arena);
}

static struct pyr_stress_options on_sim(const char *spec) {
    return (struct pyr_stress_options){
        .bench = {.target = spec, .output = dir, .seed = 1, .command_line = "t"}};
}

static void ramps_carry_real_load_and_phases_are_told_apart(void **state) {
    (void)state;
    struct pyr_stress_options options = on_sim("sim:step_ms=5,per_seq_ms=0.5,jitter_pct=0");
    options.pattern = "steady";
    options.most = 20;
    options.bench.duration_ns = 100 * S;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_case_result *one = &outcome.result->suites[0].cases[0];
    uint64_t up = 0, hold = 0, down = 0;
    double hold_p50 = 0, up_p50 = 0;
    for (size_t i = 0; i < one->phase_count; i++) {
        const struct pyr_phase_result *phase = &one->phases[i];
        if (strcmp(phase->name, "ramp up") == 0) {
            up = phase->requests;
            up_p50 = phase->latency_p50_ns;
        } else if (strcmp(phase->name, "hold") == 0) {
            hold = phase->requests;
            hold_p50 = phase->latency_p50_ns;
        } else if (strcmp(phase->name, "ramp down") == 0) {
            down = phase->requests;
        }
    }
    assert_true(up > 50 && down > 50 && hold > up + down);
    assert_true(hold_p50 > up_p50);
    /* The figures are those of the hold, in which the load stands still. */
    assert_true(one->patterned);
    assert_near(one->cut_s, 10, 0.5);
    assert_near(one->steady_s, 80, 0.5);
    /* Asked and achieved lie beside each other. */
    const struct pyr_timeline_point *middle = &one->timeline[one->timeline_count / 2];
    assert_near(middle->asked_concurrency, 20, 0);
    assert_near(middle->in_flight, 20, 0.5);
    pyr_result_destroy(outcome.result);
}

/* Each phase of a spike asks for what was asked in it, in either loop. */
static void each_phase_tells_what_was_asked_in_it(void **state) {
    (void)state;
    for (int open = 0; open < 2; open++) {
        struct pyr_stress_options options = on_sim("sim:step_ms=5,per_seq_ms=0.1,jitter_pct=5");
        options.pattern = "spike";
        options.most = 40;
        options.bench.rate = open ? 40 : 0;
        options.bench.duration_ns = 60 * S;
        options.bench.output_tokens = "8";
        struct pyr_bench_outcome outcome;
        struct pyr_err err;
        assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
        const struct pyr_case_result *one = &outcome.result->suites[0].cases[0];
        size_t seen = 0;
        for (size_t i = 0; i < one->phase_count; i++) {
            const struct pyr_phase_result *phase = &one->phases[i];
            if (!phase->of_pattern)
                continue;
            double asked = open ? phase->asked_rate : phase->asked_concurrency;
            bool spike = strcmp(phase->name, "spike") == 0;
            assert_near(asked, spike ? 40 : open ? 40.0 / 3 : 13, 1e-6);
            seen++;
        }
        assert_int_equal(seen, 10);
        pyr_result_destroy(outcome.result);
    }
}

/* A repeat of a level is a draw of its own, and the table shows all that came to its verdict. */
static void a_level_that_is_tried_again_draws_anew(void **state) {
    (void)state;
    struct pyr_stress_options options =
        on_sim("sim:step_ms=10,per_seq_ms=10,jitter_pct=10,prefill_tok_s=1000000");
    options.breaking_point = true;
    options.most = 8;
    options.bench.slo = "latency_p95=1s,error=5%";
    options.bench.output_tokens = "16";
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_stress_result *stress = outcome.result->stress;
    size_t repeated = 0;
    for (size_t i = 0; i < stress->level_count; i++) {
        const struct pyr_level *level = &stress->levels[i];
        if (level->pooled_tries < 2)
            continue;
        repeated++;
        const struct pyr_metric_result *of_one = pyr_case_metric(level->one, PYR_M_LATENCY_SENT);
        const struct pyr_metric_result *of_all = pyr_case_metric(level->pooled, PYR_M_LATENCY_SENT);
        assert_true(of_all->n > of_one->n);
        assert_true(of_all->mean.value != of_one->mean.value);
    }
    assert_true(repeated >= 1);
    pyr_result_destroy(outcome.result);
}

/* 16 steps of 10 + 10 c ms with c in flight: p95 within a second up to c = 5. */
static void the_search_ends_with_a_bracket_around_the_truth(void **state) {
    (void)state;
    struct pyr_stress_options options =
        on_sim("sim:step_ms=10,per_seq_ms=10,jitter_pct=0,prefill_tok_s=1000000");
    options.breaking_point = true;
    options.most = 100;
    options.bench.slo = "latency_p95=1s,error=5%";
    options.bench.output_tokens = "16";
    /* Users whose answers have one length: a round of them is one observation, and 84 bound a p95.
     */
    options.bench.level_time_ns = 120 * S;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_stress_result *stress = outcome.result->stress;
    assert_non_null(stress);
    /* The bracket holds the edge between 5 and 6. It was [5, 6]; since intervals follow how long a
     * run stays alike, 5 itself may stay open. */
    assert_true(stress->max_sustainable_load >= 4 && stress->max_sustainable_load <= 5);
    assert_near(stress->first_failing_load, 6, 0);
    assert_string_equal(stress->failed_by, "latency_p95=1s");
    assert_false(outcome.missed_goal);
    pyr_result_destroy(outcome.result);
}

/* One request at a time takes 0.3 s: 30 s of them bound no p99, and 8 at once do. */
static void a_light_load_that_cannot_be_decided_stops_no_search(void **state) {
    (void)state;
    struct pyr_stress_options options =
        on_sim("sim:step_ms=20,per_seq_ms=0,jitter_pct=5,knee=8,prefill_tok_s=1000000");
    options.breaking_point = true;
    options.most = 64;
    options.bench.slo = "ttft_p99=100ms";
    options.bench.output_tokens = "16";
    /* Nine who start at once stay together: one of them waits for a whole answer. Spread out, he
     * waits for the next of eight that end one after the other. */
    options.bench.start_burst = 1;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_stress_result *stress = outcome.result->stress;
    assert_near(stress->levels[0].load, 1, 0);
    assert_int_not_equal(stress->levels[0].verdict, PYR_LEVEL_FAILED);
    /* The edge is between 8 and 9. It was [8, 9]; now levels of a burst bound no p99 in their time,
     * and the bracket is wide below. */
    assert_true(stress->max_sustainable_load <= 8 && stress->first_failing_load >= 9);
    pyr_result_destroy(outcome.result);
}

static void a_target_that_never_fails_leaves_the_bracket_open(void **state) {
    (void)state;
    struct pyr_stress_options options = on_sim("sim:step_ms=1,per_seq_ms=0,jitter_pct=0");
    options.breaking_point = true;
    options.most = 8;
    options.bench.level_time_ns = 20 * S;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    assert_near(outcome.result->stress->max_sustainable_load, 8, 0);
    assert_true(outcome.result->stress->first_failing_load !=
                outcome.result->stress->first_failing_load);
    pyr_result_destroy(outcome.result);
}

/* A knee of 16 sequences at 26 ms a step gives about 17 requests of 16 tokens a second. */
static void a_sweep_stops_above_the_load_that_has_no_steady_state(void **state) {
    (void)state;
    static const double loads[] = {4, 8, 60, 120};
    struct pyr_stress_options options = on_sim("sim:step_ms=10,knee=16,jitter_pct=10");
    options.sweep = true;
    options.loads = loads;
    options.load_count = 4;
    options.bench.rate = 120;
    options.bench.level_time_ns = 40 * S;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_stress_result *stress = outcome.result->stress;
    assert_int_equal(stress->level_count, 3);
    assert_true(stress->open_loop);
    for (size_t i = 0; i < 3; i++)
        assert_near(stress->levels[i].load, loads[i], 0);
    assert_int_equal(stress->levels[1].verdict, PYR_LEVEL_PASSED);
    assert_null(stress->levels[1].evidence);
    assert_near(stress->levels[1].one->whole_s, 40, 1);
    assert_int_equal(stress->levels[2].verdict, PYR_LEVEL_FAILED);
    assert_non_null(strstr(stress->levels[2].evidence, "ended of 60/s offered"));
    assert_true(stress->levels[2].one->whole_s < 25);
    assert_true(stress->levels[2].one->saturating);
    pyr_result_destroy(outcome.result);
}

static void a_level_ends_when_its_goals_are_decided_and_each_try_draws_anew(void **state) {
    (void)state;
    struct pyr_stress_options options =
        on_sim("sim:step_ms=10,per_seq_ms=10,jitter_pct=5,prefill_tok_s=1000000");
    options.breaking_point = true;
    options.most = 16;
    options.bench.slo = "latency_p95=1s,error=5%";
    options.bench.output_tokens = "16";
    options.bench.level_time_ns = 200 * S;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_stress_result *stress = outcome.result->stress;
    size_t early = 0;
    for (size_t i = 0; i < stress->level_count; i++)
        early += stress->levels[i].one->ended_early != NULL && stress->levels[i].one->whole_s < 125;
    assert_true(early >= 3);
    /* The tries of the edge hold different requests. */
    const struct pyr_suite_result *suite = &outcome.result->suites[0];
    const struct pyr_case_result *first = NULL, *second = NULL;
    for (size_t i = 0; i < suite->case_count; i++) {
        if (strcmp(suite->cases[i].plan->id, "level c5") == 0)
            first = &suite->cases[i];
        if (strcmp(suite->cases[i].plan->id, "level c5/2") == 0)
            second = &suite->cases[i];
    }
    assert_non_null(first);
    assert_non_null(second);
    assert_true(first->outputs_hash != second->outputs_hash);
    pyr_result_destroy(outcome.result);
}

static void recorded_traffic_can_be_played_under_pressure(void **state) {
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/trace.jsonl", dir);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 40; i++)
        fprintf(file, "{\"timestamp\": %d, \"input_length\": 20, \"output_length\": 4}\n", i * 250);
    fclose(file);
    struct pyr_stress_options options = on_sim("sim:step_ms=10");
    options.bench.trace = path;
    options.pressure.cpu_threads = 1;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_suite_result *suite = &outcome.result->suites[0];
    assert_string_equal(suite->name, "stress");
    assert_int_equal(suite->cases[0].ok, 40);
    assert_near(suite->cases[0].whole_s, 10, 0.5);
    pyr_result_destroy(outcome.result);
}

static void sessions_are_told_apart_by_turn(void **state) {
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/sessions.json", dir);
    FILE *file = fopen(path, "w");
    fputs("[{\"conversations\": [{\"from\": \"human\", \"value\": \"one two\"}, "
          "{\"from\": \"gpt\", \"value\": \"three four five\"}, "
          "{\"from\": \"human\", \"value\": \"six\"}, "
          "{\"from\": \"gpt\", \"value\": \"seven eight\"}]}]",
          file);
    fclose(file);
    struct pyr_stress_options options = on_sim("sim:step_ms=10,prefill_tok_s=1000,jitter_pct=0");
    options.bench.sessions = path;
    options.pattern = "soak";
    options.most = 4;
    options.bench.duration_ns = 60 * S;
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_ok(err, pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    const struct pyr_case_result *one = &outcome.result->suites[0].cases[0];
    assert_int_equal(one->turn_count, 2);
    assert_true(one->turns[0].requests > 20 && one->turns[1].requests > 20);
    /* The second turn carries the first one. */
    assert_true(one->turns[1].prompt_tokens > one->turns[0].prompt_tokens + 10);
    assert_true(one->turns[1].ttft_p50_ns.value > one->turns[0].ttft_p50_ns.value);
    /* A soak at one load has a trend, and this target has none. */
    assert_non_null(one->drift);
    assert_true(one->drift->latency_ns_per_h.lo <= 0 && one->drift->latency_ns_per_h.hi >= 0);
    pyr_result_destroy(outcome.result);
}

static void pressure_takes_what_it_says_and_gives_it_back(void **state) {
    (void)state;
    struct pyr_pressure_options options = {.cpu_threads = 1, .memory_bytes = 1 << 20, .io = true};
    struct pyr_pressure *pressure;
    struct pyr_pressure_info info;
    struct pyr_err err;
    assert_ok(err, pyr_pressure_start(&options, &pressure, &info, &err));
    assert_int_equal(info.cpu_threads, 1);
    assert_int_equal(info.memory_bytes, 1 << 20);
    struct pyr_pressure_toll toll = pyr_pressure_stop(pressure);
    assert_int_equal(toll.write_errno, 0);
    assert_int_equal(toll.given_back, 0);
}

static void an_unknown_pattern_is_refused(void **state) {
    (void)state;
    struct pyr_stress_options options = on_sim("sim:");
    options.pattern = "stedy";
    struct pyr_bench_outcome outcome;
    struct pyr_err err;
    assert_false(pyr_stress_run(&options, NULL, NULL, &outcome, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    assert_non_null(strstr(err.text, "steady"));
}

/* As on a disk without room. */
static void pressure_on_a_disk_without_room_is_refused_in_one_line(void **state) {
    (void)state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){1 << 20, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct pyr_pressure_options options = {.io = true};
    struct pyr_pressure *pressure = NULL;
    struct pyr_pressure_info info;
    struct pyr_err err;
    bool started = pyr_pressure_start(&options, &pressure, &info, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(started);
    assert_null(pressure);
    assert_non_null(strstr(err.text, "I/O pressure: "));
    assert_non_null(strstr(err.text, "no room for a file of 64 MB"));
    assert_null(strchr(err.text, '\n'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_fills_its_time_and_keeps_below_the_top),
        cmocka_unit_test(a_spike_has_period_height_and_width),
        cmocka_unit_test(ramps_carry_real_load_and_phases_are_told_apart),
        cmocka_unit_test(each_phase_tells_what_was_asked_in_it),
        cmocka_unit_test(a_level_that_is_tried_again_draws_anew),
        cmocka_unit_test(the_search_ends_with_a_bracket_around_the_truth),
        cmocka_unit_test(a_light_load_that_cannot_be_decided_stops_no_search),
        cmocka_unit_test(a_target_that_never_fails_leaves_the_bracket_open),
        cmocka_unit_test(a_sweep_stops_above_the_load_that_has_no_steady_state),
        cmocka_unit_test(a_level_ends_when_its_goals_are_decided_and_each_try_draws_anew),
        cmocka_unit_test(recorded_traffic_can_be_played_under_pressure),
        cmocka_unit_test(sessions_are_told_apart_by_turn),
        cmocka_unit_test(pressure_takes_what_it_says_and_gives_it_back),
        cmocka_unit_test(pressure_on_a_disk_without_room_is_refused_in_one_line),
        cmocka_unit_test(an_unknown_pattern_is_refused),
    };
    return cmocka_run_group_tests(tests, make_dir, NULL);
}
