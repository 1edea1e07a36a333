/* SPDX-License-Identifier: MIT
 *
 * What is said of a server's refusals, the same before the start and during the run. What comes
 * from the server is safe to print.
 */
#ifndef PYR_TARGET_HTTP_WORDS_H
#define PYR_TARGET_HTTP_WORDS_H

#include "target/http_options.h"

/* Text of the server inside a JSON string: decoded, on one line, cut. raw NULL: says that there is
 * none. Returns out. */
const char *pyr_http_words_decoded(const char *raw, size_t bytes, char *out, size_t size);
/* A body that is no JSON in a few words: the title of a web page, else how it begins. */
void pyr_http_words_body(const char *body, size_t bytes, char *out, size_t size);
/* "redirected to URL; name BASE as the target": location as the server wrote it, path what was
 * asked for ("/chat/completions"). */
void pyr_http_words_redirect(const char *location, const char *path, char *out, size_t size);
/* "the body is packed (gzip) ...". */
void pyr_http_words_packed(const char *packing, char *out, size_t size);
/* "the key came from the file F", "no key was sent": never the key. */
void pyr_http_words_key(const struct pyr_http_options *options, char *out, size_t size);

/* Takes the values of the headers that we sent out of a text: a server may repeat them. */
void pyr_http_words_mask(const struct pyr_http_options *options, char *text);

#endif
