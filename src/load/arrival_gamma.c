/* SPDX-License-Identifier: MIT
 *
 * Gamma gaps of mean 1 and the asked coefficient of variation: shape 1/cv^2, scale cv^2. Below 1 is
 * smoother than Poisson, above 1 comes in clusters.
 */
#include "load/arrivals.h"

static double gap(struct pyr_arrivals *arrivals) {
    double cv = arrivals->options.cv;
    return pyr_rng_gamma(&arrivals->rng, 1 / (cv * cv)) * (cv * cv);
}

const struct pyr_arrival_kind pyr_arrival_gamma = {
    "gamma", "gamma gaps: smoother (cv < 1) or more clustered (cv > 1) than Poisson", gap};
