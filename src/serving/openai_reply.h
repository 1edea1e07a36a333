/* SPDX-License-Identifier: MIT
 *
 * Whole answers of the server to an exchange, with the head lines that all of them have.
 */
#ifndef PYR_SERVING_OPENAI_REPLY_H
#define PYR_SERVING_OPENAI_REPLY_H

#include "base/buf.h"
#include "net/http_server.h"

/* Head lines of every answer. A page of another site gets none (403) where no key is asked for,
 * and needs the key where it is: so whoever gets an answer may read it. */
#define PYR_OPENAI_FIELDS "Server: pyrometer/" PYR_VERSION "\r\nAccess-Control-Allow-Origin: *\r\n"

void pyr_openai_reply_json(struct pyr_http_exchange *exchange, unsigned status,
                           const struct pyr_buf *body);
/* param and code may be NULL. */
void pyr_openai_reply_error(struct pyr_http_exchange *exchange, unsigned status,
                            const char *message, const char *param, const char *code);
/* The same with these head lines, which hold PYR_OPENAI_FIELDS. */
void pyr_openai_reply_error_with(struct pyr_http_exchange *exchange, unsigned status,
                                 const char *fields, const char *message, const char *param,
                                 const char *code);

#endif
