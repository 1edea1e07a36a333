/* SPDX-License-Identifier: MIT */
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

uint64_t pyr_mix64(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void pyr_rng_init(struct pyr_rng *rng, uint64_t seed) {
    for (int i = 0; i < 4; i++)
        rng->s[i] = pyr_mix64(seed + (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15));
}

void pyr_rng_init_stream(struct pyr_rng *rng, uint64_t seed, uint64_t stream) {
    pyr_rng_init(rng, pyr_mix64(seed) ^ pyr_mix64(~stream));
}

static uint64_t rotate_left(uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

uint64_t pyr_rng_next(struct pyr_rng *rng) {
    uint64_t *s = rng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t pyr_rng_below(struct pyr_rng *rng, uint64_t bound) {
    assert(bound > 0);
    /* Reject the short last interval so that every value is equally likely. */
    uint64_t threshold = -bound % bound;
    uint64_t x;
    do
        x = pyr_rng_next(rng);
    while (x < threshold);
    return x % bound;
}

double pyr_rng_unit(struct pyr_rng *rng) {
    return (double)(pyr_rng_next(rng) >> 11) * 0x1p-53;
}

double pyr_rng_normal(struct pyr_rng *rng) {
    double u = 1.0 - pyr_rng_unit(rng); /* in (0, 1], so the logarithm is finite */
    double v = pyr_rng_unit(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

double pyr_rng_exponential(struct pyr_rng *rng) {
    return -log(1.0 - pyr_rng_unit(rng));
}

double pyr_rng_gamma(struct pyr_rng *rng, double shape) {
    assert(shape > 0);
    if (shape < 1) {
        double u = 1.0 - pyr_rng_unit(rng);
        return pyr_rng_gamma(rng, shape + 1) * pow(u, 1 / shape);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = pyr_rng_normal(rng), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        double u = 1.0 - pyr_rng_unit(rng);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

double pyr_rng_lognormal(struct pyr_rng *rng, double cv) {
    assert(cv >= 0);
    if (cv == 0)
        return 1;
    double variance = log1p(cv * cv);
    return exp(sqrt(variance) * pyr_rng_normal(rng) - variance / 2);
}

void pyr_rng_shuffle(struct pyr_rng *rng, void *base, size_t count, size_t size) {
    unsigned char swap[256];
    assert(size <= sizeof swap);
    unsigned char *bytes = base;
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)pyr_rng_below(rng, i);
        memcpy(swap, bytes + j * size, size);
        memcpy(bytes + j * size, bytes + (i - 1) * size, size);
        memcpy(bytes + (i - 1) * size, swap, size);
    }
}
