/* SPDX-License-Identifier: MIT
 *
 * A number of tokens as people ask for it, fixed or drawn.
 *
 *     128                     exactly that many
 *     64-256                  uniform, both ends included (also "uniform:64,256")
 *     normal:128,32           mean and standard deviation
 *     lognormal:128,96        mean and standard deviation of the lengths themselves
 *     exponential:128         mean
 *
 * Drawn values are rounded to whole tokens and kept within [min, max], by default 1 and 1,048,576;
 * the drawn kinds take bounds at their end: "normal:128,32,16,512".
 */
#ifndef PYR_LOAD_LENGTH_H
#define PYR_LOAD_LENGTH_H

#include "base/err.h"
#include "base/rng.h"

#include <stdint.h>

enum pyr_length_kind {
    PYR_LENGTH_FIXED,
    PYR_LENGTH_UNIFORM,
    PYR_LENGTH_NORMAL,
    PYR_LENGTH_LOGNORMAL,
    PYR_LENGTH_EXPONENTIAL
};

enum { PYR_LENGTH_MAX = 1 << 20 };

struct pyr_length {
    enum pyr_length_kind kind;
    double mean, sd;   /* as asked, before the bounds */
    uint32_t min, max; /* of what is drawn; fixed and uniform: the range itself */
};

static inline struct pyr_length pyr_length_fixed(uint32_t tokens) {
    return (struct pyr_length){PYR_LENGTH_FIXED, tokens, 0, tokens, tokens};
}

bool pyr_length_parse(const char *text, struct pyr_length *length, struct pyr_err *err);
uint32_t pyr_length_draw(const struct pyr_length *length, struct pyr_rng *rng);

#endif
