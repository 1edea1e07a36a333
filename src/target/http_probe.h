/* SPDX-License-Identifier: MIT
 *
 * What is asked of a server before the start: http_models.c asks each endpoint whether it is there
 * and which models it has, http_dialect.c asks the first one what it understands, http_probe.c how
 * it counts a prompt.
 */
#ifndef PYR_TARGET_HTTP_PROBE_H
#define PYR_TARGET_HTTP_PROBE_H

#include "net/http_fetch.h"
#include "target/http_options.h"

/* Reads one of the server's pages; bounded by the user's limits, and by 10 s. */
bool pyr_http_get(struct http_target *target, unsigned endpoint, const char *path,
                  struct pyr_fetched *fetched, struct pyr_err *err);
/* Sends JSON. */
bool pyr_http_post(struct http_target *target, unsigned endpoint, const struct pyr_fetch *fetch,
                   struct pyr_fetched *fetched, struct pyr_err *err);

/* What came of one small request. */
struct pyr_http_verdict {
    unsigned status;
    enum pyr_conn_failure failure; /* when there was no answer */
    bool error;                    /* an error in an answer of status 200 */
    bool answered;                 /* with output, or with a reason for none */
    bool embedding;                /* with a list of data */
    bool usage, hung_up;
    uint32_t tokens;        /* by usage, else events with output */
    uint32_t prompt_tokens; /* by usage; 0: it does not say */
    char message[400];      /* of a refusal, safe to print */
    struct pyr_buf body;    /* of a refusal, as it came; see pyr_http_verdict_free */
};

extern const char pyr_http_probe_prompt[];
/* One small request with the options as they are now. False when the server did not answer, or
 * with what no measurement can be made of. The verdict is zeroed before its first use. */
bool pyr_http_try(struct http_target *target, unsigned endpoint, const char *text, size_t bytes,
                  struct pyr_http_verdict *verdict, struct pyr_err *err);
void pyr_http_verdict_free(struct pyr_http_verdict *verdict);

/* Waits until a request is answered (options.wait_ready_ns), and finds out which fields the server
 * takes. prompt_tokens: what it said of pyr_http_probe_prompt, 0: nothing. */
bool pyr_http_find_dialect(struct http_target *target, uint32_t *prompt_tokens,
                           struct pyr_err *err);
void pyr_http_find_tokenizer(struct http_target *target);
/* said: what usage counted of the probe's prompt, 0: nothing. */
void pyr_http_find_framing(struct http_target *target, int64_t said);

/* Starts the server where it is to be launched, waits for the endpoints, checks or chooses the
 * model. Fails with the endpoint's name. */
bool pyr_http_find_models(struct http_target *target, struct pyr_err *err);

/* What any request may be answered with and no measurement can be made of: a wrong key, a
 * redirection, a packed body, a web page. False when it is one of these. */
bool pyr_http_check_answer(struct http_target *target, unsigned endpoint, const char *path,
                           const struct pyr_fetched *fetched, struct pyr_err *err);

/* Adds a sentence to the notes or the cautions. */
void pyr_http_add_line(struct pyr_buf *lines, const char *text);

#endif
