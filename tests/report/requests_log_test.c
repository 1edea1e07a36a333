/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "record/recorder.h"
#include "report/requests_log.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[256], run[300], path[300];
static uint64_t now_ns = 1000;
static const struct pyr_clock test_clock = {&now_ns};

static int setup(void **state) {
    (void)state;
    if (!pyr_test_temp_dir(dir, sizeof dir))
        return -1;
    snprintf(run, sizeof run, "%s/run.pyr", dir);
    snprintf(path, sizeof path, "%s/requests.jsonl", dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(run);
    unlink(path);
    return rmdir(dir);
}

static struct pyr_recorder *open_run(void) {
    struct pyr_recorder_config config = {
        .path = run, .lanes = 2, .chunk_slots = 64, .inline_writer = true, .meta_json = "{}"};
    struct pyr_recorder *recorder = NULL;
    struct pyr_err err;
    assert_ok(err, pyr_recorder_open(&config, &test_clock, &recorder, &err));
    struct pyr_case plan = {.suite = "s", .id = "s/\"odd\"\n"};
    pyr_lane_case(pyr_recorder_lane(recorder, 0), &plan);
    return recorder;
}

static void close_run(struct pyr_recorder *recorder) {
    struct pyr_err err;
    assert_ok(err, pyr_recorder_close(recorder, &err));
}

/* The lines of the log, an array in order. */
static json_t *logged(struct pyr_requests_log_counts *counts) {
    struct pyr_err err;
    assert_ok(err, pyr_report_requests_log_file(run, path, counts, &err));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    json_t *lines = json_array();
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) > 0) {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(object);
        json_array_append_new(lines, object);
    }
    free(line);
    fclose(file);
    return lines;
}

static uint64_t number(const json_t *line, const char *key, size_t index) {
    const json_t *value = json_object_get(line, key);
    if (json_is_array(value))
        value = json_array_get(value, index);
    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

static const json_t *line_of(const json_t *lines, uint64_t ordinal) {
    for (size_t i = 0; i < json_array_size(lines); i++)
        if (number(json_array_get(lines, i), "request", 0) == ordinal)
            return json_array_get(lines, i);
    fail_msg("no line of request %llu", (unsigned long long)ordinal);
    return NULL;
}

static struct pyr_request request_of(uint32_t ordinal, uint32_t chunks) {
    return (struct pyr_request){.ordinal = ordinal,
                                .outcome = PYR_OUTCOME_OK,
                                .flags = PYR_REQUEST_STREAMED,
                                .scheduled_ns = 900,
                                .dispatched_ns = 950,
                                .sent_ns = 1000 + ordinal,
                                .prompt_tokens = 7,
                                .chunks = chunks,
                                .text_hash = 0xabc};
}

static void a_line_holds_every_stamp_and_chunk_of_a_request(void **state) {
    (void)state;
    struct pyr_recorder *recorder = open_run();
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    pyr_lane_content(lane, 0, 1000, 2500, 2400, 0, 12, 1, true);
    /* A gap of nine seconds and 700 tokens do not fit one chunk record. */
    pyr_lane_content(lane, 0, 2500, 9000002500, 0, 100, 40000, 700, false);
    struct pyr_request record = request_of(0, 2);
    record.usage_output_tokens = 701;
    record.flags |= PYR_REQUEST_USAGE;
    pyr_lane_request(lane, &record);
    struct pyr_request failed = request_of(1, 0);
    failed.outcome = PYR_OUTCOME_TIMEOUT_FIRST;
    failed.flags = 0;
    pyr_lane_request(lane, &failed);
    close_run(recorder);

    struct pyr_requests_log_counts counts;
    json_t *lines = logged(&counts);
    assert_int_equal(counts.requests, 2);
    assert_int_equal(counts.incomplete, 0);
    assert_int_equal(counts.lost_chunks, 0);
    const json_t *line = line_of(lines, 0);
    assert_string_equal(json_string_value(json_object_get(line, "case")), "s/\"odd\"\n");
    assert_string_equal(json_string_value(json_object_get(line, "outcome")), "ok");
    assert_int_equal(number(line, "scheduled_ns", 0), 900);
    assert_true(json_is_null(json_object_get(line, "admitted_ns")));
    assert_int_equal(number(line, "usage_output_tokens", 0), 701);
    assert_string_equal(json_string_value(json_object_get(line, "text_hash")), "0000000000000abc");
    assert_int_equal(json_array_size(json_object_get(line, "chunk_ns")), 2);
    assert_int_equal(number(line, "chunk_ns", 0), 2500);
    assert_int_equal(number(line, "chunk_ns", 1), 9000002500);
    assert_int_equal(number(line, "chunk_tokens", 1), 700);
    assert_int_equal(number(line, "chunk_bytes", 1), 40000);
    assert_int_equal(number(line, "chunk_lag_ns", 0), 100);
    assert_true(json_is_null(json_array_get(json_object_get(line, "chunk_lag_ns"), 1)));
    assert_int_equal(number(line, "chunk_bound_ns", 0), 0);
    assert_true(number(line, "chunk_bound_ns", 1) >= 100);
    assert_int_equal(number(line, "chunk_reasoning", 0), 1);
    line = line_of(lines, 1);
    assert_string_equal(json_string_value(json_object_get(line, "outcome")), "timeout_first");
    assert_true(json_is_null(json_object_get(line, "usage_output_tokens")));
    assert_int_equal(json_array_size(json_object_get(line, "chunk_ns")), 0);
    json_decref(lines);
}

static void interleaved_requests_keep_their_own_chunks(void **state) {
    (void)state;
    enum { REQUESTS = 3000, CHUNKS = 5, FLIGHT = 50 };
    struct pyr_recorder *recorder = open_run();
    for (uint32_t first = 0; first < REQUESTS; first += FLIGHT) {
        for (uint32_t chunk = 0; chunk < CHUNKS; chunk++)
            for (uint32_t i = first; i < first + FLIGHT; i++) {
                uint64_t previous = chunk ? 10000 * chunk + i : 1000 + i;
                pyr_lane_content(pyr_recorder_lane(recorder, i % 2), i, previous,
                                 10000 * (chunk + 1) + i, 0, 0, i % 100, 1, false);
            }
        for (uint32_t i = first + FLIGHT; i-- > first;) {
            struct pyr_request record = request_of(i, CHUNKS);
            pyr_lane_request(pyr_recorder_lane(recorder, i % 2), &record);
        }
    }
    close_run(recorder);
    struct pyr_requests_log_counts counts;
    json_t *lines = logged(&counts);
    assert_int_equal(counts.requests, REQUESTS);
    assert_int_equal(counts.incomplete, 0);
    static unsigned char seen[REQUESTS];
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < REQUESTS; i++) {
        const json_t *line = json_array_get(lines, i);
        uint64_t ordinal = number(line, "request", 0);
        assert_true(ordinal < REQUESTS && !seen[ordinal]);
        seen[ordinal] = 1;
        for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
            assert_int_equal(number(line, "chunk_ns", chunk), 10000 * (chunk + 1) + ordinal);
            assert_int_equal(number(line, "chunk_bytes", chunk), ordinal % 100);
        }
    }
    json_decref(lines);
}

static void a_cut_file_gives_what_it_holds(void **state) {
    (void)state;
    struct pyr_recorder *recorder = open_run();
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    pyr_lane_content(lane, 0, 1000, 2000, 0, 0, 1, 1, false);
    struct pyr_request record = request_of(0, 3); /* of which two chunks never came */
    pyr_lane_request(lane, &record);
    pyr_lane_content(lane, 1, 1000, 2000, 0, 0, 1, 1, false);
    close_run(recorder);
    struct stat info;
    assert_int_equal(stat(run, &info), 0);
    assert_int_equal(truncate(run, info.st_size - 5), 0);
    struct pyr_requests_log_counts counts;
    json_t *lines = logged(&counts);
    assert_int_equal(counts.requests, 1);
    assert_int_equal(counts.incomplete, 1);
    assert_int_equal(counts.lost_chunks, 1);
    json_decref(lines);
}

static void what_cannot_be_read_or_written_is_named_and_leaves_no_file(void **state) {
    (void)state;
    struct pyr_err err;
    assert_false(pyr_report_requests_log_file(run, path, NULL, &err));
    assert_non_null(strstr(err.text, "run.pyr"));
    assert_int_not_equal(access(path, F_OK), 0);
    close_run(open_run());
    FILE *full = fopen("/dev/full", "w");
    struct pyr_recorder *recorder;
    unlink(run);
    recorder = open_run();
    struct pyr_request record = request_of(0, 0);
    pyr_lane_request(pyr_recorder_lane(recorder, 0), &record);
    close_run(recorder);
    assert_false(pyr_report_requests_log(run, full, NULL, &err));
    assert_int_equal(err.code, PYR_E_IO);
    fclose(full);
    assert_false(pyr_report_requests_log_file(run, "/nonesuch/log", NULL, &err));
    assert_non_null(strstr(err.text, "/nonesuch/log"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_holds_every_stamp_and_chunk_of_a_request, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(interleaved_requests_keep_their_own_chunks, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cut_file_gives_what_it_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_or_written_is_named_and_leaves_no_file,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
