/* SPDX-License-Identifier: MIT */
#include "load/curve.h"

#include "base/clock.h"

#include <math.h>

static double time_s(const struct pyr_curve_knot *point) {
    return (double)point->time_ns / (double)PYR_NS_PER_S;
}

double pyr_curve_value(const struct pyr_curve *curve, uint64_t time_ns) {
    const struct pyr_curve_knot *points = curve->points;
    size_t after = 0;
    while (after < curve->count && points[after].time_ns <= time_ns)
        after++;
    if (after == 0)
        return points[0].value;
    if (after == curve->count)
        return points[curve->count - 1].value;
    const struct pyr_curve_knot *a = &points[after - 1], *b = &points[after];
    double share = (double)(time_ns - a->time_ns) / (double)(b->time_ns - a->time_ns);
    return a->value + share * (b->value - a->value);
}

void pyr_curve_walk_init(struct pyr_curve_walk *walk, const struct pyr_curve *curve) {
    *walk = (struct pyr_curve_walk){.curve = curve};
}

/* Where a line that is `value` now and changes by `slope` a second has gathered `area`:
 * slope/2 t^2 + value t = area, solved without cancellation for slopes near 0. */
static double line_time(double value, double slope, double area) {
    double root = value * value + 2 * slope * area;
    return 2 * area / (value + sqrt(root > 0 ? root : 0));
}

double pyr_curve_walk_area(struct pyr_curve_walk *walk, double area) {
    const struct pyr_curve_knot *points = walk->curve->points;
    size_t count = walk->curve->count;
    for (; walk->segment < count; walk->segment++) {
        const struct pyr_curve_knot *b = &points[walk->segment];
        const struct pyr_curve_knot *a = walk->segment > 0 ? b - 1 : b;
        double length_s = time_s(b) - walk->begun_s;
        if (length_s <= 0)
            continue;
        double span_s = time_s(b) - time_s(a);
        double slope = a == b || span_s <= 0 ? 0 : (b->value - a->value) / span_s;
        double value = b->value - slope * length_s; /* where the walk stands */
        double whole = (value + b->value) / 2 * length_s;
        if (area < whole) {
            walk->begun_s += area > 0 ? line_time(value, slope, area) : 0;
            return walk->begun_s;
        }
        area -= whole;
        walk->begun_s = time_s(b);
    }
    double last = points[count - 1].value;
    if (area > 0)
        walk->begun_s = last > 0 ? walk->begun_s + area / last : (double)INFINITY;
    return walk->begun_s;
}
