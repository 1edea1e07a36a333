/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "serving/json_grammar.h"

#include <string.h>

static bool translate(const char *schema, struct pyr_buf *grammar, struct pyr_err *err) {
    json_t *root = schema ? json_loads(schema, JSON_DECODE_ANY, NULL) : NULL;
    pyr_buf_clear(grammar);
    uint32_t alternatives;
    bool ok = pyr_json_grammar(root, grammar, &alternatives, err);
    json_decref(root);
    return ok;
}

/* The rules that the schema itself gives, before those of JSON. */
static void expect(const char *schema, const char *wanted) {
    struct pyr_buf grammar = {0};
    struct pyr_err err;
    assert_ok(err, translate(schema, &grammar, &err));
    char *end = strstr(grammar.data, "value ::=");
    assert_non_null(end);
    *end = '\0';
    assert_string_equal(grammar.data, wanted);
    pyr_buf_deinit(&grammar);
}

#define COMMA " ws \",\" ws "

static void each_kind_of_schema_has_its_rule(void **state) {
    (void)state;
    expect(NULL, "root ::= object\n");
    expect("{}", "root ::= value\n");
    expect("{\"type\":\"integer\",\"title\":\"x\"}", "root ::= integer\n");
    expect("{\"type\":[\"null\",\"boolean\"]}",
           "root ::= ( \"null\" | ( \"true\" | \"false\" ) )\n");
    expect("{\"enum\":[\"a\\\"\",1,null]}",
           "root ::= ( \"\\\"a\\\\\\\"\\\"\" | \"1\" | \"null\" )\n");
    expect("{\"const\":{\"a\":[]}}", "root ::= \"{\\\"a\\\":[]}\"\n");
    expect("{\"anyOf\":[{\"type\":\"number\"},{\"type\":\"null\"}]}",
           "root ::= ( number | \"null\" )\n");
    expect("{\"type\":\"string\",\"minLength\":1,\"maxLength\":3}",
           "root ::= \"\\\"\" char{1,3} \"\\\"\"\n");
    expect("{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}",
           "root ::= \"[\" ws ( integer (" COMMA "integer ){0,} )? ws \"]\"\n");
    expect("{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":2}",
           "root ::= \"[\" ws ( integer (" COMMA "integer ){1,1} ) ws \"]\"\n");
    expect("{\"type\":\"array\",\"maxItems\":0}", "root ::= \"[\" ws  ws \"]\"\n");
    expect("{\"$ref\":\"#/$defs/b\",\"$defs\":{\"a\":true,\"b\":{\"$ref\":\"#\"}}}",
           "root ::= def-1\ndef-0 ::= value\ndef-1 ::= root\n");
}

#define MEMBER(name, type) "\"\\\"" name "\\\"\" ws \":\" ws " type

static void required_members_come_first_and_any_other_may_be_left_out(void **state) {
    (void)state;
    expect("{\"type\":\"object\",\"properties\":{\"o\":{\"type\":\"null\"},"
           "\"r\":{\"type\":\"integer\"},\"s\":{\"type\":\"number\"}},\"required\":[\"s\",\"r\"]}",
           "root ::= \"{\" ws " MEMBER("r", "integer")
               COMMA MEMBER("s", "number") " (" COMMA MEMBER("o", "\"null\"") " )? ws \"}\"\n");
    expect("{\"properties\":{\"a\":true,\"b\":true}}",
           "root ::= \"{\" ws ( " MEMBER("a", "value") " (" COMMA MEMBER(
               "b", "value") " )? | " MEMBER("b", "value") " )? ws \"}\"\n");
    expect("{\"type\":\"object\",\"additionalProperties\":{\"type\":\"null\"}}",
           "root ::= \"{\" ws ( string ws \":\" ws \"null\"( ws \",\" ws  string ws \":\" ws "
           "\"null\" )* )? ws \"}\"\n");
    expect("{\"type\":\"object\",\"additionalProperties\":false}", "root ::= \"{\" ws \"}\"\n");
}

static void what_cannot_be_kept_is_refused_by_its_name(void **state) {
    (void)state;
    static const struct {
        const char *schema, *why;
    } bad[] = {
        {"[]", "wants to be an object"},
        {"{\"type\":\"string\",\"pattern\":\"a\"}", "pattern is not served"},
        {"{\"type\":\"integer\",\"minimum\":1}", "minimum is not served"},
        {"{\"type\":\"thing\"}", "type is none that JSON has"},
        {"{\"type\":[]}", "type wants a name"},
        {"{\"type\":3}", "type wants a name"},
        {"{\"enum\":[]}", "enum wants a list"},
        {"{\"anyOf\":{}}", "anyOf wants a list"},
        {"{\"$ref\":\"#/$defs/x\"}", "none of its $defs"},
        {"{\"$ref\":7}", "none of its $defs"},
        {"{\"type\":\"object\",\"required\":[\"x\"]}", "required names"},
        {"{\"type\":\"object\",\"properties\":{\"a\":true},\"required\":[\"x\"]}",
         "required names"},
        {"{\"type\":\"array\",\"minItems\":-1}", "minItems wants"},
        {"{\"type\":\"array\",\"minItems\":3,\"maxItems\":2}", "maxItems wants"},
        {"{\"type\":\"string\",\"maxLength\":100000}", "maxLength wants"},
    };
    struct pyr_buf grammar = {0};
    struct pyr_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (translate(bad[i].schema, &grammar, &err))
            fail_msg("taken: %s", bad[i].schema);
        if (!strstr(err.text, bad[i].why))
            fail_msg("%s: '%s' does not say '%s'", bad[i].schema, err.text, bad[i].why);
    }
    pyr_buf_deinit(&grammar);
}

/* Members that may be left out are told once for each that may come first. */
static void a_schema_that_would_grow_without_bound_is_refused(void **state) {
    (void)state;
    struct pyr_buf schema = {0}, grammar = {0};
    struct pyr_err err;
    for (int i = 0; i < 200; i++)
        pyr_buf_puts(&schema, "{\"items\":");
    pyr_buf_puts(&schema, "true");
    for (int i = 0; i < 200; i++)
        pyr_buf_puts(&schema, ",\"type\":\"array\"}");
    assert_false(translate(schema.data, &grammar, &err));
    assert_non_null(strstr(err.text, "too large"));
    pyr_buf_clear(&schema);
    for (int i = 0; i < 20; i++)
        pyr_buf_puts(&schema, "{\"properties\":{\"a\":true,\"b\":true,\"c\":");
    pyr_buf_puts(&schema, "true");
    for (int i = 0; i < 20; i++)
        pyr_buf_puts(&schema, "}}");
    assert_false(translate(schema.data, &grammar, &err));
    assert_non_null(strstr(err.text, "too large"));
    assert_true(grammar.length < 1 << 18);
    /* Lists of values, and names, which are no schemas. */
    pyr_buf_clear(&schema);
    pyr_buf_puts(&schema, "{\"enum\":[0");
    for (int i = 1; i < 100000; i++)
        pyr_buf_printf(&schema, ",%d", i);
    pyr_buf_puts(&schema, "]}");
    assert_false(translate(schema.data, &grammar, &err));
    assert_non_null(strstr(err.text, "at most 1000 alternatives"));
    assert_true(grammar.length < 1 << 18);
    pyr_buf_clear(&schema);
    pyr_buf_puts(&schema, "{\"properties\":{\"a\":true");
    for (int i = 1; i < 100000; i++)
        pyr_buf_printf(&schema, ",\"%d\":true", i);
    pyr_buf_puts(&schema, "},\"required\":[\"a\"]}");
    assert_false(translate(schema.data, &grammar, &err));
    assert_non_null(strstr(err.text, "too large"));
    assert_true(grammar.length < 1 << 18);
    pyr_buf_deinit(&schema);
    pyr_buf_deinit(&grammar);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_schema_has_its_rule),
        cmocka_unit_test(required_members_come_first_and_any_other_may_be_left_out),
        cmocka_unit_test(what_cannot_be_kept_is_refused_by_its_name),
        cmocka_unit_test(a_schema_that_would_grow_without_bound_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
