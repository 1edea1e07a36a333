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
                             &err);
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
        pyr_prompts_parse(arena, "p", "a\0b", 3, PYR_PROMPTS_SINGLE, &prompts, &count, &err));
    assert_non_null(strstr(err.text, "not text"));
    assert_false(
        pyr_prompts_read(arena, "/nowhere/at/all", PYR_PROMPTS_SINGLE, &prompts, &count, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_is_one_prompt_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(json_lines_take_each_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(sharegpt_collections_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_prompt_is_named_with_its_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
