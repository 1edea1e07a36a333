/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "serving/openai_request.h"

#include <string.h>

static struct pyr_arena *arena;
static struct pyr_openai_request request;
static struct pyr_err err;

static int start(void **state) {
    (void)state;
    arena = pyr_arena_create();
    return 0;
}

static int stop(void **state) {
    (void)state;
    pyr_arena_destroy(arena);
    return 0;
}

static bool parse(enum pyr_openai_api api, const char *body) {
    err = (struct pyr_err){0};
    return pyr_openai_request_parse(arena, api, body, strlen(body), &request, &err);
}

static void what_is_not_said_has_its_documented_value(void **state) {
    (void)state;
    assert_ok(err, parse(PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"hi\"}"));
    assert_null(request.model);
    assert_string_equal(request.text, "hi");
    assert_int_equal(request.text_bytes, 2);
    assert_int_equal(request.output_tokens, 0);
    assert_near((double)request.sampling.temperature, 1, 0);
    assert_false(request.seeded || request.stream || request.ignore_end || request.include_usage);
    assert_true(request.special);
    assert_int_equal(request.stop_count, 0);
}

static void every_field_is_taken(void **state) {
    (void)state;
    assert_ok(err, parse(PYR_OPENAI_COMPLETIONS,
                         "{\"model\":\"m\",\"prompt\":[1,2,3],\"max_tokens\":7,\"min_tokens\":5,"
                         "\"temperature\":0.5,\"top_p\":0.9,\"top_k\":40,\"seed\":42,"
                         "\"stop\":[\"a\",\"bc\"],\"ignore_eos\":true,\"stream\":true,"
                         "\"stream_options\":{\"include_usage\":true},\"n\":3,\"logprobs\":null,"
                         "\"min_p\":0.1,\"presence_penalty\":-1.5,\"frequency_penalty\":2,"
                         "\"repeat_penalty\":1.25,\"logit_bias\":{\"7\":-100,\"8\":2},"
                         "\"echo\":true,\"typical_p\":1,\"mirostat\":0,\"best_of\":1,"
                         "\"tools\":[],\"user\":\"somebody\"}"));
    assert_string_equal(request.model, "m");
    assert_int_equal(request.token_count, 3);
    assert_int_equal(request.tokens[2], 3);
    assert_int_equal(request.output_tokens, 7);
    assert_int_equal(request.least_tokens, 5);
    assert_near((double)request.sampling.temperature, 0.5, 0);
    assert_near((double)request.sampling.top_p, 0.9, 1e-6);
    assert_int_equal(request.sampling.top_k, 40);
    assert_int_equal(request.sampling.seed, 42);
    assert_true(request.seeded && request.ignore_end && request.stream && request.include_usage);
    assert_int_equal(request.stop_count, 2);
    assert_string_equal(request.stops[1].text, "bc");
    assert_int_equal(request.choices, 3);
    assert_ok(err, parse(PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\\u0000b\"}"));
    assert_int_equal(request.text_bytes, 3);
    assert_memory_equal(request.text, "a\0b", 3);
    assert_ok(err, parse(PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"n\":3,\"echo\":true,"
                                                 "\"min_p\":0.1,\"presence_penalty\":-1.5,"
                                                 "\"frequency_penalty\":2,"
                                                 "\"repeat_penalty\":1.25,"
                                                 "\"logit_bias\":{\"7\":-100,\"8\":2}}"));
    assert_int_equal(request.choices, 3);
    assert_true(request.echo);
    assert_near((double)request.sampling.min_p, 0.1, 1e-6);
    assert_near((double)request.sampling.presence, -1.5, 0);
    assert_near((double)request.sampling.frequency, 2, 0);
    assert_near((double)request.sampling.repetition, 1.25, 0);
    assert_int_equal(request.sampling.bias_count, 2);
    for (int i = 0; i < 2; i++)
        assert_near((double)request.sampling.biases[i].bias,
                    request.sampling.biases[i].token == 7 ? -100 : 2, 0);
}

static void one_user_message_stands_as_it_is(void **state) {
    (void)state;
    assert_ok(err, parse(PYR_OPENAI_CHAT,
                         "{\"messages\":[{\"role\":\"user\",\"content\":\"Once upon\"}]}"));
    assert_string_equal(request.text, "Once upon");
    assert_int_equal(request.message_count, 1);
    assert_string_equal(request.messages[0].role, "user");
    assert_string_equal(request.messages[0].content, "Once upon");
    assert_ok(err, parse(PYR_OPENAI_CHAT,
                         "{\"max_completion_tokens\":3,\"messages\":[{\"role\":\"user\","
                         "\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                         "{\"type\":\"text\",\"text\":\"b\"}]}]}"));
    assert_string_equal(request.text, "ab");
    assert_int_equal(request.output_tokens, 3);
}

static void a_conversation_is_joined_line_by_line(void **state) {
    (void)state;
    assert_ok(err, parse(PYR_OPENAI_CHAT,
                         "{\"messages\":[{\"role\":\"developer\",\"content\":\"Be brief.\"},"
                         "{\"role\":\"user\",\"content\":\"Hi\"},"
                         "{\"role\":\"assistant\",\"content\":\"Hello\"},"
                         "{\"role\":\"user\",\"content\":\"Bye\"}]}"));
    assert_string_equal(request.text,
                        "System: Be brief.\nUser: Hi\nAssistant: Hello\nUser: Bye\nAssistant:");
    assert_int_equal(request.message_count, 4);
    assert_string_equal(request.messages[0].role, "system");
    assert_string_equal(request.messages[0].content, "Be brief.");
    assert_string_equal(request.messages[2].role, "assistant");
    assert_string_equal(request.messages[3].content, "Bye");
}

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void how_likely_tokens_were_is_asked_for_as_each_path_does(void **state) {
    (void)state;
    assert_ok(err, parse(PYR_OPENAI_CHAT, "{" HI ",\"logprobs\":true,\"top_logprobs\":2}"));
    assert_int_equal(request.chances, 3);
    assert_ok(err, parse(PYR_OPENAI_CHAT, "{" HI ",\"logprobs\":true}"));
    assert_int_equal(request.chances, 1);
    assert_ok(err, parse(PYR_OPENAI_CHAT, "{" HI ",\"logprobs\":false,\"top_logprobs\":0}"));
    assert_int_equal(request.chances, 0);
    assert_ok(err, parse(PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"logprobs\":0}"));
    assert_int_equal(request.chances, 1);
    assert_ok(err, parse(PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"logprobs\":5}"));
    assert_int_equal(request.chances, 6);
    assert_ok(err, parse(PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"logprobs\":false}"));
    assert_int_equal(request.chances, 0);
}

static void each_bad_body_is_refused_with_its_reason(void **state) {
    (void)state;
    static const struct {
        enum pyr_openai_api api;
        const char *body, *why, *fault;
    } bad[] = {
        {PYR_OPENAI_CHAT, "", "not JSON", NULL},
        {PYR_OPENAI_CHAT, "{\"messages\":", "not JSON", NULL},
        {PYR_OPENAI_CHAT, "[1]", "no object", NULL},
        {PYR_OPENAI_CHAT, "{}", "at least one message", "messages"},
        {PYR_OPENAI_CHAT, "{\"messages\":[]}", "at least one message", "messages"},
        {PYR_OPENAI_CHAT, "{\"messages\":[{\"content\":\"x\"}]}", "wants a role", "messages"},
        {PYR_OPENAI_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]}",
         "only parts of text", "messages"},
        {PYR_OPENAI_COMPLETIONS, "{}", "is missing", "prompt"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":3}", "wants a string", "prompt"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":[]}", "wants a string", "prompt"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":[1,-2]}", "token numbers", "prompt"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":[\"a\",\"b\"]}", "several prompts", "prompt"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"model\":3}", "wants a string", "model"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"max_tokens\":0}", "at least 1", "max_tokens"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"max_tokens\":\"4\"}", "whole number",
         "max_tokens"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"temperature\":-1}", "0 to 2", "temperature"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"top_p\":1.5}", "0 to 1", "top_p"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"stream\":1}", "true or false", "stream"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"stop\":\"\"}", "1 to 256", "stop"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"n\":0}", "at least 1", "n"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"best_of\":2}", "not served", "best_of"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"mirostat\":2}", "not served", "mirostat"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"presence_penalty\":-2.5}", "from -2 to 2",
         "presence_penalty"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"min_p\":-1}", "from 0 to 1", "min_p"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"logit_bias\":[1]}", "an object of",
         "logit_bias"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"logit_bias\":{\"a\":1}}", "an object of",
         "logit_bias"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"logit_bias\":{\"5\":101}}", "an object of",
         "logit_bias"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"echo\":true,\"logprobs\":1}",
         "together with logprobs", "echo"},
        {PYR_OPENAI_CHAT, "{" HI ",\"echo\":true}", "/v1/completions only", "echo"},
        {PYR_OPENAI_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0000b\"}]}",
         "U+0000", "messages"},
        {PYR_OPENAI_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", "not JSON",
         NULL},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"logprobs\":21}", "at most 20", "logprobs"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"logprobs\":true}", "whole number",
         "logprobs"},
        {PYR_OPENAI_CHAT, "{" HI ",\"logprobs\":2}", "true or false", "logprobs"},
        {PYR_OPENAI_CHAT, "{" HI ",\"top_logprobs\":2}", "wants logprobs too", "top_logprobs"},
        {PYR_OPENAI_CHAT, "{" HI ",\"tools\":[{}]}", "not served", "tools"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"seed\":1.5}", "whole number", "seed"},
        {PYR_OPENAI_CHAT,
         "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_tokens\":3,\"seed\":"
         "18446744073709551615}",
         "at most 63 bits", "seed"},
        {PYR_OPENAI_COMPLETIONS,
         "{\"prompt\":\"a\",\"n\":500,\"response_format\":{\"type\":\"json_schema\",\"json_"
         "schema\":{"
         "\"schema\":{\"enum\":[1,2,3]}}}}",
         "3 alternatives in each of 500 answers are too many", "response_format"},
        {PYR_OPENAI_COMPLETIONS, "{\"prompt\":\"a\",\"response_format\":{\"type\":\"xml\"}}",
         "wants the type", "response_format"},
        {PYR_OPENAI_COMPLETIONS,
         "{\"prompt\":\"a\",\"min_tokens\":2,\"response_format\":{\"type\":\"json_object\"}}",
         "goes not with", "response_format"},
        {PYR_OPENAI_COMPLETIONS,
         "{\"prompt\":\"a\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{}}}",
         "json_schema.schema", "response_format"},
        {PYR_OPENAI_COMPLETIONS,
         "{\"prompt\":\"a\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
         "\"schema\":{\"type\":\"string\",\"pattern\":\"a+\"}}}}",
         "pattern is not served", "response_format"},
        {PYR_OPENAI_TOKENIZE, "{}", "is missing", "prompt"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(bad[i].api, bad[i].body))
            fail_msg("taken: %s", bad[i].body);
        assert_int_equal(err.code, PYR_E_INPUT);
        if (!strstr(err.text, bad[i].why))
            fail_msg("%s: '%s' does not say '%s'", bad[i].body, err.text, bad[i].why);
        if (bad[i].fault)
            assert_string_equal(request.fault, bad[i].fault);
        else
            assert_null(request.fault);
    }
}

static void text_to_tokenize_has_the_dialects_of_both_servers(void **state) {
    (void)state;
    assert_ok(err, parse(PYR_OPENAI_TOKENIZE, "{\"content\":\"hi\"}"));
    assert_string_equal(request.text, "hi");
    assert_false(request.special);
    assert_null(request.messages);
    assert_ok(err, parse(PYR_OPENAI_TOKENIZE, "{" HI "}"));
    assert_int_equal(request.message_count, 1);
    assert_ok(err, parse(PYR_OPENAI_TOKENIZE, "{\"prompt\":\"hi\"}"));
    assert_true(request.special);
    assert_ok(err, parse(PYR_OPENAI_TOKENIZE, "{\"prompt\":\"hi\",\"add_special_tokens\":false}"));
    assert_false(request.special);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_its_documented_value),
        cmocka_unit_test(every_field_is_taken),
        cmocka_unit_test(one_user_message_stands_as_it_is),
        cmocka_unit_test(a_conversation_is_joined_line_by_line),
        cmocka_unit_test(how_likely_tokens_were_is_asked_for_as_each_path_does),
        cmocka_unit_test(each_bad_body_is_refused_with_its_reason),
        cmocka_unit_test(text_to_tokenize_has_the_dialects_of_both_servers),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
