/* SPDX-License-Identifier: MIT
 *
 * The engine with a set law: what a report says about it can be compared with what is true.
 *
 *     step = (step_ms + per_seq_ms x sequences + prompt tokens / prefill_tok_s)
 *            x lognormal(mean 1, CV jitter_pct) [x spike_x with probability spike_share]
 *
 * where `sequences` are those in the step, and a row is a prompt token unless it is the only row
 * of its sequence in the step, wants logits and is not at position 0. Nothing moves in the windows
 * [k stall_every_s, k stall_every_s + stall_ms), k >= 1, counted from the context's first step.
 *
 * Time is virtual: decode sets *done_ns and returns at once. With real=1 it sleeps to that instant
 * of the monotonic clock instead.
 *
 * Text: a token is one byte; the next token is a letter or a space that depends on the seed and on
 * every token of its sequence so far, at its position. So tokens that leak from another sequence,
 * a wrong position or a lost token change the text. It never ends by itself.
 *
 * Everything random is drawn from the options' seed mixed with the context's.
 */
#ifndef PYR_MODEL_SIM_H
#define PYR_MODEL_SIM_H

#include "model/model.h"

enum {
    PYR_SIM_BEGIN = 256, /* token ids after the 256 bytes */
    PYR_SIM_END = 257,
    PYR_SIM_VOCABULARY = 258,
    PYR_SIM_SEQUENCES_MAX = 4096
};

/* "sim:key=value,...": the keys are the names of the fields. */
struct pyr_sim_law {
    double step_ms;       /* 20: about 50 tokens/s for one sequence */
    double per_seq_ms;    /* 1 */
    double prefill_tok_s; /* 2000 */
    double jitter_pct;    /* 5; coefficient of variation of a step, in percent */
    double spike_share;   /* 0 */
    double spike_x;       /* 10 */
    double stall_ms;      /* 0 */
    double stall_every_s; /* 10 */
    uint64_t knee;        /* 0: no limit; at most so many sequences at once */
    bool serialize;       /* false; true is knee = 1 */
    double fail_share;    /* 0; so many sequences have no logits for their whole life */
    uint64_t leak_kib;    /* 0; taken at each sequence's start and kept until unload */
    bool real;            /* false */
    uint64_t seed;        /* 1 */
    uint64_t context;     /* 8192 tokens, the longest sequence */
};

/* The law of "key=value,..." and further options, defaults for the rest. Fails naming the key and
 * the nearest one. */
bool pyr_sim_parse(const char *text, const struct pyr_option *options, size_t count,
                   struct pyr_sim_law *law, struct pyr_err *err);

/* The token that follows these, so that a test knows the text of any prompt. */
int32_t pyr_sim_next_token(uint64_t seed, const int32_t *tokens, uint32_t count);

/* When work of work_ns that starts at now_ns is over, given the law's stalls counted from
 * epoch_ns. */
uint64_t pyr_sim_end_ns(const struct pyr_sim_law *law, uint64_t epoch_ns, uint64_t now_ns,
                        uint64_t work_ns);

#endif
