/* SPDX-License-Identifier: MIT
 *
 * A pull scanner over one JSON text (RFC 8259) that lies whole in memory: no allocation, no I/O,
 * no copy. It checks the grammar strictly, but leaves two things to the caller: keys may repeat,
 * and bytes above 0x7f in strings are not judged (servers split characters over events).
 */
#ifndef PYR_CODEC_JSON_SCAN_H
#define PYR_CODEC_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pyr_json_token {
    PYR_JSON_BAD, /* not JSON, or nested deeper than 64; every later call says so too */
    PYR_JSON_END, /* the whole text was one value */
    PYR_JSON_OBJECT,
    PYR_JSON_OBJECT_END,
    PYR_JSON_ARRAY,
    PYR_JSON_ARRAY_END,
    PYR_JSON_KEY,
    PYR_JSON_STRING,
    PYR_JSON_NUMBER,
    PYR_JSON_TRUE,
    PYR_JSON_FALSE,
    PYR_JSON_NULL
};

struct pyr_json_scan {
    /* Of the last KEY, STRING (the raw inside, without quotes) or NUMBER. */
    const char *text;
    size_t text_bytes;
    bool escaped; /* the text holds a backslash: decode before comparing */
    /* Private. */
    const char *at, *end;
    uint64_t objects; /* bit per level: 1 object, 0 array */
    uint8_t depth;
    uint8_t expect;
};

void pyr_json_scan_init(struct pyr_json_scan *scan, const char *text, size_t bytes);
enum pyr_json_token pyr_json_scan_next(struct pyr_json_scan *scan);
/* Passes over the value that `token`, the last one returned, began; false when it is bad. */
bool pyr_json_scan_skip(struct pyr_json_scan *scan, enum pyr_json_token token);
/* Whether the last KEY or STRING is this text once decoded. */
bool pyr_json_scan_is(const struct pyr_json_scan *scan, const char *text);
/* The last NUMBER as a count; false when it is negative, fractional or too large. */
bool pyr_json_scan_count(const struct pyr_json_scan *scan, uint64_t *value);

/* The closing quote of the string whose inside begins at `at`, or NULL when the string is cut or
 * malformed. *escaped is set when it holds a backslash. */
const char *pyr_json_string_end(const char *at, const char *end, bool *escaped);

/* Decodes one character or escape of the raw inside of a well-formed string into out and returns
 * the bytes written; *at moves past it. A surrogate without its twin gives U+FFFD. */
size_t pyr_json_decode_one(const char **at, const char *end, char out[4]);
/* Decodes a whole raw string; writes at most capacity bytes, returns the bytes of the whole. */
size_t pyr_json_decode(const char *raw, size_t raw_bytes, char *out, size_t capacity);

#endif
