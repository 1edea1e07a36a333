/* SPDX-License-Identifier: MIT
 *
 * Pressure beside the load: threads that compute, memory that is held and touched, a file that is
 * written and synced. Memory stays under a ceiling read from the machine (/proc/meminfo, cgroup)
 * and is given back when the machine runs low in spite of it. Nothing is left behind, not even by
 * kill -9: threads and memory are this process's own, and the file has no name.
 */
#ifndef PYR_SUITE_PRESSURE_H
#define PYR_SUITE_PRESSURE_H

#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct pyr_pressure_options {
    uint32_t cpu_threads;  /* 0: none */
    uint64_t memory_bytes; /* 0: none; UINT64_MAX: as much as the ceiling allows */
    bool io;
    const volatile sig_atomic_t *stop; /* gives up filling memory; NULL: none */
};

struct pyr_pressure; /* opaque */

/* What was really taken, for the report. */
struct pyr_pressure_info {
    uint32_t cpu_threads;
    uint64_t memory_bytes;
    bool io;
};

/* What it came to in the end. */
struct pyr_pressure_toll {
    uint64_t given_back;            /* bytes of memory, because the machine ran low */
    uint64_t written_bytes, synced; /* of the file; how often */
    int write_errno;                /* why writing failed at last; 0: it did not */
};

/* Start it when the target is open: the ceiling on memory is what is usable then less a fifth of
 * it. Memory is filled and the file's place on the disk taken before this returns, so that the load
 * meets all of it; where either cannot be had it fails. */
bool pyr_pressure_start(const struct pyr_pressure_options *options, struct pyr_pressure **pressure,
                        struct pyr_pressure_info *info, struct pyr_err *err);
/* Joins; NULL is allowed. */
struct pyr_pressure_toll pyr_pressure_stop(struct pyr_pressure *pressure);

#endif
