/* SPDX-License-Identifier: MIT
 *
 * The machine probe: how late this machine wakes a sleeping thread, how much the time of one fixed
 * loop of arithmetic varies, and how much the hypervisor takes. What it finds bounds what any
 * measurement here can resolve. (Its sleeps are the thing measured.)
 */
#ifndef PYR_SAMPLE_NOISE_H
#define PYR_SAMPLE_NOISE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"

#include <stdint.h>

struct pyr_noise_config {
    uint32_t wakes;       /* timed sleeps; 0: 500 */
    uint64_t wake_gap_ns; /* between them; 0: 1 ms */
    uint32_t loops;       /* runs of the fixed loop; 0: 500 */
    uint32_t loop_rounds; /* rounds in each; 0: as many as take about 1 ms here */
};

struct pyr_machine_noise {
    uint32_t wakes, loops;
    double wake_p50_ns, wake_p99_ns, wake_max_ns; /* woken - asked */
    double loop_p50_ns, loop_p99_ns, loop_min_ns, loop_max_ns;
    double loop_spread;            /* p99 / p50 - 1: 0 on a machine that always does the same */
    double steal_share;            /* of all CPU time meanwhile; NaN: unknown */
    uint64_t involuntary_switches; /* of this thread during the loops */
};

/* Takes about a second by default; the calling thread only. */
void pyr_noise_measure(const struct pyr_noise_config *config, const struct pyr_root *root,
                       const struct pyr_clock *clock, struct pyr_machine_noise *noise);

#endif
