/* SPDX-License-Identifier: MIT
 *
 * Three requests with known stamps; every expected number below is worked out by hand.
 *
 *   A  sent 0, first byte 4, content at 10 (1 token), 14 (2), 24 (1), closed 26; the server counts
 * 4 B  sent 20, content at 30 (1), 36 (1), closed 36; the server counts nothing C  sent 30, reset
 * at 50
 */
#include "support/support.h"

#include "base/clock.h"
#include "record/recorder.h"
#include "report/compat.h"
#include "stats/compat.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define MS PYR_NS_PER_MS
#define ORIGIN (1000 * MS)

struct chunk {
    uint64_t at_ms;
    uint32_t tokens;
};

static char path[512];

static void add(struct pyr_lane *lane, struct pyr_request request, uint64_t sent_ms,
                uint64_t closed_ms, const struct chunk *chunks, uint32_t count) {
    request.phase = 1;
    request.scheduled_ns = request.dispatched_ns = request.sent_ns = ORIGIN + sent_ms * MS;
    request.closed_ns = ORIGIN + closed_ms * MS;
    request.chunks = count;
    uint64_t last_ns = request.sent_ns;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at_ns = ORIGIN + chunks[i].at_ms * MS;
        pyr_lane_content(lane, request.ordinal, last_ns, at_ns, 0, 0, 4, chunks[i].tokens, false);
        request.output_tokens += chunks[i].tokens;
        request.last_content_ns = last_ns = at_ns;
        if (i == 0)
            request.first_content_ns = request.first_output_ns = at_ns;
    }
    if (request.first_byte_ns == 0)
        request.first_byte_ns = request.first_content_ns;
    pyr_lane_request(lane, &request);
}

static struct pyr_recorder *begin_run(const char *name, uint64_t *now_ns) {
    char dir[400];
    struct pyr_err err;
    const struct pyr_clock clock = {now_ns};
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/%s.pyr", dir, name);
    const struct pyr_recorder_config config = {
        .path = path, .lanes = 1, .inline_writer = true, .meta_json = "{\"command\": \"test\"}"};
    struct pyr_recorder *recorder;
    assert_ok(err, pyr_recorder_open(&config, &clock, &recorder, &err));
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    struct pyr_case plan = {.concurrency = 2, .suite = "concurrent", .id = "c2"};
    pyr_lane_case(lane, &plan);
    pyr_lane_mark(lane, PYR_MARK_PHASE_START, 0, 1, "measured");
    return recorder;
}

static void end_run(struct pyr_recorder *recorder) {
    struct pyr_err err;
    pyr_lane_mark(pyr_recorder_lane(recorder, 0), PYR_MARK_PHASE_END, 0, 1, "measured");
    assert_ok(err, pyr_recorder_close(recorder, &err));
}

static int write_run(void **state) {
    (void)state;
    uint64_t now_ns = ORIGIN;
    struct pyr_recorder *recorder = begin_run("compat", &now_ns);
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    static const struct chunk a[] = {{10, 1}, {14, 2}, {24, 1}}, b[] = {{30, 1}, {36, 1}};
    add(lane,
        (struct pyr_request){.ordinal = 0,
                             .flags = PYR_REQUEST_STREAMED | PYR_REQUEST_USAGE,
                             .first_byte_ns = ORIGIN + 4 * MS,
                             .prompt_tokens = 10,
                             .usage_prompt_tokens = 10,
                             .usage_output_tokens = 4},
        0, 26, a, 3);
    add(lane,
        (struct pyr_request){.ordinal = 1, .flags = PYR_REQUEST_STREAMED, .prompt_tokens = 20}, 20,
        36, b, 2);
    add(lane, (struct pyr_request){.ordinal = 2, .outcome = PYR_OUTCOME_RESET, .prompt_tokens = 20},
        30, 50, NULL, 0);
    now_ns = ORIGIN + 50 * MS;
    end_run(recorder);
    return 0;
}

static int remove_run(void **state) {
    (void)state;
    unlink(path);
    return 0;
}

static struct pyr_arena *arena;

static struct pyr_compat_result make(const char *tool) {
    struct pyr_compat_result result;
    struct pyr_err err;
    arena = pyr_arena_create();
    assert_ok(err, pyr_compat_make(path, tool, arena, &result, &err));
    assert_int_equal(result.case_count, 1);
    assert_int_equal(result.cases[0].completed, 2);
    assert_int_equal(result.cases[0].failed, 1);
    assert_near(result.cases[0].seconds, 0.05, 1e-12);
    return result;
}

static const struct pyr_compat_row *row(const struct pyr_compat_result *result, const char *name) {
    for (size_t i = 0; i < result->cases[0].row_count; i++)
        if (strcmp(result->cases[0].rows[i].name, name) == 0)
            return &result->cases[0].rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

static double value(const struct pyr_compat_result *result, const char *name) {
    assert_true(row(result, name)->scalar);
    return row(result, name)->theirs.mean;
}

#define NS(ms) ((ms)*1e6)

static void vllm_counts_the_role_chunk_and_pools_gaps_per_chunk(void **state) {
    (void)state;
    struct pyr_compat_result r = make("vllm");
    const struct pyr_compat_row *ttft = row(&r, "TTFT");
    assert_int_equal(ttft->n, 2);
    assert_near(ttft->theirs.mean, NS(7), 1); /* 4 and 10 */
    assert_near(ttft->theirs.sd, NS(3), 1);
    assert_near(ttft->theirs.p50, NS(7), 1);
    assert_near(ttft->theirs.p99, NS(9.94), 1);
    assert_near(ttft->ours.mean, NS(10), 1); /* from sent to content, both */
    assert_string_equal(ttft->ours_name, "ttft_sent");
    assert_near(row(&r, "TPOT")->theirs.mean, NS((20.0 / 3 + 6) / 2), 1);
    const struct pyr_compat_row *itl = row(&r, "ITL"); /* 6 after the role, 4, 10; 6 */
    assert_int_equal(itl->n, 4);
    assert_near(itl->theirs.mean, NS(6.5), 1);
    assert_near(itl->theirs.p50, NS(6), 1);
    assert_near(itl->theirs.p99, NS(9.88), 1);
    assert_near(itl->ours.mean, NS(5), 1); /* per token: 2, 2, 10, 6 */
    assert_near(row(&r, "E2EL")->theirs.max, NS(24), 1);
    assert_near(value(&r, "Successful requests"), 2, 0);
    assert_near(value(&r, "Benchmark duration"), NS(50), 1);
    assert_near(value(&r, "Total input tokens"), 30, 0);
    assert_near(value(&r, "Total generated tokens"), 6, 0);
    assert_near(value(&r, "Request throughput"), 40, 1e-9);
    assert_near(value(&r, "Output token throughput"), 120, 1e-9);
    assert_near(value(&r, "Total token throughput"), 720, 1e-9);
    pyr_arena_destroy(arena);
}

static void aiperf_calls_the_mean_of_a_request_its_inter_token_latency(void **state) {
    (void)state;
    struct pyr_compat_result r = make("aiperf");
    assert_near(row(&r, "time_to_first_token")->theirs.mean, NS(10), 1);
    assert_near(row(&r, "time_to_second_token")->theirs.min, NS(4), 1);
    assert_near(row(&r, "time_to_second_token")->theirs.max, NS(6), 1);
    assert_near(row(&r, "inter_token_latency")->theirs.min, NS(14.0 / 3), 1);
    assert_near(row(&r, "inter_token_latency")->theirs.max, NS(6), 1);
    assert_int_equal(row(&r, "inter_chunk_latency")->n, 3);
    assert_near(row(&r, "inter_chunk_latency")->theirs.mean, NS(20.0 / 3), 1);
    assert_near(row(&r, "output_token_throughput_per_user")->theirs.max, 3000.0 / 14, 1e-6);
    assert_near(row(&r, "output_sequence_length")->theirs.mean, 3, 1e-12);
    assert_near(value(&r, "output_token_throughput"), 120, 1e-9);
    assert_near(value(&r, "request_throughput"), 40, 1e-9);
    assert_null(row(&r, "time_to_second_token")->ours_name);
    pyr_arena_destroy(arena);
}

static void guidellm_puts_ttft_into_tpot_and_weighs_by_tokens(void **state) {
    (void)state;
    struct pyr_compat_result r = make("guidellm");
    const struct pyr_compat_row *tpot = row(&r, "time_per_output_token_ms");
    assert_near(tpot->theirs.mean, NS(40.0 / 6), 1); /* 6 with weight 4, 8 with weight 2 */
    assert_near(tpot->theirs.p50, NS(6), 1);
    assert_near(tpot->theirs.p90, NS(8), 1);
    const struct pyr_compat_row *itl = row(&r, "inter_token_latency_ms");
    assert_near(itl->theirs.mean, NS(5), 1); /* 14/3 with weight 3, 6 with weight 1 */
    assert_near(itl->theirs.p50, NS(14.0 / 3), 1);
    assert_near(itl->theirs.p90, NS(6), 1);
    assert_near(row(&r, "request_latency")->theirs.mean, NS(21), 1);
    assert_near(row(&r, "request_latency")->theirs.p50, NS(16), 1); /* no interpolation */
    assert_near(value(&r, "requests_per_second (mean)"), 40, 1e-9);
    assert_near(value(&r, "output_tokens_per_second (mean)"), 6 / 0.026, 1e-6);
    pyr_arena_destroy(arena);
}

static void llmperf_divides_the_whole_answer_by_its_tokens(void **state) {
    (void)state;
    struct pyr_compat_result r = make("llmperf");
    const struct pyr_compat_row *itl = row(&r, "inter_token_latency_s"); /* 24/4, 16/2 */
    assert_near(itl->theirs.mean, NS(7), 1);
    assert_near(itl->theirs.sd, NS(sqrt(2)), 1);
    assert_near(itl->theirs.p95, NS(7.9), 1);
    assert_near(row(&r, "end_to_end_latency_s")->theirs.max, NS(26), 1);
    assert_near(row(&r, "request_output_throughput_token_per_s")->theirs.min, 125, 1e-9);
    assert_near(value(&r, "mean_output_throughput_token_per_s"), 120, 1e-9);
    assert_near(value(&r, "num_completed_requests_per_min"), 2400, 1e-9);
    assert_near(value(&r, "error_rate"), 1.0 / 3, 1e-12);
    pyr_arena_destroy(arena);
}

/* One token: sent 0, content 10, closed 12. None: sent 0, first byte 4, closed 8. */
static void answers_of_one_token_or_none_count_as_each_tool_counts_them(void **state) {
    (void)state;
    char main_path[sizeof path];
    memcpy(main_path, path, sizeof path);
    uint64_t now_ns = ORIGIN;
    struct pyr_recorder *recorder = begin_run("short", &now_ns);
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    static const struct chunk one[] = {{10, 1}};
    add(lane, (struct pyr_request){.ordinal = 0, .flags = PYR_REQUEST_STREAMED}, 0, 12, one, 1);
    add(lane,
        (struct pyr_request){
            .ordinal = 1, .flags = PYR_REQUEST_STREAMED, .first_byte_ns = ORIGIN + 4 * MS},
        0, 8, NULL, 0);
    now_ns = ORIGIN + 12 * MS;
    end_run(recorder);
    static const struct {
        const char *tool, *name;
        uint64_t n;
        double mean_ms;
    } expected[] = {
        {"vllm", "TTFT", 2, 7},
        {"vllm", "TPOT", 0, 0},
        {"vllm", "ITL", 0, 0},
        {"vllm", "E2EL", 2, 7},
        {"aiperf", "time_to_first_token", 1, 10},
        {"aiperf", "time_to_second_token", 0, 0},
        {"aiperf", "inter_token_latency", 0, 0},
        {"aiperf", "output_token_throughput_per_user", 0, 0},
        {"guidellm", "time_per_output_token_ms", 1, 10},
        {"guidellm", "inter_token_latency_ms", 0, 0},
        {"guidellm", "request_latency", 2, 10},
        {"llmperf", "inter_token_latency_s", 2, 5},
        {"llmperf", "ttft_s", 2, 5},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct pyr_compat_result result;
        struct pyr_err err;
        arena = pyr_arena_create();
        assert_ok(err, pyr_compat_make(path, expected[i].tool, arena, &result, &err));
        const struct pyr_compat_row *seen = row(&result, expected[i].name);
        if (seen->n != expected[i].n)
            fail_msg("%s %s: %d values", expected[i].tool, expected[i].name, (int)seen->n);
        if (expected[i].n > 0)
            assert_near(seen->theirs.mean, NS(expected[i].mean_ms), 1);
        else
            assert_true(isnan(seen->theirs.mean));
        pyr_arena_destroy(arena);
    }
    unlink(path);
    memcpy(path, main_path, sizeof path);
}

static void an_unknown_tool_is_told_with_those_there_are(void **state) {
    (void)state;
    struct pyr_err err;
    struct pyr_compat_result result;
    assert_false(pyr_compat_make(path, "genai", NULL, &result, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    assert_non_null(strstr(err.text, "vllm, aiperf, guidellm, llmperf"));
    assert_true(pyr_compat_check("aiperf", &err));
}

static void people_see_both_sides_and_the_reason(void **state) {
    (void)state;
    struct pyr_compat_result r = make("vllm");
    struct pyr_buf out = {0};
    const struct pyr_report_options options = {.width = 110};
    pyr_report_compat_text(&r, &options, &out);
    const char *text = pyr_buf_text(&out);
    assert_non_null(strstr(text, "vLLM bench serve"));
    assert_non_null(strstr(text, "concurrent/c2: 2 requests ok, 1 failed, 0.05 s"));
    assert_non_null(strstr(text, "TTFT, ms"));
    assert_non_null(strstr(text, "9.94"));
    assert_non_null(strstr(text, "ttft_sent"));
    assert_non_null(strstr(text, "  ITL: gaps between chunks"));
    pyr_buf_deinit(&out);
    pyr_arena_destroy(arena);
}

static void a_unit_in_the_name_is_kept(void **state) {
    (void)state;
    struct pyr_compat_result r = make("llmperf");
    struct pyr_buf out = {0};
    const struct pyr_report_options options = {.width = 150};
    pyr_report_compat_text(&r, &options, &out);
    assert_non_null(strstr(pyr_buf_text(&out), "  ttft_s "));
    assert_non_null(strstr(pyr_buf_text(&out), " 0.01"));
    pyr_buf_deinit(&out);
    pyr_arena_destroy(arena);
}

static void programs_read_the_same_numbers(void **state) {
    (void)state;
    struct pyr_compat_result r = make("guidellm");
    struct pyr_buf out = {0};
    pyr_report_compat_json(&r, &out);
    const char *text = pyr_buf_text(&out);
    assert_non_null(strstr(text, "\"schema\": \"pyrometer-compat/1\""));
    assert_non_null(strstr(text, "\"time_per_output_token_ms\""));
    assert_non_null(strstr(text, "\"ours_name\": \"tpot\""));
    pyr_buf_deinit(&out);
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vllm_counts_the_role_chunk_and_pools_gaps_per_chunk),
        cmocka_unit_test(aiperf_calls_the_mean_of_a_request_its_inter_token_latency),
        cmocka_unit_test(guidellm_puts_ttft_into_tpot_and_weighs_by_tokens),
        cmocka_unit_test(llmperf_divides_the_whole_answer_by_its_tokens),
        cmocka_unit_test(answers_of_one_token_or_none_count_as_each_tool_counts_them),
        cmocka_unit_test(an_unknown_tool_is_told_with_those_there_are),
        cmocka_unit_test(people_see_both_sides_and_the_reason),
        cmocka_unit_test(a_unit_in_the_name_is_kept),
        cmocka_unit_test(programs_read_the_same_numbers),
    };
    return cmocka_run_group_tests(tests, write_run, remove_run);
}
