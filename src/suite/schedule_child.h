/* SPDX-License-Identifier: MIT
 *
 * The known-schedule server as a child process, and what it logged. Private to suite/calibrate.c.
 */
#ifndef PYR_SUITE_SCHEDULE_CHILD_H
#define PYR_SUITE_SCHEDULE_CHILD_H

#include "base/err.h"
#include "codec/schedule_log.h"

#include <stddef.h>
#include <sys/types.h>

struct pyr_schedule_child {
    pid_t pid;
    char url[64];                 /* "http://127.0.0.1:PORT/v1" */
    char dir[128];                /* a folder of its own, for the log and the caller's files */
    struct pyr_schedule_log *log; /* mapped, read-only */
    size_t log_bytes;
};

/* `plan`: as the server's --plan. program NULL: this one. */
bool pyr_schedule_child_start(const char *program, const char *plan, uint64_t log_records,
                              struct pyr_schedule_child *child, struct pyr_err *err);
/* Ends the process; the log stays mapped. */
void pyr_schedule_child_end(struct pyr_schedule_child *child);
/* Ends it, unmaps the log and removes the folder with what is in it. */
void pyr_schedule_child_release(struct pyr_schedule_child *child);

#endif
