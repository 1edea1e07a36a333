/* SPDX-License-Identifier: MIT
 *
 * Energy by the machine's own counters: RAPL (CPU packages and DRAM, of the whole machine, not of
 * one process) and NVML (GPUs). Differences only; a counter that wraps is followed as long as it is
 * polled more often than it wraps (a package of 200 W: every 20 minutes). No estimate is made of
 * what has no counter. One thread; polling allocates nothing.
 */
#ifndef PYR_SAMPLE_ENERGY_H
#define PYR_SAMPLE_ENERGY_H

#include "base/err.h"
#include "base/fs.h"
#include "sample/nvml.h"

struct pyr_energy; /* opaque */

/* Finds the counters and starts counting. nvml may be NULL (no GPUs) and outlives this. Fails with
 * "not available: reason" when there is no counter at all. */
bool pyr_energy_open(const struct pyr_root *root, const struct pyr_nvml *nvml,
                     struct pyr_energy **energy, struct pyr_err *err);
void pyr_energy_close(struct pyr_energy *energy); /* NULL is allowed */

void pyr_energy_poll(struct pyr_energy *energy);

struct pyr_energy_reading {
    double cpu_joules, gpu_joules; /* since open, as of the last poll; NaN: no counter */
    double joules;                 /* what is known of both, together */
    const char *source;            /* "RAPL", "NVML" or "RAPL, NVML" */
};
void pyr_energy_read(const struct pyr_energy *energy, struct pyr_energy_reading *reading);

#endif
