/* SPDX-License-Identifier: MIT
 *
 * First come, first served. Every sequence that decodes gets its row, what is left goes to prompts
 * in the order of their admission, then to the head of the queue, and so on.
 */
#include "serving/policy.h"

static void fifo_plan(void *state, struct pyr_policy_step *step) {
    (void)state;
    uint32_t decoding = pyr_policy_decode(step);
    uint32_t room = step->batch_tokens - decoding;
    if (decoding > 0 && room > step->prefill_tokens)
        room = step->prefill_tokens;
    /* Where all decode there is no prompt to look for among them. */
    for (uint32_t i = decoding == step->running ? decoding : 0; room > 0; i++) {
        if (i == step->running &&
            !(step->queue->first && pyr_policy_admit(step, step->queue->first)))
            break;
        room -= pyr_policy_give(step, i, room);
    }
}

const struct pyr_policy pyr_policy_fifo = {
    .name = "fifo",
    .summary = "first come, first served; no answer under way is skipped",
    .plan = fifo_plan,
};
