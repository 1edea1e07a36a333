/* SPDX-License-Identifier: MIT
 *
 * Pressure beside the load: threads that compute, memory that is held and touched, a file that is
 * written and synced. All of it stays under a ceiling read from the machine, and nothing is left
 * behind, not even by kill -9: the memory is this process's own, and the file has no name.
 */
#ifndef PYR_SUITE_PRESSURE_H
#define PYR_SUITE_PRESSURE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct pyr_pressure_options {
    uint32_t cpu_threads;  /* 0: none */
    uint64_t memory_bytes; /* 0: none; UINT64_MAX: as much as the ceiling allows */
    bool io;
};

struct pyr_pressure; /* opaque */

/* What was really taken, for the report. */
struct pyr_pressure_info {
    uint32_t cpu_threads;
    uint64_t memory_bytes;
    bool io;
};

/* The ceiling on memory: what is usable now less a fifth of it, cgroup limits included. */
bool pyr_pressure_start(const struct pyr_pressure_options *options, struct pyr_pressure **pressure,
                        struct pyr_pressure_info *info, struct pyr_err *err);
void pyr_pressure_stop(struct pyr_pressure *pressure); /* joins; NULL is allowed */

#endif
