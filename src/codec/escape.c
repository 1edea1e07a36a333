/* SPDX-License-Identifier: MIT */
#include "codec/escape.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

size_t pyr_utf8_length(const char *text, size_t bytes) {
    const unsigned char *at = (const unsigned char *)text;
    assert(bytes > 0);
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || bytes < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool surrogate = at[0] == 0xed && at[1] >= 0xa0;
    bool beyond = at[0] == 0xf4 && at[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

bool pyr_utf8_is_active(const char *text, size_t length) {
    const unsigned char *at = (const unsigned char *)text;
    if (length == 1)
        return at[0] < 0x20 || at[0] == 0x7f;
    if (length == 2)
        return at[0] == 0xc2 && at[1] < 0xa0;
    if (length == 4 || at[0] != 0xe2)
        return false;
    /* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 */
    return (at[1] == 0x80 &&
            (at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae))) ||
           (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9);
}

size_t pyr_plain_text(char *out, size_t size, const char *text, size_t bytes) {
    size_t written = 0;
    for (size_t i = 0; i < bytes;) {
        size_t length = pyr_utf8_length(text + i, bytes - i), taken = length ? length : 1;
        bool kept = length && !pyr_utf8_is_active(text + i, length);
        if (written + (kept ? length : 1) >= size)
            break;
        if (kept)
            memmove(out + written, text + i, length);
        else
            out[written] = length == 1 && text[i] != 0x7f ? ' ' : '?';
        written += kept ? length : 1;
        i += taken;
    }
    assert(size == 0 || written < size);
    if (size)
        out[written] = '\0';
    return written;
}

/* What a character must become in JSON: bytes written to out (0: it stands for itself). */
static size_t json_escape_of(unsigned char c, char out[6]) {
    static const char hex[] = "0123456789abcdef";
    static const char letters[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c != '"' && c != '\\' && c >= 0x20)
        return 0;
    out[0] = '\\';
    if (c >= 0x20 || letters[c]) {
        out[1] = c >= 0x20 ? (char)c : letters[c];
        return 2;
    }
    memcpy(out, "\\u00", 4);
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

static bool is_plain(char c) {
    return (unsigned char)(c - 0x20) < 0x60 && c != '"' && c != '\\';
}

/* One step over the text: the run of bytes that may be copied as they are, then what replaces the
 * `skip` bytes behind it. */
struct step {
    size_t plain;
    size_t skip;
    char put[8];
    size_t put_bytes;
};

/* Stops behind the first character that needs replacing, or when `most` bytes are passed. */
static struct step json_step(const char *text, size_t bytes, bool script_safe, size_t most) {
    struct step step = {0};
    while (step.plain < bytes && step.plain < most) {
        const char *at = text + step.plain;
        unsigned char c = (unsigned char)*at;
        size_t length = 1;
        if (c < 0x80) {
            step.put_bytes = json_escape_of(c, step.put);
            if (!step.put_bytes && script_safe && (c == '<' || c == '>' || c == '&')) {
                memcpy(step.put, c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : "\\u0026", 6);
                step.put_bytes = 6;
            }
        } else {
            length = pyr_utf8_length(at, bytes - step.plain);
            if (!length) {
                memcpy(step.put, REPLACEMENT, 3);
                step.put_bytes = 3;
                length = 1;
            } else if (script_safe && length == 3 && memcmp(at, "\xe2\x80", 2) == 0 &&
                       (at[2] == '\xa8' || at[2] == '\xa9')) {
                memcpy(step.put, at[2] == '\xa8' ? "\\u2028" : "\\u2029", 6);
                step.put_bytes = 6;
            }
        }
        if (step.put_bytes) {
            step.skip = length;
            break;
        }
        step.plain += length;
    }
    assert(step.plain + step.skip <= bytes && step.put_bytes <= sizeof step.put);
    return step;
}

void pyr_escape_json(struct pyr_buf *buf, const char *text, size_t bytes) {
    while (bytes) {
        struct step step = json_step(text, bytes, true, bytes);
        pyr_buf_append(buf, text, step.plain);
        pyr_buf_append(buf, step.put, step.put_bytes);
        text += step.plain + step.skip;
        bytes -= step.plain + step.skip;
    }
}

void pyr_quote_json(struct pyr_buf *buf, const char *text) {
    if (!text) {
        pyr_buf_puts(buf, "null");
        return;
    }
    pyr_buf_putc(buf, '"');
    pyr_escape_json(buf, text, strlen(text));
    pyr_buf_putc(buf, '"');
}

static void escape_markup(struct pyr_buf *buf, const char *text, size_t bytes, bool xml) {
    for (size_t i = 0; i < bytes;) {
        const char *at = text + i;
        unsigned char c = (unsigned char)*at;
        size_t length = pyr_utf8_length(at, bytes - i);
        bool bad = !length || (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
        if (xml && length == 3 && memcmp(at, "\xef\xbf", 2) == 0 && (unsigned char)at[2] >= 0xbe)
            bad = true;
        i += length ? length : 1;
        if (bad)
            pyr_buf_puts(buf, REPLACEMENT);
        else if (c == '&')
            pyr_buf_puts(buf, "&amp;");
        else if (c == '<')
            pyr_buf_puts(buf, "&lt;");
        else if (c == '>')
            pyr_buf_puts(buf, "&gt;");
        else if (c == '"')
            pyr_buf_puts(buf, "&quot;");
        else if (c == '\'')
            pyr_buf_puts(buf, "&#39;");
        else
            pyr_buf_append(buf, at, length);
    }
}

void pyr_escape_html(struct pyr_buf *buf, const char *text, size_t bytes) {
    escape_markup(buf, text, bytes, false);
}

void pyr_escape_xml(struct pyr_buf *buf, const char *text, size_t bytes) {
    escape_markup(buf, text, bytes, true);
}

void pyr_escape_csv(struct pyr_buf *buf, const char *text, size_t bytes) {
    bool formula = bytes && memchr("=+-@\t\r", text[0], 6);
    bool quoted = false;
    for (size_t i = 0; i < bytes; i++)
        if (text[i] == '"' || text[i] == ',' || text[i] == '\n' || text[i] == '\r')
            quoted = true;
    if (quoted)
        pyr_buf_putc(buf, '"');
    if (formula)
        pyr_buf_putc(buf, '\'');
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool acts = (byte < ' ' && !memchr("\t\n\r", byte, 3)) || byte == 0x7f;
        if (byte == '"')
            pyr_buf_putc(buf, '"');
        pyr_buf_putc(buf, acts ? '?' : text[i]);
    }
    if (quoted)
        pyr_buf_putc(buf, '"');
}

size_t pyr_escape_json_into(char *out, size_t capacity, const char *text, size_t bytes,
                            size_t *taken) {
    size_t written = 0;
    while (*taken < bytes) {
        const char *at = text + *taken;
        size_t left = bytes - *taken, room = capacity - written;
        size_t most = left < room ? left : room, run = 0;
        while (run < most && is_plain(at[run]))
            run++;
        memcpy(out + written, at, run);
        written += run;
        *taken += run;
        if (run == most)
            break;
        struct step step = json_step(at + run, left - run, false, 1);
        const char *from = step.put_bytes ? step.put : at + run;
        size_t count = step.put_bytes ? step.put_bytes : step.plain;
        if (count > capacity - written)
            break;
        memcpy(out + written, from, count);
        written += count;
        *taken += step.plain + step.skip;
    }
    assert(written <= capacity && *taken <= bytes);
    return written;
}

size_t pyr_escape_json_bytes(const char *text, size_t bytes) {
    size_t total = 0;
    while (bytes) {
        struct step step = json_step(text, bytes, false, bytes);
        total += step.plain + step.put_bytes;
        text += step.plain + step.skip;
        bytes -= step.plain + step.skip;
    }
    return total;
}
