/* SPDX-License-Identifier: MIT */
#include "support/fake_target.h"
#include "support/support.h"

#include "base/clock.h"
#include "load/trace.h"
#include "load/workload.h"

#include <string.h>

#define MS PYR_NS_PER_MS

static struct pyr_err err;
static struct pyr_arena *arena;
static struct pyr_trace trace;

static bool parse(const char *text, double speed) {
    arena = pyr_arena_create();
    return pyr_trace_parse(arena, "file", text, strlen(text), speed, &trace, NULL, &err);
}

static void json_lines_keep_their_times_lengths_and_blocks(void **state) {
    (void)state;
    assert_ok(err, parse("{\"timestamp\": 1000, \"input_length\": 600, \"output_length\": 5, "
                         "\"hash_ids\": [7, 8]}\n\n"
                         "{\"timestamp\": 2500.5, \"input_length\": 10, \"output_length\": 0}\n"
                         "{\"timestamp\": 1200, \"input_length\": 40, \"output_length\": 9, "
                         "\"hash_ids\": [7]}",
                         2));
    assert_int_equal(trace.count, 3);
    assert_int_equal(trace.due_ns[0], 0);
    assert_int_equal(trace.due_ns[1], 100 * MS); /* the last line, put in order */
    assert_int_equal(trace.due_ns[2], 750250000);
    assert_int_equal(trace.entries[0].prompt_tokens, 600);
    assert_int_equal(trace.entries[0].block_count, 2);
    assert_int_equal(trace.blocks[trace.entries[0].first_block + 1], 8);
    assert_int_equal(trace.entries[1].prompt_tokens, 40);
    assert_int_equal(trace.entries[2].output_tokens, 1); /* none cannot be asked for */
    assert_int_equal(trace.entries[2].block_count, 0);
    assert_int_equal(trace.longest_total, 605);
    assert_int_equal(trace.shortest_prompt, 10);
    assert_int_equal(trace.output_tokens, 15);
    assert_near(trace.rate, 2 / 0.75025, 1e-9);
    pyr_arena_destroy(arena);
}

static void csv_dates_are_instants(void **state) {
    (void)state;
    assert_ok(err, parse("GeneratedTokens,x,TIMESTAMP,ContextTokens\r\n"
                         "44,?,2023-12-31 23:59:59.5000000,374\r\n"
                         "1,?,2024-01-01T00:00:00.25Z,8\r\n"
                         "2,?,2024-01-01 02:00:01+02:00,9\r\n"
                         "3,\"?\",\"2024-03-01 00:00:00\",9\r\n",
                         1));
    assert_int_equal(trace.count, 4);
    assert_int_equal(trace.entries[0].prompt_tokens, 374);
    assert_int_equal(trace.entries[0].output_tokens, 44);
    assert_int_equal(trace.due_ns[1], 750 * MS);
    assert_int_equal(trace.due_ns[2], 1500 * MS);
    /* 31 days of January, 29 of February. */
    assert_int_equal(trace.due_ns[3], 60 * 86400 * PYR_NS_PER_S + 500 * MS);
    pyr_arena_destroy(arena);
    assert_ok(err, parse("timestamp,contexttokens,generatedtokens\n10.5,1,1\n11,1,1\n", 1));
    assert_int_equal(trace.due_ns[1], 500 * MS);
    pyr_arena_destroy(arena);
}

static void in_quotes_a_comma_is_a_comma(void **state) {
    (void)state;
    assert_ok(err, parse("\"GeneratedTokens\",\"Model\",\"TIMESTAMP\",\"ContextTokens\"\n"
                         "\"44\",\"a,b\",\"2023-11-16 18:15:46.5\",\"374\"\n"
                         "10,\"he said \"\"x, y\"\"\", 2023-11-16T18:15:47Z , 20\n",
                         1));
    assert_int_equal(trace.count, 2);
    assert_int_equal(trace.entries[0].prompt_tokens, 374);
    assert_int_equal(trace.entries[1].prompt_tokens, 20);
    assert_int_equal(trace.entries[1].output_tokens, 10);
    assert_int_equal(trace.due_ns[1], 500 * MS);
    pyr_arena_destroy(arena);
}

static void a_malformed_line_is_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "file: holds no request"},
        {"TIMESTAMP,ContextTokens,GeneratedTokens\n", "holds no request"},
        {"a,b\n", "file:1: is no trace"},
        {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1}\n{\n", "file:2: "},
        {"{\"timestamp\": -1, \"input_length\": 1, \"output_length\": 1}", "\"timestamp\""},
        {"{\"timestamp\": 1, \"input_length\": 1.5, \"output_length\": 1}", "\"input_length\""},
        {"{\"timestamp\": 1, \"input_length\": 1}", "\"output_length\""},
        {"{\"timestamp\": 1, \"input_length\": 1e9, \"output_length\": 1}", "\"input_length\""},
        {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": 3}",
         "no list"},
        {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": [\"a\"]}",
         "whole number"},
        {"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15,1,1\n", "file:2: TIMESTAMP"},
        {"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-13-16 18:15:00,1,1\n", "file:2: TIMESTAMP"},
        {"TIMESTAMP,ContextTokens,GeneratedTokens\n1,1,1\n2,x,1\n",
         "file:3: ContextTokens is no number"},
        {"TIMESTAMP,ContextTokens,GeneratedTokens\n1,1\n", "file:2: has fewer columns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(parse(cases[i].text, 1));
        if (!strstr(err.text, cases[i].part))
            fail_msg("'%s' gives '%s'", cases[i].text, err.text);
        pyr_arena_destroy(arena);
    }
    assert_false(parse("TIMESTAMP,ContextTokens,GeneratedTokens\n1,1,1\n", 0));
    assert_int_equal(err.code, PYR_E_USAGE);
    pyr_arena_destroy(arena);
}

#define LINE(at, input, ids)                                                                       \
    "{\"timestamp\": " #at ", \"input_length\": " #input ", \"output_length\": 3" ids "}\n"
static const char shared[] = LINE(0, 1300, ", \"hash_ids\": [1, 2, 3]")
    LINE(1, 1300, ", \"hash_ids\": [1, 2, 4]") LINE(2, 1300, ", \"hash_ids\": [1, 2, 3]")
        LINE(3, 600, "") LINE(4, 600, "") LINE(5, 1300, ", \"hash_ids\": [1]");

enum { REQUESTS = 6 };

static struct pyr_fake_target target;

static struct pyr_workload *make(struct pyr_fake_law law) {
    const struct pyr_prompt_class class = {"trace", pyr_length_fixed(1), pyr_length_fixed(1), 1};
    assert_ok(err, parse(shared, 1));
    pyr_fake_target_init(&target, law, NULL);
    const struct pyr_workload_options options = {
        .classes = &class, .class_count = 1, .trace = &trace, .max_in_flight = 8, .seed = 3};
    struct pyr_workload *workload;
    assert_ok(err, pyr_workload_create(&options, &target.base, &workload, &err));
    return workload;
}

/* How many tokens from the start two prompts share. */
static uint32_t in_common(const struct pyr_slot *a, const struct pyr_slot *b) {
    uint32_t n = 0;
    while (n < a->prompt.token_count && n < b->prompt.token_count &&
           a->prompt.tokens[n] == b->prompt.tokens[n])
        n++;
    return n;
}

static void the_same_blocks_are_the_same_tokens_and_no_others(void **state) {
    (void)state;
    struct pyr_workload *workload = make((struct pyr_fake_law){0});
    struct pyr_slot slots[REQUESTS + 1] = {0};
    for (uint32_t i = 0; i <= REQUESTS; i++)
        pyr_workload_next(workload, i, &slots[i]);
    assert_int_equal(slots[0].prompt.token_count, 1300);
    assert_int_equal(slots[0].record.asked_tokens, 3);
    assert_int_equal(slots[0].prompt.tokens[0], 1); /* the begin token, inside the length */
    assert_int_equal(in_common(&slots[0], &slots[1]), 1024);
    assert_int_equal(in_common(&slots[0], &slots[2]), 1300);
    assert_int_equal(slots[0].record.prompt_hash, slots[2].record.prompt_hash);
    assert_int_not_equal(slots[0].record.prompt_hash, slots[1].record.prompt_hash);
    assert_true(in_common(&slots[3], &slots[4]) <= 2); /* nothing but the begin token and luck */
    assert_int_equal(in_common(&slots[0], &slots[5]), 512);
    assert_int_equal(slots[3].record.flags & PYR_REQUEST_ESTIMATED, 0);
    assert_int_equal(slots[6].record.prompt_hash, slots[0].record.prompt_hash); /* round again */
    struct pyr_workload_info info;
    pyr_workload_describe(workload, &info);
    assert_int_equal(info.repeated, 1);
    assert_int_equal(info.pool_prompts, REQUESTS);
    assert_int_equal(info.longest_total_tokens, 1303);
    pyr_workload_destroy(workload);
    pyr_arena_destroy(arena);
}

static void text_is_about_as_long_and_says_that_it_is_an_estimate(void **state) {
    (void)state;
    struct pyr_workload *workload = make((struct pyr_fake_law){.text_only = true});
    struct pyr_slot slots[REQUESTS] = {0};
    for (uint32_t i = 0; i < REQUESTS; i++) {
        pyr_workload_next(workload, i, &slots[i]);
        const struct pyr_prompt *prompt = &slots[i].prompt;
        assert_int_equal(strlen(prompt->text), prompt->text_bytes);
        int64_t tokens =
            target.base.ops->count_tokens(&target.base, prompt->text, prompt->text_bytes);
        assert_in_range(tokens, prompt->token_count - 1, prompt->token_count + 1);
        assert_true(slots[i].record.flags & PYR_REQUEST_ESTIMATED);
    }
    assert_string_equal(slots[0].prompt.text, slots[2].prompt.text);
    size_t n = 0;
    while (slots[0].prompt.text[n] == slots[1].prompt.text[n])
        n++;
    int64_t common = target.base.ops->count_tokens(&target.base, slots[0].prompt.text, n);
    assert_in_range(common, 1024, 1030);
    pyr_workload_destroy(workload);
    pyr_arena_destroy(arena);
}

static void a_bad_line_among_good_ones_is_left_out_and_told(void **state) {
    (void)state;
    static const char csv[] = "TIMESTAMP,ContextTokens,GeneratedTokens\n1,5,5\n2,many,5\n3,6,6\n";
    static const char json[] =
        "{\"timestamp\":0,\"input_length\":1,\"output_length\":1,\"hash_ids\":[1]}\n"
        "{\"timestamp\":0,\"input_length\":1,\"output_length\":1,\"hash_ids\":[2,-1]}\n"
        "{\"timestamp\":9,\"input_length\":2,\"output_length\":1,\"hash_ids\":[3]}\n";
    static const struct {
        const char *text, *first;
    } cases[] = {{csv, "file:3: ContextTokens is no number"},
                 {json, "file:2: \"hash_ids\" holds what is no whole number from 0"}};
    for (size_t i = 0; i < 2; i++) {
        struct pyr_left_out left = {0};
        arena = pyr_arena_create();
        assert_ok(err, pyr_trace_parse(arena, "file", cases[i].text, strlen(cases[i].text), 1,
                                       &trace, &left, &err));
        assert_true(trace.count == 2 && left.count == 1);
        assert_string_equal(left.first, cases[i].first);
        if (i == 1) /* the blocks of the line that was left out are gone with it */
            assert_int_equal(trace.blocks[trace.entries[1].first_block], 3);
        left.strict = true;
        assert_false(pyr_trace_parse(arena, "file", cases[i].text, strlen(cases[i].text), 1, &trace,
                                     &left, &err));
        assert_string_equal(err.text, cases[i].first);
        pyr_arena_destroy(arena);
    }
    /* A header that is none is the whole file's. */
    struct pyr_left_out left = {0};
    arena = pyr_arena_create();
    assert_false(pyr_trace_parse(arena, "file", "a,b\n1,2\n", 8, 1, &trace, &left, &err));
    assert_non_null(strstr(err.text, "TIMESTAMP,ContextTokens,GeneratedTokens"));
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines_keep_their_times_lengths_and_blocks),
        cmocka_unit_test(csv_dates_are_instants),
        cmocka_unit_test(in_quotes_a_comma_is_a_comma),
        cmocka_unit_test(a_malformed_line_is_named),
        cmocka_unit_test(a_bad_line_among_good_ones_is_left_out_and_told),
        cmocka_unit_test(the_same_blocks_are_the_same_tokens_and_no_others),
        cmocka_unit_test(text_is_about_as_long_and_says_that_it_is_an_estimate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
