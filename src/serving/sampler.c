/* SPDX-License-Identifier: MIT */
#include "serving/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Four floats in the 16 bytes that every supported machine has as a register; the compiler
 * splits them where it has none. */
typedef float pyr_float4 __attribute__((vector_size(16)));
typedef int32_t pyr_int4 __attribute__((vector_size(16)));

/* A NaN in `a` loses: the comparison is false. */
static inline pyr_float4 larger4(pyr_float4 a, pyr_float4 b) {
    pyr_int4 wins = a > b;
    return (pyr_float4)(((pyr_int4)a & wins) | ((pyr_int4)b & ~wins));
}

static inline pyr_float4 load4(const float *values) {
    pyr_float4 v;
    memcpy(&v, values, sizeof v);
    return v;
}

enum { BLOCK = 256 }; /* of values: small enough that the second look at one is free */

static float block_max(const float *x) {
    pyr_float4 best[4];
    for (int lane = 0; lane < 4; lane++)
        best[lane] = (pyr_float4){-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    for (int i = 0; i < BLOCK; i += 16) {
        best[0] = larger4(load4(x + i), best[0]);
        best[1] = larger4(load4(x + i + 4), best[1]);
        best[2] = larger4(load4(x + i + 8), best[2]);
        best[3] = larger4(load4(x + i + 12), best[3]);
    }
    best[0] = larger4(larger4(best[0], best[1]), larger4(best[2], best[3]));
    float top = best[0][0];
    for (int lane = 1; lane < 4; lane++)
        top = best[0][lane] > top ? best[0][lane] : top;
    return top;
}

int32_t pyr_argmax(const float *row, uint32_t count) {
    float top = -INFINITY;
    uint32_t from = 0, to = count < BLOCK ? count : BLOCK; /* where the first `top` lies */
    uint32_t i = 0;
    for (; i + BLOCK <= count; i += BLOCK) {
        float here = block_max(row + i);
        if (here > top) {
            top = here;
            from = i;
            to = i + BLOCK;
        }
    }
    for (; i < count; i++) {
        if (row[i] > top) {
            top = row[i];
            from = i;
            to = i + 1;
        }
    }
    for (uint32_t k = from; k < to; k++) {
        if (row[k] == top)
            return (int32_t)k;
    }
    /* Only a row of -inf and NaN comes here without having looked at all of it. */
    for (uint32_t k = 0; k < count; k++) {
        if (row[k] == top)
            return (int32_t)k;
    }
    return -1;
}

int32_t pyr_argmax_allowed(const float *row, uint32_t count, const bool *banned) {
    int32_t best = pyr_argmax(row, count);
    if (best < 0 || !banned || !banned[best])
        return best;
    best = -1; /* rare: few tokens are banned */
    for (uint32_t i = 0; i < count; i++)
        if (!banned[i] && !isnan(row[i]) && (best < 0 || row[i] > row[best]))
            best = (int32_t)i;
    return best;
}

/* The times in the answer, above the bit that says that it was seen at all. */
enum { SEEN = 1, ONCE = 2 };

static void mark(struct pyr_tokens tokens, uint32_t count, uint32_t mark, uint32_t *seen) {
    for (uint32_t i = 0; i < tokens.count; i++)
        if ((uint32_t)tokens.token[i] < count)
            seen[tokens.token[i]] = (seen[tokens.token[i]] | SEEN) + mark;
}

static void penalise(struct pyr_tokens tokens, uint32_t count, const struct pyr_sampling *sampling,
                     uint32_t *seen, float *adjusted) {
    float repetition = sampling->repetition > 0 ? sampling->repetition : 1;
    for (uint32_t i = 0; i < tokens.count; i++) {
        uint32_t token = (uint32_t)tokens.token[i];
        if (token >= count || !seen[token])
            continue;
        uint32_t times = seen[token] / ONCE;
        float value = adjusted[token];
        value = value > 0 ? value / repetition : value * repetition;
        value -= sampling->frequency * (float)times + (times ? sampling->presence : 0);
        adjusted[token] = value;
        seen[token] = 0;
    }
}

void pyr_adjust(const float *row, uint32_t count, const struct pyr_sampling *sampling,
                struct pyr_tokens prompt, struct pyr_tokens answer, uint32_t *seen,
                float *adjusted) {
    memcpy(adjusted, row, (size_t)count * sizeof *row);
    mark(prompt, count, 0, seen);
    mark(answer, count, ONCE, seen);
    penalise(prompt, count, sampling, seen, adjusted);
    penalise(answer, count, sampling, seen, adjusted);
    for (uint32_t i = 0; i < sampling->bias_count; i++)
        if ((uint32_t)sampling->biases[i].token < count)
            adjusted[sampling->biases[i].token] += sampling->biases[i].bias;
}

/* True when a is likelier than b. */
static bool above(struct pyr_candidate a, struct pyr_candidate b) {
    return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
}

static void sift_down(struct pyr_candidate *heap, uint32_t count, uint32_t at) {
    struct pyr_candidate moving = heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && above(heap[child + 1], heap[child]))
            child++;
        if (!above(heap[child], moving))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

/* Moves the likeliest to the end of the array, one after the other, until `most` are there or
 * their weight reaches `enough`. Returns how many; *kept is their weight. */
static uint32_t take_likeliest(struct pyr_candidate *heap, uint32_t count, uint32_t most,
                               double enough, double *kept) {
    for (uint32_t i = count / 2; i-- > 0;)
        sift_down(heap, count, i);
    uint32_t taken = 0;
    *kept = 0;
    while (taken < most && (taken == 0 || *kept < enough)) {
        struct pyr_candidate top = heap[0];
        uint32_t last = count - 1 - taken;
        heap[0] = heap[last];
        heap[last] = top;
        taken++;
        *kept += (double)top.weight;
        if (last > 0)
            sift_down(heap, last, 0);
    }
    return taken;
}

static int32_t draw(const struct pyr_candidate *from, uint32_t count, double weight,
                    struct pyr_rng *rng) {
    double left = pyr_rng_unit(rng) * weight;
    for (uint32_t i = 0; i < count; i++) {
        left -= (double)from[i].weight;
        if (left < 0)
            return from[i].token;
    }
    return from[count - 1].token; /* rounding */
}

int32_t pyr_sample(const float *row, uint32_t count, const bool *banned,
                   const struct pyr_sampling *sampling, struct pyr_rng *rng,
                   struct pyr_candidate *workspace) {
    int32_t best = pyr_argmax_allowed(row, count, banned);
    if (best < 0 || !(sampling->temperature > 0) || isinf(row[best]))
        return best;
    uint32_t filled = 0;
    double total = 0;
    for (uint32_t i = 0; i < count; i++) {
        float weight = expf((row[i] - row[best]) / sampling->temperature);
        /* NaN, or too small to be drawn; the likeliest weighs 1 */
        if (!(weight > 0) || weight < sampling->min_p || (banned && banned[i]))
            continue;
        workspace[filled++] = (struct pyr_candidate){.weight = weight, .token = (int32_t)i};
        total += (double)weight;
    }
    bool cut_p = sampling->top_p > 0 && sampling->top_p < 1;
    uint32_t most = sampling->top_k > 0 && sampling->top_k < filled ? sampling->top_k : filled;
    if (!cut_p && most == filled)
        return draw(workspace, filled, total, rng);
    double enough = total;
    if (cut_p && most == filled)
        enough = total * (double)sampling->top_p;
    double kept;
    uint32_t taken = take_likeliest(workspace, filled, most, enough, &kept);
    if (cut_p && most < filled) {
        /* top-p is a share of what top-k left; the likeliest lie at the end, best last. */
        double share = 0;
        uint32_t within = 0;
        while (within < taken && (within == 0 || share < kept * (double)sampling->top_p))
            share += (double)workspace[filled - ++within].weight;
        taken = within;
        kept = share;
    }
    return draw(workspace + filled - taken, taken, kept, rng);
}

void pyr_chances(const float *row, uint32_t count, int32_t token, struct pyr_chance *chances,
                 uint32_t most) {
    uint32_t kept = 1;
    int32_t best = pyr_argmax(row, count);
    double top = best < 0 ? 0 : (double)row[best], sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        float value = row[i];
        if (isnan(value))
            continue;
        sum += (double)expf(value - (float)top);
        if (kept == most && (most == 1 || value <= chances[most - 1].log_probability))
            continue;
        uint32_t at = kept < most ? kept++ : most - 1;
        for (; at > 1 && value > chances[at - 1].log_probability; at--)
            chances[at] = chances[at - 1];
        chances[at] = (struct pyr_chance){(int32_t)i, value};
    }
    chances[0] = (struct pyr_chance){token, row[token]};
    double scale = top + log(sum);
    for (uint32_t i = 0; i < kept; i++)
        chances[i].log_probability = (float)((double)chances[i].log_probability - scale);
    for (uint32_t i = kept; i < most; i++)
        chances[i] = (struct pyr_chance){-1, -INFINITY};
}
