/* SPDX-License-Identifier: MIT */
#include "codec/json_scan.h"

#include <assert.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* just behind '[' */
    EXPECT_KEY,
    EXPECT_KEY_OR_END, /* just behind '{' */
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING,
    EXPECT_BAD
};

void pyr_json_scan_init(struct pyr_json_scan *scan, const char *text, size_t bytes) {
    *scan = (struct pyr_json_scan){.at = text, .end = text + bytes, .expect = EXPECT_VALUE};
}

static enum pyr_json_token bad(struct pyr_json_scan *scan) {
    scan->expect = EXPECT_BAD;
    return PYR_JSON_BAD;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int hex_value(char c) {
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Length of the escape at `at` (a backslash), or 0 when it is malformed. */
static size_t escape_length(const char *at, const char *end) {
    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return at[1] && strchr("\"\\/bfnrt", at[1]) ? 2 : 0;
    if (end - at < 6)
        return 0;
    for (int i = 2; i < 6; i++)
        if (hex_value(at[i]) < 0)
            return 0;
    return 6;
}

const char *pyr_json_string_end(const char *at, const char *end, bool *escaped) {
    *escaped = false;
    while (at < end) {
        unsigned char c = (unsigned char)*at;
        if (c == '"')
            return at;
        if (c < 0x20)
            return NULL;
        if (c != '\\') {
            at++;
            continue;
        }
        *escaped = true;
        size_t length = escape_length(at, end);
        if (!length)
            return NULL;
        at += length;
    }
    return NULL;
}

static enum pyr_json_token scan_string(struct pyr_json_scan *scan, enum pyr_json_token token) {
    scan->text = scan->at + 1;
    const char *quote = pyr_json_string_end(scan->text, scan->end, &scan->escaped);
    if (!quote)
        return bad(scan);
    scan->text_bytes = (size_t)(quote - scan->text);
    scan->at = quote + 1;
    return token;
}

/* number = [ "-" ] ( "0" / 1-9 *digit ) [ "." 1*digit ] [ e [ + / - ] 1*digit ] */
static enum pyr_json_token scan_number(struct pyr_json_scan *scan) {
    const char *at = scan->at, *end = scan->end;
    if (at < end && *at == '-')
        at++;
    const char *digits = at;
    while (at < end && is_digit(*at))
        at++;
    if (at == digits || (*digits == '0' && at - digits > 1))
        return bad(scan);
    if (at < end && *at == '.') {
        digits = ++at;
        while (at < end && is_digit(*at))
            at++;
        if (at == digits)
            return bad(scan);
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        digits = at;
        while (at < end && is_digit(*at))
            at++;
        if (at == digits)
            return bad(scan);
    }
    scan->text = scan->at;
    scan->text_bytes = (size_t)(at - scan->at);
    scan->escaped = false;
    scan->at = at;
    return PYR_JSON_NUMBER;
}

static enum pyr_json_token scan_word(struct pyr_json_scan *scan, const char *word,
                                     enum pyr_json_token token) {
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return bad(scan);
    scan->at += length;
    return token;
}

static bool in_object(const struct pyr_json_scan *scan) {
    return scan->depth && (scan->objects >> (scan->depth - 1) & 1);
}

static void value_is_over(struct pyr_json_scan *scan) {
    scan->expect = scan->depth ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static enum pyr_json_token open_level(struct pyr_json_scan *scan, bool object) {
    if (scan->depth == DEPTH_MAX)
        return bad(scan);
    uint64_t bit = UINT64_C(1) << scan->depth++;
    scan->objects = object ? scan->objects | bit : scan->objects & ~bit;
    scan->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    scan->at++;
    return object ? PYR_JSON_OBJECT : PYR_JSON_ARRAY;
}

static enum pyr_json_token close_level(struct pyr_json_scan *scan) {
    assert(scan->depth > 0 && scan->depth <= DEPTH_MAX);
    bool object = in_object(scan);
    if (*scan->at != (object ? '}' : ']'))
        return bad(scan);
    scan->depth--;
    scan->at++;
    value_is_over(scan);
    return object ? PYR_JSON_OBJECT_END : PYR_JSON_ARRAY_END;
}

static bool skip_space(struct pyr_json_scan *scan) {
    assert(scan->at <= scan->end && scan->expect <= EXPECT_BAD);
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
    return scan->at < scan->end;
}

static enum pyr_json_token scan_value(struct pyr_json_scan *scan) {
    char c = *scan->at;
    if (c == '{' || c == '[')
        return open_level(scan, c == '{');
    enum pyr_json_token token;
    if (c == '"')
        token = scan_string(scan, PYR_JSON_STRING);
    else if (c == 't')
        token = scan_word(scan, "true", PYR_JSON_TRUE);
    else if (c == 'f')
        token = scan_word(scan, "false", PYR_JSON_FALSE);
    else if (c == 'n')
        token = scan_word(scan, "null", PYR_JSON_NULL);
    else
        token = scan_number(scan);
    if (token != PYR_JSON_BAD)
        value_is_over(scan);
    return token;
}

static enum pyr_json_token scan_key(struct pyr_json_scan *scan) {
    if (*scan->at != '"' || scan_string(scan, PYR_JSON_KEY) == PYR_JSON_BAD)
        return bad(scan);
    if (!skip_space(scan) || *scan->at != ':')
        return bad(scan);
    scan->at++;
    scan->expect = EXPECT_VALUE;
    return PYR_JSON_KEY;
}

enum pyr_json_token pyr_json_scan_next(struct pyr_json_scan *scan) {
    if (scan->expect == EXPECT_BAD)
        return PYR_JSON_BAD;
    if (!skip_space(scan))
        return scan->expect == EXPECT_NOTHING ? PYR_JSON_END : bad(scan);
    switch ((enum expect)scan->expect) {
    case EXPECT_VALUE:
        return scan_value(scan);
    case EXPECT_VALUE_OR_END:
        return *scan->at == ']' ? close_level(scan) : scan_value(scan);
    case EXPECT_KEY:
        return scan_key(scan);
    case EXPECT_KEY_OR_END:
        return *scan->at == '}' ? close_level(scan) : scan_key(scan);
    case EXPECT_COMMA_OR_END:
        if (*scan->at != ',')
            return close_level(scan);
        scan->at++;
        if (!skip_space(scan))
            return bad(scan);
        return in_object(scan) ? scan_key(scan) : scan_value(scan);
    case EXPECT_NOTHING:
    case EXPECT_BAD:
        break;
    }
    return bad(scan);
}

bool pyr_json_scan_skip(struct pyr_json_scan *scan, enum pyr_json_token token) {
    if (token != PYR_JSON_OBJECT && token != PYR_JSON_ARRAY)
        return token != PYR_JSON_BAD;
    uint8_t outside = (uint8_t)(scan->depth - 1);
    while (scan->depth > outside)
        if (pyr_json_scan_next(scan) == PYR_JSON_BAD)
            return false;
    return true;
}

static size_t put_utf8(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

static uint32_t hex4(const char *at) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)hex_value(at[i]);
    return value;
}

size_t pyr_json_decode_one(const char **at, const char *end, char out[4]) {
    const char *from = *at;
    if (*from != '\\') {
        out[0] = *from;
        *at = from + 1;
        return 1;
    }
    if (from[1] != 'u') {
        static const char codes[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
        out[0] = values[strchr(codes, from[1]) - codes];
        *at = from + 2;
        return 1;
    }
    uint32_t code = hex4(from + 2);
    *at = from + 6;
    if (code >= 0xd800 && code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        uint32_t low = hex4(*at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *at += 6;
            return put_utf8(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), out);
        }
    }
    return put_utf8(code >= 0xd800 && code < 0xe000 ? 0xfffd : code, out);
}

size_t pyr_json_decode(const char *raw, size_t raw_bytes, char *out, size_t capacity) {
    size_t total = 0;
    const char *end = raw + raw_bytes;
    while (raw < end) {
        char one[4];
        size_t count = pyr_json_decode_one(&raw, end, one);
        if (total + count <= capacity)
            memcpy(out + total, one, count);
        total += count;
    }
    return total;
}

bool pyr_json_scan_is(const struct pyr_json_scan *scan, const char *text) {
    size_t length = strlen(text);
    if (!scan->escaped)
        return scan->text_bytes == length && memcmp(scan->text, text, length) == 0;
    const char *at = scan->text, *end = at + scan->text_bytes;
    size_t matched = 0;
    while (at < end) {
        char one[4];
        size_t count = pyr_json_decode_one(&at, end, one);
        if (count > length - matched || memcmp(text + matched, one, count) != 0)
            return false;
        matched += count;
    }
    return matched == length;
}

bool pyr_json_scan_count(const struct pyr_json_scan *scan, uint64_t *value) {
    uint64_t total = 0;
    for (size_t i = 0; i < scan->text_bytes; i++) {
        if (!is_digit(scan->text[i]) || i >= 18)
            return false;
        total = total * 10 + (uint64_t)(scan->text[i] - '0');
    }
    *value = total;
    return true;
}
