/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/rng.h"
#include "codec/delta.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static char kept[4096];

static enum pyr_delta_kind read_one(struct pyr_delta_layout *layout, const char *json,
                                    struct pyr_delta *delta, struct pyr_text_sink *sink) {
    size_t bytes = strlen(json);
    char *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, json, bytes);
    *sink = (struct pyr_text_sink){.hash = PYR_FNV1A64_INIT, .text = kept, .capacity = sizeof kept};
    enum pyr_delta_kind kind = pyr_delta_read(layout, copy, bytes, delta, sink);
    if (delta->error_text)
        delta->error_text = json + (delta->error_text - copy);
    free(copy);
    return kind;
}

/* One event with a fresh layout. */
static struct pyr_delta read_fresh(const char *json) {
    struct pyr_delta_layout layout = {0};
    struct pyr_delta delta;
    struct pyr_text_sink sink;
    assert_int_equal(read_one(&layout, json, &delta, &sink), PYR_DELTA_JSON);
    return delta;
}

static void what_an_event_holds_is_told_apart(void **state) {
    (void)state;
    struct pyr_delta delta = read_fresh("{\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}");
    assert_true(delta.role && delta.choices && !delta.content_bytes && !delta.finished);
    delta = read_fresh("{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}");
    assert_true(delta.role && !delta.content_bytes);
    delta = read_fresh("{\"choices\":[{\"delta\":{\"content\":null},\"finish_reason\":\"stop\"}]}");
    assert_true(delta.finished && !delta.content_bytes);
    delta = read_fresh("{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":12}}");
    assert_true(!delta.choices && delta.usage);
    assert_int_equal(delta.usage_prompt_tokens, 7);
    assert_int_equal(delta.usage_output_tokens, 12);
    delta = read_fresh("{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}");
    assert_true(!delta.usage && delta.content_bytes == 1);
    delta =
        read_fresh("{\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\",\"content\":null}}]}");
    assert_true(delta.reasoning_bytes == 2 && !delta.content_bytes);
    delta = read_fresh("{\"choices\":[{\"delta\":{\"reasoning\":\"hm\",\"content\":\"\"}}]}");
    assert_int_equal(delta.reasoning_bytes, 2);
    delta =
        read_fresh("{\"choices\":[{\"text\":\"abc\",\"logprobs\":{\"tokens\":[\"a\",\"bc\"]}}]}");
    assert_true(delta.content_bytes == 3 && delta.logprob_tokens == 2);
    delta = read_fresh("{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"whole\"},"
                       "\"finish_reason\":\"length\"}]}");
    assert_true(delta.content_bytes == 5 && delta.finished);
    delta = read_fresh(
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{\"}}]}}]}");
    assert_true(delta.tool_call && !delta.content_bytes && delta.tool_bytes == 1);
    delta = read_fresh(
        "{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"ab\"}]}}]}");
    assert_int_equal(delta.content_bytes, 2);
    delta = read_fresh(
        "{\"object\":\"list\",\"data\":[{\"embedding\":[0.1]}],\"usage\":{\"prompt_tokens\":3}}");
    assert_true(delta.embedding && delta.usage && delta.usage_prompt_tokens == 3);
}

/* One event, what it is made of, and the text that it adds. */
struct dialect {
    const char *json;
    unsigned kinds;
    const char *text;
};

#define IN_DELTA(fields) "{\"choices\":[{\"index\":0,\"delta\":{" fields "}}]}"

static const struct dialect dialects[] = {
    /* One text in two fields: vLLM, OpenRouter, Together, MiniMax. */
    {IN_DELTA("\"reasoning\":\"hm\",\"reasoning_content\":\"hm\""), PYR_TEXT_REASONING, "hm"},
    {IN_DELTA("\"reasoning\":\"hm\",\"reasoning_content\":\"ha\""), PYR_TEXT_REASONING, "hmha"},
    {IN_DELTA("\"reasoning\":\"hm\",\"reasoning_details\":[{\"type\":\"reasoning.text\","
              "\"text\":\"hm\"}]"),
     PYR_TEXT_REASONING, "hm"},
    {"{\"choices\":[{\"text\":\" a\",\"delta\":{\"content\":\" a\"}}]}", PYR_TEXT_CONTENT, " a"},
    {"{\"choices\":[{\"delta\":{\"content\":\"a\"},\"message\":{\"content\":\"a\"}}]}",
     PYR_TEXT_CONTENT, "aa"},
    {IN_DELTA(
         "\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"a\"}]"),
     PYR_TEXT_CONTENT, "aa"},
    /* Parts of any type: Mistral, Anthropic's and OpenAI's shapes. */
    {IN_DELTA("\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":"
              "\"hm\"}]},{\"type\":\"text\",\"text\":\"so\"}]"),
     PYR_TEXT_REASONING | PYR_TEXT_CONTENT, "hmso"},
    {IN_DELTA("\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"x\"}]"),
     PYR_TEXT_REASONING, "hm"},
    {IN_DELTA("\"content\":[{\"text\":\"hm\",\"type\":\"reasoning\"}]"), PYR_TEXT_REASONING, "hm"},
    {IN_DELTA("\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]"), PYR_TEXT_REFUSAL, "no"},
    {IN_DELTA("\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:x\"}}]"),
     PYR_TEXT_MEDIA, ""},
    {IN_DELTA("\"content\":{\"type\":\"text\",\"text\":\"a\"}"), PYR_TEXT_CONTENT, "a"},
    {IN_DELTA("\"content\":[\"a\",\"b\"]"), PYR_TEXT_CONTENT, "ab"},
    {IN_DELTA("\"reasoning_details\":[{\"type\":\"reasoning.encrypted\",\"data\":\"QUJD\"}]"), 0,
     ""},
    {IN_DELTA("\"thinking\":\"hm\""), PYR_TEXT_REASONING, "hm"},
    {IN_DELTA("\"refusal\":\"no\",\"content\":null"), PYR_TEXT_REFUSAL, "no"},
    /* Calls. */
    {IN_DELTA(
         "\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":"
         "\"get\",\"arguments\":\"\"}}]"),
     PYR_TEXT_TOOL_CALL, "get"},
    {IN_DELTA("\"tool_calls\":[{\"function\":{\"name\":\"get\",\"arguments\":{\"a\":[1]}}}]"),
     PYR_TEXT_TOOL_CALL, "get{\"a\":[1]}"},
    {IN_DELTA("\"tool_calls\":[{\"type\":\"custom\",\"custom\":{\"input\":\"ls\"}}]"),
     PYR_TEXT_TOOL_CALL, "ls"},
    {IN_DELTA("\"function_call\":{\"name\":\"\",\"arguments\":\"{\"}"), PYR_TEXT_TOOL_CALL, "{"},
    {IN_DELTA("\"tool_calls\":null,\"function_call\":null,\"audio\":null,\"content\":\"\""), 0, ""},
    /* Sound and pictures. */
    {IN_DELTA("\"audio\":{\"id\":\"x\",\"transcript\":\"hi\"}"), PYR_TEXT_CONTENT, "hi"},
    {IN_DELTA("\"audio\":{\"data\":\"QUJD\"}"), PYR_TEXT_MEDIA, ""},
    {IN_DELTA("\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:x\"}}]"),
     PYR_TEXT_MEDIA, ""},
    /* A second choice. */
    {"{\"choices\":[{\"delta\":{\"content\":\"b\"},\"index\":1}]}",
     PYR_TEXT_CONTENT | PYR_TEXT_CHOICES, "b"},
    {"{\"choices\":[{\"delta\":{},\"index\":1}]}", 0, ""},
};

static void every_dialect_of_an_event_is_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        const struct dialect *one = &dialects[i];
        struct pyr_delta_layout layout = {0};
        struct pyr_delta delta;
        struct pyr_text_sink sink;
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(read_one(&layout, one->json, &delta, &sink), PYR_DELTA_JSON);
            if (delta.kinds != one->kinds || sink.bytes != strlen(one->text) ||
                memcmp(kept, one->text, strlen(one->text)) != 0)
                fail_msg("%s: kinds %u, text %.*s", one->json, delta.kinds, (int)sink.bytes, kept);
            assert_int_equal(pyr_delta_output_bytes(&delta) > 0, one->kinds != 0);
        }
    }
    assert_int_equal(read_fresh("{\"choices\":[{\"index\":0,\"text\":\"a\"},{\"index\":1,\"text\":"
                                "\"b\"}]}")
                         .choice_texts,
                     2);
    assert_true(read_fresh("{\"choices\":[{\"message\":{\"content\":\"a\"}}]}").message);
    assert_false(read_fresh(IN_DELTA("\"content\":\"a\"")).message);
}

static void an_end_is_told_from_a_failure(void **state) {
    (void)state;
    static const struct {
        const char *reason;
        bool finished, failed;
    } ends[] = {{"\"stop\"", true, false},
                {"\"length\"", true, false},
                {"\"tool_calls\"", true, false},
                {"\"content_filter\"", true, false},
                {"null", false, false},
                {"\"\"", false, false},
                {"\"null\"", false, false},
                {"\"error\"", true, true},
                {"\"abort\"", true, true},
                {"\"insufficient_system_resource\"", true, true},
                {"{\"type\":\"abort\"}", true, true},
                {"{\"type\":\"length\",\"length\":4}", true, false}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char json[200];
        snprintf(json, sizeof json, "{\"choices\":[{\"delta\":{},\"finish_reason\":%s}]}",
                 ends[i].reason);
        struct pyr_delta delta = read_fresh(json);
        if (delta.finished != ends[i].finished || delta.failed != ends[i].failed)
            fail_msg("%s: finished %d, failed %d", json, delta.finished, delta.failed);
    }
}

static void counts_are_read_by_every_name_and_what_cannot_be_is_named(void **state) {
    (void)state;
    struct pyr_delta delta =
        read_fresh("{\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20.0,"
                   "\"prompt_tokens_details\":{\"cached_tokens\":64,\"audio_tokens\":1},"
                   "\"completion_tokens_details\":{\"reasoning_tokens\":15,\"accepted_prediction_"
                   "tokens\":0}}}");
    assert_true(delta.usage && delta.usage_cached && delta.usage_reasoning && !delta.bad_count);
    assert_int_equal(delta.usage_prompt_tokens, 100);
    assert_int_equal(delta.usage_output_tokens, 20);
    assert_int_equal(delta.usage_cached_tokens, 64);
    assert_int_equal(delta.usage_reasoning_tokens, 15);
    /* DeepSeek; Groq; Moonshot; the names of other APIs. */
    delta = read_fresh("{\"choices\":[],\"usage\":{\"prompt_cache_hit_tokens\":3}}");
    assert_int_equal(delta.usage_cached_tokens, 3);
    delta = read_fresh(
        "{\"choices\":[],\"x_groq\":{\"id\":\"r\",\"usage\":{\"completion_tokens\":9}}}");
    assert_true(delta.usage && delta.usage_output_tokens == 9);
    delta =
        read_fresh("{\"choices\":[{\"finish_reason\":\"stop\",\"usage\":{\"completion_tokens\":8,"
                   "\"cached_tokens\":2}}]}");
    assert_true(delta.usage_output_tokens == 8 && delta.usage_cached_tokens == 2);
    delta = read_fresh("{\"usage\":{\"input_tokens\":5,\"output_tokens\":6}}");
    assert_true(delta.usage_prompt_tokens == 5 && delta.usage_output_tokens == 6);
    static const char *const impossible[] = {"-1", "1e30", "99999999999", "2.5"};
    for (size_t i = 0; i < 4; i++) {
        char json[200];
        snprintf(json, sizeof json, "{\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":%s}}",
                 impossible[i]);
        struct pyr_delta_layout layout = {0};
        struct pyr_text_sink sink = {.hash = PYR_FNV1A64_INIT};
        assert_int_equal(pyr_delta_read(&layout, json, strlen(json), &delta, &sink),
                         PYR_DELTA_JSON);
        assert_string_equal(delta.bad_count_name, "completion_tokens");
        assert_int_equal(delta.bad_count_bytes, strlen(impossible[i]));
        assert_memory_equal(delta.bad_count, impossible[i], strlen(impossible[i]));
        assert_int_equal(delta.usage_output_tokens, 0);
    }
}

static void marks_and_signs_of_life_are_no_mistakes(void **state) {
    (void)state;
    struct pyr_delta_layout layout = {0};
    struct pyr_delta delta;
    struct pyr_text_sink sink;
    static const char *const empty[] = {"", " ", "\t\r\n", "null", " null ", ": ping", ":"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        assert_int_equal(read_one(&layout, empty[i], &delta, &sink), PYR_DELTA_EMPTY);
    static const char *const done[] = {"[DONE]", "[DONE] ", " [DONE]\t", "[DONE]\n"};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++)
        assert_int_equal(read_one(&layout, done[i], &delta, &sink), PYR_DELTA_DONE);
}

/* An event like the last one but with no text is no output, by either way of reading. */
static void an_empty_text_in_a_known_layout_is_no_output(void **state) {
    (void)state;
    struct pyr_delta_layout layout = {0};
    struct pyr_delta delta;
    struct pyr_text_sink sink;
    uint32_t bytes = 7;
    static const char none[] = IN_DELTA("\"content\":\"\"");
    assert_int_equal(read_one(&layout, IN_DELTA("\"content\":\"a\""), &delta, &sink),
                     PYR_DELTA_JSON);
    assert_true(layout.usual);
    assert_false(pyr_delta_read_usual(&layout, none, sizeof none - 1, &sink, &bytes));
    assert_int_equal(read_one(&layout, none, &delta, &sink), PYR_DELTA_JSON);
    assert_true(pyr_delta_output_bytes(&delta) == 0 && delta.kinds == 0);
}

static void errors_are_found_in_every_shape(void **state) {
    (void)state;
    static const char *const shapes[] = {
        "{\"error\":{\"message\":\"out of memory\",\"code\":500}}", "{\"error\":\"out of memory\"}",
        "{\"object\":\"error\",\"message\":\"out of memory\"}",
        "{\"code\":500,\"message\":\"out of memory\"}",
        "{\"choices\":[{\"error\":{\"message\":\"out of memory\"}}]}"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct pyr_delta delta = read_fresh(shapes[i]);
        assert_true(delta.error);
        assert_int_equal(delta.error_text_bytes, 13);
        assert_memory_equal(delta.error_text, "out of memory", 13);
    }
    struct pyr_delta delta = read_fresh("{\"detail\":\"Not Found\"}");
    assert_true(!delta.error && delta.error_text_bytes == 9);
    assert_false(read_fresh("{\"error\":null,\"choices\":[]}").error);
}

static void what_is_no_answer_is_refused_and_leaves_no_text(void **state) {
    (void)state;
    static const char *const bad[] = {"nonsense",
                                      "[1]",
                                      "\"text\"",
                                      "{\"choices\":[{\"text\":\"abc\"}",
                                      "{\"choices\":[{\"text\":\"abc\"}]} {}",
                                      "<html>",
                                      "[DONE]x",
                                      "{\"choices\":[{\"text\":\"a\nb\"}]}"};
    struct pyr_delta_layout layout = {0};
    struct pyr_delta delta;
    struct pyr_text_sink sink;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_one(&layout, bad[i], &delta, &sink), PYR_DELTA_BAD);
        assert_true(sink.bytes == 0 && sink.hash == PYR_FNV1A64_INIT && delta.content_bytes == 0);
    }
}

static void only_the_right_place_counts_as_output(void **state) {
    (void)state;
    struct pyr_delta delta = read_fresh(
        "{\"content\":\"no\",\"text\":\"no\",\"x\":{\"choices\":[{\"text\":\"no\"}]},"
        "\"choices\":[{\"content\":\"no\",\"delta\":{\"x\":{\"content\":\"no\"},\"text\":\"no\","
        "\"note\":\"\\\"content\\\":\\\"no\\\"\",\"\\u0063ontent\":\"yes\"}}]}");
    assert_int_equal(delta.content_bytes, 3);
    assert_memory_equal(kept, "yes", 3);
}

static void text_is_hashed_decoded_over_the_whole_answer(void **state) {
    (void)state;
    struct pyr_delta_layout layout = {0};
    struct pyr_delta delta;
    struct pyr_text_sink sink = {.hash = PYR_FNV1A64_INIT, .text = kept, .capacity = sizeof kept};
    static const char *const events[] = {
        "{\"id\":1,\"choices\":[{\"delta\":{\"content\":\"caf\\u00e9 \"}}]}",
        "{\"id\":1,\"choices\":[{\"delta\":{\"content\":\"\\ud83d\\udd25\"}}]}",
        "{\"id\":1,\"choices\":[{\"delta\":{\"content\":\"\xe2\x82\"}}]}", /* a split euro sign */
        "{\"id\":1,\"choices\":[{\"delta\":{\"content\":\"\xac\\n\"}}]}"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pyr_delta_read(&layout, events[i], strlen(events[i]), &delta, &sink),
                         PYR_DELTA_JSON);
    const char *expected = "caf\xc3\xa9 \xf0\x9f\x94\xa5\xe2\x82\xac\n";
    assert_int_equal(sink.bytes, strlen(expected));
    assert_memory_equal(kept, expected, strlen(expected));
    assert_true(sink.hash == pyr_fnv1a64(PYR_FNV1A64_INIT, expected, strlen(expected)));
}

/* --- the reference: the same rules on jansson's tree ------------------------------------------ */

struct expected {
    struct pyr_delta delta;
    struct pyr_buf text;
    struct {
        const char *text;
        unsigned kind;
        int field;
    } seen[4];
    int seen_count;
};

static void expect_text(struct expected *e, const json_t *value, unsigned kind, int field) {
    const char *text = json_string_value(value);
    if (!text || !*text)
        return;
    for (int i = 0; i < e->seen_count; i++)
        if (e->seen[i].kind == kind && e->seen[i].field != field && !strcmp(e->seen[i].text, text))
            return;
    if (e->seen_count < 4) {
        e->seen[e->seen_count].text = text;
        e->seen[e->seen_count].kind = kind;
        e->seen[e->seen_count++].field = field;
    }
    pyr_buf_puts(&e->text, text);
    *(kind == PYR_TEXT_REASONING ? &e->delta.reasoning_bytes : &e->delta.content_bytes) +=
        (uint32_t)strlen(text);
}

static void expect_parts(struct expected *e, const json_t *value, unsigned kind, int field);

static void expect_part(struct expected *e, const json_t *part, unsigned kind, int field) {
    const char *type = json_string_value(json_object_get(part, "type")), *key;
    if (type && strstr(type, "think"))
        kind = PYR_TEXT_REASONING;
    json_t *value;
    if (json_is_string(part))
        expect_text(e, part, kind, field);
    json_object_foreach((json_t *)(uintptr_t)part, key, value) {
        if (!strcmp(key, "text"))
            expect_text(e, value, kind, field);
        else if (!strcmp(key, "thinking") || !strcmp(key, "reasoning"))
            expect_parts(e, value, PYR_TEXT_REASONING, field);
    }
}

/* A text, a part or an array of parts. */
static void expect_parts(struct expected *e, const json_t *value, unsigned kind, int field) {
    size_t i;
    const json_t *part;
    if (!json_is_array(value))
        expect_part(e, value, kind, field);
    json_array_foreach(value, i, part) expect_part(e, part, kind, field);
}

static void expect_message(struct expected *e, json_t *message) {
    const char *key;
    json_t *value;
    json_object_foreach(message, key, value) {
        if (!strcmp(key, "content"))
            expect_parts(e, value, PYR_TEXT_CONTENT, 0);
        else if (!strcmp(key, "reasoning_content"))
            expect_parts(e, value, PYR_TEXT_REASONING, 1);
        else if (!strcmp(key, "reasoning"))
            expect_parts(e, value, PYR_TEXT_REASONING, 2);
        else if (!strcmp(key, "thinking"))
            expect_parts(e, value, PYR_TEXT_REASONING, 3);
        else if (!strcmp(key, "role"))
            e->delta.role |= json_is_string(value);
    }
}

static void expect_finish(struct expected *e, const json_t *value) {
    const json_t *reason = json_is_object(value) ? json_object_get(value, "type") : value;
    e->delta.finished |= json_is_string(reason) && *json_string_value(reason);
}

static void expect_root(struct expected *e, json_t *root) {
    size_t i;
    json_t *choice;
    json_array_foreach(json_object_get(root, "choices"), i, choice) {
        if (!json_is_object(choice))
            continue;
        e->delta.choices = true;
        e->seen_count = 0;
        const char *key;
        json_t *value;
        json_object_foreach(choice, key, value) {
            if (!strcmp(key, "delta") || !strcmp(key, "message"))
                expect_message(e, value);
            else if (!strcmp(key, "text"))
                expect_text(e, value, PYR_TEXT_CONTENT, 4);
            else if (!strcmp(key, "finish_reason"))
                expect_finish(e, value);
        }
        json_t *prompt = json_object_get(json_object_get(choice, "usage"), "prompt_tokens");
        e->delta.usage |= json_is_integer(prompt) && json_integer_value(prompt) >= 0;
    }
    json_t *error = json_object_get(root, "error"), *usage = json_object_get(root, "usage");
    e->delta.error = error && !json_is_null(error) && !json_is_false(error);
    json_t *prompt = json_object_get(usage, "prompt_tokens");
    e->delta.usage |= json_is_integer(prompt) && json_integer_value(prompt) >= 0;
}

static const char *const keys[] = {
    "choices",       "delta", "message", "content",       "reasoning_content",
    "reasoning",     "text",  "role",    "finish_reason", "usage",
    "prompt_tokens", "error", "id",      "co\"nt",        "k\xc3\xa9y",
    "tool",          "type",  "thinking"};
static const char *const strings[] = {"",
                                      "tok",
                                      " a",
                                      "\"",
                                      "\\",
                                      "\n\t",
                                      "\xc3\xa9",
                                      "\xf0\x9f\x94\xa5",
                                      "{\"content\":\"x\"}",
                                      "long enough to be copied",
                                      "thinking",
                                      "stop"};

static json_t *random_value(struct pyr_rng *rng, int depth);

static json_t *random_object(struct pyr_rng *rng, int depth) {
    json_t *object = json_object();
    for (uint64_t n = pyr_rng_below(rng, 6); n; n--)
        json_object_set_new(object, keys[pyr_rng_below(rng, sizeof keys / sizeof *keys)],
                            random_value(rng, depth + 1));
    return object;
}

static json_t *random_value(struct pyr_rng *rng, int depth) {
    uint64_t kind = pyr_rng_below(rng, depth > 5 ? 5 : 9);
    if (kind < 2)
        return json_string(strings[pyr_rng_below(rng, sizeof strings / sizeof *strings)]);
    if (kind == 2)
        return json_integer((json_int_t)pyr_rng_below(rng, 100) - 3);
    if (kind == 3)
        return json_null();
    if (kind == 4)
        return json_boolean((int)pyr_rng_below(rng, 2));
    if (kind == 5) {
        json_t *array = json_array();
        for (uint64_t n = pyr_rng_below(rng, 4); n; n--)
            json_array_append_new(array, random_value(rng, depth + 1));
        return array;
    }
    return random_object(rng, depth);
}

/* Shapes like a server's, with anything anywhere. */
static json_t *random_event(struct pyr_rng *rng) {
    json_t *root = random_object(rng, 1), *choices = json_array();
    for (uint64_t n = pyr_rng_below(rng, 3); n; n--) {
        json_t *choice = random_object(rng, 2);
        json_object_set_new(choice, pyr_rng_below(rng, 2) ? "delta" : "message",
                            random_object(rng, 3));
        json_array_append_new(choices, choice);
    }
    if (pyr_rng_below(rng, 8))
        json_object_set_new(root, "choices", choices);
    else
        json_decref(choices);
    if (pyr_rng_below(rng, 3) == 0)
        json_object_set_new(root, "usage",
                            json_pack("{s:i}", "prompt_tokens", (int)pyr_rng_below(rng, 9)));
    return root;
}

static void random_events_read_as_jansson_reads_them(void **state) {
    (void)state;
    struct pyr_rng rng;
    pyr_rng_init(&rng, 2024);
    struct pyr_delta_layout layout = {0};
    static const size_t styles[] = {0, JSON_COMPACT, JSON_COMPACT | JSON_ENSURE_ASCII,
                                    JSON_INDENT(1)};
    uint64_t with_text = 0, remembered = 0;
    for (int round = 0; round < 6000; round++) {
        json_t *root = random_event(&rng);
        char *json = json_dumps(root, styles[pyr_rng_below(&rng, 4)]);
        struct expected expected = {0};
        expect_root(&expected, root);
        struct pyr_delta delta;
        struct pyr_text_sink sink;
        /* Twice: the second time by the remembered layout, where there is one. */
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(read_one(&layout, json, &delta, &sink), PYR_DELTA_JSON);
            bool same = delta.content_bytes == expected.delta.content_bytes &&
                        delta.reasoning_bytes == expected.delta.reasoning_bytes &&
                        delta.choices == expected.delta.choices &&
                        delta.role == expected.delta.role &&
                        delta.finished == expected.delta.finished &&
                        delta.usage == expected.delta.usage && sink.bytes == expected.text.length &&
                        memcmp(kept, pyr_buf_text(&expected.text), expected.text.length) == 0;
            if (!same || (expected.delta.error && !delta.error))
                fail_msg("%s", json);
        }
        with_text += sink.bytes > 0;
        remembered +=
            layout.prefix_bytes > 0 && strncmp(json, layout.bytes, layout.prefix_bytes) == 0;
        pyr_buf_deinit(&expected.text);
        free(json);
        json_decref(root);
    }
    assert_true(with_text > 300 && remembered > 100);
}

/* With a layout in memory, an event damaged anywhere reads exactly as it reads without one. */
static void the_remembered_layout_never_changes_the_result(void **state) {
    (void)state;
    const char *seed = "{\"id\":\"c-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"tok\"},"
                       "\"finish_reason\":null}],\"usage\":null}";
    static const char bytes[] = "\"\\{}[],:atrue1 \n\x01n";
    struct pyr_rng rng;
    pyr_rng_init(&rng, 5);
    struct pyr_delta_layout remembered = {0};
    struct pyr_delta fast, careful;
    struct pyr_text_sink fast_sink, careful_sink;
    assert_int_equal(read_one(&remembered, seed, &fast, &fast_sink), PYR_DELTA_JSON);
    assert_true(remembered.prefix_bytes > 0);
    for (int round = 0; round < 6000; round++) {
        char text[256];
        strcpy(text, seed);
        size_t length = strlen(text), around = (size_t)(strstr(text, "tok") - text);
        for (uint64_t n = 1 + pyr_rng_below(&rng, 3); n; n--) {
            size_t at = pyr_rng_below(&rng, 2) ? around + pyr_rng_below(&rng, 4)
                                               : pyr_rng_below(&rng, length);
            text[at] = bytes[pyr_rng_below(&rng, sizeof bytes - 1)];
        }
        struct pyr_delta_layout layout = remembered, none = {0};
        enum pyr_delta_kind kind = read_one(&layout, text, &fast, &fast_sink);
        assert_int_equal(kind, read_one(&none, text, &careful, &careful_sink));
        assert_true(fast.content_bytes == careful.content_bytes &&
                    fast.finished == careful.finished && fast.choices == careful.choices &&
                    fast_sink.hash == careful_sink.hash);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_event_holds_is_told_apart),
        cmocka_unit_test(every_dialect_of_an_event_is_read),
        cmocka_unit_test(an_end_is_told_from_a_failure),
        cmocka_unit_test(counts_are_read_by_every_name_and_what_cannot_be_is_named),
        cmocka_unit_test(marks_and_signs_of_life_are_no_mistakes),
        cmocka_unit_test(an_empty_text_in_a_known_layout_is_no_output),
        cmocka_unit_test(errors_are_found_in_every_shape),
        cmocka_unit_test(what_is_no_answer_is_refused_and_leaves_no_text),
        cmocka_unit_test(only_the_right_place_counts_as_output),
        cmocka_unit_test(text_is_hashed_decoded_over_the_whole_answer),
        cmocka_unit_test(random_events_read_as_jansson_reads_them),
        cmocka_unit_test(the_remembered_layout_never_changes_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
