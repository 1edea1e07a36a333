/* SPDX-License-Identifier: MIT
 *
 * This process and its children. Every child of this program is started here, so that none outlives
 * it: also kill -9 of this process ends the child.
 */
#ifndef PYR_BASE_PROCESS_H
#define PYR_BASE_PROCESS_H

#include "base/err.h"

#include <sys/types.h>

/* First in main: descriptors 0 to 2 that the caller left closed are opened on nothing. The next
 * file would get their number otherwise, and be read or written as the standard input or output. A
 * limit on the size of files (ulimit -f) fails a write then, and does not kill. */
void pyr_process_begin(void);

/* What becomes a descriptor of the child. */
enum { PYR_CHILD_NOTHING = -1, PYR_CHILD_SAME = -2 };

struct pyr_child {
    const char *program;      /* found as a shell finds it; NULL: this program again */
    char *const *argv;        /* ends in NULL */
    char *const *environment; /* ends in NULL; NULL: ours */
    /* Its standard input, output and error: a descriptor of ours above 2, which stays ours, or one
     * of the above. */
    int in, out, err;
    int extra;        /* becomes its descriptor 3; below 0: none */
    int death_signal; /* sent to it when the thread that started it ends or this process dies */
    bool own_group;   /* out of reach of the terminal's signals */
};

/* Starts it, with no signal blocked and only what the caller was told to ignore ignored. *pid is
 * for the caller to wait for. False: it does not run. */
bool pyr_child_start(const struct pyr_child *child, pid_t *pid, struct pyr_err *err);

#endif
