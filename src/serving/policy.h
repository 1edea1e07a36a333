/* SPDX-License-Identifier: MIT
 *
 * The port behind which it is decided what enters a step: which of the running sequences get rows
 * of it, how many, and which of the waiting requests are admitted. To add a policy: one file, one
 * row in serving/policies.c and the conformance suite green (tests/serving/policy_test.c);
 * serving/policy_fifo.c is the one to copy.
 *
 * A policy is called once a step and answers by pyr_policy_decode, pyr_policy_give and
 * pyr_policy_admit. These keep the rules that hold under every policy, so that none can break them:
 * a batch is never too large, a sequence gets no row that it has no token for, and while the KV
 * memory is full nothing is admitted and only the oldest may prefill (serving.h). What a policy
 * owes: at least one row in each step, or requests would wait for ever.
 *
 * Nothing is allocated in a call. Everything here belongs to the engine's thread.
 */
#ifndef PYR_SERVING_POLICY_H
#define PYR_SERVING_POLICY_H

#include "base/options.h"
#include "serving/serving.h"

#include <assert.h>

/* A sequence of the engine. A policy reads the first three. */
struct pyr_sequence {
    struct pyr_serving_request *request; /* NULL: free. PREFILLING or DECODING: its state */
    uint32_t fed;                        /* tokens whose KV the engine holds */
    uint32_t known;   /* prompt and output tokens so far; fed < known until it ends */
    uint32_t planned; /* rows in this step */
    uint32_t row;     /* batch row of its last token, where planned reaches `known` */
    struct pyr_rng rng;
};

/* Requests, linked through them. */
struct pyr_request_list {
    struct pyr_serving_request *first, *last;
    uint32_t count;
};

/* The step that is to be filled. A policy reads it. */
struct pyr_policy_step {
    uint64_t now_ns;
    uint32_t batch_tokens;   /* rows at most */
    uint32_t prefill_tokens; /* prompt rows at most where a sequence decodes too (serving.h) */
    uint32_t rows;           /* given so far */
    uint32_t running;        /* sequences in use: 0 .. running - 1, the oldest admission first */
    bool full;               /* no KV memory was found for more */
    const uint32_t *order;   /* (running) the engine's number of each */
    struct pyr_sequence *sequences;       /* by that number */
    const struct pyr_request_list *queue; /* QUEUED, in order of submission */
    struct pyr_serving *serving;
};

struct pyr_policy {
    const char *name;    /* policy=NAME */
    const char *summary; /* one line */
    /* What it keeps from step to step, with its options (policy.KEY=VALUE) as fields of it. */
    size_t state_bytes;                     /* 0: nothing */
    const void *defaults;                   /* (state_bytes) as it begins; NULL: zeros */
    const struct pyr_option_table *options; /* NULL: none; no TEXT, LIST, PAIRS or OWN */
    void (*plan)(void *state, struct pyr_policy_step *step);
};

/* The one table (serving/policies.c), NULL-terminated; the first row is the default. */
extern const struct pyr_policy *const pyr_policies[];
/* The policy of that name; NULL with the names that there are. */
const struct pyr_policy *pyr_policy_find(const char *name, struct pyr_err *err);
/* A state as it begins, with these options: the caller's to pyr_free. NULL for a policy without
 * state. */
bool pyr_policy_state(const struct pyr_policy *policy, const struct pyr_option *options,
                      size_t count, void **state, struct pyr_err *err);

static inline struct pyr_sequence *pyr_policy_running(const struct pyr_policy_step *step,
                                                      uint32_t i) {
    assert(i < step->running);
    return &step->sequences[step->order[i]];
}

/* Gives each DECODING sequence its row; returns how many that are. Before anything else is given:
 * there is always room. */
static inline uint32_t pyr_policy_decode(struct pyr_policy_step *step) {
    assert(step->rows == 0);
    for (uint32_t i = 0; i < step->running; i++) {
        struct pyr_sequence *sequence = pyr_policy_running(step, i);
        sequence->planned = sequence->request->state == PYR_SERVING_DECODING;
        step->rows += sequence->planned;
    }
    return step->rows;
}

/* Gives running sequence i up to so many rows; returns how many it got, which is less where it has
 * no more tokens or the batch no more room, and 0 for one that may not prefill now. */
static inline uint32_t pyr_policy_give(struct pyr_policy_step *step, uint32_t i, uint32_t rows) {
    struct pyr_sequence *sequence = pyr_policy_running(step, i);
    uint32_t left = sequence->known - sequence->fed - sequence->planned;
    uint32_t room = step->batch_tokens - step->rows;
    if (step->full && i > 0 && sequence->request->state == PYR_SERVING_PREFILLING)
        return 0;
    rows = rows < left ? rows : left;
    rows = rows < room ? rows : room;
    sequence->planned += rows;
    step->rows += rows;
    return rows;
}

/* Takes a request out of the queue into a sequence, as running - 1. False where none is free or the
 * KV memory is full. */
bool pyr_policy_admit(struct pyr_policy_step *step, struct pyr_serving_request *request);

#endif
