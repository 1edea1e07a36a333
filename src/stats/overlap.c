/* SPDX-License-Identifier: MIT */
#include "stats/overlap.h"

#include "estimate/sample.h"

#include <assert.h>
#include <math.h>

static uint64_t clip(uint64_t time, uint64_t from, uint64_t to) {
    return time < from ? from : time > to ? to : time;
}

/* What is open at a time depends only on how many began and how many ended before it, so the two
 * sorted lists can be merged without knowing which end belongs to which start. */
struct pyr_overlap pyr_overlap_of(uint64_t *starts, uint64_t *ends, uint64_t *scratch, size_t n,
                                  uint64_t from, uint64_t to) {
    assert(from < to);
    pyr_sort_keys(starts, scratch, n);
    pyr_sort_keys(ends, scratch, n);
    struct pyr_overlap out = {0, NAN, 0};
    double area = 0, active = 0;
    uint64_t open = 0, at = from;
    size_t i = 0, k = 0;
    while (k < n) {
        /* Ends first: an interval is half open, so one that ends as another begins is over. */
        bool starting = i < n && starts[i] < ends[k];
        uint64_t time = clip(starting ? starts[i] : ends[k], from, to);
        area += (double)open * (double)(time - at);
        active += open > 0 ? (double)(time - at) : 0;
        if (open > out.max && time > at)
            out.max = open;
        at = time;
        if (starting) {
            open++;
            i++;
        } else {
            assert(open > 0 || starts[i] == ends[k]);
            if (open > 0)
                open--;
            else
                i++; /* an interval of no length */
            k++;
        }
    }
    out.mean = area / (double)(to - from);
    if (active > 0)
        out.mean_active = area / active;
    return out;
}
