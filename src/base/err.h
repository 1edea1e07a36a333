/* SPDX-License-Identifier: MIT
 *
 * Errors of the world: a file that is missing, a server that refuses, an engine that cannot load.
 * (Broken code asserts instead; a failed request is data and is recorded.)
 *
 * A function that can fail returns bool, true for success, and takes a `struct pyr_err *` last.
 * On failure it has filled the error with one line for a person: the thing, the cause, the mend,
 * without a final newline, e.g.
 *
 *     model.gguf: truncated at byte 1024 (tensor data ends at 4096); download it again
 *
 * Passing NULL for the error is allowed and drops the text.
 */
#ifndef PYR_BASE_ERR_H
#define PYR_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

/* Classes, each with the exit code of the process that ends on it (docs/exit-codes.md). */
enum pyr_errc {
    PYR_OK = 0,
    PYR_E_INPUT,        /* exit 1: a file or a server's answer that cannot be used */
    PYR_E_IO,           /* exit 1: the system refused (open, write, connect, ...) */
    PYR_E_NOMEM,        /* exit 1: memory that is not there, worked out before it is taken */
    PYR_E_ENGINE,       /* exit 1: the engine or the target failed */
    PYR_E_UNSUPPORTED,  /* exit 1: valid, but not something this program handles (yet) */
    PYR_E_USAGE,        /* exit 2: options that are unknown, malformed or contradict */
    PYR_E_REGRESSION,   /* exit 3: a regression or a missed goal that the user named */
    PYR_E_INVALID,      /* exit 4: the measurement cannot be trusted or compared */
    PYR_E_INCONCLUSIVE, /* exit 5: undecided, with --strict */
    PYR_E_INTERRUPTED   /* exit 130 or 143: a signal, after a partial report */
};

enum { PYR_ERR_TEXT_BYTES = 1024 };

struct pyr_err {
    enum pyr_errc code;
    char text[PYR_ERR_TEXT_BYTES]; /* NUL-terminated; cut with "..." when longer */
};

/* Fills err (unless NULL) and returns false, so that `return pyr_fail(err, ...)` reads well. */
bool pyr_fail(struct pyr_err *err, enum pyr_errc code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool pyr_fail_va(struct pyr_err *err, enum pyr_errc code, const char *format, va_list args);

/* As pyr_fail with PYR_E_IO, adding ": " and strerror(errno_value). */
bool pyr_fail_errno(struct pyr_err *err, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the text already in err; returns false. */
bool pyr_err_prefix(struct pyr_err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The process exit code for a class; PYR_E_INTERRUPTED gives 130. */
int pyr_exit_code(enum pyr_errc code);

#endif
