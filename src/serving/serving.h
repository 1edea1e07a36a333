/* SPDX-License-Identifier: MIT
 *
 * One loaded model shared by many requests: continuous batching. `serving` turns an engine (batches
 * of tokens to rows of logits, model/model.h) into something that answers requests.
 *
 * pyr_serving_step is a plain function: in virtual time a test calls it, in real time a thread
 * outside does nothing else (target/service.h). Everything here belongs to that one thread.
 *
 * The life of a request:
 *
 *     submit -> QUEUED -> PREFILLING -> DECODING -> FINISHED -> take
 *                            ^             |
 *                            +- preempted -+   (only when the KV memory is full)
 *
 * One step:
 *  1. Limits: a request past its cancel_after or a time limit ends, so they are as fine as a step;
 *     a token that comes after its limit ends its request and is not given.
 *  2. Rows are chosen, at most batch_tokens of them, by the policy (serving/policy.h): which of the
 *     DECODING and PREFILLING sequences get some, and which of the queue is admitted into the
 *     lowest free sequence. The default is first come, first served (serving/policy_fifo.c).
 *  3. One decode. Rows are in order of sequence id (engines group neighbours).
 *  4. Each sequence whose last known token was in the batch gets its next token, in order of
 *     admission. Each token is stamped when it is known: in real time by reading the clock after
 *     its own argmax, in virtual time by the instant at which the step is over. The step itself is
 *     recorded then (struct pyr_step), failed ones too.
 *
 * When the engine has no room (PYR_DECODE_FULL): from then until some request ends nothing is
 * admitted and only the oldest request may prefill; if that is not enough the youngest gives up its
 * KV memory, keeps its place and is computed again later from its prompt and the tokens it already
 * gave (none is sent twice); when the oldest is alone and still does not fit it ends as ENGINE. So
 * the oldest always goes on, and every request ends.
 *
 * Failures: a decode that fails ends (ENGINE) the requests in that batch and no others; a missing
 * row of logits ends its own request only.
 *
 * Nothing is allocated after create.
 */
#ifndef PYR_SERVING_SERVING_H
#define PYR_SERVING_SERVING_H

#include "base/clock.h"
#include "base/err.h"
#include "model/model.h"
#include "record/recorder.h"
#include "record/run.h"
#include "serving/pieces.h"
#include "serving/sampler.h"

#include <stdbool.h>
#include <stdint.h>

struct pyr_serving; /* opaque */
struct pyr_policy;  /* serving/policy.h */

/* How a step is filled. Zero in a field: its default. */
struct pyr_serving_policy {
    uint32_t batch_tokens; /* rows of one step; default 512, at least one for each sequence */
    /* Most prompt rows of a step that also decodes; default: all that is left of batch_tokens.
     * Fewer make the gap smaller that a long prompt tears into other answers, and its own first
     * token and those of the queue later. */
    uint32_t prefill_tokens;
    const struct pyr_policy *kind; /* what gets those rows; default: first come, first served */
    const void *state;             /* of its kind as it begins (pyr_policy_state); copied */
};

struct pyr_serving_config {
    const struct pyr_clock *clock; /* outlives the serving */
    struct pyr_lane *lane;         /* where each token and step is recorded, or NULL */
    uint32_t sequences;            /* wanted; the engine may give fewer (pyr_serving_info) */
    uint32_t tokens_per_sequence;  /* prompt and output together */
    uint32_t threads;
    uint32_t queue_limit; /* requests that wait for a sequence; more are REJECTED; 0: no limit */
    uint64_t seed;        /* of the engine's context (sim) */
    struct pyr_serving_policy policy;
    /* Where it is true the step under way is given up (model.h): the requests of its batch end as
     * ENGINE. NULL: never. */
    const _Atomic bool *interrupt;
};

enum pyr_serving_state {
    PYR_SERVING_IDLE, /* not in serving's hands */
    PYR_SERVING_QUEUED,
    PYR_SERVING_PREFILLING,
    PYR_SERVING_DECODING,
    PYR_SERVING_FINISHED /* waits for pyr_serving_take */
};

enum { PYR_SERVING_ERROR_BYTES = 320 };

/* A request: the caller's memory, in serving's hands from submit until take gives it back. Zeroed
 * before its first submit. */
struct pyr_serving_request {
    /* The caller's. `record`: ordinal and sent_ns are read; admitted_ns, prefilled_ns,
     * first_byte_ns, first_content_ns, first_output_ns, last_content_ns, closed_ns, prompt_tokens,
     * asked_tokens, output_tokens, chunks, output_bytes, text_hash, outcome and flags are written.
     * A sampled token counts as content even where its text is empty; an end token that stops the
     * request does not. */
    struct pyr_request *record;
    const int32_t *prompt; /* (prompt_tokens), must last until taken */
    uint32_t prompt_tokens;
    uint32_t output_tokens;       /* asked for, at least 1 */
    bool exact_output;            /* no end token: none can be chosen */
    uint32_t least_tokens;        /* the same, until there are so many */
    struct pyr_sampling sampling; /* zeroed: greedy */
    struct pyr_grammar *grammar;  /* what the output is held to, of this engine; NULL: nothing */
    /* Nanoseconds after sent_ns (between_tokens: after the last token); PYR_NEVER: no limit. */
    uint64_t cancel_after_ns, first_token_ns, between_tokens_ns, total_ns;
    char *text; /* (text_capacity) the output's bytes, cut when they do not fit; or NULL */
    size_t text_capacity;
    int32_t *tokens; /* (output_tokens) the output as tokens, filled as they come; or NULL */
    /* (output_tokens, chance_count) how likely each token and the likeliest in its place were
     * (pyr_chances), filled as they come; or NULL */
    struct pyr_chance *chances;
    uint32_t chance_count;
    int32_t priority; /* for a policy that heeds it: the greater is the sooner */
    void *user;

    /* Results besides the record. */
    size_t text_bytes;
    char error_text[PYR_SERVING_ERROR_BYTES]; /* why it failed, "" when it did not */

    /* Serving's own. */
    enum pyr_serving_state state;
    int32_t sequence;
    bool has_limits;
    uint64_t first_due_ns, due_ns; /* instants; PYR_NEVER */
    struct pyr_serving_request *next, *previous;
};

struct pyr_serving_info {
    uint32_t sequences, tokens_per_sequence, batch_tokens, prefill_tokens, threads;
    uint64_t kv_bytes, compute_bytes;
    const char *policy; /* its name, static */
};

/* Since create or the last reset. */
struct pyr_serving_counters {
    uint64_t steps;
    uint64_t prompt_rows, decode_rows; /* rows given to the engine */
    uint64_t preempted;                /* sequences whose KV memory was taken back */
    uint64_t full;                     /* decodes that found no room */
    uint32_t most_running;             /* most sequences in one step */
    uint64_t step_ns;                  /* time inside decode */
};

/* Makes the engine's context and everything that a step needs. `pieces` and `model` outlive it.
 * What it would take is worked out first (engine->context_plan), and fails as that does. */
bool pyr_serving_create(const struct pyr_engine *engine, struct pyr_model *model,
                        const struct pyr_pieces *pieces, const struct pyr_serving_config *config,
                        struct pyr_serving **serving, struct pyr_err *err);
/* Requests still in its hands are dropped without an outcome. NULL is allowed. */
void pyr_serving_destroy(struct pyr_serving *serving);
void pyr_serving_describe(const struct pyr_serving *serving, struct pyr_serving_info *info);

/* Takes the request. Never fails: what cannot be served is FINISHED at once, with its outcome
 * (REJECTED, TOO_LONG, ENGINE for a prompt that no engine takes). */
void pyr_serving_submit(struct pyr_serving *serving, struct pyr_serving_request *request,
                        uint64_t now_ns);
/* Ends a request in any state with that outcome; nothing when it is FINISHED or IDLE. */
void pyr_serving_cancel(struct pyr_serving *serving, struct pyr_serving_request *request,
                        enum pyr_outcome outcome, uint64_t now_ns);
/* True when a step would do something. */
bool pyr_serving_has_work(const struct pyr_serving *serving);
/* One step that starts at now_ns; *done_ns is when it was over (now_ns when there was nothing to
 * do). Returns the number of rows that were decoded. */
uint32_t pyr_serving_step(struct pyr_serving *serving, uint64_t now_ns, uint64_t *done_ns);
/* The next finished request in the order of their ends, or NULL. */
struct pyr_serving_request *pyr_serving_take(struct pyr_serving *serving);

void pyr_serving_counters(const struct pyr_serving *serving, struct pyr_serving_counters *counters);
/* Between cases, nothing in its hands: zeroes the counters. */
void pyr_serving_reset(struct pyr_serving *serving);

#endif
