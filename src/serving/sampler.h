/* SPDX-License-Identifier: MIT
 *
 * From a row of logits to a token: greedy, or seeded sampling with temperature, top-k and top-p.
 * A pure function of (row, sampling, random state): the same seed gives the same text. And how
 * likely tokens were.
 */
#ifndef PYR_SERVING_SAMPLER_H
#define PYR_SERVING_SAMPLER_H

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

struct pyr_sampling {
    float temperature; /* 0 (or below): greedy, the rest is ignored */
    uint32_t top_k;    /* only the k likeliest tokens; 0: all */
    float top_p;       /* the likeliest tokens up to this much probability; 0 or >= 1: all */
    uint64_t seed;
};

/* Workspace of pyr_sample, (count) for rows of at most that many logits. */
struct pyr_candidate {
    float weight;
    int32_t token;
};

/* Index of the largest value; of equal ones the first. NaN is passed over; -1 when the row holds
 * no number, or count is 0. About 4 us for 32000 values. */
int32_t pyr_argmax(const float *row, uint32_t count);

/* The same, without the tokens whose `banned` is true; NULL: none is. */
int32_t pyr_argmax_allowed(const float *row, uint32_t count, const bool *banned);

/* One token by temperature, then top-k, then top-p (nucleus; the token that crosses top_p is in),
 * as if the logits of `banned` tokens (as above) were -inf. Tokens of equal probability are ranked
 * by their index. -1 as above. Greedy when temperature is not above 0. Source of top-p: Holtzman et
 * al., "The Curious Case of Neural Text Degeneration" (2020), section 3.1. */
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
