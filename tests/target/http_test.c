/* SPDX-License-Identifier: MIT
 *
 * The target http against the known-schedule server, which misbehaves as each prompt plans.
 */
#include "support/support.h"

#include "support/http_world.h"

#include "base/hash.h"
#include "codec/schedule_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct http_world world;

static int start(void **state) {
    (void)state;
    static const char *const arguments[] = {"--plan", "ttft=2ms,itl=2ms", NULL};
    static const char *const options[] = {"probe=off", NULL};
    http_world_serve(&world, arguments);
    http_world_attach(&world, NULL, options, HTTP_SLOTS);
    return 0;
}

static int stop(void **state) {
    (void)state;
    http_world_end(&world);
    return 0;
}

static void check_order(const struct pyr_request *record) {
    assert_true(record->sent_ns > 0 && record->sent_ns >= record->dispatched_ns);
    assert_true(record->first_byte_ns >= record->sent_ns);
    assert_true(record->first_content_ns >= record->first_byte_ns);
    assert_true(record->last_content_ns >= record->first_content_ns);
    assert_true(record->closed_ns >= record->last_content_ns);
}

static void a_plain_stream_is_ok_with_its_stamps_and_counts(void **state) {
    (void)state;
    struct pyr_slot *slot = http_world_one(&world, "", 7);
    const struct pyr_request *record = &slot->record;
    assert_int_equal(record->outcome, PYR_OUTCOME_OK);
    assert_int_equal(record->flags, PYR_REQUEST_STREAMED | PYR_REQUEST_USAGE);
    assert_int_equal(record->http_status, 200);
    assert_int_equal(record->output_tokens, 7);
    assert_int_equal(record->usage_output_tokens, 7);
    assert_true(record->usage_prompt_tokens > 0);
    assert_int_equal(record->prompt_tokens, record->usage_prompt_tokens);
    assert_int_equal(record->output_bytes, 7 * 17);
    assert_true(record->text_hash != 0 && record->text_hash != PYR_FNV1A64_INIT);
    assert_true(record->first_output_ns == record->first_content_ns && record->usage_ns > 0);
    assert_null(slot->error_text);
    check_order(record);
    /* Seven tokens 2 ms apart, the first after 2 ms: the server is never early. */
    assert_true(record->first_content_ns - record->sent_ns >= 2000000);
    assert_true(record->last_content_ns - record->sent_ns >= 14000000);
}

/* A plan, and how its request must end. */
struct expectation {
    const char *plan;
    enum pyr_outcome outcome;
    unsigned status;
    uint32_t tokens; /* of 5 */
    const char *error;
};

static const struct expectation expectations[] = {
    {"role=0", PYR_OUTCOME_OK, 200, 5, NULL},
    {"fault=no_done", PYR_OUTCOME_OK, 200, 5, NULL},
    {"fault=split_utf8", PYR_OUTCOME_OK, 200, 5, NULL},
    {"fault=empty", PYR_OUTCOME_OK, 200, 0, NULL},
    {"fault=done_alone", PYR_OUTCOME_PROTOCOL, 200, 0, "without a finish_reason: [DONE] alone"},
    {"fault=error_field,at=2", PYR_OUTCOME_STREAM_ERROR, 200, 2, "planned failure"},
    {"fault=error_field", PYR_OUTCOME_STREAM_ERROR, 200, 0, "planned failure"},
    {"fault=no_end", PYR_OUTCOME_OK, 200, 5, NULL},
    {"burst=5", PYR_OUTCOME_OK, 200, 5, NULL},
    {"glue=1", PYR_OUTCOME_OK, 200, 5, NULL},
    {"eos=3", PYR_OUTCOME_OK, 200, 3, NULL},
    {"fault=freeze,at=2,hold=50ms", PYR_OUTCOME_OK, 200, 5, NULL},
    {"fault=reset", PYR_OUTCOME_RESET, 0, 0, "reset"},
    {"fault=reset,at=2", PYR_OUTCOME_RESET, 200, 2, "reset"},
    {"fault=eof", PYR_OUTCOME_RESET, 0, 0, "closed"},
    {"fault=eof,at=3", PYR_OUTCOME_RESET, 200, 3, "closed"},
    {"fault=close,at=2", PYR_OUTCOME_RESET, 200, 2, "middle of the body"},
    {"fault=garbage", PYR_OUTCOME_PROTOCOL, 0, 0, "not HTTP"},
    {"fault=bad_json,at=1", PYR_OUTCOME_PROTOCOL, 200, 1, "not JSON"},
    {"fault=content_type", PYR_OUTCOME_PROTOCOL, 200, 0, "not an event stream but text/plain"},
    {"fault=html", PYR_OUTCOME_PROTOCOL, 200, 0, "proxy"},
    {"fault=json", PYR_OUTCOME_PROTOCOL, 200, 0, "application/json"},
    {"fault=long_line,at=2", PYR_OUTCOME_PROTOCOL, 200, 2, "longer than 256 KiB"},
    {"fault=error_event,at=2", PYR_OUTCOME_STREAM_ERROR, 200, 2, "planned failure"},
    {"fault=status,status=500", PYR_OUTCOME_HTTP_5XX, 500, 0, "HTTP 500: planned failure"},
    {"fault=status,status=503", PYR_OUTCOME_REJECTED, 503, 0, "HTTP 503"},
    {"fault=status,status=429,retry_after=7", PYR_OUTCOME_REJECTED, 429, 0, "retry after 7"},
    {"fault=status,status=401", PYR_OUTCOME_HTTP_4XX, 401, 0, "HTTP 401"},
    {"fault=status,status=302", PYR_OUTCOME_HTTP_3XX, 302, 0, "HTTP 302"},
};

static void judge(const struct expectation *expected, const struct pyr_slot *slot) {
    const struct pyr_request *record = &slot->record;
    if (record->outcome != expected->outcome || record->http_status != expected->status ||
        record->output_tokens != expected->tokens)
        fail_msg("%s: %s, status %u, %u tokens (%s)", expected->plan,
                 pyr_outcome_name((enum pyr_outcome)record->outcome), record->http_status,
                 record->output_tokens, slot->error_text ? slot->error_text : "no error");
    if (expected->error && (!slot->error_text || !strstr(slot->error_text, expected->error)))
        fail_msg("%s: said %s", expected->plan, slot->error_text ? slot->error_text : "nothing");
    assert_true(record->closed_ns >= record->sent_ns);
    assert_int_equal(record->asked_tokens, 5);
    assert_true((record->first_content_ns > 0) == (expected->tokens > 0));
}

static void every_fault_has_its_outcome(void **state) {
    (void)state;
    size_t count = sizeof expectations / sizeof *expectations;
    for (size_t i = 0; i < count; i++)
        http_world_slot(&world, i, expectations[i].plan);
    http_world_run(&world, count);
    for (size_t i = 0; i < count; i++)
        judge(&expectations[i], &world.slots[i]);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(world.slots[i].retry_after_ns,
                         strstr(expectations[i].plan, "retry_after=7") ? 7 * PYR_NS_PER_S : 0);
    /* And the connections are good for use again. */
    for (size_t i = 0; i < HTTP_SLOTS; i++)
        http_world_slot(&world, i, "");
    http_world_run(&world, HTTP_SLOTS);
    for (size_t i = 0; i < HTTP_SLOTS; i++)
        assert_int_equal(world.slots[i].record.outcome, PYR_OUTCOME_OK);
}

static void shortness_and_a_missing_end_are_flags(void **state) {
    (void)state;
    assert_int_equal(http_world_one(&world, "eos=3", 5)->record.flags,
                     PYR_REQUEST_STREAMED | PYR_REQUEST_USAGE | PYR_REQUEST_SHORT);
    assert_int_equal(http_world_one(&world, "fault=no_done", 5)->record.flags,
                     PYR_REQUEST_STREAMED | PYR_REQUEST_NO_DONE);
    assert_int_equal(http_world_one(&world, "fault=empty", 5)->record.flags,
                     PYR_REQUEST_USAGE | PYR_REQUEST_SHORT);
}

static void each_limit_ends_what_passes_it(void **state) {
    (void)state;
    static const struct {
        const char *plan;
        struct pyr_limits limits;
        enum pyr_outcome outcome;
    } cases[] = {
        {"fault=hang", {0, 40000000, 0, 0}, PYR_OUTCOME_TIMEOUT_FIRST},
        {"fault=pings", {0, 40000000, 0, 0}, PYR_OUTCOME_TIMEOUT_FIRST},
        {"fault=slow_head", {0, 40000000, 0, 0}, PYR_OUTCOME_TIMEOUT_FIRST},
        {"fault=slow_body,at=1", {0, 0, 40000000, 0}, PYR_OUTCOME_TIMEOUT_BETWEEN},
        {"fault=freeze,at=2", {0, 0, 40000000, 0}, PYR_OUTCOME_TIMEOUT_BETWEEN},
        {"fault=pings,at=2", {0, 0, 40000000, 0}, PYR_OUTCOME_TIMEOUT_BETWEEN},
        {"fault=endless", {0, 40000000, 40000000, 60000000}, PYR_OUTCOME_TIMEOUT_TOTAL},
        {"fault=garbage,itl=1s", {0, 0, 0, 60000000}, PYR_OUTCOME_PROTOCOL},
    };
    size_t count = sizeof cases / sizeof *cases;
    for (size_t i = 0; i < count; i++)
        http_world_slot(&world, i, cases[i].plan)->limits = cases[i].limits;
    http_world_run(&world, count);
    for (size_t i = 0; i < count; i++) {
        const struct pyr_request *record = &world.slots[i].record;
        if (record->outcome != cases[i].outcome)
            fail_msg("%s: %s", cases[i].plan, pyr_outcome_name((enum pyr_outcome)record->outcome));
        if (i < 7)
            assert_true(record->closed_ns - record->sent_ns >= 40000000);
        assert_non_null(strstr(world.slots[i].error_text, i < 6    ? " token within 0.04 s"
                                                          : i == 6 ? "not done within 0.06 s"
                                                                   : "not HTTP"));
    }
}

static void requests_can_be_cancelled_by_plan_and_by_hand(void **state) {
    (void)state;
    http_world_slot(&world, 0, "fault=endless")->cancel_after_ns = 20000000;
    http_world_slot(&world, 1, "fault=hang");
    http_world_slot(&world, 2, "");
    http_world_slot(&world, 3, "")->cancel_after_ns = 10 * PYR_NS_PER_S;
    for (size_t i = 0; i < 4; i++)
        http_world_submit(&world, i);
    world.target->ops->cancel(world.handle, &world.slots[1], PYR_OUTCOME_UNFINISHED);
    http_world_drain(&world);
    assert_int_equal(world.slots[0].record.outcome, PYR_OUTCOME_CANCELLED);
    assert_true(world.slots[0].record.output_tokens > 0);
    assert_int_equal(world.slots[1].record.outcome, PYR_OUTCOME_UNFINISHED);
    assert_int_equal(world.slots[2].record.outcome, PYR_OUTCOME_OK);
    assert_int_equal(world.slots[3].record.outcome, PYR_OUTCOME_OK);
}

static void reasoning_is_told_from_output(void **state) {
    (void)state;
    const struct pyr_request *record = &http_world_one(&world, "reasoning=3", 5)->record;
    assert_int_equal(record->outcome, PYR_OUTCOME_OK);
    assert_int_equal(record->output_tokens, 5);
    assert_true(record->first_output_ns > record->first_content_ns);
}

static void text_is_kept_when_asked_for(void **state) {
    (void)state;
    struct pyr_slot *slot = http_world_slot(&world, 0, "fault=split_utf8");
    slot->capture_text = true;
    slot->output_tokens = 3;
    http_world_run(&world, 1);
    const char *expected = "a\xe2\x82\xac"
                           "a\xe2\x82\xac"
                           "a\xe2\x82\xac";
    assert_int_equal(slot->text_bytes, strlen(expected));
    assert_memory_equal(slot->text, expected, strlen(expected));
    assert_true(slot->record.text_hash ==
                pyr_fnv1a64(PYR_FNV1A64_INIT, expected, strlen(expected)));
}

static void long_prompts_of_any_bytes_arrive_whole(void **state) {
    (void)state;
    size_t bytes = 3000000;
    char *text = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        text[i] = "ab\"\\\n\xc3\xa9 \x01"[i % 9];
    memcpy(text, "plan:;", 6);
    struct pyr_slot *slot = http_world_slot(&world, 0, "");
    slot->prompt.text = text;
    slot->prompt.text_bytes = bytes;
    http_world_run(&world, 1);
    assert_int_equal(slot->record.outcome, PYR_OUTCOME_OK);
    assert_int_equal(slot->record.usage_prompt_tokens, bytes / 4 + 1);
    free(text);
}

static void messages_go_as_they_are(void **state) {
    (void)state;
    struct pyr_slot *slot = http_world_slot(&world, 0, "");
    slot->prompt.messages_json = "[{\"role\":\"system\",\"content\":\"be brief\"},"
                                 "{\"role\":\"user\",\"content\":\"plan:eos=2;hello\"}]";
    http_world_run(&world, 1);
    assert_int_equal(slot->record.outcome, PYR_OUTCOME_OK);
    assert_int_equal(slot->record.output_tokens, 2);
}

/* --- stamps against the server's log --------------------------------------------------------- */

static const struct pyr_schedule_log *map_log(size_t *bytes) {
    int fd = open(world.log_path, O_RDONLY);
    assert_true(fd >= 0);
    *bytes = sizeof(struct pyr_schedule_log) + 10000 * sizeof(struct pyr_schedule_record);
    const struct pyr_schedule_log *log = mmap(NULL, *bytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    assert_true(log != MAP_FAILED && log->magic == PYR_SCHEDULE_LOG_MAGIC);
    return log;
}

static uint64_t first_sent_ns(const struct pyr_schedule_log *log, uint64_t prompt_hash,
                              uint32_t token) {
    for (uint64_t i = log->count; i-- > 0;)
        if (log->records[i].prompt_hash == prompt_hash && log->records[i].token == token)
            return log->records[i].sent_ns;
    fail_msg("token %u is not in the log", token);
    return 0;
}

static void stamps_lie_behind_the_true_send_times(void **state) {
    (void)state;
    size_t bytes;
    const struct pyr_schedule_log *log = map_log(&bytes);
    for (size_t i = 0; i < 32; i++)
        http_world_slot(&world, i, "ttft=10ms,itl=3ms");
    http_world_run(&world, 32);
    for (size_t i = 0; i < 32; i++) {
        const struct pyr_request *record = &world.slots[i].record;
        assert_int_equal(record->outcome, PYR_OUTCOME_OK);
        uint64_t first = first_sent_ns(log, record->prompt_hash, 0);
        uint64_t last = first_sent_ns(log, record->prompt_hash, 4);
        /* One clock: nothing arrives before it was sent (but for the clocks' comparison). */
        assert_true(record->first_content_ns + 2000 >= first);
        assert_true(record->last_content_ns + 2000 >= last);
    }
    munmap((void *)log, bytes);
}

static void chunks_in_the_run_file_chain_to_the_last_content(void **state) {
    (void)state;
    struct pyr_err err;
    struct pyr_runfile *file;
    struct pyr_block block;
    http_world_slot(&world, 0, "itl=5ms");
    http_world_slot(&world, 1, "burst=5");
    http_world_run(&world, 2);
    struct pyr_request first = world.slots[0].record, burst = world.slots[1].record;
    /* Tokens that waited together for us are one chunk. */
    assert_in_range(first.chunks, 1, 5);
    assert_in_range(burst.chunks, 1, 5);
    http_world_close(&world);
    assert_ok(err, pyr_runfile_open(world.run_path, &file, &err));
    uint32_t tokens[2] = {0}, chunks[2] = {0}, bounded = 0, connects = 0;
    uint64_t at_ns = first.sent_ns;
    while (pyr_runfile_next(file, &block)) {
        if (block.type == PYR_BLOCK_OBSERVATIONS)
            for (size_t i = 0; i < block.count; i++)
                connects +=
                    ((const struct pyr_observation *)block.items)[i].metric == PYR_M_CONNECT_TIME;
        if (block.type != PYR_BLOCK_CHUNKS)
            continue;
        for (size_t i = 0; i < block.count; i++) {
            const struct pyr_chunk *chunk = &((const struct pyr_chunk *)block.items)[i];
            int which = chunk->ordinal == first.ordinal   ? 0
                        : chunk->ordinal == burst.ordinal ? 1
                                                          : -1;
            if (which < 0)
                continue;
            tokens[which] += chunk->tokens;
            chunks[which]++;
            bounded += which == 1 && chunk->bound_code > 0;
            if (which == 0) {
                at_ns += chunk->gap_ns;
                /* On loopback every read has its stamp. */
                assert_true(chunk->lag_ns != PYR_LAG_UNKNOWN);
                if (chunks[0] == first.chunks)
                    assert_int_equal(at_ns - chunk->lag_ns, first.last_content_ns);
            }
        }
    }
    pyr_runfile_close(file);
    assert_int_equal(tokens[0], 5);
    assert_int_equal(tokens[1], 5);
    assert_int_equal(chunks[0], first.chunks);
    assert_int_equal(chunks[1], burst.chunks);
    assert_true(bounded > 0); /* five events in one write: only the last one's time is known */
    assert_true(connects >= HTTP_SLOTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_stream_is_ok_with_its_stamps_and_counts),
        cmocka_unit_test(every_fault_has_its_outcome),
        cmocka_unit_test(shortness_and_a_missing_end_are_flags),
        cmocka_unit_test(each_limit_ends_what_passes_it),
        cmocka_unit_test(requests_can_be_cancelled_by_plan_and_by_hand),
        cmocka_unit_test(reasoning_is_told_from_output),
        cmocka_unit_test(text_is_kept_when_asked_for),
        cmocka_unit_test(long_prompts_of_any_bytes_arrive_whole),
        cmocka_unit_test(messages_go_as_they_are),
        cmocka_unit_test(stamps_lie_behind_the_true_send_times),
        cmocka_unit_test(chunks_in_the_run_file_chain_to_the_last_content),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
