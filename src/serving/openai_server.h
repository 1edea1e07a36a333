/* SPDX-License-Identifier: MIT
 *
 * What the files of the server share (serving/openai.h is what others see): the server itself,
 * and the requests with a prompt, which are the affair of openai_calls.c and which openai.c calls,
 * never the other way. All of it belongs to the thread that talks HTTP.
 */
#ifndef PYR_SERVING_OPENAI_SERVER_H
#define PYR_SERVING_OPENAI_SERVER_H

#include "base/buf.h"
#include "net/http_server.h"
#include "serving/openai.h"
#include "serving/openai_engine.h"
#include "serving/openai_prompt.h"

struct pyr_openai_call; /* openai_calls.c */

struct pyr_openai {
    struct pyr_openai_config config;
    struct pyr_clock clock;
    struct pyr_http_server *http;
    struct pyr_openai_engine *engine;
    struct pyr_openai_source source;
    struct pyr_openai_desk *desk;
    struct pyr_serving_info info;
    struct pyr_openai_call *first, *last; /* in order of arrival */
    uint32_t job_count;                   /* answers under way: one for each choice of each call */
    uint64_t next_id, created;
    bool stopping;
    struct pyr_buf out, chances; /* reused */
    struct pyr_openai_totals totals;
};

/* A request with a prompt: answered now or later. */
void pyr_openai_take(struct pyr_openai *server, enum pyr_openai_api api,
                     struct pyr_http_exchange *exchange, const struct pyr_http_request *http);
/* The engine or the desk has something. */
void pyr_openai_go_on(struct pyr_openai *server);
/* As the callbacks of net/http_server.h. */
void pyr_openai_gone(struct pyr_openai *server, struct pyr_http_exchange *exchange);
void pyr_openai_writable(struct pyr_openai *server, struct pyr_http_exchange *exchange);
/* Answers in the engine's hands, and those that wait for it or for their prompt. */
void pyr_openai_count(const struct pyr_openai *server, uint32_t *running, uint32_t *waiting);
/* Asks that all be over soon. */
void pyr_openai_break_off(struct pyr_openai *server);
void pyr_openai_drop_calls(struct pyr_openai *server); /* engine and desk are gone */

#endif
