/* SPDX-License-Identifier: MIT
 *
 * Load patterns: what is asked of the target over time, as a curve and as named phases. The load
 * is real in every phase, ramps included; phases are reported apart.
 */
#ifndef PYR_SUITE_PATTERN_H
#define PYR_SUITE_PATTERN_H

#include "base/arena.h"
#include "base/err.h"
#include "load/curve.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_pattern_options {
    const char *name; /* one of pyr_pattern_rows; NULL: steady */
    double top;       /* requests in flight, or requests/s, at most */
    uint64_t duration_ns;
    double spike_height;      /* spike: times the base; 0: 3 */
    uint64_t spike_period_ns; /* 0: 30 s, at most a fifth of the duration */
    uint64_t spike_width_ns;  /* 0: a fifth of the period */
    bool whole;               /* only whole values make sense (requests in flight) */
    uint64_t seed;            /* random, production */
};

struct pyr_pattern_phase {
    const char *name;
    uint64_t start_ns, end_ns; /* since the start of the case */
};

struct pyr_pattern {
    struct pyr_curve curve;
    const struct pyr_pattern_phase *phases;
    size_t phase_count;
};

struct pyr_pattern_row {
    const char *name, *summary;
};
extern const struct pyr_pattern_row pyr_pattern_rows[]; /* ends with a NULL name */

/* Everything in the arena. */
bool pyr_pattern_make(const struct pyr_pattern_options *options, struct pyr_arena *arena,
                      struct pyr_pattern *pattern, struct pyr_err *err);

#endif
