/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "load/prompts.h"

#include <string.h>

static struct pyr_arena *arena;
static struct pyr_file_prompt *prompts;
static size_t count;
static struct pyr_err err;

static int setup(void **state) {
    (void)state;
    arena = pyr_arena_create();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pyr_arena_destroy(arena);
    return 0;
}

static bool parse(const char *name, const char *text) {
    return pyr_prompts_parse(arena, name, text, strlen(text), PYR_PROMPTS_SINGLE, &prompts, &count,
                             NULL, &err);
}

static struct pyr_left_out left;

static bool parse_leniently(const char *name, const char *text, enum pyr_prompts_use use) {
    left = (struct pyr_left_out){0};
    return pyr_prompts_parse(arena, name, text, strlen(text), use, &prompts, &count, &left, &err);
}

static void text_is_one_prompt_a_line(void **state) {
    (void)state;
    assert_ok(err, parse("p", "\xef\xbb\xbfone\r\n\n  \ntwo words \n[INST] three"));
    assert_int_equal(count, 3);
    assert_string_equal(prompts[0].text, "one");
    assert_string_equal(prompts[1].text, "two words");
    assert_string_equal(prompts[2].text, "[INST] three");
    assert_ok(err, parse("p.txt", "{\"prompt\":\"x\"}"));
    assert_string_equal(prompts[0].text, "{\"prompt\":\"x\"}");
}

static void json_lines_take_each_shape(void **state) {
    (void)state;
    assert_ok(err, parse("p.jsonl", "\"bare\"\n{\"prompt\":\"a\",\"output_tokens\":7}\n\n"
                                    "{\"text\":\"b\"}\n"
                                    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
                                    "{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                                    "\"text\":\"u\"}]},"
                                    "{\"role\":\"assistant\",\"content\":\"answer\"}]}\n"));
    assert_int_equal(count, 4);
    assert_string_equal(prompts[0].text, "bare");
    assert_string_equal(prompts[1].text, "a");
    assert_int_equal(prompts[1].output_tokens, 7);
    assert_string_equal(prompts[2].text, "b");
    assert_string_equal(prompts[3].text, "s\n\nu");
    assert_int_equal(prompts[3].text_bytes, 4);
    assert_string_equal(prompts[3].answer, "answer");
    assert_string_equal(prompts[3].messages_json,
                        "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
                        "[{\"type\":\"text\",\"text\":\"u\"}]}]");
}

static void sharegpt_collections_are_read(void **state) {
    (void)state;
    assert_ok(err, parse("p", "[ {\"id\":\"1\",\"conversations\":[{\"from\":\"human\",\"value\":"
                              "\"h\"},{\"from\":\"gpt\",\"value\":\"g\"}]},"
                              "{\"conversations\":[]}]"));
    assert_int_equal(count, 1);
    assert_string_equal(prompts[0].text, "h");
    assert_string_equal(prompts[0].answer, "g");
    assert_string_equal(prompts[0].messages_json, "[{\"role\":\"user\",\"content\":\"h\"}]");
}

static void what_is_no_prompt_is_named_with_its_line(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *told;
    } cases[] = {
        {"p", "", "no prompt"},
        {"p", "\n\n", "no prompt"},
        {"p", "{\"prompt\":\"a\"}\n{\"prompt\":", "p:2: "},
        {"p", "{\"prompt\":\"\"}", "p:1: "},
        {"p", "{\"prompt\":5}", "p:1: "},
        {"p", "{\"messages\":[]}", "p:1: "},
        {"p", "{\"messages\":[{\"role\":\"user\"}]}", "p:1: "},
        {"p.json", "[{\"prompt\":\"a\"},{}]", "entry 2"},
        {"p.json", "[{\"prompt\":\"a\"},", "p.json:1: "},
        {"p.jsonl", "plain", "p.jsonl:1: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (parse(cases[i].name, cases[i].text))
            fail_msg("case %zu was taken", i);
        assert_non_null(strstr(err.text, cases[i].told));
        assert_int_equal(strncmp(err.text, cases[i].name, strlen(cases[i].name)), 0);
    }
    assert_false(
        pyr_prompts_parse(arena, "p", "a\0b", 3, PYR_PROMPTS_SINGLE, &prompts, &count, NULL, &err));
    assert_non_null(strstr(err.text, "not text"));
    assert_false(pyr_prompts_read(arena, "/nowhere/at/all", PYR_PROMPTS_SINGLE, &prompts, &count,
                                  NULL, &err));
}

/* Every byte of a message: key order, escapes, numbers, fields that nobody knows. */
#define ASSISTANT                                                                                  \
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"            \
    "\"function\","                                                                                \
    "\"function\":{\"name\":\"get\",\"arguments\":\"{\\\"a\\\":1}\"}}]}"
#define TOOL "{ \"tool_call_id\" : \"c1\", \"role\":\"tool\",\"content\":\"4\\u00b0\" }"
#define USER                                                                                       \
    "{\"role\":\"user\",\"name\":\"ann\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},"      \
    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"                                 \
    "png;base64,AA==\"}}],\"x\":1.50e+1}"

static void messages_go_out_as_they_stand(void **state) {
    (void)state;
    static const char *const shapes[] = {"{\"messages\":[" USER "," ASSISTANT "," TOOL "]}",
                                         "{\"custom_id\":\"1\",\"body\":{\"messages\": [ " USER
                                         " , " ASSISTANT " , " TOOL " ]}}",
                                         "[{\"messages\":[" USER "," ASSISTANT "," TOOL "]}]"};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(err, parse("p", shapes[i]));
        assert_int_equal(count, 1);
        assert_string_equal(prompts[0].messages_json, "[" USER "," ASSISTANT "," TOOL "]");
        assert_string_equal(prompts[0].text, "look\n\nget {\"a\":1}\n\n4\xc2\xb0");
    }
    /* Calls are answers: the turn before them is asked, and that with their result. */
    assert_ok(err, parse_leniently("p", shapes[0], PYR_PROMPTS_SESSIONS));
    assert_int_equal(count, 2);
    assert_string_equal(prompts[0].messages_json, "[" USER "]");
    assert_string_equal(prompts[0].answer, "get {\"a\":1}");
    assert_string_equal(prompts[1].messages_json, "[" USER "," ASSISTANT "," TOOL "]");
    /* A picture alone. */
    assert_ok(err,
              parse("p", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
                         "\"image_url\":{\"url\":\"x\"}}]}]}"));
    assert_int_equal(prompts[0].text_bytes, 1);
}

static void speakers_are_mapped_or_their_entry_left_out(void **state) {
    (void)state;
    static const char *const odd[] = {"bard", "Bing", "model", "chatgpt", "assistant"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char text[200];
        snprintf(
            text, sizeof text,
            "{\"conversations\":[{\"from\":\"human\",\"value\":\"h\"},{\"from\":\"%s\",\"value\":"
            "\"a\"}]}",
            odd[i]);
        assert_ok(err, parse("p", text));
        assert_string_equal(prompts[0].answer, "a");
    }
    assert_false(parse("p", "{\"conversations\":[{\"from\":\"martian\",\"value\":\"h\"}]}"));
    assert_non_null(strstr(err.text, "p:1: no prompt (a turn of somebody unknown)"));
}

static void a_bad_entry_among_good_ones_is_left_out_and_told(void **state) {
    (void)state;
    assert_ok(err, parse_leniently("p", "{\"prompt\":\"a\"}\n{\"prompt\":\n{\"prompt\":5}\n\"b\"\n",
                                   PYR_PROMPTS_SINGLE));
    assert_int_equal(count, 2);
    assert_int_equal(left.count, 2);
    assert_int_equal(strncmp(left.first, "p:2: no prompt", 14), 0);
    assert_ok(err, parse_leniently("p.json", "[{\"prompt\":\"a\"},{},{\"prompt\":\"b\"}]",
                                   PYR_PROMPTS_SESSIONS));
    assert_true(count == 2 && left.count == 1);
    assert_int_equal(strncmp(left.first, "p.json: entry 2: ", 17), 0);
    left.strict = true;
    assert_false(pyr_prompts_parse(arena, "p", "{}\n\"a\"", 6, PYR_PROMPTS_SINGLE, &prompts, &count,
                                   &left, &err));
    /* Of a file with nothing else its cause is told. */
    assert_false(parse_leniently("p", "{\"prompt\":5}\n", PYR_PROMPTS_SINGLE));
    assert_int_equal(strncmp(err.text, "p:1: no prompt", 14), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_is_one_prompt_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(json_lines_take_each_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(sharegpt_collections_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_go_out_as_they_stand, setup, teardown),
        cmocka_unit_test_setup_teardown(speakers_are_mapped_or_their_entry_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_bad_entry_among_good_ones_is_left_out_and_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_no_prompt_is_named_with_its_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
