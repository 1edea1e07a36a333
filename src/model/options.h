/* SPDX-License-Identifier: MIT
 *
 * Options of an engine, "key=value", by a table of what there is: the type is checked, limits are
 * told, and an unknown key is answered with the nearest one.
 */
#ifndef PYR_MODEL_OPTIONS_H
#define PYR_MODEL_OPTIONS_H

#include "base/err.h"
#include "model/model.h"

#include <stddef.h>

enum pyr_option_kind {
    PYR_OPTION_BOOL,   /* on/off, true/false, yes/no, 1/0; a bool */
    PYR_OPTION_WHOLE,  /* a whole number from min to max; a uint64_t */
    PYR_OPTION_REAL,   /* a number from min to max; a double */
    PYR_OPTION_CHOICE, /* one of choices; an int, its index */
    PYR_OPTION_TEXT    /* anything; a const char *, the caller's text */
};

struct pyr_option_spec {
    const char *key;
    enum pyr_option_kind kind;
    size_t offset; /* of the field in the struct that is filled */
    double min, max;
    const char *const *choices; /* NULL-terminated */
    const char *help;           /* one line */
};

/* A table of options; `what` begins its errors ("sim"). */
struct pyr_option_table {
    const char *what;
    const struct pyr_option_spec *specs;
    size_t count;
};

/* Fills fields of `target`; those that are not named keep their values. */
bool pyr_options_apply(const struct pyr_option_table *table, const struct pyr_option *options,
                       size_t count, void *target, struct pyr_err *err);
/* The same for "key=value,key=value", "" being none. PYR_OPTION_TEXT cannot be set so. */
bool pyr_options_apply_text(const struct pyr_option_table *table, const char *text, void *target,
                            struct pyr_err *err);

#endif
