/* SPDX-License-Identifier: MIT
 *
 * Change points of a history: one value a run, in time order, best the ratio to a pinned reference
 * that was measured in the same session. E-divisive (energy statistic, exponent 1) with a seeded
 * permutation test at 1 %, then Welch's t at .1 % between neighbouring levels.
 * docs/method/changes.md has the method, its sources and its false-alarm rates.
 */
#ifndef PYR_ESTIMATE_CHANGES_H
#define PYR_ESTIMATE_CHANGES_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PYR_CHANGES_WINDOW = 100,   /* points looked at together; windows overlap by half */
    PYR_CHANGES_LEAST_SIDE = 3, /* points on either side of a change */
    PYR_CHANGES_PERMUTATIONS = 999
};

struct pyr_changes_options {
    uint64_t seed;
    double noise_floor; /* of the machine, relative; NaN or 0 when unknown */
};

struct pyr_change {
    size_t index;         /* the first value of the new level */
    double before, after; /* means of the neighbouring levels */
    double ratio;         /* after / before */
    double p;             /* Welch's t, two-sided */
};

struct pyr_changes {
    struct pyr_change *items; /* rising by index, in the arena */
    size_t count;
    double autocorrelation; /* lag 1, about the levels, corrected for their number; NaN below 6 */
    /* Blocks of points are permuted instead of points and the t test is widened, because neighbours
     * resemble each other (autocorrelation above .2; with n < 50 points above .2 (50/n)^1.5): fewer
     * false alarms, and fewer finds. To be printed as "autocorrelated: reduced power". */
    bool reduced_power;
    size_t block_length; /* 1 unless reduced_power */
    double least_change; /* max(3 %, twice the noise floor): smaller changes are not reported */
};

/* values: n finite numbers. The same seed and values give the same changes. */
void pyr_find_changes(const double *values, size_t n, const struct pyr_changes_options *options,
                      struct pyr_arena *arena, struct pyr_changes *out);

/* A quick suspicion after each run: the median of the last three lies more than 3 robust sigmas of
 * such a median (1.4826 MAD / sqrt 3) from that of all before. Needs 13 values; wrong for about 4
 * of 100 flat histories each time it is asked, so it is only ever shown as a suspicion. */
bool pyr_change_suspected(const double *values, size_t n);

#endif
