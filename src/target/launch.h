/* SPDX-License-Identifier: MIT
 *
 * A server that is started for a measurement and ended after it: a command of the shell, in a
 * process group of its own. Its output goes to a file without a name, for its last words. A second
 * process watches over the group and ends it when this one dies without having done so.
 */
#ifndef PYR_TARGET_LAUNCH_H
#define PYR_TARGET_LAUNCH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pyr_launch {
    pid_t pid;                  /* the shell's, or the command's in its place; 0: none */
    pid_t guard;                /* ends the group when this process is killed; 0: none */
    int output_fd, lifeline_fd; /* the guard sees that one close */
    bool over;                  /* it ended and was waited for */
    int status;
    uint64_t started_ns; /* CLOCK_MONOTONIC, just before the fork */
};

bool pyr_launch_start(const char *command, struct pyr_launch *launch, struct pyr_err *err);
/* False once it has ended by itself: then how, and its last line, as "exit status 1: no such
 * model". */
bool pyr_launch_is_alive(struct pyr_launch *launch, char *how, size_t size);
/* The last line that it wrote, "" for none. */
void pyr_launch_last_words(const struct pyr_launch *launch, char *text, size_t size);
/* Ends the whole group: SIGTERM, and SIGKILL for what is left after five seconds. A process that
 * left the group by itself (a daemon) is not found. May be called again. */
void pyr_launch_stop(struct pyr_launch *launch);

#endif
