/* SPDX-License-Identifier: MIT
 *
 * Current runs against stored ones, where the two sides cannot be interleaved. The unit is the run,
 * never the request: what moves from run to run (boot, placement, neighbours) is what one run alone
 * cannot see. One number a run and metric.
 *
 * One current run is judged by the prediction interval of the logarithms of R >= 5 stored ones:
 * ln x lies within mean +- t s sqrt(1 + 1/R), t the 97.5 % point with R - 1 degrees of freedom.
 * Two to four current runs: their mean, s sqrt(1/m + 1/R). Five or more: Welch's interval, with
 * the spread of each side its own.
 */
#ifndef PYR_ESTIMATE_PREDICT_H
#define PYR_ESTIMATE_PREDICT_H

#include "estimate/estimate.h"

#include <stddef.h>

enum { PYR_STORED_RUNS_LEAST = 5 };

struct pyr_prediction {
    size_t current_n, stored_n;
    struct pyr_estimate ratio; /* current / stored, of geometric means; excludes 1 when the current
                                * run lies outside the prediction interval. Unknown with fewer than
                                * 5 stored runs or a value that is not positive: INCOMPARABLE */
    double p_higher, p_lower;  /* one-sided; NaN when unknown */
    double run_cv;             /* sd of the logarithms of the stored runs; NaN when unknown */
};

void pyr_predict(const double *current, size_t current_n, const double *stored, size_t stored_n,
                 struct pyr_prediction *out);

#endif
