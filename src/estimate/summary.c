/* SPDX-License-Identifier: MIT */
#include "estimate/summary.h"

#include "base/clock.h"
#include "estimate/correlation.h"
#include "estimate/dist.h"

#include <assert.h>

enum { BATCHES = 20, LEAST_FOR_BATCHES = 40, LEAST_HIST_BATCHES = 10 };

static const char *const too_few = "n<2";
static const char *const too_short = "the run is short beside how long it stays alike";

struct view {
    const struct pyr_sample *sample; /* or */
    const double *values;
};

static inline double at(const struct view *view, size_t i) {
    return view->sample ? pyr_sample_value(view->sample, view->sample->in_order[i])
                        : view->values[i];
}

static double mean_of(const struct view *view, size_t from, size_t n) {
    double sum = 0;
    for (size_t i = from; i < from + n; i++)
        sum += at(view, i);
    return sum / (double)n;
}

static double variance_of(const double *values, size_t n) {
    const struct view view = {.values = values};
    double mean = mean_of(&view, 0, n), squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return squares / (double)(n - 1);
}

/* How much the variance of the mean exceeds that of independent values. */
static double inflation(const struct view *view, size_t n, double variance) {
    if (n < LEAST_FOR_BATCHES || variance <= 0)
        return 1;
    size_t per_batch = n / BATCHES;
    double means[BATCHES];
    for (size_t b = 0; b < BATCHES; b++)
        means[b] = mean_of(view, n - (BATCHES - b) * per_batch, per_batch);
    return fmax(1, (double)per_batch * variance_of(means, BATCHES) / variance);
}

/* The same by the long-run variance of at most PYR_PARTS successive means. */
static double inflation_in_order(const struct view *view, size_t n, double variance) {
    if (n < LEAST_FOR_BATCHES || variance <= 0)
        return 1;
    size_t each = (n + PYR_PARTS - 1) / PYR_PARTS, parts = n / each;
    double means[PYR_PARTS];
    for (size_t b = 0; b < parts; b++)
        means[b] = mean_of(view, n - (parts - b) * each, each);
    return fmax(1, (double)each * pyr_long_run_variance(means, parts) / variance);
}

static double degrees(size_t n) {
    return n < LEAST_FOR_BATCHES ? (double)n - 1 : BATCHES - 1;
}

static struct pyr_estimate around(double value, double se, double df) {
    double reach = pyr_student_quantile(0.975, df) * se;
    return (struct pyr_estimate){.value = value, .lo = value - reach, .hi = value + reach};
}

static struct pyr_estimate mean_within(const struct pyr_sample *sample,
                                       const struct pyr_summary *seen, double mean, double se) {
    if (seen->n < LEAST_FOR_BATCHES)
        return around(mean, se, (double)seen->n - 1);
    double limit = pyr_correlation_limit(sample ? sample->correlation : NULL);
    double df = pyr_quantile_degrees(seen->n, 0.5, seen->vif, limit);
    return df < 1 ? (struct pyr_estimate){mean, NAN, NAN, too_short} : around(mean, se, df);
}

static void summarise(const struct view *view, size_t n, struct pyr_summary *out) {
    *out = (struct pyr_summary){.n = n,
                                .mean = pyr_estimate_unknown("no values"),
                                .sd = NAN,
                                .min = NAN,
                                .max = NAN,
                                .vif = 1,
                                .n_effective = (double)n};
    if (n == 0)
        return;
    double mean = mean_of(view, 0, n), squares = 0;
    out->min = out->max = at(view, 0);
    for (size_t i = 0; i < n; i++) {
        double value = at(view, i);
        squares += (value - mean) * (value - mean);
        if (value < out->min)
            out->min = value;
        if (value > out->max)
            out->max = value;
    }
    if (n == 1) {
        out->mean = pyr_estimate_unknown(too_few);
        out->mean.value = mean;
        return;
    }
    double variance = squares / (double)(n - 1);
    out->sd = sqrt(variance);
    out->vif = inflation_in_order(view, n, variance);
    out->n_effective = (double)n / out->vif;
    out->mean = mean_within(view->sample, out, mean, sqrt(variance * out->vif / (double)n));
}

void pyr_summarise(const struct pyr_sample *sample, struct pyr_summary *out) {
    const struct view view = {.sample = sample};
    summarise(&view, sample->n, out);
}

void pyr_summarise_doubles(const double *in_order, size_t n, struct pyr_summary *out) {
    const struct view view = {.values = in_order};
    summarise(&view, n, out);
}

/* Batches are equal in time, so that their counts differ and weigh. */
static double inflation_of_hists(const struct pyr_hist *const *batches, size_t batch_count,
                                 double mean, double variance) {
    double weighted = 0, total = 0, means[PYR_PARTS];
    assert(batch_count <= PYR_PARTS);
    for (size_t b = 0; b < batch_count; b++) {
        means[b] = mean;
        if (batches[b]->count == 0)
            continue;
        means[b] = pyr_hist_mean(batches[b]);
        total += (double)batches[b]->count;
        weighted += (double)batches[b]->count * (means[b] - mean) * (means[b] - mean);
    }
    double long_run = total / (double)batch_count * pyr_long_run_variance(means, batch_count);
    return variance <= 0 ? 1
                         : fmax(1, fmax(weighted / (double)(batch_count - 1), long_run) / variance);
}

void pyr_summarise_hist(const struct pyr_hist *hist, const struct pyr_hist *const *batches,
                        size_t batch_count, struct pyr_summary *out) {
    bool batched = batches && batch_count >= LEAST_HIST_BATCHES;
    *out = (struct pyr_summary){.n = hist->count,
                                .mean = pyr_estimate_unknown("no values"),
                                .sd = pyr_hist_sd(hist),
                                .min = NAN,
                                .max = NAN,
                                .vif = 1,
                                .n_effective = (double)hist->count};
    if (hist->count == 0)
        return;
    out->min = (double)hist->min;
    out->max = (double)hist->max;
    double mean = pyr_hist_mean(hist);
    if (isnan(out->sd)) {
        out->mean =
            pyr_estimate_unknown(hist->count < 2 ? too_few : "beyond the range of the histogram");
        out->mean.value = mean;
        return;
    }
    double variance = out->sd * out->sd;
    if (batched)
        out->vif = inflation_of_hists(batches, batch_count, mean, variance);
    out->n_effective = (double)hist->count / out->vif;
    double df =
        batched ? pyr_quantile_degrees(hist->count, 0.5, out->vif, INFINITY) : degrees(hist->count);
    out->mean = around(mean, sqrt(variance * out->vif / (double)hist->count), df);
    if (!batched)
        out->mean.reason = "order unknown: values taken as independent";
}

struct pyr_estimate pyr_proportion(uint64_t hits, uint64_t n, double vif) {
    assert(hits <= n && vif >= 1);
    if (n == 0)
        return pyr_estimate_unknown("no values");
    double share = (double)hits / (double)n, size = (double)n / vif;
    double z2 = PYR_Z975 * PYR_Z975;
    double centre = (share + z2 / (2 * size)) / (1 + z2 / size);
    double reach =
        PYR_Z975 / (1 + z2 / size) * sqrt(share * (1 - share) / size + z2 / (4 * size * size));
    /* At no hits (or only hits) the end is 0 (or 1) on paper. */
    return (struct pyr_estimate){.value = share,
                                 .lo = hits == 0 ? 0 : fmax(0, centre - reach),
                                 .hi = hits == n ? 1 : fmin(1, centre + reach)};
}

double pyr_vif_of_hits(const uint64_t *hits, size_t batches, uint64_t per_batch) {
    double total = 0, squares = 0;
    for (size_t b = 0; b < batches; b++)
        total += (double)hits[b];
    if (batches < 2 || per_batch == 0)
        return 1;
    double share = total / ((double)batches * (double)per_batch);
    for (size_t b = 0; b < batches; b++) {
        double off = (double)hits[b] / (double)per_batch - share;
        squares += off * off;
    }
    double binomial = share * (1 - share);
    if (binomial <= 0)
        return 1;
    return fmax(1, (double)per_batch * squares / (double)(batches - 1) / binomial);
}

struct pyr_estimate pyr_proportion_of_flags(const bool *flags, size_t n) {
    uint64_t hits = 0, in_batch[BATCHES] = {0};
    size_t per_batch = n < LEAST_FOR_BATCHES ? 0 : n / BATCHES;
    size_t first = n - per_batch * BATCHES;
    for (size_t i = 0; i < n; i++) {
        hits += flags[i];
        if (per_batch > 0 && i >= first)
            in_batch[(i - first) / per_batch] += flags[i];
    }
    return pyr_proportion(hits, n, pyr_vif_of_hits(in_batch, BATCHES, per_batch));
}

struct pyr_estimate pyr_rate(const double *amounts, size_t windows, double window_s) {
    assert(window_s > 0);
    if (windows == 0)
        return pyr_estimate_unknown("no whole window");
    const struct view view = {.values = amounts};
    double mean = mean_of(&view, 0, windows);
    struct pyr_estimate rate = pyr_estimate_unknown("fewer than 2 windows");
    rate.value = mean / window_s;
    if (windows < 2)
        return rate;
    double variance = variance_of(amounts, windows);
    double vif = inflation(&view, windows, variance);
    double se = sqrt(variance * vif / (double)windows);
    rate = around(mean / window_s, se / window_s, degrees(windows));
    rate.lo = fmax(rate.lo, 0);
    return rate;
}

struct pyr_estimate pyr_rate_of_events(const uint64_t *times_ns, const double *weights, size_t n,
                                       uint64_t start_ns, uint64_t end_ns) {
    if (end_ns <= start_ns)
        return pyr_estimate_unknown("an empty window");
    double amounts[BATCHES] = {0};
    double span = (double)(end_ns - start_ns);
    for (size_t i = 0; i < n; i++) {
        if (times_ns[i] < start_ns || times_ns[i] >= end_ns)
            continue;
        size_t window = (size_t)((double)(times_ns[i] - start_ns) / span * BATCHES);
        amounts[window < BATCHES ? window : BATCHES - 1] += weights ? weights[i] : 1;
    }
    return pyr_rate(amounts, BATCHES, span / (double)PYR_NS_PER_S / BATCHES);
}

struct pyr_estimate pyr_ratio(const double *num, const double *den, size_t n) {
    double num_sum = 0, den_sum = 0;
    for (size_t i = 0; i < n; i++) {
        num_sum += num[i];
        den_sum += den[i];
    }
    if (!(den_sum > 0))
        return pyr_estimate_unknown(n == 0 ? "no values" : "the denominators add up to 0");
    double ratio = num_sum / den_sum;
    struct pyr_estimate result = pyr_estimate_unknown(too_few);
    result.value = ratio;
    if (n < 2)
        return result;
    /* The residuals num - ratio den add up to 0; the spread of their sums is that of the ratio. */
    size_t batches = n < LEAST_FOR_BATCHES ? n : BATCHES;
    double batch_squares = 0, squares = 0;
    for (size_t b = 0; b < batches; b++) {
        double sum = 0;
        for (size_t i = b * n / batches; i < (b + 1) * n / batches; i++) {
            double residual = num[i] - ratio * den[i];
            sum += residual;
            squares += residual * residual;
        }
        batch_squares += sum * sum;
    }
    double independent = squares * (double)n / (double)(n - 1);
    double variance = fmax(independent, batch_squares * (double)batches / (double)(batches - 1));
    return around(ratio, sqrt(variance) / den_sum, degrees(n));
}
