/* SPDX-License-Identifier: MIT */
#include "estimate/steady.h"

#include "base/mem.h"
#include "estimate/dist.h"
#include "estimate/sample.h"

#include <math.h>

enum {
    BATCH = 5,
    LEAST = 50,        /* ten batches: fewer have no tail worth a standard error */
    LEAST_BATCHES = 5, /* what must remain behind a cut */
    LEAST_POINTS = 10,
    GROUPS = 128
};

struct points {
    double x[GROUPS], y[GROUPS];
    size_t n;
};

static void group(const double *x, const double *y, size_t n, struct points *points) {
    points->n = n < GROUPS ? n : GROUPS;
    for (size_t g = 0; g < points->n; g++) {
        size_t from = g * n / points->n, to = (g + 1) * n / points->n;
        double x_sum = 0, y_sum = 0;
        for (size_t i = from; i < to; i++) {
            x_sum += x ? x[i] : (double)i;
            y_sum += y[i];
        }
        points->x[g] = x_sum / (double)(to - from);
        points->y[g] = y_sum / (double)(to - from);
    }
}

static double lag1_of_residuals(const struct points *points, double slope) {
    double mean = 0, squares = 0, products = 0, residuals[GROUPS];
    for (size_t i = 0; i < points->n; i++) {
        residuals[i] = points->y[i] - slope * points->x[i];
        mean += residuals[i] / (double)points->n;
    }
    for (size_t i = 0; i < points->n; i++) {
        residuals[i] -= mean;
        squares += residuals[i] * residuals[i];
        if (i > 0)
            products += residuals[i] * residuals[i - 1];
    }
    return squares > 0 ? products / squares : 0;
}

/* Variance of Mann and Kendall's S without ties among the values, less what ties take away. */
static double variance_of_s(const struct points *points) {
    double n = (double)points->n;
    double variance = n * (n - 1) * (2 * n + 5) / 18;
    double sorted[GROUPS];
    memcpy(sorted, points->y, points->n * sizeof *sorted);
    pyr_sort_doubles(sorted, points->n);
    for (size_t i = 0, run = 1; i < points->n; i++, run++) {
        bool ends = i + 1 == points->n || sorted[i + 1] > sorted[i];
        if (!ends)
            continue;
        double t = (double)run;
        variance -= t * (t - 1) * (2 * t + 5) / 18;
        run = 0;
    }
    return fmax(variance, 0);
}

struct pyr_slope pyr_slope_of(const double *x, const double *y, size_t n) {
    struct pyr_slope trend = {pyr_estimate_unknown("n<10"), NAN, NAN, NAN};
    if (n < LEAST_POINTS)
        return trend;
    struct points points;
    group(x, y, n, &points);
    size_t pairs = 0;
    double s = 0;
    double *slopes = pyr_xcalloc(points.n * (points.n - 1) / 2, sizeof *slopes);
    for (size_t j = 1; j < points.n; j++)
        for (size_t i = 0; i < j; i++) {
            double rise = points.y[j] - points.y[i], run = points.x[j] - points.x[i];
            s += (rise > 0) - (rise < 0);
            if (run > 0)
                slopes[pairs++] = rise / run;
        }
    if (pairs == 0) {
        pyr_free(slopes);
        trend.slope.reason = "all at one time";
        return trend;
    }
    pyr_sort_doubles(slopes, pairs);
    double slope = pyr_median_of_sorted(slopes, pairs);
    trend.autocorrelation = lag1_of_residuals(&points, slope);
    /* Beyond .95 the residuals are a walk and no test can tell its drift. */
    double r = fmin(fmax(trend.autocorrelation, 0), 0.95);
    double sd = sqrt(variance_of_s(&points) * (1 + r) / (1 - r));
    trend.tau = s / ((double)points.n * ((double)points.n - 1) / 2);
    trend.p = sd > 0 ? 2 * pyr_normal_cdf(-fmax(fabs(s) - 1, 0) / sd) : 1;
    double reach = PYR_Z975 * sd;
    double low = floor(((double)pairs - reach) / 2), high = ceil(((double)pairs + reach) / 2);
    trend.slope.value = slope;
    trend.slope.lo = low >= 1 ? slopes[(size_t)low - 1] : (double)NAN;
    trend.slope.hi = high < (double)pairs ? slopes[(size_t)high] : (double)NAN;
    trend.slope.reason = low >= 1 && high < (double)pairs ? NULL : "too few points for an interval";
    if (sd == 0) /* all values are equal */
        trend.slope = (struct pyr_estimate){.value = slope, .lo = slope, .hi = slope};
    pyr_free(slopes);
    return trend;
}

/* The values that are further from the median than any warm-up needs to show are drawn in. */
static void draw_in(const double *series, size_t n, double *limits) {
    double *sorted = pyr_xcalloc(n, sizeof *sorted);
    memcpy(sorted, series, n * sizeof *sorted);
    pyr_sort_doubles(sorted, n);
    double median = pyr_median_of_sorted(sorted, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = fabs(series[i] - median);
    pyr_sort_doubles(sorted, n);
    double reach = fmax(5 * 1.4826 * pyr_median_of_sorted(sorted, n), 0.05 * fabs(median));
    limits[0] = median - reach;
    limits[1] = median + reach;
    pyr_free(sorted);
}

/* The cut in batches: the one with the least (1/k^2) sum (z - mean)^2 over the k batches behind it.
 * The sum grows from the end by Welford's update, so that every cut costs the same. */
static size_t mser_cut(const double *series, size_t batches, const double *limits) {
    /* Batches are taken to vary by 1 % at least: in a series without noise (virtual time) a single
     * value would otherwise outweigh all that is the same. */
    double middle = (limits[0] + limits[1]) / 2, floor_of_noise = 1e-4 * middle * middle;
    double mean = 0, squares = 0, best = INFINITY;
    size_t cut = 0;
    for (size_t left = batches, k = 1; left-- > 0; k++) {
        double z = 0;
        for (size_t i = 0; i < BATCH; i++)
            z += fmin(fmax(series[left * BATCH + i], limits[0]), limits[1]) / BATCH;
        double off = z - mean;
        mean += off / (double)k;
        squares += off * (z - mean);
        double error = (squares / (double)k + floor_of_noise) / (double)k;
        /* Of equal errors the earliest cut: it keeps most. */
        if (k >= LEAST_BATCHES && error <= best) {
            best = error;
            cut = left;
        }
    }
    return cut;
}

struct pyr_steady pyr_steady_cut(const double *series, size_t n) {
    struct pyr_steady steady = {.n = n, .reason = "n<50"};
    steady.tail = (struct pyr_slope){pyr_estimate_unknown("n<50"), NAN, NAN, NAN};
    if (n < LEAST)
        return steady;
    double limits[2];
    draw_in(series, n, limits);
    steady.judged = true;
    steady.reason = NULL;
    steady.cut = mser_cut(series, n / BATCH, limits) * BATCH;
    steady.tail = pyr_slope_of(NULL, series + steady.cut, n - steady.cut);
    bool drifts = pyr_slope_rises(&steady.tail) || pyr_slope_falls(&steady.tail);
    if (2 * steady.cut > n) {
        steady.never_steady = true;
        steady.reason = "the warm-up takes more than half of the run";
    } else if (3 * steady.cut > n && drifts) {
        steady.never_steady = true;
        steady.reason = "the warm-up takes more than a third of the run and the rest still drifts";
    }
    return steady;
}

bool pyr_is_saturating(const struct pyr_slope *in_flight, const struct pyr_slope *ttft) {
    return pyr_slope_rises(in_flight) && pyr_slope_rises(ttft);
}
