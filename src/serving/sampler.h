/* SPDX-License-Identifier: MIT
 *
 * From a row of logits to a token: greedy, or seeded sampling with temperature, min-p, top-k and
 * top-p, after penalties for what was said before and biases.
 * A pure function of (row, sampling, random state): the same seed gives the same text. And how
 * likely tokens were.
 */
#ifndef PYR_SERVING_SAMPLER_H
#define PYR_SERVING_SAMPLER_H

#include "base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct pyr_bias {
    int32_t token;
    float bias; /* added to its logit */
};

struct pyr_sampling {
    float temperature; /* 0 (or below): greedy; of the rest only what pyr_adjust does counts */
    uint32_t top_k;    /* only the k likeliest tokens; 0: all */
    float top_p;       /* the likeliest tokens up to this much probability; 0 or >= 1: all */
    float min_p;       /* only tokens at least this many times as likely as the likeliest; 0: all */
    uint64_t seed;
    /* Taken from the logit of a token of the answer so far: once, and for each time. */
    float presence, frequency;
    /* The logit of a token of prompt or answer is divided by it where positive, else multiplied;
     * 0 or 1: not. Source: Keskar et al., "CTRL" (2019), section 4.1, with the sign looked at, as
     * all servers do. */
    float repetition;
    const struct pyr_bias *biases; /* (bias_count) */
    uint32_t bias_count;
};

/* Workspace of pyr_sample, (count) for rows of at most that many logits. */
struct pyr_candidate {
    float weight;
    int32_t token;
};

/* A list of tokens. */
struct pyr_tokens {
    const int32_t *token; /* (count) */
    uint32_t count;
};

/* Whether pyr_adjust would change anything. */
static inline bool pyr_adjusts(const struct pyr_sampling *sampling) {
    bool repetition = sampling->repetition > 0 && !(fabsf(sampling->repetition - 1) <= 0);
    return repetition || fabsf(sampling->presence) > 0 || fabsf(sampling->frequency) > 0 ||
           sampling->bias_count > 0;
}

/* Copies the row with the penalties (repetition, then frequency and presence) and biases of
 * `sampling`. Tokens outside the row are passed over. `seen` is a workspace of (count) zeros, and
 * is left so. */
void pyr_adjust(const float *row, uint32_t count, const struct pyr_sampling *sampling,
                struct pyr_tokens prompt, struct pyr_tokens answer, uint32_t *seen,
                float *adjusted);

/* Index of the largest value; of equal ones the first. NaN is passed over; -1 when the row holds
 * no number, or count is 0. About 4 us for 32000 values. */
int32_t pyr_argmax(const float *row, uint32_t count);

/* The same, without the tokens whose `banned` is true; NULL: none is. */
int32_t pyr_argmax_allowed(const float *row, uint32_t count, const bool *banned);

/* One token by temperature, then min-p, then top-k, then top-p (nucleus; the token that crosses
 * top_p is in), as if the logits of `banned` tokens (as above) were -inf. Tokens of equal
 * probability are ranked by their index. -1 as above. Greedy when temperature is not above 0.
 * Source of top-p: Holtzman et al., "The Curious Case of Neural Text Degeneration" (2020),
 * section 3.1. */
int32_t pyr_sample(const float *row, uint32_t count, const bool *banned,
                   const struct pyr_sampling *sampling, struct pyr_rng *rng,
                   struct pyr_candidate *workspace);

/* A token and the natural logarithm of its probability, from the logits as they are: no
 * temperature, nothing banned. */
struct pyr_chance {
    int32_t token; /* -1: none */
    float log_probability;
};

/* chances[0] is that of `token`, the other most - 1 are those of the likeliest tokens, best first,
 * of equal ones the lower index first; with fewer tokens than that the rest is -1. About 100 us for
 * 32000 values. */
void pyr_chances(const float *row, uint32_t count, int32_t token, struct pyr_chance *chances,
                 uint32_t most);

#endif
