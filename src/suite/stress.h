/* SPDX-License-Identifier: MIT
 *
 * How a target bends under load: patterns that rise, spike, wander or hold, or recorded traffic,
 * with pressure on the machine beside them; the sweep over levels, and the search for the most that
 * it carries.
 */
#ifndef PYR_SUITE_STRESS_H
#define PYR_SUITE_STRESS_H

#include "suite/bench.h"
#include "suite/pressure.h"
#include "suite/suite.h"

struct pyr_stress_options {
    struct pyr_bench_options bench; /* target, lengths, limits, output; rate > 0: open loop */
    const char *pattern;            /* NULL: steady */
    uint64_t
        most; /* requests in flight at most; 0: 50, as the documents have it; open loop: none */
    bool breaking_point; /* search instead of a pattern */
    bool sweep;          /* level after level, each measured as a whole */
    const double *loads; /* of the sweep (load_count); none: doublings, or even steps of the rate */
    size_t load_count;
    double spike_height;
    uint64_t spike_period_ns, spike_width_ns;
    struct pyr_pressure_options pressure;
};

/* The suite of bench: a preset's levels one after the other, each for its share of the preset's
 * time. */
extern const struct pyr_suite pyr_suite_stress;

/* As pyr_bench_run; files go to stress_test_results/ unless the user says where. */
bool pyr_stress_run(const struct pyr_stress_options *options, pyr_bench_progress_fn *progress,
                    void *progress_context, struct pyr_bench_outcome *outcome, struct pyr_err *err);

#endif
