/* SPDX-License-Identifier: MIT
 *
 * What becomes of the server's own counts, and what is said of answers that were no plain stream of
 * content: known records, known numbers.
 */
#include "support/support.h"

#include "base/clock.h"
#include "record/recorder.h"
#include "stats/result.h"

#include <string.h>
#include <unistd.h>

#define MS PYR_NS_PER_MS
enum { REQUESTS = 400, EVENTS = 5 };

/* Each request: sent at once, five events 2 ms apart from 5 ms on, over after 13 ms; one every
 * 10 ms. What else is in its record is the test's. */
static struct pyr_result *run_of(const struct pyr_request *like, bool one_read,
                                 const struct pyr_goal *goals, size_t goal_count) {
    char path[512], dir[400];
    struct pyr_err err;
    uint64_t now_ns = 1000 * MS, origin = now_ns;
    struct pyr_clock clock = {.virtual_now_ns = &now_ns};
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/answers.pyr", dir);
    struct pyr_recorder_config config = {
        .path = path, .lanes = 1, .inline_writer = true, .meta_json = "{}"};
    struct pyr_recorder *recorder;
    assert_ok(err, pyr_recorder_open(&config, &clock, &recorder, &err));
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    struct pyr_case plan = {
        .concurrency = 2, .suite = "concurrent", .id = "c2", .arrival = "closed"};
    for (size_t i = 0; i < goal_count; i++)
        pyr_lane_goal(lane, &goals[i]);
    pyr_lane_case(lane, &plan);
    pyr_lane_mark(lane, PYR_MARK_PHASE_START, 0, 1, "measured");
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct pyr_request r = *like;
        uint64_t at_ns = origin + i * 10 * MS, previous = at_ns;
        r.ordinal = i;
        r.phase = 1;
        r.scheduled_ns = r.dispatched_ns = r.sent_ns = at_ns;
        r.closed_ns = at_ns + 13 * MS;
        uint32_t chunks = one_read ? 1 : like->events;
        for (uint32_t k = 0; k < chunks; k++) {
            uint64_t seen_ns = at_ns + (5 + 2 * k) * MS;
            pyr_lane_content(lane, i, previous, seen_ns, 0, 0, 3, one_read ? like->events : 1,
                             false);
            previous = r.last_content_ns = seen_ns;
            r.first_content_ns = r.first_content_ns ? r.first_content_ns : seen_ns;
        }
        r.chunks = chunks;
        r.output_tokens = like->events;
        pyr_lane_request(lane, &r);
    }
    now_ns = origin + REQUESTS * 10 * MS;
    pyr_lane_mark(lane, PYR_MARK_PHASE_END, 0, 1, "measured");
    assert_ok(err, pyr_recorder_close(recorder, &err));
    struct pyr_result *result;
    assert_ok(err, pyr_result_make(path, &result, &err));
    unlink(path);
    return result;
}

static const struct pyr_case_result *only_case(const struct pyr_result *result) {
    return &result->suites[0].cases[0];
}

static double mean_of(const struct pyr_result *result, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(only_case(result), metric);
    if (!row)
        fail_msg("no metric %s", pyr_metric_info(metric)->name);
    return row->mean.value;
}

static bool says(const struct pyr_result *result, const char *what) {
    const struct pyr_case_result *one = only_case(result);
    for (size_t i = 0; i < one->warning_count; i++)
        if (strstr(one->warnings[i], what))
            return true;
    return false;
}

/* Four tokens an event, which only the server knows. */
static void usage_decides_counts_where_it_is_there_and_can_be(void **state) {
    (void)state;
    const struct pyr_request like = {.flags = PYR_REQUEST_STREAMED | PYR_REQUEST_USAGE,
                                     .kinds = PYR_KIND_CONTENT,
                                     .events = EVENTS,
                                     .asked_tokens = 20,
                                     .usage_prompt_tokens = 100,
                                     .usage_output_tokens = 20};
    struct pyr_result *result = run_of(&like, false, NULL, 0);
    assert_near(mean_of(result, PYR_M_OUTPUT_TOKENS), 20, 0);
    assert_near(mean_of(result, PYR_M_TOKENS_PER_EVENT), 4, 0);
    assert_near(mean_of(result, PYR_M_TPOT), 8e6 / 19, 1);
    assert_near(mean_of(result, PYR_M_ITL), 2e6, 0);
    /* 20 tokens every 10 ms; of the last request those behind the end are not in the window. */
    const struct pyr_metric_result *rate =
        pyr_case_metric(only_case(result), PYR_M_OUTPUT_TOKEN_THROUGHPUT);
    assert_near(rate->value.value, 2000, 10);
    const struct pyr_metric_result *mismatch =
        pyr_case_metric(only_case(result), PYR_M_USAGE_MISMATCH);
    assert_near(mismatch->value.value, 3, 0);
    assert_true(
        says(result, "usage mismatch: the server counts 8000 tokens in 2000 events, 4 each"));
    pyr_result_destroy(result);
}

static void a_count_that_is_none_of_the_output_is_not_used(void **state) {
    (void)state;
    static const struct {
        unsigned flags;
        uint32_t usage;
    } cases[] = {{PYR_REQUEST_USAGE, 0}, {PYR_REQUEST_USAGE | PYR_REQUEST_BAD_USAGE, 9}};
    for (size_t i = 0; i < 2; i++) {
        const struct pyr_request like = {.flags = (uint16_t)(PYR_REQUEST_STREAMED | cases[i].flags),
                                         .kinds = PYR_KIND_CONTENT,
                                         .events = EVENTS,
                                         .usage_output_tokens = cases[i].usage};
        struct pyr_result *result = run_of(&like, false, NULL, 0);
        assert_near(mean_of(result, PYR_M_OUTPUT_TOKENS), EVENTS, 0);
        assert_near(mean_of(result, PYR_M_TPOT), 2e6, 0);
        assert_null(pyr_case_metric(only_case(result), PYR_M_TOKENS_PER_EVENT));
        assert_null(pyr_case_metric(only_case(result), PYR_M_USAGE_MISMATCH));
        assert_true(says(result, "usage is not of the output in 400 of 400 answers"));
        pyr_result_destroy(result);
    }
}

/* Fifteen of twenty tokens were thought and not sent: five came over the wire, in five events. */
static void hidden_reasoning_is_output_and_no_time_between_tokens(void **state) {
    (void)state;
    const struct pyr_request like = {.flags = PYR_REQUEST_STREAMED | PYR_REQUEST_USAGE |
                                              PYR_REQUEST_REASONED | PYR_REQUEST_CACHED,
                                     .kinds = PYR_KIND_CONTENT,
                                     .events = EVENTS,
                                     .usage_prompt_tokens = 100,
                                     .usage_output_tokens = 20,
                                     .usage_cached_tokens = 64,
                                     .usage_reasoning_tokens = 15};
    struct pyr_result *result = run_of(&like, false, NULL, 0);
    assert_near(mean_of(result, PYR_M_OUTPUT_TOKENS), 20, 0);
    assert_near(mean_of(result, PYR_M_TPOT), 2e6, 0);
    assert_near(mean_of(result, PYR_M_CACHED_SHARE), 0.64, 1e-12);
    assert_near(mean_of(result, PYR_M_REASONING_SHARE), 0.75, 1e-12);
    assert_null(pyr_case_metric(only_case(result), PYR_M_TOKENS_PER_EVENT)); /* one each */
    assert_false(says(result, "usage mismatch"));
    pyr_result_destroy(result);
}

static void what_came_is_told_where_it_was_not_all_content(void **state) {
    (void)state;
    struct pyr_request like = {.flags = PYR_REQUEST_STREAMED,
                               .kinds = PYR_KIND_TOOL_CALL | PYR_KIND_REASONING,
                               .events = EVENTS};
    struct pyr_result *result = run_of(&like, false, NULL, 0);
    assert_true(
        says(result, "400 answers held: content in 0, reasoning in 400, tool calls in 400"));
    assert_int_equal(only_case(result)->kinds[2], REQUESTS);
    pyr_result_destroy(result);
    like.kinds = PYR_KIND_CONTENT;
    result = run_of(&like, false, NULL, 0);
    assert_false(says(result, "answers held"));
    assert_false(says(result, "in one read"));
    pyr_result_destroy(result);
}

static void a_stream_that_comes_in_one_read_is_told(void **state) {
    (void)state;
    const struct pyr_request like = {
        .flags = PYR_REQUEST_STREAMED, .kinds = PYR_KIND_CONTENT, .events = EVENTS};
    struct pyr_result *result = run_of(&like, true, NULL, 0);
    assert_true(says(result, "400 of 400 streams came in one read"));
    assert_null(pyr_case_metric(only_case(result), PYR_M_TPOT));
    pyr_result_destroy(result);
}

/* A server that says "stop" at once, for good, meets every goal on errors. */
static void nothing_is_graded_without_output(void **state) {
    (void)state;
    const struct pyr_goal goals[] = {
        {.metric = "error_rate", .statistic = "value", .label = "error=5%", .limit = 0.05},
        {.metric = "ttft_sent", .statistic = "p50", .label = "ttft_p50=1s", .limit = 1e9}};
    struct pyr_request like = {.kinds = 0, .events = 0};
    struct pyr_result *result = run_of(&like, false, goals, 2);
    assert_int_equal(result->goals_met, 1);
    assert_int_equal(result->grade, PYR_GRADE_UNGRADED);
    assert_string_equal(result->grade_reason, "no answer held any output");
    assert_true(says(result, "no answer held any output"));
    pyr_result_destroy(result);
    like = (struct pyr_request){
        .flags = PYR_REQUEST_STREAMED, .kinds = PYR_KIND_CONTENT, .events = EVENTS};
    result = run_of(&like, false, goals, 2);
    assert_int_equal(result->grade, PYR_GRADE_EXCELLENT);
    pyr_result_destroy(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_decides_counts_where_it_is_there_and_can_be),
        cmocka_unit_test(a_count_that_is_none_of_the_output_is_not_used),
        cmocka_unit_test(hidden_reasoning_is_output_and_no_time_between_tokens),
        cmocka_unit_test(what_came_is_told_where_it_was_not_all_content),
        cmocka_unit_test(a_stream_that_comes_in_one_read_is_told),
        cmocka_unit_test(nothing_is_graded_without_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
