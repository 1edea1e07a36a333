/* SPDX-License-Identifier: MIT */
#include "estimate/predict.h"

#include "estimate/dist.h"

struct moments {
    double mean, variance;
    bool usable;
};

static struct moments moments_of_logs(const double *values, size_t n) {
    struct moments moments = {.usable = n > 0};
    for (size_t i = 0; i < n; i++) {
        if (!(values[i] > 0) || !isfinite(values[i])) {
            moments.usable = false;
            return moments;
        }
        moments.mean += log(values[i]) / (double)n;
    }
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        double off = log(values[i]) - moments.mean;
        squares += off * off;
    }
    moments.variance = n > 1 ? squares / (double)(n - 1) : 0;
    return moments;
}

void pyr_predict(const double *current, size_t current_n, const double *stored, size_t stored_n,
                 struct pyr_prediction *out) {
    *out = (struct pyr_prediction){.current_n = current_n,
                                   .stored_n = stored_n,
                                   .ratio = pyr_estimate_unknown("no current run"),
                                   .p_higher = NAN,
                                   .p_lower = NAN,
                                   .run_cv = NAN};
    if (current_n == 0)
        return;
    struct moments now = moments_of_logs(current, current_n);
    struct moments then = moments_of_logs(stored, stored_n);
    if (stored_n < PYR_STORED_RUNS_LEAST) {
        out->ratio.reason = "fewer than 5 stored runs";
        return;
    }
    if (!now.usable || !then.usable) {
        out->ratio.reason = "a run without a positive value";
        return;
    }
    double m = (double)current_n, r = (double)stored_n;
    double variance = then.variance * (1 / m + 1 / r), df = r - 1;
    if (current_n >= PYR_STORED_RUNS_LEAST) {
        double a = now.variance / m, b = then.variance / r;
        variance = a + b;
        df = variance > 0 ? variance * variance / (a * a / (m - 1) + b * b / (r - 1)) : df;
    }
    double se = sqrt(variance), difference = now.mean - then.mean;
    double reach = pyr_student_quantile(0.975, df) * se;
    out->run_cv = sqrt(then.variance);
    out->ratio = (struct pyr_estimate){
        .value = exp(difference), .lo = exp(difference - reach), .hi = exp(difference + reach)};
    if (se > 0) {
        out->p_higher = pyr_student_cdf(-difference / se, df);
        out->p_lower = pyr_student_cdf(difference / se, df);
    } else { /* runs that repeat to the last bit: any difference is one */
        out->p_higher = difference > 0 ? 0 : 1;
        out->p_lower = difference < 0 ? 0 : 1;
    }
}
