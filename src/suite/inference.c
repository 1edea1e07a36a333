/* SPDX-License-Identifier: MIT
 *
 * One in flight, each class of prompts by itself: what one user sees on an idle target.
 */
#include "suite/inference.h"

#include "suite/planner.h"
#include "suite/session.h"

static bool plan(struct pyr_planner *p, uint32_t variant, struct pyr_err *err) {
    for (size_t i = 0; i < p->plan->class_count; i++)
        if (!pyr_planner_add_closed(p, variant, &p->plan->classes[i], 1, "", err))
            return false;
    return true;
}

/* Decoding alone is held against the memory's bandwidth, so that is measured right before it: a
 * shared host's drifts within minutes. */
static void run(struct pyr_session *s, size_t first, size_t last) {
    pyr_session_measure_bandwidth(s);
    pyr_cases_run(s, first, last);
}

const struct pyr_suite pyr_suite_inference = {
    .name = "inference",
    .summary = "load, first token, prompt and decode speed, one request at a time",
    .plan = plan,
    .run = run,
};
