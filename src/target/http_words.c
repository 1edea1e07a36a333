/* SPDX-License-Identifier: MIT */
#include "target/http_words.h"

#include "codec/escape.h"
#include "codec/json_scan.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *pyr_http_words_decoded(const char *raw, size_t bytes, char *out, size_t size) {
    if (!raw) {
        snprintf(out, size, "it does not say which");
        return out;
    }
    const char *end = raw + bytes;
    size_t length = 0;
    while (raw < end && length + 5 <= size)
        length += pyr_json_decode_one(&raw, end, out + length);
    pyr_plain_text(out, size, out, length);
    return out;
}

enum { BODY_SHOWN = 80 };

void pyr_http_words_body(const char *body, size_t bytes, char *out, size_t size) {
    static const char open[] = "<title>", close[] = "</title>";
    const char *title = memmem(body, bytes, open, sizeof open - 1);
    const char *from = title ? title + sizeof open - 1 : body;
    size_t count = bytes - (size_t)(from - body);
    const char *end = title ? memmem(from, count, close, sizeof close - 1) : NULL;
    if (end)
        count = (size_t)(end - from);
    pyr_plain_text(out, size < BODY_SHOWN ? size : BODY_SHOWN, from, count);
}

void pyr_http_words_redirect(const char *location, const char *path, char *out, size_t size) {
    size_t length = strlen(location), path_length = strlen(path);
    bool absolute =
        strncasecmp(location, "http://", 7) == 0 || strncasecmp(location, "https://", 8) == 0;
    if (!length)
        snprintf(out, size, "redirected, but not said where to");
    else if (absolute && length > path_length && strcmp(location + length - path_length, path) == 0)
        snprintf(out, size, "redirected to %.200s; name %.*s as the target", location,
                 (int)(length - path_length < 200 ? length - path_length : 200), location);
    else
        snprintf(out, size, "redirected to %.200s; name the URL that it leads to as the target",
                 location);
}

void pyr_http_words_packed(const char *packing, char *out, size_t size) {
    snprintf(out, size,
             "the body is packed (%s) although it was asked for as it is; switch compression off "
             "in the server or in the proxy before it",
             packing);
}

void pyr_http_words_key(const struct pyr_http_options *options, char *out, size_t size) {
    if (options->key_source[0])
        snprintf(out, size, "the key came from %s", options->key_source);
    else
        snprintf(out, size, "no key was sent");
}

/* Shorter ones are words of any sentence. */
enum { SECRET_BYTES_MIN = 6 };

/* A word of a head line, wherever the text holds it or its beginning: texts are cut. */
static void mask_word(const char *word, size_t length, char *text) {
    static const char *const schemes[] = {"Bearer", "Basic", "Digest", "Negotiate"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (length == strlen(schemes[i]) && strncasecmp(word, schemes[i], length) == 0)
            return;
    for (char *at = text; length >= SECRET_BYTES_MIN && *at; at++) {
        size_t same = 0;
        while (same < length && at[same] == word[same])
            same++;
        if (same == length || (same >= SECRET_BYTES_MIN && !at[same]))
            memset(at, '*', same);
    }
}

void pyr_http_words_mask(const struct pyr_http_options *options, char *text) {
    const char *line = pyr_buf_text(&options->headers);
    while (*line) {
        const char *end = line + strcspn(line, "\r\n"),
                   *at = memchr(line, ':', (size_t)(end - line));
        for (at = at ? at + 1 : end; at < end;) {
            at += strspn(at, " \t");
            size_t length = strcspn(at, " \t\r\n");
            mask_word(at, length, text);
            at += length;
        }
        line = end + strspn(end, "\r\n");
    }
}
