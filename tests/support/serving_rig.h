/* SPDX-License-Identifier: MIT
 *
 * A serving on the fake engine, in virtual time, with requests that check themselves.
 */
#ifndef PYR_TESTS_SERVING_RIG_H
#define PYR_TESTS_SERVING_RIG_H

#include "support/support.h"

#include "base/rng.h"
#include "serving/serving.h"
#include "support/fake_engine.h"

enum { MOST = 1000, PROMPT_MOST = 300, OUTPUT_MOST = 60, CONTEXT = PROMPT_MOST + OUTPUT_MOST };

struct job {
    struct pyr_serving_request request;
    struct pyr_request record;
    int32_t prompt[PROMPT_MOST];
    char text[OUTPUT_MOST * 3];
    uint32_t ends; /* how often take gave it back */
};

/* A serving on the fake engine, in virtual time. */
struct rig {
    struct fake_plan plan;
    uint64_t now_ns;
    struct pyr_clock clock;
    struct pyr_pieces *pieces;
    struct pyr_serving *serving;
    struct pyr_serving_info info;
    struct job *jobs; /* (MOST) */
    struct pyr_rng rng;
    bool may_skip; /* the policy may leave sequences that decode out of a step */
    uint32_t taken;
    uint64_t last_closed_ns;
};

void rig_start(struct rig *rig, struct fake_plan plan, struct pyr_serving_config config);
void rig_stop(struct rig *rig);
/* The request of that number, with a prompt of random tokens and no limits. */
struct job *job_make(struct rig *rig, uint32_t ordinal, uint32_t prompt_tokens,
                     uint32_t output_tokens);
struct job *job_mixed(struct rig *rig, uint32_t ordinal); /* of random lengths */
void job_send(struct rig *rig, struct job *job);
/* That it got the very tokens it would have got alone, and stamps in their order. */
void job_check_text(const struct job *job);
void job_check_stamps(const struct job *job);
/* One step, in which every sequence that had its first token gets its next (unless it ends, the
 * memory is full or may_skip), and the clock to its end. */
void rig_step(struct rig *rig);
void rig_run_to_end(struct rig *rig);

#endif
