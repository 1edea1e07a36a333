/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "codec/json_scan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool is_json(const char *text, size_t bytes) {
    char *copy = malloc(bytes ? bytes : 1); /* of its exact size: ASan sees an over-read */
    memcpy(copy, text, bytes);
    struct pyr_json_scan scan;
    pyr_json_scan_init(&scan, copy, bytes);
    enum pyr_json_token token;
    do
        token = pyr_json_scan_next(&scan);
    while (token != PYR_JSON_BAD && token != PYR_JSON_END);
    free(copy);
    return token == PYR_JSON_END;
}

static void the_grammar_is_kept(void **state) {
    (void)state;
    static const char *const good[] = {
        "{}",      "[]",   " [1, -0.5e+3 ,\"a\\u00e9\\n\"] ",
        "null",    "\"\"", "{\"a\":{\"b\":[true,false,null]},\"c\":0}",
        "\t1\r\n", "1E5"};
    static const char *const wrong[] = {"",        " ",
                                        "{",       "}",
                                        "[1,]",    "{\"a\":1,}",
                                        "{\"a\"}", "{a:1}",
                                        "01",      "1.",
                                        ".5",      "-",
                                        "+1",      "1e",
                                        "tru",     "nulll",
                                        "\"\\x\"", "\"\\u12g4\"",
                                        "\"a",     "\"\n\"",
                                        "[1 2]",   "{\"a\":1 \"b\":2}",
                                        "1 2",     "[}",
                                        "{]",      "'a'",
                                        "\"\\",    "[,1]",
                                        "{,}",     "\"\\u12"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!is_json(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (is_json(wrong[i], strlen(wrong[i])))
            fail_msg("accepted: %s", wrong[i]);
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    char text[200];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_true(is_json(text, 128));
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_false(is_json(text, 130));
}

/* Texts with one to three bytes changed are JSON to us exactly when they are to jansson. */
static void changed_texts_are_judged_as_jansson_judges_them(void **state) {
    (void)state;
    static const char *const seeds[] = {
        "{\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\\"b\"},"
        "\"finish_reason\":null}]}",
        "[1,2.5,-3e-2,{\"a\":[],\"b\":{}},\"\\u00e9\\ud83d\\ude00\",true]",
        "{\"a\":\"b\",\"c\":[null , false]}"};
    static const char bytes[] = "{}[]\",:\\0123456789.eE+-truefalsn \nu/\x01";
    struct pyr_rng rng;
    pyr_rng_init(&rng, 3);
    int accepted = 0;
    for (int round = 0; round < 20000; round++) {
        char text[256];
        strcpy(text, seeds[pyr_rng_below(&rng, sizeof seeds / sizeof *seeds)]);
        size_t length = strlen(text);
        for (uint64_t n = 1 + pyr_rng_below(&rng, 3); n; n--)
            text[pyr_rng_below(&rng, length)] = bytes[pyr_rng_below(&rng, sizeof bytes - 1)];
        if (strstr(text, "\\u"))
            /* jansson refuses lone surrogates and NUL, which the grammar allows. */
            if (strstr(text, "\\ud") || strstr(text, "\\u0"))
                continue;
        json_t *value = json_loadb(text, length, JSON_DECODE_ANY, NULL);
        /* A number beyond a double is refused by jansson alone. */
        bool overflow = strchr(text, 'e') && !value && is_json(text, length);
        if (!overflow && is_json(text, length) != (value != NULL))
            fail_msg("jansson %s: %s", value ? "accepts" : "refuses", text);
        accepted += value != NULL;
        json_decref(value);
    }
    assert_true(accepted > 1000);
}

static void strings_are_decoded(void **state) {
    (void)state;
    static const struct {
        const char *raw, *text;
    } cases[] = {{"a\\\"\\\\\\/\\b\\f\\n\\r\\t", "a\"\\/\b\f\n\r\t"},
                 {"\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac"},
                 {"\\ud83d\\udd25", "\xf0\x9f\x94\xa5"},
                 {"\\ud83dx", "\xef\xbf\xbdx"},
                 {"\\udd25", "\xef\xbf\xbd"},
                 {"\\ud83d\\u0041", "\xef\xbf\xbd"
                                    "A"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[64];
        size_t bytes = pyr_json_decode(cases[i].raw, strlen(cases[i].raw), out, sizeof out);
        assert_int_equal(bytes, strlen(cases[i].text));
        assert_memory_equal(out, cases[i].text, bytes);
    }
}

static void keys_are_compared_decoded_and_counts_read(void **state) {
    (void)state;
    const char *text = "{\"\\u0063ontent\":42,\"x\":-1,\"y\":1.5,\"z\":99999999999999999999}";
    struct pyr_json_scan scan;
    pyr_json_scan_init(&scan, text, strlen(text));
    assert_int_equal(pyr_json_scan_next(&scan), PYR_JSON_OBJECT);
    assert_int_equal(pyr_json_scan_next(&scan), PYR_JSON_KEY);
    assert_true(pyr_json_scan_is(&scan, "content"));
    assert_false(pyr_json_scan_is(&scan, "conten"));
    assert_false(pyr_json_scan_is(&scan, "contents"));
    uint64_t count = 0;
    assert_int_equal(pyr_json_scan_next(&scan), PYR_JSON_NUMBER);
    assert_true(pyr_json_scan_count(&scan, &count));
    assert_int_equal(count, 42);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pyr_json_scan_next(&scan), PYR_JSON_KEY);
        assert_int_equal(pyr_json_scan_next(&scan), PYR_JSON_NUMBER);
        assert_false(pyr_json_scan_count(&scan, &count));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grammar_is_kept),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(changed_texts_are_judged_as_jansson_judges_them),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(keys_are_compared_decoded_and_counts_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
