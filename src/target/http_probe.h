/* SPDX-License-Identifier: MIT
 *
 * What is asked of a server before the start: http_models.c asks each endpoint whether it is there
 * and which models it has, http_probe.c asks the first one what it understands.
 */
#ifndef PYR_TARGET_HTTP_PROBE_H
#define PYR_TARGET_HTTP_PROBE_H

#include "net/http_fetch.h"
#include "target/http_options.h"

/* Reads one of the server's pages; bounded by the user's limits, and by 10 s. */
bool pyr_http_get(struct http_target *target, unsigned endpoint, const char *path,
                  struct pyr_fetched *fetched, struct pyr_err *err);
/* Sends JSON to the first endpoint. */
bool pyr_http_post(struct http_target *target, const struct pyr_fetch *fetch,
                   struct pyr_fetched *fetched, struct pyr_err *err);

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
