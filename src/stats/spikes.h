/* SPDX-License-Identifier: MIT
 *
 * Latency spikes of one homogeneous case (one prompt class, one level, one phase: lengths that
 * are pooled make spikes of their own). Nothing is ever removed from the percentiles.
 *
 * Two definitions stand beside each other (docs/method/spikes.md says why):
 *  - three_sigma: the share above mean + 3 sd. It masks itself (spikes inflate sd) and can never
 *    reach 10 % (Cantelli), so it is judged by an upper bound only.
 *  - robust: ln x > median + 5 * 1.4826 * MAD of ln x, and x >= 2 medians, and x >= median + 1 ms.
 */
#ifndef PYR_STATS_SPIKES_H
#define PYR_STATS_SPIKES_H

#include "base/arena.h"
#include "estimate/estimate.h"
#include "estimate/sample.h"

#include <stddef.h>
#include <stdint.h>

struct pyr_spikes {
    uint64_t n;
    struct pyr_estimate three_sigma; /* share of n, Wilson's interval at the effective size */
    struct pyr_estimate robust;
    uint64_t three_sigma_count, robust_count;
    double three_sigma_limit_ns, robust_limit_ns; /* values above are spikes; NaN when unknown */

    /* The rest is about the robust spikes. Spikes whose requests overlap in time are one event (a
     * stall hits all that is in flight); its time is the first end of a request in it. */
    size_t event_count;
    const uint64_t *event_ns; /* rising, in the arena */
    double events_per_minute; /* of the time from the first start to the last end; NaN for none */
    uint64_t worst_event_ns;
    size_t worst_event_requests; /* requests in the event that holds most; 0 for none */

    /* The gap between events: median and median absolute deviation. `periodic` from 8 gaps on,
     * when the deviation is within a tenth of the median; random events (exponential gaps) look
     * so in less than 1 of 1000 cases. NaN below 2 gaps. */
    bool periodic;
    double period_s, period_spread_s;
};

/* latency: times in ns in send order, with `sorted`. start_ns[i] belongs to in_order[i], rising. */
void pyr_find_spikes(const struct pyr_sample *latency, const uint64_t *start_ns,
                     struct pyr_arena *arena, struct pyr_spikes *out);

#endif
