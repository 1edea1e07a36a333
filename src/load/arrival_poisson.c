/* SPDX-License-Identifier: MIT
 *
 * Independent users: exponential gaps, a dispersion of 1.
 */
#include "load/arrivals.h"

static double gap(struct pyr_arrivals *arrivals) {
    return pyr_rng_exponential(&arrivals->rng);
}

const struct pyr_arrival_kind pyr_arrival_poisson = {"poisson",
                                                     "independent users: exponential gaps", gap};
