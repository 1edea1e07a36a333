/* SPDX-License-Identifier: MIT */
#include "estimate/dist.h"

#include <assert.h>
#include <math.h>

double pyr_normal_cdf(double z) {
    return 0.5 * erfc(-z * M_SQRT1_2);
}

/* The root of a rising function on [lo, hi], by bisection until doubles run out. Quantiles are
 * needed a few times per report: certainty counts, speed does not. */
static double bisect(double (*cdf)(double x, double parameter), double parameter, double p,
                     double lo, double hi) {
    for (int i = 0; i < 200; i++) {
        double middle = lo + (hi - lo) / 2;
        if (middle <= lo || middle >= hi)
            break;
        if (cdf(middle, parameter) < p)
            lo = middle;
        else
            hi = middle;
    }
    return hi;
}

static double normal_cdf_of(double z, double unused) {
    (void)unused;
    return pyr_normal_cdf(z);
}

double pyr_normal_quantile(double p) {
    assert(p > 0 && p < 1);
    /* The upper tail is taken from the lower one, where doubles are dense. */
    if (p > 0.5)
        return -pyr_normal_quantile(1 - p);
    return bisect(normal_cdf_of, 0, p, -40, 0);
}

static double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

static double beta_fraction(double x, double a, double b) {
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double result = d;
    for (int m = 1; m < 100000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double change = 1;
        const double step[2] = {even, odd};
        for (int i = 0; i < 2; i++) {
            d = 1 + step[i] * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + step[i] / c;
            c = fabs(c) < tiny ? tiny : c;
            change = c * d;
            result *= change;
        }
        if (fabs(change - 1) < 1e-15)
            break;
    }
    return result;
}

double pyr_beta_regularised(double x, double a, double b) {
    assert(a > 0 && b > 0);
    if (x <= 0)
        return 0;
    if (x >= 1)
        return 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    /* The fraction converges fast only below the mean. */
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double pyr_student_cdf(double t, double df) {
    assert(df > 0);
    double tail = 0.5 * pyr_beta_regularised(df / (df + t * t), df / 2, 0.5);
    return t > 0 ? 1 - tail : tail;
}

double pyr_student_quantile(double p, double df) {
    assert(p > 0 && p < 1 && df >= 1);
    if (p > 0.5)
        return -pyr_student_quantile(1 - p, df);
    /* A Cauchy variable (df 1, the widest) has its 1e-15 point near -3e14. */
    return bisect(pyr_student_cdf, df, p, -1e16, 0);
}

double pyr_chi2_quantile(double p, double df) {
    assert(df > 0);
    double k = 2 / (9 * df);
    double root = 1 - k + pyr_normal_quantile(p) * sqrt(k);
    return root <= 0 ? 0 : df * root * root * root;
}

double pyr_binomial_cdf(uint64_t k, uint64_t n, double p) {
    if (k >= n)
        return 1;
    return pyr_beta_regularised(1 - p, (double)(n - k), (double)k + 1);
}

/* The least k with P(Bin(n, q) <= k) >= p; n + 1 stands for none. */
static uint64_t binomial_least(uint64_t n, double q, double p) {
    uint64_t lo = 0, hi = n;
    while (lo < hi) {
        uint64_t middle = lo + (hi - lo) / 2;
        if (pyr_binomial_cdf(middle, n, q) >= p)
            hi = middle;
        else
            lo = middle + 1;
    }
    return lo;
}

void pyr_binomial_ranks(uint64_t n, double q, double alpha, uint64_t *lo, uint64_t *hi) {
    assert(q > 0 && q < 1 && alpha > 0 && alpha < 1);
    /* P(Bin <= l - 1) <= alpha/2 holds for every l up to the first k whose probability exceeds it.
     */
    uint64_t first_above = binomial_least(n, q, nextafter(alpha / 2, 1));
    *lo = n == 0 ? 0 : first_above; /* l - 1 < first_above */
    uint64_t u = binomial_least(n, q, 1 - alpha / 2) + 1;
    *hi = u <= n ? u : 0;
}
