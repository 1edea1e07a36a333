/* SPDX-License-Identifier: MIT
 *
 * How many of a set of intervals are open at a time: requests in flight, requests being served.
 */
#ifndef PYR_STATS_OVERLAP_H
#define PYR_STATS_OVERLAP_H

#include <stddef.h>
#include <stdint.h>

struct pyr_overlap {
    double mean;        /* time-weighted number open over the window */
    double mean_active; /* the same over the time in which at least one is open; NaN when none is */
    uint64_t max;
};

/* Intervals [starts[i], ends[i]) with starts[i] <= ends[i], cut to the window [from, to), from <
 * to. The arrays are sorted in place (each by itself); `scratch` is lent memory for n keys.
 * Intervals outside the window do not count. O(n). */
struct pyr_overlap pyr_overlap_of(uint64_t *starts, uint64_t *ends, uint64_t *scratch, size_t n,
                                  uint64_t from, uint64_t to);

#endif
