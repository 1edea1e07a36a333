/* SPDX-License-Identifier: MIT
 *
 * Text made safe to stand inside JSON, HTML, XML and CSV. All input is meant to be UTF-8; bytes
 * that are not come out as U+FFFD in JSON, HTML and XML, and unchanged in CSV.
 */
#ifndef PYR_CODEC_ESCAPE_H
#define PYR_CODEC_ESCAPE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* The inside of a JSON string, without the quotes. '<', '>', '&', U+2028 and U+2029 are escaped
 * too, so that the result may stand in a <script> element. */
void pyr_escape_json(struct pyr_buf *buf, const char *text, size_t bytes);
/* A whole JSON string with its quotes; NULL gives null. */
void pyr_quote_json(struct pyr_buf *buf, const char *text);

/* Element text and quoted attribute values. Control characters come out as U+FFFD. */
void pyr_escape_html(struct pyr_buf *buf, const char *text, size_t bytes);
/* As HTML, and without what XML 1.0 forbids (U+FFFE, U+FFFF). */
void pyr_escape_xml(struct pyr_buf *buf, const char *text, size_t bytes);

/* One CSV field (RFC 4180), quoted when it must be, with "?" for control characters but line ends
 * and tabs, for it may be read on a terminal. A text field that a spreadsheet would take for
 * a formula (it begins with = + - @ tab or CR) gets a leading apostrophe; write numbers
 * without this function. */
void pyr_escape_csv(struct pyr_buf *buf, const char *text, size_t bytes);

/* Length in bytes (1..4) of the UTF-8 sequence at text, or 0 when the bytes there are none
 * (overlong, surrogate, above U+10FFFF, cut off). bytes > 0. */
size_t pyr_utf8_length(const char *text, size_t bytes);

/* Whether a character of `length` bytes may act on what shows it: a control character (C0, DEL,
 * C1), a separator of lines, or one that turns the direction of the text behind it. */
bool pyr_utf8_is_active(const char *text, size_t length);
/* Foreign text for one line of a terminal, a log or an error, cut at a whole character to fit
 * `size` with its NUL: white space and C0 as blanks, other active characters and bytes that are no
 * UTF-8 as "?". Never longer than the text, so that out may be text. Returns the length. */
size_t pyr_plain_text(char *out, size_t size, const char *text, size_t bytes);

/* JSON escaping into a fixed buffer, for request bodies of any length on the measured path: writes
 * at most `capacity` bytes to `out`, whole characters only, and advances *taken by the input bytes
 * used. Returns the bytes written; 0 with *taken < bytes only when capacity is below 6. Escapes
 * only what JSON demands. */
size_t pyr_escape_json_into(char *out, size_t capacity, const char *text, size_t bytes,
                            size_t *taken);
/* The bytes that pyr_escape_json_into will write for the whole text. */
size_t pyr_escape_json_bytes(const char *text, size_t bytes);

#endif
