/* SPDX-License-Identifier: MIT */
#include "report/json_text.h"

#include "codec/escape.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Enough for a time of day in microseconds, and 0.1 still reads 0.1. */
#define PRECISION JSON_REAL_PRECISION(15)
enum { LINE_COLUMNS = 120 };

json_t *pyr_json_number(double value) {
    if (!isfinite(value))
        return json_null();
    char digits[32];
    snprintf(digits, sizeof digits, "%.9g", value);
    return json_real(strtod(digits, NULL));
}

json_t *pyr_json_count(uint64_t count) {
    return count <= INT64_MAX ? json_integer((json_int_t)count) : json_real((double)count);
}

json_t *pyr_json_text(const char *text) {
    if (!text)
        return json_null();
    struct pyr_buf whole = {0};
    for (size_t left = strlen(text); left;) {
        size_t length = pyr_utf8_length(text, left);
        if (length)
            pyr_buf_append(&whole, text, length);
        else
            pyr_buf_puts(&whole, "\xef\xbf\xbd");
        text += length ? length : 1;
        left -= length ? length : 1;
    }
    json_t *value = json_stringn(pyr_buf_text(&whole), whole.length);
    pyr_buf_deinit(&whole);
    return value;
}

void pyr_json_put(json_t *object, const char *key, json_t *value) {
    /* A number that is none, a text that is no UTF-8: of a foreign file it may be anything. */
    if (!value)
        value = json_null();
    if (json_object_set_new(object, key, json_incref(value)) != 0) {
        json_t *name = pyr_json_text(key);
        json_object_set(object, json_string_value(name), value);
        json_decref(name);
    }
    json_decref(value);
}

static int append(const char *bytes, size_t count, void *buf) {
    pyr_buf_append(buf, bytes, count);
    return 0;
}

void pyr_json_compact(struct pyr_buf *buf, const json_t *value) {
    int failed = json_dump_callback(value, append, buf, JSON_COMPACT | JSON_ENCODE_ANY | PRECISION);
    assert(!failed);
    (void)failed;
}

static void newline(struct pyr_buf *buf, int depth) {
    pyr_buf_printf(buf, "\n%*s", 2 * depth, "");
}

/* Gives up as soon as the line is full, so that trying costs no more than a line. Full stays full,
 * because jansson 2.14 goes on after a key that could not be written. */
struct line {
    struct pyr_buf *buf;
    size_t end;
    bool full;
};

static int append_to_line(const char *bytes, size_t count, void *data) {
    struct line *line = data;
    line->full |= line->buf->length + count > line->end;
    if (line->full)
        return -1;
    pyr_buf_append(line->buf, bytes, count);
    return 0;
}

static void put_pretty(struct pyr_buf *buf, const json_t *value, int depth) {
    size_t start = buf->length;
    bool container = json_is_object(value) || json_is_array(value);
    struct line line = {buf, container ? start + LINE_COLUMNS - (size_t)(2 * depth) : SIZE_MAX,
                        false};
    if (json_dump_callback(value, append_to_line, &line, JSON_ENCODE_ANY | PRECISION) == 0)
        return;
    /* Too long for a line: again, member by member. */
    buf->length = start;
    bool first = true;
    if (json_is_object(value)) {
        const char *key;
        json_t *member;
        pyr_buf_putc(buf, '{');
        json_object_foreach((json_t *)value, key, member) {
            if (!first)
                pyr_buf_putc(buf, ',');
            first = false;
            newline(buf, depth + 1);
            pyr_quote_json(buf, key);
            pyr_buf_puts(buf, ": ");
            put_pretty(buf, member, depth + 1);
        }
    } else {
        pyr_buf_putc(buf, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i)
                pyr_buf_putc(buf, ',');
            newline(buf, depth + 1);
            put_pretty(buf, json_array_get(value, i), depth + 1);
        }
    }
    newline(buf, depth);
    pyr_buf_putc(buf, json_is_object(value) ? '}' : ']');
}

void pyr_json_pretty(struct pyr_buf *buf, const json_t *value) {
    put_pretty(buf, value, 0);
    pyr_buf_putc(buf, '\n');
}
