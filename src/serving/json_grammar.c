/* SPDX-License-Identifier: MIT */
#include "serving/json_grammar.h"

#include <string.h>

enum {
    /* What it costs to make a grammar and to hold a text to it grows faster than both. */
    GRAMMAR_BYTES_MAX = 64 << 10, /* each optional property is told several times */
    DEFINITIONS_MAX = 256,
    DEPTH_MAX = 64,
    COUNT_MAX = 1000 /* of items and characters: beyond, parsers of the notation give up */
};

/* RFC 8259, sections 2 to 7. */
static const char rules[] =
    "value ::= object | array | string | number | \"true\" | \"false\" | \"null\"\n"
    "object ::= \"{\" ws ( member ( ws \",\" ws member )* )? ws \"}\"\n"
    "member ::= string ws \":\" ws value\n"
    "array ::= \"[\" ws ( value ( ws \",\" ws value )* )? ws \"]\"\n"
    "string ::= \"\\\"\" char* \"\\\"\"\n"
    "char ::= [^\"\\\\\\x00-\\x1F\\x7F] | \"\\\\\" ( [\"\\\\/bfnrt] | \"u\" hex hex hex hex )\n"
    "hex ::= [0-9a-fA-F]\n"
    "integer ::= \"-\"? ( \"0\" | [1-9] [0-9]{0,15} )\n"
    "number ::= integer ( \".\" [0-9]{1,16} )? ( [eE] [-+]? [0-9]{1,3} )?\n"
    "ws ::= ( \"\\n\" [ ]{0,16} | \" \" )?\n";

static const char separator[] = " ws \",\" ws ";

struct translation {
    struct pyr_buf *out;
    json_t *definitions; /* of the root, or NULL */
    struct pyr_err *err;
    int depth;
    uint32_t alternatives;
};

static bool refuse(struct translation *t, const char *what, const char *why) {
    return pyr_fail(t->err, PYR_E_INPUT, "response_format: the schema's %s %s", what, why);
}

static bool put(struct translation *t, json_t *schema);

/* Asked wherever something is written for each of many. */
static bool may_grow(struct translation *t) {
    return (t->out->length <= GRAMMAR_BYTES_MAX &&
            t->alternatives <= PYR_JSON_GRAMMAR_ALTERNATIVES_MAX) ||
           pyr_fail(t->err, PYR_E_INPUT,
                    "response_format: the schema is too large; at most %d alternatives and %d KiB "
                    "of grammar are served",
                    PYR_JSON_GRAMMAR_ALTERNATIVES_MAX, GRAMMAR_BYTES_MAX >> 10);
}

static bool put_alternative(struct translation *t, bool first) {
    pyr_buf_puts(t->out, first ? "( " : " | ");
    t->alternatives++;
    return may_grow(t);
}

static int put_escaped(const char *text, size_t count, void *out) {
    for (size_t i = 0; i < count; i++) {
        if (text[i] == '"' || text[i] == '\\')
            pyr_buf_putc(out, '\\');
        pyr_buf_putc(out, text[i]);
    }
    return 0;
}

/* The JSON text of a value as a literal of the grammar. */
static bool put_literal(struct translation *t, const json_t *value) {
    pyr_buf_putc(t->out, '"');
    if (json_dump_callback(value, put_escaped, t->out, JSON_ENCODE_ANY | JSON_COMPACT) != 0)
        return refuse(t, "enum or const", "holds what is no JSON");
    pyr_buf_putc(t->out, '"');
    return true;
}

static bool put_enum(struct translation *t, const json_t *list) {
    if (json_array_size(list) == 0)
        return refuse(t, "enum", "wants a list of values");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!put_alternative(t, i == 0) || !put_literal(t, json_array_get(list, i)))
            return false;
    }
    pyr_buf_puts(t->out, " )");
    return true;
}

static bool put_any(struct translation *t, const json_t *list) {
    if (json_array_size(list) == 0)
        return refuse(t, "anyOf", "wants a list of schemas");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!put_alternative(t, i == 0) || !put(t, json_array_get(list, i)))
            return false;
    }
    pyr_buf_puts(t->out, " )");
    return true;
}

static bool put_reference(struct translation *t, const char *reference) {
    size_t index = 0;
    const char *name = reference ? strrchr(reference, '/') : NULL, *key;
    json_t *value;
    if (reference && strcmp(reference, "#") == 0) {
        pyr_buf_puts(t->out, "root");
        return true;
    }
    json_object_foreach(t->definitions, key, value) {
        if (name && strcmp(key, name + 1) == 0) {
            pyr_buf_printf(t->out, "def-%zu", index);
            return true;
        }
        index++;
    }
    return refuse(t, "$ref", "names none of its $defs");
}

/* Bounds "minX" and "maxX"; most is -1 where there is none. */
static bool take_bounds(struct translation *t, json_t *schema, const char *least_name,
                        const char *most_name, json_int_t *least, json_int_t *most) {
    json_t *low = json_object_get(schema, least_name), *high = json_object_get(schema, most_name);
    *least = json_integer_value(low);
    *most = high ? json_integer_value(high) : -1;
    if ((low && !json_is_integer(low)) || *least < 0 || *least > COUNT_MAX)
        return refuse(t, least_name, "wants a whole number of at most 1000");
    if (high && (!json_is_integer(high) || *most < *least || *most > COUNT_MAX))
        return refuse(t, most_name, "wants a whole number of at most 1000, and no smaller minimum");
    return true;
}

static void put_times(struct translation *t, json_int_t least, json_int_t most) {
    if (most < 0)
        pyr_buf_printf(t->out, "{%lld,}", (long long)least);
    else
        pyr_buf_printf(t->out, "{%lld,%lld}", (long long)least, (long long)most);
}

static bool put_string(struct translation *t, json_t *schema) {
    json_int_t least, most;
    if (!take_bounds(t, schema, "minLength", "maxLength", &least, &most))
        return false;
    pyr_buf_puts(t->out, "\"\\\"\" char");
    put_times(t, least, most);
    pyr_buf_puts(t->out, " \"\\\"\"");
    return true;
}

static bool put_array(struct translation *t, json_t *schema) {
    json_int_t least, most;
    json_t *items = json_object_get(schema, "items");
    if (!take_bounds(t, schema, "minItems", "maxItems", &least, &most))
        return false;
    pyr_buf_puts(t->out, "\"[\" ws ");
    if (most != 0) {
        pyr_buf_puts(t->out, "( ");
        if (!put(t, items))
            return false;
        pyr_buf_printf(t->out, " (%s", separator);
        if (!put(t, items))
            return false;
        pyr_buf_puts(t->out, " )");
        put_times(t, least ? least - 1 : 0, most < 0 ? -1 : most - 1);
        pyr_buf_puts(t->out, least ? " )" : " )?");
    }
    pyr_buf_puts(t->out, " ws \"]\"");
    return true;
}

static bool put_member(struct translation *t, json_t *properties, const char *name) {
    json_t *key = json_string(name);
    bool ok = put_literal(t, key);
    json_decref(key);
    pyr_buf_puts(t->out, " ws \":\" ws ");
    return ok && may_grow(t) && put(t, json_object_get(properties, name));
}

static bool is_required(const json_t *required, const char *name) {
    return json_object_get(required, name) != NULL;
}

/* The optional members from the `from`th on, each after a comma; from 0 on where `first`: the one
 * that comes first has none, so that each may be it. */
static bool put_optional(struct translation *t, json_t *properties, const json_t *required,
                         bool first) {
    const char *name, *begin;
    json_t *value, *later;
    bool any = false;
    json_object_foreach(properties, begin, value) {
        (void)value;
        if (is_required(required, begin))
            continue;
        if (first && (!put_alternative(t, !any) || !put_member(t, properties, begin)))
            return false;
        bool behind = !first;
        json_object_foreach(properties, name, later) {
            (void)later;
            if (behind && !is_required(required, name)) {
                pyr_buf_printf(t->out, " (%s", separator);
                if (!put_member(t, properties, name))
                    return false;
                pyr_buf_puts(t->out, " )?");
            }
            behind = behind || strcmp(name, begin) == 0;
        }
        any = true;
        if (!first)
            return true;
    }
    if (any)
        pyr_buf_puts(t->out, " )?");
    return true;
}

/* No property has a name of its own. */
static bool put_map(struct translation *t, json_t *schema) {
    json_t *other = json_object_get(schema, "additionalProperties");
    if (json_array_size(json_object_get(schema, "required")) > 0)
        return refuse(t, "required", "names what is no property");
    if (!other || json_is_true(other)) {
        pyr_buf_puts(t->out, "object");
        return true;
    }
    pyr_buf_puts(t->out, "\"{\" ws ");
    for (int i = 0; i < 2 && !json_is_false(other); i++) {
        pyr_buf_printf(t->out, "(%s string ws \":\" ws ", i ? separator : "");
        if (!put(t, other))
            return false;
    }
    pyr_buf_puts(t->out, json_is_false(other) ? "\"}\"" : " )* )? ws \"}\"");
    return true;
}

static bool put_members(struct translation *t, json_t *properties, const json_t *required) {
    const char *name;
    json_t *value;
    bool any = false;
    pyr_buf_puts(t->out, "\"{\" ws ");
    json_object_foreach(properties, name, value) {
        (void)value;
        if (!is_required(required, name))
            continue;
        if (any)
            pyr_buf_puts(t->out, separator);
        if (!put_member(t, properties, name))
            return false;
        any = true;
    }
    if (!put_optional(t, properties, required, !any))
        return false;
    pyr_buf_puts(t->out, " ws \"}\"");
    return true;
}

static bool put_object(struct translation *t, json_t *schema) {
    json_t *properties = json_object_get(schema, "properties"), *required = json_object();
    const json_t *list = json_object_get(schema, "required");
    if (json_object_size(properties) == 0) {
        json_decref(required);
        return put_map(t, schema);
    }
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(list); i++) {
        const char *one = json_string_value(json_array_get(list, i));
        if (!one || !json_object_get(properties, one))
            ok = refuse(t, "required", "names what is no property");
        else
            json_object_set_new(required, one, json_true());
    }
    ok = ok && put_members(t, properties, required);
    json_decref(required);
    return ok;
}

static bool put_type(struct translation *t, json_t *schema, const json_t *type) {
    static const char *const plain[] = {"integer", "number"};
    const char *name = json_string_value(type);
    if (!name)
        return refuse(t, "type", "wants a name or a list of names");
    if (strcmp(name, "object") == 0)
        return put_object(t, schema);
    if (strcmp(name, "array") == 0)
        return put_array(t, schema);
    if (strcmp(name, "string") == 0)
        return put_string(t, schema);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(name, plain[i]) == 0) {
            pyr_buf_puts(t->out, name);
            return true;
        }
    if (strcmp(name, "null") != 0 && strcmp(name, "boolean") != 0)
        return refuse(t, "type", "is none that JSON has");
    pyr_buf_puts(t->out, *name == 'n' ? "\"null\"" : "( \"true\" | \"false\" )");
    return true;
}

static bool check_keywords(struct translation *t, json_t *schema) {
    static const char *const served[] = {
        "type",      "properties",  "required", "additionalProperties",
        "items",     "minItems",    "maxItems", "minLength",
        "maxLength", "enum",        "const",    "anyOf",
        "oneOf",     "$ref",        "$defs",    "definitions",
        "title",     "description", "default",  "examples",
        "$schema",   "$id",         "$comment", "deprecated",
        "readOnly",  "writeOnly"};
    const char *name;
    json_t *value;
    json_object_foreach(schema, name, value) {
        size_t i = 0;
        while (i < sizeof served / sizeof *served && strcmp(served[i], name) != 0)
            i++;
        if (i == sizeof served / sizeof *served)
            return pyr_fail(t->err, PYR_E_INPUT,
                            "response_format: %.60s is not served in a schema; leave it out", name);
    }
    return true;
}

static bool put_schema(struct translation *t, json_t *schema) {
    json_t *type = json_object_get(schema, "type"), *value;
    if ((value = json_object_get(schema, "$ref")))
        return put_reference(t, json_string_value(value));
    if ((value = json_object_get(schema, "const")))
        return put_literal(t, value);
    if ((value = json_object_get(schema, "enum")))
        return put_enum(t, value);
    if ((value = json_object_get(schema, "anyOf")) || (value = json_object_get(schema, "oneOf")))
        return put_any(t, value);
    if (!type && json_object_get(schema, "properties"))
        return put_object(t, schema);
    if (!type) {
        pyr_buf_puts(t->out, "value");
        return true;
    }
    if (!json_is_array(type))
        return put_type(t, schema, type);
    for (size_t i = 0; i < json_array_size(type); i++) {
        if (!put_alternative(t, i == 0) || !put_type(t, schema, json_array_get(type, i)))
            return false;
    }
    pyr_buf_puts(t->out, " )");
    return json_array_size(type) > 0 || refuse(t, "type", "wants a name or a list of names");
}

/* The expression of what fits the schema. */
static bool put(struct translation *t, json_t *schema) {
    if (!schema || json_is_true(schema)) {
        pyr_buf_puts(t->out, "value");
        return true;
    }
    if (!json_is_object(schema))
        return pyr_fail(t->err, PYR_E_INPUT, "response_format: the schema wants to be an object");
    if (t->depth == DEPTH_MAX)
        return pyr_fail(t->err, PYR_E_INPUT, "response_format: the schema is too large (too deep)");
    if (!may_grow(t))
        return false;
    t->depth++;
    bool ok = check_keywords(t, schema) && put_schema(t, schema);
    t->depth--;
    return ok;
}

bool pyr_json_grammar(json_t *schema, struct pyr_buf *grammar, uint32_t *alternatives,
                      struct pyr_err *err) {
    struct translation t = {.out = grammar, .err = err};
    const char *name;
    json_t *value;
    size_t index = 0;
    t.definitions = json_object_get(schema, "$defs");
    if (!t.definitions)
        t.definitions = json_object_get(schema, "definitions");
    if (json_object_size(t.definitions) > DEFINITIONS_MAX)
        return pyr_fail(err, PYR_E_INPUT, "response_format: the schema has more than %d $defs",
                        DEFINITIONS_MAX);
    pyr_buf_puts(grammar, "root ::= ");
    if (!schema)
        pyr_buf_puts(grammar, "object");
    else if (!put(&t, schema))
        return false;
    pyr_buf_putc(grammar, '\n');
    json_object_foreach(t.definitions, name, value) {
        pyr_buf_printf(grammar, "def-%zu ::= ", index++);
        if (!put(&t, value))
            return false;
        pyr_buf_putc(grammar, '\n');
    }
    pyr_buf_puts(grammar, rules);
    *alternatives = t.alternatives;
    return true;
}
