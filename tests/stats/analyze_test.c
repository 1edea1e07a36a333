/* SPDX-License-Identifier: MIT
 *
 * From a run file with known stamps to a result with known numbers.
 */
#include "support/support.h"

#include "base/clock.h"
#include "base/rng.h"
#include "estimate/hist.h"
#include "record/recorder.h"
#include "stats/result.h"

#include <string.h>
#include <unistd.h>

#define MS PYR_NS_PER_MS

struct run {
    char path[512];
    uint64_t now_ns;
    struct pyr_clock clock;
    struct pyr_recorder *recorder;
    struct pyr_lane *lane;
    uint32_t ordinals;
    bool late; /* our own clock reads each chunk's arrival up to 1 ms late, the kernel's does not */
};

static void start(struct run *run, const char *name) {
    char dir[400];
    struct pyr_err err;
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(run->path, sizeof run->path, "%s/%s.pyr", dir, name);
    run->now_ns = 1000 * MS;
    run->clock.virtual_now_ns = &run->now_ns;
    run->ordinals = 0;
    run->late = false;
    struct pyr_recorder_config config = {.path = run->path,
                                         .lanes = 1,
                                         .inline_writer = true,
                                         .meta_json = "{\"command\": \"test\"}"};
    assert_ok(err, pyr_recorder_open(&config, &run->clock, &run->recorder, &err));
    run->lane = pyr_recorder_lane(run->recorder, 0);
}

static struct pyr_result *finish(struct run *run) {
    struct pyr_err err;
    assert_ok(err, pyr_recorder_close(run->recorder, &err));
    struct pyr_result *result;
    assert_ok(err, pyr_result_make(run->path, &result, &err));
    unlink(run->path);
    return result;
}

static void begin_case(struct run *run, uint32_t index, const char *suite, const char *id) {
    struct pyr_case plan = {.index = index, .concurrency = 2};
    snprintf(plan.suite, sizeof plan.suite, "%s", suite);
    snprintf(plan.id, sizeof plan.id, "%s", id);
    snprintf(plan.arrival, sizeof plan.arrival, "closed");
    pyr_lane_case(run->lane, &plan);
    pyr_lane_mark(run->lane, PYR_MARK_PHASE_START, index, 1, "measured");
}

/* A request that is sent at once, admitted after 1 ms, prefilled after 3 ms, first content after
 * 5 ms, then four more tokens 2 ms apart. */
static void add_request(struct run *run, uint32_t case_index, uint64_t at_ns,
                        enum pyr_outcome outcome) {
    struct pyr_request r = {.ordinal = run->ordinals++,
                            .case_index = case_index,
                            .phase = 1,
                            .outcome = (uint8_t)outcome,
                            .flags = PYR_REQUEST_STREAMED};
    r.scheduled_ns = r.dispatched_ns = r.sent_ns = at_ns;
    r.closed_ns = at_ns + 13 * MS;
    if (outcome == PYR_OUTCOME_OK) {
        r.admitted_ns = at_ns + 1 * MS;
        r.prefilled_ns = at_ns + 3 * MS;
        r.first_byte_ns = r.first_content_ns = r.first_output_ns = at_ns + 5 * MS;
        r.last_content_ns = at_ns + 13 * MS;
        r.prompt_tokens = 10;
        r.output_tokens = r.asked_tokens = r.chunks = 5;
        r.text_hash = 42;
        uint64_t previous = r.sent_ns;
        for (int i = 0; i < 5; i++) {
            uint64_t at = at_ns + (5 + 2 * (uint64_t)i) * MS;
            uint64_t read_ns = run->late ? at + (uint64_t)(i % 3) * MS / 2 : at;
            pyr_lane_content(run->lane, r.ordinal, previous, read_ns, run->late ? at : 0, 0, 3, 1,
                             false);
            previous = read_ns;
        }
    }
    pyr_lane_request(run->lane, &r);
}

static const struct pyr_metric_result *metric(const struct pyr_case_result *one,
                                              enum pyr_metric which) {
    const struct pyr_metric_result *row = pyr_case_metric(one, which);
    if (!row)
        fail_msg("no metric %s", pyr_metric_info(which)->name);
    return row;
}

static void gaps_are_between_the_kernels_stamps_where_it_gave_them(void **state) {
    (void)state;
    struct run run;
    start(&run, "kernel");
    run.late = true;
    begin_case(&run, 0, "concurrent", "c2");
    uint64_t origin = run.now_ns;
    for (uint64_t i = 0; i < 400; i++)
        add_request(&run, 0, origin + i * 10 * MS, PYR_OUTCOME_OK);
    run.now_ns = origin + 4000 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    assert_near(metric(one, PYR_M_ITL)->min, 2e6, 0);
    assert_near(metric(one, PYR_M_ITL)->max, 2e6, 0);
    assert_near(metric(one, PYR_M_STALL)->max, 2e6, 0);
    assert_near(metric(one, PYR_M_CLIENT_LAG)->max, 1e6, 0);
    pyr_result_destroy(result);
}

static void known_stamps_give_known_numbers(void **state) {
    (void)state;
    struct run run;
    start(&run, "known");
    begin_case(&run, 0, "concurrent", "c2");
    uint64_t origin = run.now_ns;
    for (uint64_t i = 0; i < 400; i++)
        add_request(&run, 0, origin + i * 10 * MS, PYR_OUTCOME_OK);
    run.now_ns = origin + 4000 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    assert_null(result->partial);
    assert_int_equal(result->suite_count, 1);
    assert_int_equal(result->requests, 400);
    assert_int_equal(result->chunks, 2000);
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    assert_int_equal(one->ok, 400);
    assert_near(metric(one, PYR_M_TTFT_SENT)->quantile[PYR_Q_P50].value, 5e6, 0);
    assert_near(metric(one, PYR_M_ITL)->mean.value, 2e6, 0);
    assert_int_equal(metric(one, PYR_M_ITL)->n, 1600);
    assert_near(metric(one, PYR_M_TPOT)->max, 2e6, 0);
    assert_near(metric(one, PYR_M_STALL)->max, 2e6, 0);
    assert_near(metric(one, PYR_M_LATENCY_SCHED)->quantile[PYR_Q_P99].value, 13e6, 0);
    assert_near(metric(one, PYR_M_QUEUE_TIME)->min, 1e6, 0);
    assert_near(metric(one, PYR_M_SERVICE_TIME)->min, 12e6, 0);
    assert_near(metric(one, PYR_M_PREFILL_RATE)->mean.value, 5000, 1e-6);
    assert_near(metric(one, PYR_M_DECODE_RATE)->mean.value, 500, 1e-6);
    assert_near(metric(one, PYR_M_REQUEST_THROUGHPUT)->value.value, 100, 0.5);
    assert_near(metric(one, PYR_M_OUTPUT_TOKEN_THROUGHPUT)->value.value, 500, 2.5);
    assert_near(metric(one, PYR_M_PROMPT_TOKEN_THROUGHPUT)->value.value, 1000, 5);
    assert_near(metric(one, PYR_M_TOTAL_TOKEN_THROUGHPUT)->value.value, 1500, 7.5);
    assert_near(metric(one, PYR_M_IN_FLIGHT)->value.value, 1.3, 0.01);
    assert_near(metric(one, PYR_M_PARALLELISM)->value.value, 1.2, 0.01);
    assert_near(metric(one, PYR_M_LITTLE_RATIO)->value.value, 1, 0.01);
    assert_near(metric(one, PYR_M_ERROR_RATE)->value.value, 0, 0);
    assert_true(metric(one, PYR_M_ERROR_RATE)->value.hi > 0);
    uint64_t tokens = 0;
    for (size_t i = 0; i < one->timeline_count; i++)
        tokens += one->timeline[i].output_tokens;
    assert_in_range(tokens, 1990, 2000);
    pyr_result_destroy(result);
}

/* One that ended ok after so long, with one token. */
static void add_long(struct run *run, uint64_t at_ns, uint64_t ns) {
    struct pyr_request r = {.ordinal = run->ordinals++, .phase = 1, .output_tokens = 1};
    r.scheduled_ns = r.dispatched_ns = r.sent_ns = at_ns;
    r.first_content_ns = r.last_content_ns = r.closed_ns = at_ns + ns;
    r.prompt_tokens = 10;
    r.chunks = 1;
    pyr_lane_request(run->lane, &r);
}

/* `busy` users with requests of 100 ms and `hung` whose one request outlasts the window. */
static struct pyr_result *run_with_hung(uint64_t busy, uint64_t hung) {
    struct run run;
    start(&run, "hung");
    struct pyr_case plan = {.concurrency = (uint32_t)(busy + hung), .suite = "concurrent"};
    snprintf(plan.id, sizeof plan.id, "c");
    pyr_lane_case(run.lane, &plan);
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_START, 0, 0, "warmup");
    for (uint64_t u = 0; u < hung; u++)
        add_long(&run, run.now_ns, 20000 * MS);
    run.now_ns += 50 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 0, "warmup");
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_START, 0, 1, "measured");
    for (uint64_t i = 0; i < 60; i++)
        for (uint64_t u = 0; u < busy; u++)
            add_long(&run, run.now_ns + 100 * i * MS + u, 100 * MS);
    run.now_ns += 5950 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    return finish(&run);
}

static void requests_in_step_are_counted_by_their_time(void **state) {
    (void)state;
    struct pyr_result *result = run_with_hung(80, 0); /* 59.5 waves: counting ends gives 793/s */
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    const struct pyr_estimate *rate = &metric(one, PYR_M_REQUEST_THROUGHPUT)->value;
    assert_near(rate->value, 800, 0.8);
    assert_true(rate->hi - rate->lo < 8);
    assert_near(metric(one, PYR_M_PROMPT_TOKEN_THROUGHPUT)->value.value, 8000, 8);
    assert_near(metric(one, PYR_M_LITTLE_RATIO)->value.value, 1, 1e-3);
    assert_near(one->phases[1].rate, 800, 0.8);
    assert_null(one->unlevel);
    pyr_result_destroy(result);
}

static void littles_law_is_a_gate(void **state) {
    (void)state;
    struct pyr_result *result = run_with_hung(9, 1);
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    assert_near(metric(one, PYR_M_LITTLE_RATIO)->value.value, 10.0 / 9, 0.02);
    assert_non_null(strstr(one->unlevel, "Little's law is off: 10 in flight"));
    assert_true(metric(one, PYR_M_REQUEST_THROUGHPUT)->value.value > 0);
    bool told = false;
    for (size_t i = 0; i < result->warning_count; i++)
        told |= strstr(result->warnings[i], "Little's law") != NULL;
    assert_true(told);
    pyr_result_destroy(result);

    result = run_with_hung(3, 2);
    one = &result->suites[0].cases[0];
    assert_non_null(strstr(one->unlevel, "rates invalid by Little's law"));
    for (int m = PYR_M_REQUEST_THROUGHPUT; m <= PYR_M_TOTAL_TOKEN_THROUGHPUT; m++) {
        const struct pyr_metric_result *row = pyr_case_metric(one, (enum pyr_metric)m);
        if (!row)
            continue;
        assert_true(isnan(row->value.value));
        assert_non_null(strstr(row->value.reason, "outside .8 .. 1.25"));
    }
    pyr_result_destroy(result);
}

static void failures_are_counted_and_are_never_latencies(void **state) {
    (void)state;
    struct run run;
    start(&run, "failures");
    begin_case(&run, 0, "concurrent", "c2");
    for (uint64_t i = 0; i < 100; i++)
        add_request(&run, 0, run.now_ns + i * 10 * MS,
                    i % 4 == 0 ? PYR_OUTCOME_RESET : PYR_OUTCOME_OK);
    run.now_ns += 1000 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    assert_int_equal(one->total, 100);
    assert_int_equal(one->ok, 75);
    assert_int_equal(one->outcomes[PYR_OUTCOME_RESET], 25);
    assert_int_equal(metric(one, PYR_M_LATENCY_SENT)->n, 75);
    assert_near(metric(one, PYR_M_ERROR_RATE)->value.value, 0.25, 1e-12);
    assert_true(one->warning_count > 0);
    assert_non_null(strstr(one->warnings[0], "reset"));
    pyr_result_destroy(result);
}

static struct pyr_goal goal(const char *metric, const char *statistic, double limit);

static void a_failure_is_a_time_that_never_came(void **state) {
    (void)state;
    struct run run;
    start(&run, "never");
    struct pyr_goal half = goal("latency_sent", "p50", 20e6);
    struct pyr_goal most = goal("latency_sent", "p90", 20e6);
    struct pyr_goal short_of = goal("ttft_sent", "p75", 20e6);
    pyr_lane_goal(run.lane, &half);
    pyr_lane_goal(run.lane, &most);
    pyr_lane_goal(run.lane, &short_of);
    begin_case(&run, 0, "concurrent", "c2");
    for (uint64_t i = 0; i < 400; i++)
        add_request(&run, 0, run.now_ns + i * 10 * MS,
                    i % 4 == 3 ? PYR_OUTCOME_REJECTED : PYR_OUTCOME_OK);
    run.now_ns += 4000 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    const struct pyr_metric_result *latency = metric(one, PYR_M_LATENCY_SENT);
    assert_int_equal(latency->n, 300);
    assert_near(latency->quantile[PYR_Q_P90].value, 13e6, 0);
    const struct pyr_of_all_asked *all = latency->of_all;
    assert_non_null(all);
    assert_int_equal(all->asked, 400);
    assert_int_equal(all->failed, 100);
    assert_near(all->quantile[PYR_Q_P50].value, 13e6, 0);
    assert_near(all->quantile[PYR_Q_P50].hi, 13e6, 0);
    assert_near(all->quantile[PYR_Q_P75].value, 13e6, 0); /* the 300th of 400 */
    assert_true(isinf(all->quantile[PYR_Q_P75].hi));
    assert_true(isinf(all->quantile[PYR_Q_P90].value));
    assert_string_equal(all->quantile[PYR_Q_P90].reason, "25 % of 400 asked failed");
    assert_null(metric(one, PYR_M_QUEUE_TIME)->of_all);
    assert_int_equal(result->goals[0].verdict, PYR_GOAL_MET);
    assert_int_equal(result->goals[1].verdict, PYR_GOAL_MISSED);
    assert_string_equal(result->goals[1].why,
                        "wanted at most 20 ms, saw none: 25 % of 400 asked failed");
    assert_int_equal(result->goals[2].verdict, PYR_GOAL_UNDECIDED);
    assert_non_null(strstr(one->warnings[0], "p50 13 ms, p90 none, p95 none"));
    pyr_result_destroy(result);
}

static void where_all_failed_a_goal_is_missed(void **state) {
    (void)state;
    struct run run;
    start(&run, "allfailed");
    struct pyr_goal most = goal("latency_sent", "p90", 20e6);
    pyr_lane_goal(run.lane, &most);
    begin_case(&run, 0, "concurrent", "c2");
    for (uint64_t i = 0; i < 60; i++)
        add_request(&run, 0, run.now_ns + i * 10 * MS, PYR_OUTCOME_REJECTED);
    run.now_ns += 600 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    assert_int_equal(result->goals[0].verdict, PYR_GOAL_MISSED);
    pyr_result_destroy(result);
}

static void the_warm_up_is_left_out(void **state) {
    (void)state;
    struct run run;
    start(&run, "warmup");
    struct pyr_case plan = {.index = 0, .concurrency = 1, .suite = "inference", .id = "short"};
    pyr_lane_case(run.lane, &plan);
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_START, 0, 0, "warmup");
    for (uint64_t i = 0; i < 10; i++)
        add_request(&run, 0, run.now_ns + i * 20 * MS, PYR_OUTCOME_OK);
    run.now_ns += 200 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 0, "warmup");
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_START, 0, 1, "measured");
    for (uint64_t i = 0; i < 30; i++)
        add_request(&run, 0, run.now_ns + i * 20 * MS, PYR_OUTCOME_OK);
    run.now_ns += 600 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    assert_int_equal(one->total, 30);
    assert_int_equal(metric(one, PYR_M_LATENCY_SENT)->n, 30);
    assert_near(metric(one, PYR_M_REQUEST_THROUGHPUT)->value.value, 50, 0.01);
    assert_int_equal(one->phase_count, 2);
    assert_int_equal(one->steadiness, PYR_STEADY_UNKNOWN);
    pyr_result_destroy(result);
}

static void add_open_case(struct run *run, uint32_t index, const char *suite, const char *id,
                          uint64_t late_ns) {
    struct pyr_case plan = {.index = index, .open_loop = 1, .rate = 100};
    snprintf(plan.suite, sizeof plan.suite, "%s", suite);
    snprintf(plan.id, sizeof plan.id, "%s", id);
    snprintf(plan.arrival, sizeof plan.arrival, "constant");
    pyr_lane_case(run->lane, &plan);
    pyr_lane_mark(run->lane, PYR_MARK_PHASE_START, index, 1, "measured");
    for (uint64_t i = 0; i < 200; i++) {
        struct pyr_request r = {
            .ordinal = (uint32_t)(index * 200 + i), .case_index = index, .phase = 1};
        r.scheduled_ns = run->now_ns + i * 10 * MS;
        r.dispatched_ns = r.sent_ns = r.scheduled_ns + late_ns;
        r.first_content_ns = r.last_content_ns = r.closed_ns = r.sent_ns + 5 * MS;
        r.output_tokens = r.chunks = 1;
        pyr_lane_request(run->lane, &r);
    }
    run->now_ns += 2000 * MS;
    pyr_lane_mark(run->lane, PYR_MARK_PHASE_END, index, 1, "measured");
}

static struct pyr_result *open_loop_run(uint64_t late_ns) {
    struct run run;
    start(&run, "open");
    add_open_case(&run, 0, "concurrent", "r100", late_ns);
    return finish(&run);
}

/* A calibration whose errors of arrival are all `error_ns`. */
static void add_calibration(struct run *run, uint32_t index, const char *level, double error_ns,
                            double cpu_ns) {
    struct pyr_case plan = {.index = index, .concurrency = 2, .open_loop = 1};
    snprintf(plan.suite, sizeof plan.suite, PYR_CALIBRATION_SUITE);
    snprintf(plan.id, sizeof plan.id, "%s", level);
    pyr_lane_case(run->lane, &plan);
    for (uint32_t i = 0; i < 200; i++) {
        pyr_lane_observe(run->lane, PYR_M_TTFT_ERROR, index, i, error_ns);
        pyr_lane_observe(run->lane, PYR_M_ITL_ERROR, index, i, error_ns);
    }
    pyr_lane_observe(run->lane, PYR_M_EVENTS_PER_CORE, index, 0, 1e9 / cpu_ns);
}

static struct pyr_result *calibrated(double error_ns, double cpu_ns) {
    struct run run;
    start(&run, "calibrated");
    begin_case(&run, 0, "concurrent", "c2");
    uint64_t origin = run.now_ns;
    for (uint64_t i = 0; i < 400; i++)
        add_request(&run, 0, origin + i * 10 * MS, PYR_OUTCOME_OK);
    run.now_ns = origin + 4000 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    add_calibration(&run, 1, "warm-up", error_ns / 2, cpu_ns);
    add_calibration(&run, 2, "highest", error_ns, cpu_ns);
    return finish(&run);
}

static void what_was_measured_is_held_against_the_instruments_own_error(void **state) {
    (void)state;
    /* TTFT is 5 ms and ITL 2 ms throughout; 2000 chunks in 4 s. */
    struct pyr_result *result = calibrated(10e3, 2000);
    assert_int_equal(result->suite_count, 1);
    assert_int_equal(result->suites[0].case_count, 1);
    assert_int_equal(result->calibration_count, 2);
    assert_string_equal(result->calibrations[0].plan->id, "warm-up");
    assert_near(metric(&result->calibrations[0], PYR_M_TTFT_ERROR)->quantile[PYR_Q_P99].value, 5e3,
                0);
    assert_false(result->instrument_alarm);
    assert_int_equal(result->instrument_note_count, 2);
    assert_string_equal(result->instrument_notes[0],
                        "Every median of TTFT and ITL in this run is at least 200 times the error "
                        "on it (p99).");
    assert_string_equal(result->instrument_notes[1],
                        "c2 brought the most token events, 500 a second: 0.1 % of the 500000 that "
                        "one core here takes in.");
    pyr_result_destroy(result);

    result = calibrated(600e3, 1.5e6);
    assert_true(result->instrument_alarm);
    assert_int_equal(result->instrument_note_count, 3);
    assert_string_equal(result->instrument_notes[0],
                        "c2: TTFT p50 is 5 ms and the instrument's own error up to 600 \u00b5s "
                        "(p99), 12 % of it: read it as a bound");
    assert_string_equal(result->instrument_notes[1],
                        "c2: ITL p50 is 2 ms and the instrument's own error up to 600 \u00b5s "
                        "(p99), 30 % of it: read it as a bound");
    assert_non_null(strstr(result->instrument_notes[2], "75 % of the 667"));
    assert_non_null(strstr(result->instrument_notes[2], "use more cores"));
    pyr_result_destroy(result);
}

static void a_calibration_that_there_is_not_says_why(void **state) {
    (void)state;
    struct run run;
    start(&run, "without");
    begin_case(&run, 0, "concurrent", "c2");
    add_request(&run, 0, run.now_ns, PYR_OUTCOME_OK);
    struct pyr_case plan = {.index = 1};
    snprintf(plan.suite, sizeof plan.suite, PYR_CALIBRATION_SUITE);
    snprintf(plan.id, sizeof plan.id, "highest");
    pyr_lane_case(run.lane, &plan);
    pyr_lane_mark(run.lane, PYR_MARK_WARNING, 1, 0, "no process can be started");
    struct pyr_result *result = finish(&run);
    assert_int_equal(result->calibration_count, 1);
    assert_int_equal(result->calibrations[0].metric_count, 0);
    assert_string_equal(result->calibrations[0].warnings[0], "no process can be started");
    assert_int_equal(result->instrument_note_count, 0);
    assert_int_equal(result->warning_count, 0);
    pyr_result_destroy(result);
}

static void a_generator_that_was_late_makes_the_run_invalid(void **state) {
    (void)state;
    struct pyr_result *result = open_loop_run(MS / 2);
    assert_null(result->invalid);
    pyr_result_destroy(result);
    result = open_loop_run(3 * MS);
    assert_non_null(result->invalid);
    assert_non_null(strstr(result->invalid, "late"));
    assert_int_equal(result->grade, PYR_GRADE_UNGRADED);
    pyr_result_destroy(result);
}

static void a_level_that_was_sent_late_decides_nothing_and_the_others_do(void **state) {
    (void)state;
    struct run run;
    start(&run, "levels");
    add_open_case(&run, 0, "stress", "level r50", 3 * MS);
    add_open_case(&run, 1, "stress", "level r100", 0);
    struct pyr_result *result = finish(&run);
    assert_null(result->invalid);
    assert_int_equal(result->stress->level_count, 1); /* both offer 100/s */
    assert_int_equal(result->stress->levels[0].verdict, PYR_LEVEL_PASSED);
    assert_int_equal(result->stress->levels[0].tries, 2);
    bool told = false;
    for (size_t i = 0; i < result->warning_count; i++)
        told |= strstr(result->warnings[i], "level r50: this program sent its requests late") &&
                strstr(result->warnings[i], "decides nothing");
    assert_true(told);
    pyr_result_destroy(result);

    start(&run, "levels");
    add_open_case(&run, 0, "stress", "level r100", 3 * MS);
    result = finish(&run);
    assert_non_null(result->invalid); /* none is left that decides */
    assert_int_equal(result->stress->levels[0].verdict, PYR_LEVEL_UNDECIDED);
    pyr_result_destroy(result);
}

static void limits_of_our_own_make_the_run_invalid(void **state) {
    (void)state;
    for (unsigned local = 2; local < 6; local += 3) { /* 1 % and 2.5 % of 200 */
        struct run run;
        start(&run, "local");
        begin_case(&run, 0, "concurrent", "c2");
        uint64_t origin = run.now_ns;
        for (unsigned i = 0; i < 200; i++)
            add_request(&run, 0, origin + i * 10 * MS,
                        i < local ? PYR_OUTCOME_LOCAL : PYR_OUTCOME_OK);
        run.now_ns = origin + 2000 * MS;
        pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
        struct pyr_result *result = finish(&run);
        assert_true(!result->invalid == (local == 2));
        if (result->invalid)
            assert_string_equal(result->invalid,
                                "c2: 5 of 200 requests failed by a limit of this machine (file "
                                "descriptors, ports, memory), not of the target");
        pyr_result_destroy(result);
    }
}

/* 1000 requests of 5 ms, one every 10 ms; what becomes of each is the caller's. */
static struct pyr_result *shaped_run(uint32_t cap, const char *suite, const char *id,
                                     void (*shape)(struct pyr_request *r, uint32_t i)) {
    struct run run;
    start(&run, "shaped");
    struct pyr_case plan = {.index = 0, .open_loop = 1, .rate = 100, .concurrency = cap};
    snprintf(plan.suite, sizeof plan.suite, "%s", suite);
    snprintf(plan.id, sizeof plan.id, "%s", id);
    pyr_lane_case(run.lane, &plan);
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_START, 0, 1, "measured");
    for (uint32_t i = 0; i < 1000; i++) {
        struct pyr_request r = {.ordinal = i, .phase = 1, .output_tokens = 1, .chunks = 1};
        r.scheduled_ns = r.dispatched_ns = run.now_ns + i * 10 * MS;
        shape(&r, i);
        if (r.dispatched_ns) {
            r.sent_ns = r.dispatched_ns;
            r.first_content_ns = r.last_content_ns = r.closed_ns = r.sent_ns + 5 * MS;
        } else {
            r.outcome = PYR_OUTCOME_UNFINISHED;
            r.closed_ns = r.scheduled_ns;
        }
        pyr_lane_request(run.lane, &r);
    }
    run.now_ns += 10000 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    return finish(&run);
}

/* Stopped for two seconds at the fourth: 200 requests go out together when it goes on. */
static void freeze_early(struct pyr_request *r, uint32_t i) {
    if (i >= 400 && i < 600)
        r->dispatched_ns += (600 - i) * 10 * MS;
}

/* From the sixth second on: most of what is reported from the schedule is the freeze itself. */
static void freeze_long(struct pyr_request *r, uint32_t i) {
    if (i >= 300)
        r->dispatched_ns += (1000 - i) * 10 * MS;
}

static void never_after_the_ninth(struct pyr_request *r, uint32_t i) {
    if (i >= 900)
        r->dispatched_ns = 0;
}

static void all_slots_taken(struct pyr_request *r, uint32_t i) {
    if (i < 500)
        return;
    r->flags = PYR_REQUEST_WAITED;
    r->dispatched_ns = i < 600 ? r->dispatched_ns + 3000 * MS : 0;
}

static void a_freeze_of_the_generator_makes_the_run_invalid_wherever_it_lies(void **state) {
    (void)state;
    void (*const freezes[])(struct pyr_request *, uint32_t) = {freeze_early, freeze_long};
    for (size_t i = 0; i < 2; i++) {
        struct pyr_result *result = shaped_run(0, "concurrent", "r100", freezes[i]);
        assert_non_null(result->invalid);
        assert_non_null(strstr(result->invalid, "against at most 1 ms"));
        pyr_result_destroy(result);
    }
    struct pyr_result *result = shaped_run(0, "concurrent", "r100", never_after_the_ninth);
    assert_string_equal(result->invalid,
                        "r100: 100 of 1000 requests went out after their time or never, with "
                        "nothing in their way: this program did not get to run");
    pyr_result_destroy(result);
}

static void a_slow_target_makes_a_run_invalid_only_where_our_own_slots_held_it_back(void **state) {
    (void)state;
    struct pyr_result *result = shaped_run(16, "concurrent", "r100", all_slots_taken);
    assert_null(result->invalid); /* the user's cap */
    pyr_result_destroy(result);
    result = shaped_run(0, "stress", "level r100", all_slots_taken);
    assert_null(result->invalid); /* meant to be too much */
    pyr_result_destroy(result);
    result = shaped_run(0, "concurrent", "r100", all_slots_taken);
    assert_non_null(strstr(result->invalid, "as many as this program sends at once"));
    pyr_result_destroy(result);
}

static struct pyr_goal goal(const char *metric_name, const char *statistic, double limit) {
    struct pyr_goal made = {.limit = limit, .user = 1, .per_request = 1};
    snprintf(made.metric, sizeof made.metric, "%s", metric_name);
    snprintf(made.statistic, sizeof made.statistic, "%s", statistic);
    snprintf(made.label, sizeof made.label, "%s", metric_name);
    return made;
}

static void a_goal_is_decided_only_by_a_bound(void **state) {
    (void)state;
    struct run run;
    start(&run, "goals");
    struct pyr_goal met = goal("latency_sent", "p50", 20e6);
    struct pyr_goal missed = goal("latency_sent", "p50", 10e6);
    struct pyr_goal unbounded = goal("latency_sent", "p99", 20e6);
    struct pyr_goal nowhere = goal("cold_start", "p50", 1e9);
    pyr_lane_goal(run.lane, &met);
    pyr_lane_goal(run.lane, &missed);
    pyr_lane_goal(run.lane, &unbounded);
    pyr_lane_goal(run.lane, &nowhere);
    begin_case(&run, 0, "concurrent", "c2");
    for (uint64_t i = 0; i < 120; i++)
        add_request(&run, 0, run.now_ns + i * 10 * MS, PYR_OUTCOME_OK);
    run.now_ns += 1200 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    assert_int_equal(result->goal_count, 4);
    assert_int_equal(result->goals[0].verdict, PYR_GOAL_MET);
    assert_int_equal(result->goals[1].verdict, PYR_GOAL_MISSED);
    assert_int_equal(result->goals[2].verdict, PYR_GOAL_UNDECIDED);
    assert_int_equal(result->goals[3].verdict, PYR_GOAL_UNKNOWN);
    assert_int_equal(result->goals_decided, 2);
    /* Every request missed the goal of 10 ms, so that none is good. */
    assert_near(metric(&result->suites[0].cases[0], PYR_M_GOODPUT)->value.value, 0, 0);
    pyr_result_destroy(result);
}

static bool warns(const struct pyr_result *result, const char *of) {
    for (size_t i = 0; i < result->warning_count; i++)
        if (strstr(result->warnings[i], of))
            return true;
    return false;
}

static void what_a_newer_version_wrote_is_left_out_and_counted(void **state) {
    (void)state;
    struct run run;
    start(&run, "newer");
    struct pyr_goal known = goal("latency_sent", "p50", 20e6);
    struct pyr_goal newer = goal("of_the_future", "p99", 20e6);
    pyr_lane_goal(run.lane, &newer);
    pyr_lane_goal(run.lane, &known);
    begin_case(&run, 0, "concurrent", "c2");
    for (uint64_t i = 0; i < 20; i++)
        add_request(&run, 0, run.now_ns + i * 10 * MS, PYR_OUTCOME_OK);
    run.now_ns += 200 * MS;
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    assert_int_equal(result->goal_count, 1);
    assert_int_equal(result->goals[0].verdict, PYR_GOAL_MET);
    assert_true(warns(result, "1 of its records are of kinds or metrics"));
    assert_null(result->partial);
    pyr_result_destroy(result);
}

static void a_reading_of_memory_decides_its_goal_by_itself(void **state) {
    (void)state;
    struct run run;
    start(&run, "readings");
    struct pyr_goal met = goal("memory_utilization", "value", 0.9);
    struct pyr_goal missed = goal("memory_utilization", "value", 0.2);
    struct pyr_goal sampled = goal("memory_bandwidth", "value", 2e9);
    pyr_lane_goal(run.lane, &met);
    pyr_lane_goal(run.lane, &missed);
    pyr_lane_goal(run.lane, &sampled);
    begin_case(&run, 0, "concurrent", "c2");
    for (uint64_t i = 0; i < 20; i++)
        add_request(&run, 0, run.now_ns + i * 10 * MS, PYR_OUTCOME_OK);
    run.now_ns += 200 * MS;
    pyr_lane_observe(run.lane, PYR_M_MEMORY_UTILIZATION, 0, 0, 0.3);
    pyr_lane_observe(run.lane, PYR_M_MEMORY_BANDWIDTH, 0, 0, 1e9);
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    assert_int_equal(result->goals[0].verdict, PYR_GOAL_MET);
    assert_string_equal(result->goals[0].why, "wanted at most 90 %, saw 30.0 %");
    assert_int_equal(result->goals[1].verdict, PYR_GOAL_MISSED);
    assert_int_equal(result->goals[2].verdict, PYR_GOAL_UNDECIDED);
    pyr_result_destroy(result);
}

/* What cannot be is no figure and no ground for advice. */
static void decoding_that_reads_more_than_the_memory_gives_is_a_disturbed_probe(void **state) {
    (void)state;
    struct run run;
    start(&run, "bandwidth");
    begin_case(&run, 0, "inference", "short");
    for (uint64_t i = 0; i < 50; i++)
        add_request(&run, 0, run.now_ns + i * 10 * MS, PYR_OUTCOME_OK);
    run.now_ns += 600 * MS;
    pyr_lane_observe(run.lane, PYR_M_MEMORY_BANDWIDTH, 0, 0, 1e3);
    pyr_lane_observe(run.lane, PYR_M_WEIGHT_BYTES_PER_TOKEN, 0, 0, 1e9);
    pyr_lane_mark(run.lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    struct pyr_result *result = finish(&run);
    const struct pyr_metric_result *share =
        pyr_case_metric(&result->suites[0].cases[0], PYR_M_BANDWIDTH_SHARE);
    if (share) {
        assert_true(isnan(share->value.value));
        assert_non_null(strstr(share->value.reason, "disturbed"));
    }
    assert_int_equal(result->recommendation_count, 0);
    pyr_result_destroy(result);
}

static void a_run_without_its_end_is_partial_and_still_read(void **state) {
    (void)state;
    struct run run;
    start(&run, "partial");
    begin_case(&run, 0, "concurrent", "c2");
    for (uint64_t i = 0; i < 50; i++)
        add_request(&run, 0, run.now_ns + i * 10 * MS, PYR_OUTCOME_OK);
    pyr_recorder_flush(run.recorder);
    struct pyr_err err;
    struct pyr_result *result;
    assert_ok(err, pyr_result_make(run.path, &result, &err));
    assert_non_null(result->partial);
    assert_int_equal(result->suites[0].cases[0].ok, 50);
    pyr_result_destroy(result);
    assert_ok(err, pyr_recorder_close(run.recorder, &err));
    unlink(run.path);
}

/* Values of a load time, in nanoseconds and whole: a spread over two decades that drifts. */
static uint64_t made_value(struct pyr_rng *rng, uint32_t i) {
    return (uint64_t)(1e6 * exp(2 * pyr_rng_unit(rng)) * (1 + i * 1e-4));
}

static void keep_shares(struct run *run, uint32_t case_index, uint32_t shares, uint32_t values) {
    struct pyr_hist *hist = pyr_hist_create();
    struct pyr_buf bytes = {0};
    struct pyr_rng rng;
    pyr_rng_init(&rng, 7);
    for (uint32_t i = 0; i < values; i++) {
        pyr_hist_record(hist, made_value(&rng, i));
        if ((i + 1) % (values / shares) != 0)
            continue;
        pyr_buf_clear(&bytes);
        pyr_hist_write(hist, &bytes);
        pyr_hist_reset(hist);
        pyr_lane_histogram(run->lane, PYR_M_LOAD_TIME, case_index, i * shares / values, bytes.data,
                           bytes.length);
    }
    pyr_buf_deinit(&bytes);
    pyr_hist_destroy(hist);
}

static void assert_near_relative(double seen, double expected, double relative) {
    assert_near(seen, expected, relative * fabs(expected));
}

/* Shares of a histogram and single observations of the same values are the same metric, to the
 * histogram's stated error; a case that has but a few shares says that it knows no correlation. */
static void histograms_become_the_metrics_that_their_values_are(void **state) {
    (void)state;
    enum { VALUES = 4000 };
    struct run run;
    struct pyr_rng rng;
    start(&run, "histograms");
    begin_case(&run, 0, "startup", "single");
    pyr_rng_init(&rng, 7);
    for (uint32_t i = 0; i < VALUES; i++, run.now_ns++)
        pyr_lane_observe(run.lane, PYR_M_LOAD_TIME, 0, i, (double)made_value(&rng, i));
    pyr_lane_observe(run.lane, PYR_M_KV_MEMORY, 0, 0, 5);
    begin_case(&run, 1, "startup", "forty");
    keep_shares(&run, 1, 40, VALUES);
    pyr_lane_observe(run.lane, PYR_M_KV_MEMORY, 1, 0, 6);
    begin_case(&run, 2, "startup", "four");
    keep_shares(&run, 2, 4, VALUES);
    struct pyr_result *result = finish(&run);
    const struct pyr_case_result *cases = result->suites[0].cases;
    const struct pyr_metric_result *single = metric(&cases[0], PYR_M_LOAD_TIME);
    const struct pyr_metric_result *forty = metric(&cases[1], PYR_M_LOAD_TIME);
    const struct pyr_metric_result *four = metric(&cases[2], PYR_M_LOAD_TIME);
    assert_false(single->from_histogram);
    assert_true(forty->from_histogram && four->from_histogram);
    assert_int_equal(forty->n, VALUES);
    assert_true(forty->min == single->min && forty->max == single->max);
    assert_near_relative(forty->mean.value, single->mean.value, 1e-12);
    /* 20 shares tell the correlation less closely than the order of the values does. */
    assert_near_relative(forty->mean.lo, single->mean.lo, 0.05);
    assert_near_relative(forty->mean.hi, single->mean.hi, 0.05);
    assert_true(forty->vif > 1 && single->vif > 1);
    for (int q = 0; q < PYR_Q_COUNT; q++) {
        const struct pyr_estimate *seen = &forty->quantile[q], *exact = &single->quantile[q];
        assert_near_relative(seen->value, exact->value, PYR_HIST_RELATIVE_ERROR);
        /* An end may be open by one count of the clusters and not by the other. */
        if (!isnan(exact->lo) && !isnan(seen->lo))
            assert_near_relative(seen->lo, exact->lo, 0.1);
        if (!isnan(exact->hi) && !isnan(seen->hi))
            assert_near_relative(seen->hi, exact->hi, 0.1);
    }
    assert_int_equal(four->n, VALUES);
    assert_true(four->max == single->max);
    assert_non_null(strstr(four->quantile[PYR_Q_P50].reason, "independent"));
    assert_true(metric(&cases[0], PYR_M_KV_MEMORY)->value.value == 5);
    assert_true(metric(&cases[1], PYR_M_KV_MEMORY)->value.value == 6);
    pyr_result_destroy(result);
}

static void a_histogram_that_cannot_be_read_makes_the_file_damaged(void **state) {
    (void)state;
    struct run run;
    struct pyr_result *result;
    struct pyr_err err;
    start(&run, "damaged");
    begin_case(&run, 0, "startup", "one");
    pyr_lane_histogram(run.lane, PYR_M_LOAD_TIME, 0, 0, "PYRH no", 7);
    assert_ok(err, pyr_recorder_close(run.recorder, &err));
    assert_false(pyr_result_make(run.path, &result, &err));
    assert_non_null(strstr(err.text, "damaged run file: load_time of case 0: histogram"));
    unlink(run.path);
}

static void observations_become_metrics_of_their_case(void **state) {
    (void)state;
    struct run run;
    start(&run, "observations");
    struct pyr_case plan = {.index = 0, .suite = "inference", .id = "load"};
    pyr_lane_case(run.lane, &plan);
    for (uint32_t i = 0; i < 7; i++)
        pyr_lane_observe(run.lane, PYR_M_LOAD_TIME, 0, i, 1e9 + i * 1e6);
    pyr_lane_observe(run.lane, PYR_M_KV_MEMORY, 0, 0, 4096);
    struct pyr_result *result = finish(&run);
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    assert_near(metric(one, PYR_M_LOAD_TIME)->quantile[PYR_Q_P50].value, 1.003e9, 0);
    assert_near(metric(one, PYR_M_KV_MEMORY)->value.value, 4096, 0);
    pyr_result_destroy(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_stamps_give_known_numbers),
        cmocka_unit_test(gaps_are_between_the_kernels_stamps_where_it_gave_them),
        cmocka_unit_test(requests_in_step_are_counted_by_their_time),
        cmocka_unit_test(littles_law_is_a_gate),
        cmocka_unit_test(failures_are_counted_and_are_never_latencies),
        cmocka_unit_test(a_failure_is_a_time_that_never_came),
        cmocka_unit_test(where_all_failed_a_goal_is_missed),
        cmocka_unit_test(the_warm_up_is_left_out),
        cmocka_unit_test(what_was_measured_is_held_against_the_instruments_own_error),
        cmocka_unit_test(a_calibration_that_there_is_not_says_why),
        cmocka_unit_test(a_generator_that_was_late_makes_the_run_invalid),
        cmocka_unit_test(a_level_that_was_sent_late_decides_nothing_and_the_others_do),
        cmocka_unit_test(limits_of_our_own_make_the_run_invalid),
        cmocka_unit_test(a_freeze_of_the_generator_makes_the_run_invalid_wherever_it_lies),
        cmocka_unit_test(a_slow_target_makes_a_run_invalid_only_where_our_own_slots_held_it_back),
        cmocka_unit_test(a_goal_is_decided_only_by_a_bound),
        cmocka_unit_test(what_a_newer_version_wrote_is_left_out_and_counted),
        cmocka_unit_test(a_reading_of_memory_decides_its_goal_by_itself),
        cmocka_unit_test(decoding_that_reads_more_than_the_memory_gives_is_a_disturbed_probe),
        cmocka_unit_test(a_run_without_its_end_is_partial_and_still_read),
        cmocka_unit_test(observations_become_metrics_of_their_case),
        cmocka_unit_test(histograms_become_the_metrics_that_their_values_are),
        cmocka_unit_test(a_histogram_that_cannot_be_read_makes_the_file_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
