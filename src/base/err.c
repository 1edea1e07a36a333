/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(struct pyr_err *err, int wanted) {
    if (wanted >= (int)sizeof err->text)
        memcpy(err->text + sizeof err->text - 4, "...", 4);
}

bool pyr_fail_va(struct pyr_err *err, enum pyr_errc code, const char *format, va_list args) {
    if (err) {
        err->code = code;
        mark_cut(err, vsnprintf(err->text, sizeof err->text, format, args));
    }
    return false;
}

bool pyr_fail(struct pyr_err *err, enum pyr_errc code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pyr_fail_va(err, code, format, args);
    va_end(args);
    return false;
}

bool pyr_fail_errno(struct pyr_err *err, int errno_value, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pyr_fail_va(err, PYR_E_IO, format, args);
    va_end(args);
    if (err) {
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s%s", strerror(errno_value),
                 errno_value == EFBIG ? " (ulimit -f limits it)" : "");
    }
    return false;
}

bool pyr_err_prefix(struct pyr_err *err, const char *format, ...) {
    if (!err)
        return false;
    char before[PYR_ERR_TEXT_BYTES];
    memcpy(before, err->text, sizeof before);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used >= 0 && used < (int)sizeof err->text - 3)
        mark_cut(err, used + snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s",
                                      before));
    return false;
}

int pyr_exit_code(enum pyr_errc code) {
    switch (code) {
    case PYR_OK:
        return 0;
    case PYR_E_USAGE:
        return 2;
    case PYR_E_REGRESSION:
        return 3;
    case PYR_E_INVALID:
        return 4;
    case PYR_E_INCONCLUSIVE:
        return 5;
    case PYR_E_INTERRUPTED:
        return 130;
    case PYR_E_INPUT:
    case PYR_E_IO:
    case PYR_E_NOMEM:
    case PYR_E_ENGINE:
    case PYR_E_UNSUPPORTED:
        break;
    }
    return 1;
}
