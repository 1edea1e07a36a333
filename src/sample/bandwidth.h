/* SPDX-License-Identifier: MIT
 *
 * How fast this machine reads memory: the roof of decode speed, to be measured next to each run,
 * because it drifts with the neighbours on a shared host. Threads that stay alive and pinned read
 * anonymous memory, far larger than the caches, front to back in four streams each with prefetch.
 * Not a measure of latency, writes or random access.
 */
#ifndef PYR_SAMPLE_BANDWIDTH_H
#define PYR_SAMPLE_BANDWIDTH_H

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"

#include <stdbool.h>
#include <stdint.h>

struct pyr_bandwidth_config {
    uint32_t threads;     /* at least 1; more than the allowed CPUs are not pinned */
    uint64_t bytes;       /* of all threads together; 0: 512 MiB, or four times the last-level
                             caches where that is more, cut to a quarter of the usable memory */
    uint32_t repetitions; /* passes over the memory; 0: 7 */
};

struct pyr_bandwidth {
    double bytes_per_s;     /* median of the passes */
    double lowest, highest; /* of the passes, bytes/s */
    uint64_t bytes;         /* read in one pass */
    uint32_t threads, repetitions;
    bool beyond_caches; /* false: the memory is under four times the caches, so that the figure may
                           be too high */
};

enum { PYR_BANDWIDTH_THREADS_MAX = 1024, PYR_BANDWIDTH_REPETITIONS_MAX = 1000 };

/* Fails with PYR_E_NOMEM when the memory cannot be had. Takes about a second. */
bool pyr_bandwidth_measure(const struct pyr_bandwidth_config *config, const struct pyr_root *root,
                           const struct pyr_clock *clock, struct pyr_bandwidth *result,
                           struct pyr_err *err);

#endif
