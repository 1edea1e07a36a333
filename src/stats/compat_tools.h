/* SPDX-License-Identifier: MIT
 *
 * The table behind stats/compat.h: a tool is a list of formulas. Private to stats/compat*.c.
 */
#ifndef PYR_STATS_COMPAT_TOOLS_H
#define PYR_STATS_COMPAT_TOOLS_H

#include "stats/collect.h"
#include "stats/compat.h"

/* What the formulas of a case look at. */
struct pyr_compat_view {
    const struct pyr_case_data *data;
    const size_t *ok; /* (ok_count) indices of the requests that ended ok, by ordinal */
    size_t ok_count, failed;
    const double *gaps; /* (gap_count) between the content chunks of those requests, ns */
    size_t gap_count;
    const uint64_t *second_gap_ns; /* (data->count) before the second content chunk; 0: none */
    uint64_t start_ns, end_ns;     /* first sent (or tried), last end, failures included */
};

enum pyr_compat_kind {
    PYR_COMPAT_EACH,             /* one value a request */
    PYR_COMPAT_GAPS,             /* the gaps between content chunks of all requests, pooled */
    PYR_COMPAT_GAPS_FROM_A_BYTE, /* and that from the first byte to the first content */
    PYR_COMPAT_WHOLE             /* one value a case */
};

struct pyr_compat_formula {
    const char *name;
    enum pyr_unit unit;
    enum pyr_compat_kind kind;
    /* EACH: the value of request `i` of the case, and its weight (NULL: all alike); NaN is left
     * out. */
    double (*each)(const struct pyr_compat_view *view, size_t i);
    double (*weight)(const struct pyr_compat_view *view, size_t i);
    double (*whole)(const struct pyr_compat_view *view); /* WHOLE */
    /* Ours beside it, in closed and in open loop; PYR_METRIC_COUNT: none. */
    enum pyr_metric closed, open;
    double ours_factor; /* from our unit to theirs; 0: 1 */
    const char *definition;
};

struct pyr_compat_tool {
    const char *name, *title, *rules;
    /* Percentiles: numpy's linear interpolation, or the smallest value whose cumulative weight
     * reaches q. */
    bool step_percentiles;
    bool sample_sd; /* divides by n - 1, as pandas does */
    const struct pyr_compat_formula *formulas;
    size_t formula_count;
};

extern const struct pyr_compat_tool pyr_compat_tools[];
extern const size_t pyr_compat_tool_count;

#endif
