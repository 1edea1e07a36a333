/* SPDX-License-Identifier: MIT
 *
 * The distributions that intervals are made of. Pure functions of doubles, any thread.
 * Probabilities are lower tails unless said otherwise. Accurate to about 1e-10 for the sizes we
 * meet (n <= 1e8, df >= 1).
 */
#ifndef PYR_ESTIMATE_DIST_H
#define PYR_ESTIMATE_DIST_H

#include <stdbool.h>
#include <stdint.h>

#define PYR_Z975 1.959963984540054 /* the two-sided 95 % point of the normal distribution */

double pyr_normal_cdf(double z);
double pyr_normal_quantile(double p); /* p in (0, 1) */

/* I_x(a, b), x in [0, 1], a, b > 0. Source: DLMF 8.17.22, the continued fraction. */
double pyr_beta_regularised(double x, double a, double b);

double pyr_student_cdf(double t, double df);
double pyr_student_quantile(double p, double df); /* p in (0, 1), df >= 1 */

/* Chi-squared by Wilson & Hilferty 1931: within 1 % of the true quantile for df >= 5. */
double pyr_chi2_quantile(double p, double df);

/* P(Binomial(n, p) <= k). */
double pyr_binomial_cdf(uint64_t k, uint64_t n, double p);

/* The equal-tailed ranks (1-based) between which the q-quantile of n independent values lies with
 * probability >= 1 - alpha: lo is the greatest l with P(Bin(n, q) <= l - 1) <= alpha/2, hi the
 * least u with P(Bin(n, q) <= u - 1) >= 1 - alpha/2. 0 stands for an end that no rank can give. */
void pyr_binomial_ranks(uint64_t n, double q, double alpha, uint64_t *lo, uint64_t *hi);

#endif
