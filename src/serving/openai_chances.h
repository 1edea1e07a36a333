/* SPDX-License-Identifier: MIT
 *
 * How likely tokens were, as OpenAI's answers say it: the value of "logprobs". Pure.
 */
#ifndef PYR_SERVING_OPENAI_CHANCES_H
#define PYR_SERVING_OPENAI_CHANCES_H

#include "base/buf.h"
#include "serving/openai_request.h"
#include "serving/pieces.h"

struct pyr_openai_chances {
    const struct pyr_chance *chances; /* (count, each) */
    uint32_t count, each;             /* tokens; chances of one */
    /* Of the first token, in characters of the whole answer; moved on to the next one's
     * (completions only). */
    size_t *offset;
};

/* Appends the object. */
void pyr_openai_put_chances(enum pyr_openai_api api, const struct pyr_pieces *pieces,
                            const struct pyr_openai_chances *chances, struct pyr_buf *out);

#endif
