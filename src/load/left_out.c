/* SPDX-License-Identifier: MIT */
#include "load/left_out.h"

#include <stdio.h>

bool pyr_left_out_add(struct pyr_left_out *left, const struct pyr_err *err) {
    if (!left || left->strict)
        return false;
    if (left->count++ == 0)
        snprintf(left->first, sizeof left->first, "%.199s", err ? err->text : "");
    return true;
}

bool pyr_left_out_fail(const struct pyr_left_out *left, const char *name, const char *what,
                       struct pyr_err *err) {
    if (left && left->count > 0)
        return pyr_fail(err, PYR_E_INPUT, "%s", left->first);
    return pyr_fail(err, PYR_E_INPUT, "%s: holds no %s", name, what);
}
