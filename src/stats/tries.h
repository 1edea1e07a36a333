/* SPDX-License-Identifier: MIT
 *
 * Several tries of one load as one: what they say together.
 *
 * A quantile is that of the merged histograms, a rate or a share the mean of the tries weighted by
 * their time. The interval is that of a weighted mean of independent tries,
 *
 *     h^2 = B^2 sum (w_i h_i)^2,   B^2 = max(1, sum ((x_i - x) / (h_i / 1.96))^2 / (k - 1))
 *
 * for the lower and the upper half-width by themselves; w_i is the try's share of the values (of
 * the time). B, Birge's ratio, widens it where tries differ by more than their intervals say
 * (Source: Birge 1932; Particle Data Group, *Review of Particle Physics*, 5.2.2). An end that one
 * of the tries leaves open is open.
 */
#ifndef PYR_STATS_TRIES_H
#define PYR_STATS_TRIES_H

#include "stats/result.h"

/* The last try with the metrics of all `count`, at least one; those that a try lacks are left out.
 * A single try is given back as it is. In the arena. */
const struct pyr_case_result *pyr_tries_pool(const struct pyr_case_result *const *tries,
                                             size_t count, struct pyr_arena *arena);

#endif
