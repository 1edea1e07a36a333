/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "codec/escape.h"

#include <jansson.h>
#include <string.h>

static void check(void (*escape)(struct pyr_buf *, const char *, size_t), const char *text,
                  const char *expected) {
    struct pyr_buf buf = {0};
    escape(&buf, text, strlen(text));
    assert_string_equal(pyr_buf_text(&buf), expected);
    pyr_buf_deinit(&buf);
}

static void json_escapes_what_json_and_script_elements_demand(void **state) {
    (void)state;
    check(pyr_escape_json, "plain \xc3\xa9", "plain \xc3\xa9");
    check(pyr_escape_json, "\"\\\n\t\b\f\r\x01\x1f", "\\\"\\\\\\n\\t\\b\\f\\r\\u0001\\u001f");
    check(pyr_escape_json, "</script>&\xe2\x80\xa8", "\\u003c/script\\u003e\\u0026\\u2028");
    check(pyr_escape_json, "\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd");
}

static void html_and_xml_leave_nothing_active(void **state) {
    (void)state;
    check(pyr_escape_html, "<a href=\"x\" b='y'>&\n",
          "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\n");
    check(pyr_escape_html, "\x01\x7f\xed\xa0\x80",
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check(pyr_escape_html, "\xef\xbf\xbe", "\xef\xbf\xbe");
    check(pyr_escape_xml, "\xef\xbf\xbe", "\xef\xbf\xbd");
}

static void csv_quotes_and_defuses_formulas(void **state) {
    (void)state;
    check(pyr_escape_csv, "plain", "plain");
    check(pyr_escape_csv, "a,b", "\"a,b\"");
    check(pyr_escape_csv, "say \"x\"\n", "\"say \"\"x\"\"\n\"");
    check(pyr_escape_csv, "=1+1", "'=1+1");
    check(pyr_escape_csv, "a\x1b[31m\x7f", "a?[31m?");
    check(pyr_escape_csv, "@a,b", "\"'@a,b\"");
}

static void utf8_sequences_are_judged_by_the_standard(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {{"a", 1},
                 {"\xc3\xa9", 2},
                 {"\xe2\x82\xac", 3},
                 {"\xf0\x9f\x94\xa5", 4},
                 {"\x80", 0},
                 {"\xc0\x80", 0},
                 {"\xe0\x80\x80", 0},
                 {"\xed\xa0\x80", 0},
                 {"\xf4\x90\x80\x80", 0},
                 {"\xf0\x9f\x94", 0},
                 {"\xf5\x80\x80\x80", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pyr_utf8_length(cases[i].bytes, strlen(cases[i].bytes)), cases[i].length);
}

/* Random text, half of it not UTF-8, escaped through buffers of every small size, is the same as
 * escaped at once, has the announced length and reads back as JSON. */
static void pieces_of_any_size_make_the_same_json(void **state) {
    (void)state;
    static const char *const parts[] = {"abc",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x02",
                                        "\xc3\xa9",
                                        "\xf0\x9f\x94\xa5",
                                        "\xff",
                                        "\xe2\x82",
                                        " words and words"};
    struct pyr_rng rng;
    pyr_rng_init(&rng, 7);
    for (int round = 0; round < 300; round++) {
        char text[512] = "";
        for (uint64_t n = pyr_rng_below(&rng, 20); n; n--)
            strcat(text, parts[pyr_rng_below(&rng, sizeof parts / sizeof *parts)]);
        size_t bytes = strlen(text), taken = 0, whole = pyr_escape_json_bytes(text, bytes);
        char expected[4096], joined[4096];
        assert_int_equal(pyr_escape_json_into(expected, sizeof expected, text, bytes, &taken),
                         whole);
        assert_int_equal(taken, bytes);
        size_t capacity = 6 + pyr_rng_below(&rng, 30), total = 0;
        for (taken = 0; taken < bytes;) {
            size_t count = pyr_escape_json_into(joined + total, capacity, text, bytes, &taken);
            assert_in_range(count, 1, capacity);
            total += count;
        }
        assert_int_equal(total, whole);
        assert_memory_equal(joined, expected, whole);
        struct pyr_buf json = {0};
        pyr_buf_putc(&json, '"');
        pyr_buf_append(&json, expected, whole);
        pyr_buf_putc(&json, '"');
        json_t *value = json_loads(json.data, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        json_decref(value);
        pyr_buf_deinit(&json);
    }
}

static void foreign_text_cannot_act_on_a_terminal(void **state) {
    (void)state;
    static const struct {
        const char *text, *plain;
    } cases[] = {
        {"plain, \u00e9\u4e2d\U0001f600", "plain, \u00e9\u4e2d\U0001f600"},
        {"a\tb\r\nc\x1b[31m\x07", "a b  c [31m "},
        {"\x7f\xc2\x9b"
         "31m\xc2\xa0",
         "??31m\xc2\xa0"},
        {"\u202e\u2066x\u2069\u2028\u200f\u200b", "??x???\u200b"},
        {"\x9b\xff\xe2\x80", "????"},
    };
    char out[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = pyr_plain_text(out, sizeof out, cases[i].text, strlen(cases[i].text));
        assert_string_equal(out, cases[i].plain);
        assert_int_equal(length, strlen(out));
    }
    assert_int_equal(pyr_plain_text(out, sizeof out, "a\0b", 3), 3);
    assert_string_equal(out, "a b");
    /* Cut at a whole character, in place, and into nothing. */
    assert_int_equal(pyr_plain_text(out, 4, "ab\u4e2d", 5), 2);
    assert_string_equal(out, "ab");
    strcpy(out, "x\xc2\x9by");
    assert_int_equal(pyr_plain_text(out, sizeof out, out, 4), 3);
    assert_string_equal(out, "x?y");
    assert_int_equal(pyr_plain_text(out, 0, "abc", 3), 0);
    assert_string_equal(out, "x?y");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_escapes_what_json_and_script_elements_demand),
        cmocka_unit_test(html_and_xml_leave_nothing_active),
        cmocka_unit_test(csv_quotes_and_defuses_formulas),
        cmocka_unit_test(utf8_sequences_are_judged_by_the_standard),
        cmocka_unit_test(pieces_of_any_size_make_the_same_json),
        cmocka_unit_test(foreign_text_cannot_act_on_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
