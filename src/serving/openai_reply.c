/* SPDX-License-Identifier: MIT */
#include "serving/openai_reply.h"

#include "serving/openai_answer.h"

void pyr_openai_reply_json(struct pyr_http_exchange *exchange, unsigned status,
                           const struct pyr_buf *body) {
    pyr_http_reply(exchange, status, "application/json", PYR_OPENAI_FIELDS, pyr_buf_text(body),
                   body->length);
}

void pyr_openai_reply_error_with(struct pyr_http_exchange *exchange, unsigned status,
                                 const char *fields, const char *message, const char *param,
                                 const char *code) {
    struct pyr_buf body = {0};
    pyr_openai_error(status, message, param, code, &body);
    pyr_http_reply(exchange, status, "application/json", fields, body.data, body.length);
    pyr_buf_deinit(&body);
}

void pyr_openai_reply_error(struct pyr_http_exchange *exchange, unsigned status,
                            const char *message, const char *param, const char *code) {
    pyr_openai_reply_error_with(exchange, status,
                                status == 429 || status == 503 ? PYR_OPENAI_FIELDS
                                    "Retry-After: 1\r\n"
                                : status == 401 ? PYR_OPENAI_FIELDS "WWW-Authenticate: Bearer\r\n"
                                                : PYR_OPENAI_FIELDS,
                                message, param, code);
}
