/* SPDX-License-Identifier: MIT
 *
 * What the requests in flight of a case say of a window: how long it stays alike, and whether it
 * has settled.
 */
#ifndef PYR_STATS_IN_FLIGHT_H
#define PYR_STATS_IN_FLIGHT_H

#include "estimate/correlation.h"
#include "stats/collect.h"

#include <stdbool.h>

/* False where it means nothing: a closed loop, a load that moves, recorded traffic. */
bool pyr_correlation_of_window(const struct pyr_case_data *data, struct pyr_span span,
                               struct pyr_correlation *out);

/* When the window may open at the earliest: see pyr_settled_ns. The start of the span where it
 * means nothing, or where more than half of the span would go. */
uint64_t pyr_window_opens_ns(const struct pyr_case_data *data, struct pyr_span span);

#endif
