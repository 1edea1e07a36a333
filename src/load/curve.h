/* SPDX-License-Identifier: MIT
 *
 * A quantity asked for over time (a rate, a concurrency): straight lines between points, the first
 * value before them and the last one after. Two points at one time are a step.
 */
#ifndef PYR_LOAD_CURVE_H
#define PYR_LOAD_CURVE_H

#include <stddef.h>
#include <stdint.h>

struct pyr_curve_knot {
    uint64_t time_ns; /* since the start of the case; not before the point in front of it */
    double value;     /* >= 0, finite */
};

struct pyr_curve {
    const struct pyr_curve_knot *points; /* (count), the caller's */
    size_t count;                        /* at least 1 */
};

double pyr_curve_value(const struct pyr_curve *curve, uint64_t time_ns);

/* Walks along a curve of rates (1/s). */
struct pyr_curve_walk {
    const struct pyr_curve *curve;
    size_t segment; /* 0: before the first point; i: after point i - 1 */
    double begun_s; /* where in time the walk stands */
};

void pyr_curve_walk_init(struct pyr_curve_walk *walk, const struct pyr_curve *curve);
/* Moves on until the rate, integrated from where the walk stands, has reached `area` (>= 0), and
 * returns the time in seconds; INFINITY when the rate stays 0 from there on. Exact for straight
 * lines: solves the quadratic of the segment. */
double pyr_curve_walk_area(struct pyr_curve_walk *walk, double area);

#endif
