/* SPDX-License-Identifier: MIT
 *
 * Evenly spaced, the first at the start: a second of 10/s holds ten.
 */
#include "load/arrivals.h"

static double gap(struct pyr_arrivals *arrivals) {
    return arrivals->drawn > 0;
}

const struct pyr_arrival_kind pyr_arrival_constant = {"constant", "evenly spaced", gap};
