/* SPDX-License-Identifier: MIT
 *
 * A target with a set law, in virtual time: `servers` requests at once, first come first served,
 * each for service_ns
 * and token_ns a token; nothing moves between freeze_start_ns and freeze_end_ns. Tokens come evenly
 * over the service time and are recorded as chunks.
 */
#ifndef PYR_TESTS_FAKE_TARGET_H
#define PYR_TESTS_FAKE_TARGET_H

#include "target/target.h"

struct pyr_fake_law {
    uint64_t service_ns;
    uint64_t token_ns; /* more for each output token asked for */
    uint32_t servers;  /* 0: as many as asked */
    uint64_t freeze_start_ns, freeze_end_ns;
    uint32_t short_by;       /* output tokens left out of each answer */
    uint32_t reject_every;   /* each n-th request is rejected at once; 0: none */
    uint64_t retry_after_ns; /* what a rejected request is told */
    bool hang;               /* answers only what is cancelled */
    bool keep;               /* breaks its contract: gives back nothing, cancelled or not */
    bool text_only;          /* takes text; counts words unless cannot_count */
    bool cannot_count;
    bool weighs;      /* with cannot_count: counts all the same, but not for every prompt */
    uint32_t framing; /* more tokens around each text that it counts */
    bool long_words;  /* words of five letters and more count as two */
};

struct pyr_fake_target {
    struct pyr_target base;
    struct pyr_fake_law law;
    uint64_t *virtual_now_ns;
    uint64_t submitted, resets;
    uint32_t in_flight, most_in_flight;
    uint64_t first_prompts[64]; /* hashes of the first prompts, as submitted */
    bool attached;
};

void pyr_fake_target_init(struct pyr_fake_target *target, struct pyr_fake_law law,
                          uint64_t *virtual_now_ns);

#endif
