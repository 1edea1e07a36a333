/* SPDX-License-Identifier: MIT
 *
 * Several at the same instant, at even distances, the first at the start.
 */
#include "load/arrivals.h"

static double gap(struct pyr_arrivals *arrivals) {
    uint32_t size = arrivals->options.burst_size;
    return arrivals->drawn > 0 && arrivals->drawn % size == 0 ? size : 0;
}

const struct pyr_arrival_kind pyr_arrival_burst = {
    "burst", "several at the same instant, at even distances", gap};
