/* SPDX-License-Identifier: MIT */
#include "stats/comparison.h"

const char *pyr_comparison_kind_name(enum pyr_comparison_kind kind) {
    static const char *const names[] = {"pairs", "runs", "single"};
    return names[kind];
}

int pyr_comparison_exit_code(const struct pyr_comparison *comparison, bool strict) {
    switch (comparison->verdict) {
    case PYR_REGRESSED:
        return pyr_exit_code(PYR_E_REGRESSION);
    case PYR_INCOMPARABLE:
        return pyr_exit_code(PYR_E_INVALID);
    case PYR_INCONCLUSIVE:
        return strict ? pyr_exit_code(PYR_E_INCONCLUSIVE) : 0;
    case PYR_UNCHANGED:
    case PYR_IMPROVED:
        break;
    }
    return 0;
}
