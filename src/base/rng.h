/* SPDX-License-Identifier: MIT
 *
 * The random source is an argument and always seeded: the same seed gives the same stream on
 * every machine. xoshiro256** seeded by splitmix64 (Source: Blackman & Vigna, "Scrambled linear
 * pseudorandom number generators", 2018). Not for secrets.
 */
#ifndef PYR_BASE_RNG_H
#define PYR_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct pyr_rng {
    uint64_t s[4];
};

void pyr_rng_init(struct pyr_rng *rng, uint64_t seed);
/* An independent stream for a part of a run: the same (seed, stream) gives the same numbers
 * whatever other parts draw. */
void pyr_rng_init_stream(struct pyr_rng *rng, uint64_t seed, uint64_t stream);

uint64_t pyr_rng_next(struct pyr_rng *rng);
uint64_t pyr_rng_below(struct pyr_rng *rng, uint64_t bound); /* uniform in [0, bound), bound > 0 */
double pyr_rng_unit(struct pyr_rng *rng);                    /* uniform in [0, 1), 53 bits */
double pyr_rng_normal(struct pyr_rng *rng);                  /* mean 0, sd 1 (Box-Muller) */
double pyr_rng_exponential(struct pyr_rng *rng);             /* mean 1 */
/* Gamma with the given shape (> 0) and scale 1. Source: Marsaglia & Tsang 2000. */
double pyr_rng_gamma(struct pyr_rng *rng, double shape);
/* Log-normal of mean 1 and coefficient of variation cv (>= 0): exp(s z - s^2/2),
 * s^2 = ln(1 + cv^2). */
double pyr_rng_lognormal(struct pyr_rng *rng, double cv);
/* Fisher-Yates over count elements of size bytes. */
void pyr_rng_shuffle(struct pyr_rng *rng, void *base, size_t count, size_t size);

/* One splitmix64 step as a hash of 64 bits to 64 bits. */
uint64_t pyr_mix64(uint64_t x);

#endif
