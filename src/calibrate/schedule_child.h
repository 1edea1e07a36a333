/* SPDX-License-Identifier: MIT
 *
 * The known-schedule server as a child process, and what it logged. Private to suite/calibrate.c.
 */
#ifndef PYR_CALIBRATE_SCHEDULE_CHILD_H
#define PYR_CALIBRATE_SCHEDULE_CHILD_H

#include "base/err.h"
#include "codec/schedule_log.h"

#include <stddef.h>
#include <sys/types.h>

struct pyr_schedule_child_options {
    const char *program; /* NULL: this one */
    const char *plan;    /* as the server's --plan */
    uint64_t log_records;
    bool unix_socket; /* instead of a TCP port */
};

struct pyr_schedule_child {
    pid_t pid;
    char url[192];                /* "http://127.0.0.1:PORT/v1", "unix:DIR/socket:/v1" */
    char dir[128];                /* a folder of its own, for the log and the caller's files */
    struct pyr_schedule_log *log; /* mapped, read-only; NULL: no server */
    size_t log_bytes;
};

bool pyr_schedule_child_start(const struct pyr_schedule_child_options *options,
                              struct pyr_schedule_child *child, struct pyr_err *err);
/* The folder alone. */
bool pyr_schedule_child_none(struct pyr_schedule_child *child, struct pyr_err *err);
/* Ends the process; the log stays mapped. */
void pyr_schedule_child_end(struct pyr_schedule_child *child);
/* Ends it, unmaps the log and removes the folder with what is in it. Should this process be killed
 * before, the server removes the folder. */
void pyr_schedule_child_release(struct pyr_schedule_child *child);

#endif
