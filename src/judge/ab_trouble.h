/* SPDX-License-Identifier: MIT
 *
 * Trouble that the machine had in the time of single blocks: CPU time that the hypervisor or other
 * processes took, and changes of the machine's own speed. A pair in which one block had it and its
 * neighbours had not says nothing about the two sides, so it is dropped, on both sides and whatever
 * its numbers are: only readings of the machine decide. docs/method/compare.md.
 */
#ifndef PYR_JUDGE_AB_TROUBLE_H
#define PYR_JUDGE_AB_TROUBLE_H

#include "base/clock.h"
#include "base/fs.h"

#include <stdbool.h>
#include <stddef.h>

/* The machine at an instant; NaN: unknown. */
struct pyr_ab_reading {
    double at_s;
    double steal_s;     /* CPU time that the hypervisor gave to others, since boot */
    double others_s;    /* CPU time of all processes but this one and its children */
    double loop_ns;     /* of a fixed loop of arithmetic, now */
    double handover_ns; /* of a cache line between two cores, now */
};

enum pyr_ab_trouble {
    PYR_AB_CALM,
    PYR_AB_STEAL,
    PYR_AB_OTHERS,
    PYR_AB_MODE, /* the machine's own speed, or the hand-over between its cores */
    PYR_AB_TROUBLES
};

/* The readings before and after one block. */
struct pyr_ab_span {
    struct pyr_ab_reading before, after;
};

struct pyr_ab_troubles {
    size_t dropped, counts[PYR_AB_TROUBLES]; /* pairs, by the first reason that holds */
    size_t troubled;                         /* pairs that had trouble, dropped or not */
    /* Trouble that comes with one side is that side's own doing and stays in. */
    bool comes_with_a, comes_with_b;
    bool everywhere; /* in more than half of the pairs: not local, all stay in */
};

/* spans: (pairs, sides), side 1 is B, the others are A; trouble[pairs] is filled: not CALM where a
 * pair is dropped. */
void pyr_ab_find_troubles(const struct pyr_ab_span *spans, size_t pairs, size_t sides,
                          enum pyr_ab_trouble *trouble, struct pyr_ab_troubles *found);

/* The live machine's reader: takes about a millisecond, so it belongs between blocks. */
struct pyr_ab_machine {
    void (*read)(void *context, struct pyr_ab_reading *reading);
    void *context;
};

struct pyr_ab_live {
    const struct pyr_root *root;
    const struct pyr_clock *clock;
};
struct pyr_ab_machine pyr_ab_live_machine(struct pyr_ab_live *live);

#endif
