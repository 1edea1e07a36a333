/* SPDX-License-Identifier: MIT
 *
 * One loaded model behind an OpenAI-compatible HTTP API: /v1/chat/completions, /v1/completions,
 * /v1/models, /tokenize, /health, /metrics (docs/serve.md). Three threads: the caller's, which
 * talks HTTP, the engine's (serving/openai_engine.h) and one for long prompts
 * (serving/openai_prompt.h).
 */
#ifndef PYR_SERVING_OPENAI_H
#define PYR_SERVING_OPENAI_H

#include "serving/serving.h"

#include <signal.h>

struct pyr_openai; /* opaque */

struct pyr_openai_config {
    const struct pyr_engine *engine;
    struct pyr_model *model; /* not in virtual time */
    const struct pyr_pieces *pieces;
    const char *name; /* what requests call the model */
    const char *host; /* NULL: 127.0.0.1 */
    uint16_t port;    /* 0: any free one */
    const char *key;  /* clients must send it as a bearer token; NULL: none asked for */
    /* queue_limit: requests that wait beside those in a sequence; more get 429. The clock and the
     * lane are the server's. */
    struct pyr_serving_config serving;
};

/* model, pieces and texts outlive it. */
bool pyr_openai_open(const struct pyr_openai_config *config, struct pyr_openai **server,
                     struct pyr_err *err);
uint16_t pyr_openai_port(const struct pyr_openai *server);
void pyr_openai_describe(const struct pyr_openai *server, struct pyr_serving_info *info);
/* Does what there is to do, waiting for it at most timeout_ns. */
void pyr_openai_step(struct pyr_openai *server, uint64_t timeout_ns);
/* Serves until *stop is not 0, then takes no more requests and ends those under way; those that
 * are not over after drain_ns are broken off. */
void pyr_openai_run(struct pyr_openai *server, const volatile sig_atomic_t *stop,
                    uint64_t drain_ns);
void pyr_openai_close(struct pyr_openai *server); /* NULL is allowed */

/* Since open: how requests of the two generating paths ended, and their tokens. */
enum pyr_openai_end {
    PYR_OPENAI_OK,
    PYR_OPENAI_GONE,     /* the client went away */
    PYR_OPENAI_REJECTED, /* 429 */
    PYR_OPENAI_INVALID,  /* another 4xx */
    PYR_OPENAI_FAILED,   /* the engine failed, or the server was stopped */
    PYR_OPENAI_ENDS
};
struct pyr_openai_totals {
    uint64_t ends[PYR_OPENAI_ENDS];
    uint64_t prompt_tokens, output_tokens;
};
const struct pyr_openai_totals *pyr_openai_totals(const struct pyr_openai *server);

#endif
