/* SPDX-License-Identifier: MIT
 *
 * Entries of a user's file that cannot be taken: one among good ones is a caution, told with its
 * place and cause, unless the user wants it to be the end (--strict).
 */
#ifndef PYR_LOAD_LEFT_OUT_H
#define PYR_LOAD_LEFT_OUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct pyr_left_out {
    bool strict; /* set by the caller: the first one is an error */
    uint64_t count;
    char first[200]; /* "FILE:2: cause" */
};

/* err says what is wrong with an entry, with its place. True when reading goes on without it; false
 * when it is the end (also where `left` is NULL). */
bool pyr_left_out_add(struct pyr_left_out *left, const struct pyr_err *err);
/* When nothing was left to take: fails with the first one's cause, where there is one. */
bool pyr_left_out_fail(const struct pyr_left_out *left, const char *name, const char *what,
                       struct pyr_err *err);

#endif
