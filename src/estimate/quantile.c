/* SPDX-License-Identifier: MIT */
#include "estimate/quantile.h"

#include "estimate/dist.h"

#include <assert.h>

enum {
    MAX_QUANTILES = 16,
    LEAST = 40, /* values from which on autocorrelation is looked for */
    LEAST_HIST_BATCHES = 10,
    DEGREES_KNOWN = 19 /* as many as pyr_quantile_degrees ever gives */
};

/* The normal approximation of the ranks is used from here: 2000 values, as long as 20 of them lie
 * on the thin side, which is p99 at 2000. */
static bool uses_exact_ranks(uint64_t n, double q, double vif, double df) {
    return vif <= 1 && df >= DEGREES_KNOWN && (n < 2000 || (double)n * fmin(q, 1 - q) < 20 - 1e-6);
}

uint64_t pyr_quantile_rank(uint64_t n, double q) {
    /* n q of 100 * .07 is 7.000000000000001: what is whole on paper must stay whole. */
    double product = (double)n * q;
    double rank = ceil(product - fmax(1e-9, product * 1e-15));
    if (rank < 1)
        return 1;
    return rank > (double)n ? n : (uint64_t)rank;
}

void pyr_quantile_ranks(uint64_t n, double q, double vif, double df, uint64_t *lo, uint64_t *hi) {
    assert(q > 0 && q < 1 && vif >= 1);
    if (uses_exact_ranks(n, q, vif, df)) {
        pyr_binomial_ranks(n, q, 0.05, lo, hi);
        return;
    }
    *lo = *hi = 0;
    if (df < 1)
        return;
    double centre = (double)n * q;
    double reach = pyr_student_quantile(0.975, df) * sqrt(centre * (1 - q) * vif);
    double low = floor(centre - reach), high = ceil(centre + reach) + 1;
    *lo = low >= 1 ? (uint64_t)low : 0;
    *hi = high <= (double)n ? (uint64_t)high : 0;
}

/* A variance inflation that was known beforehand (`known` at least that of the sample) has no error
 * of its own. */
static double degrees(uint64_t n, double q, double vif, double known, double limit) {
    return vif > 1 && vif <= known ? fmin(DEGREES_KNOWN, limit)
                                   : pyr_quantile_degrees(n, q, vif, limit);
}

static bool is_bounded_at(uint64_t n, double q, double vif, double known) {
    uint64_t lo, hi;
    pyr_quantile_ranks(n, q, vif, degrees(n, q, vif, known, INFINITY), &lo, &hi);
    return lo && hi;
}

static uint64_t n_bounded(double q, double vif, double known) {
    uint64_t least = 1, most = 2;
    for (; !is_bounded_at(most, q, vif, known) && most <= UINT64_C(1) << 50; most *= 2)
        least = most;
    while (least + 1 < most) {
        uint64_t middle = least + (most - least) / 2;
        if (is_bounded_at(middle, q, vif, known))
            most = middle;
        else
            least = middle;
    }
    return most;
}

uint64_t pyr_quantile_n_bounded(double q, double vif) {
    return n_bounded(q, vif, 1);
}

static uint64_t n_for_value(double q) {
    return (uint64_t)ceil(1 / fmin(q, 1 - q) - 1e-6);
}

/* Rank of the early-stopping estimate, 0 when there are too few values. */
static uint64_t early_stopping_rank(uint64_t n, double q) {
    const double confidence = 0.99;
    if (n == 0 || pyr_binomial_cdf(1, n, 1 - q) > 1 - confidence)
        return 0;
    uint64_t least = 1, most = n;
    while (least + 1 < most) {
        uint64_t middle = least + (most - least) / 2;
        if (pyr_binomial_cdf(middle, n, 1 - q) <= 1 - confidence)
            least = middle;
        else
            most = middle;
    }
    return n - least + 1;
}

/* What the ranks mean in one storage, exact values or a histogram, and what is known of the run. */
struct storage {
    const struct pyr_sample *sample;
    const struct pyr_hist *hist;
    const struct pyr_correlation *correlation;
    double known_vif; /* whatever the values show; 0: none */
};

static double value_at(const struct storage *storage, uint64_t rank) {
    if (storage->sample)
        return pyr_sample_value(storage->sample, storage->sample->sorted[rank - 1]);
    return pyr_hist_at_rank(storage->hist, rank).value;
}

static const char *reason_of_open_end(const struct storage *storage,
                                      const struct pyr_quantile *quantile, uint64_t bounded_n,
                                      struct pyr_arena *arena) {
    if (pyr_correlation_limit(storage->correlation) < 1)
        return pyr_correlation_tell(storage->correlation, arena);
    if (quantile->vif > 1)
        return pyr_arena_printf(arena, "n<%llu at variance inflation %.3g",
                                (unsigned long long)bounded_n, quantile->vif);
    return pyr_arena_printf(arena, "n<%llu", (unsigned long long)bounded_n);
}

/* How many values would do: by their own number and by the length of the run. */
static uint64_t n_needed(const struct storage *storage, const struct pyr_quantile *quantile,
                         uint64_t bounded_n) {
    if (pyr_correlation_limit(storage->correlation) >= 1)
        return bounded_n;
    double by_length = ceil((double)quantile->n * storage->correlation->longer);
    return by_length > (double)bounded_n ? (uint64_t)fmin(by_length, 1e15) : bounded_n;
}

/* Fills everything from n, q and vif. */
static void fill(const struct storage *storage, struct pyr_quantile *quantile,
                 struct pyr_arena *arena) {
    uint64_t n = quantile->n;
    double q = quantile->q;
    quantile->n_effective = (double)n / quantile->vif;
    quantile->early_stopping = NAN;
    uint64_t bounded_n =
        n_needed(storage, quantile, n_bounded(q, quantile->vif, storage->known_vif));
    quantile->needed = bounded_n > n ? bounded_n - n : 0;
    if (n < n_for_value(q)) {
        quantile->estimate = pyr_estimate_unknown(
            n == 0 ? "no values"
                   : pyr_arena_printf(arena, "n<%llu", (unsigned long long)n_for_value(q)));
        return;
    }
    uint64_t lo, hi, early = early_stopping_rank(n, q);
    double limit = pyr_correlation_limit(storage->correlation);
    pyr_quantile_ranks(n, q, quantile->vif, degrees(n, q, quantile->vif, storage->known_vif, limit),
                       &lo, &hi);
    struct pyr_estimate *estimate = &quantile->estimate;
    estimate->value = value_at(storage, pyr_quantile_rank(n, q));
    estimate->lo = lo ? value_at(storage, lo) : (double)NAN;
    estimate->hi = hi ? value_at(storage, hi) : (double)NAN;
    estimate->reason = NULL;
    if (early)
        quantile->early_stopping = value_at(storage, early);
    if (!lo || !hi)
        estimate->reason = reason_of_open_end(storage, quantile, bounded_n, arena);
    else if (!pyr_estimate_is_bounded(estimate))
        estimate->reason = "beyond the range of the histogram";
}

/* One lone value beyond p99 of 100 reads as 1.01: less than 1.05 is no sign of anything. */
static double floor_of(double vif) {
    return vif < 1.05 ? 1 : vif;
}

/* VIF of every quantile in one pass; the values that do not fill a batch are left out at the
 * start, where a run is least steady. */
static void inflations(const struct pyr_sample *sample, double least, const uint64_t *limits,
                       size_t count, struct pyr_quantile *out) {
    for (size_t k = 0; k < count; k++)
        out[k].vif = fmax(1, least);
    if (sample->n < LEAST)
        return;
    size_t per_batch = (sample->n + PYR_PARTS - 1) / PYR_PARTS, batches = sample->n / per_batch;
    double shares[MAX_QUANTILES][PYR_PARTS];
    const uint64_t *values = sample->in_order + (sample->n - per_batch * batches);
    for (size_t b = 0; b < batches; b++, values += per_batch)
        for (size_t k = 0; k < count; k++) {
            size_t above = 0;
            for (size_t i = 0; i < per_batch; i++)
                above += values[i] > limits[k];
            shares[k][b] = (double)above / (double)per_batch;
        }
    for (size_t k = 0; k < count; k++) {
        double q = out[k].q;
        double vif = (double)per_batch * pyr_long_run_variance(shares[k], batches) / (q * (1 - q));
        out[k].vif = fmax(floor_of(vif), out[k].vif);
    }
}

void pyr_quantiles(const struct pyr_sample *sample, const double *qs, size_t count,
                   struct pyr_arena *arena, struct pyr_quantile *out) {
    pyr_quantiles_inflated(sample, 1, qs, count, arena, out);
}

void pyr_quantiles_inflated(const struct pyr_sample *sample, double least_vif, const double *qs,
                            size_t count, struct pyr_arena *arena, struct pyr_quantile *out) {
    assert(count <= MAX_QUANTILES);
    uint64_t limits[MAX_QUANTILES] = {0};
    for (size_t k = 0; k < count; k++) {
        out[k] = (struct pyr_quantile){.q = qs[k], .n = sample->n};
        if (sample->n > 0)
            limits[k] = sample->sorted[pyr_quantile_rank(sample->n, qs[k]) - 1];
    }
    inflations(sample, least_vif, limits, count, out);
    const struct storage storage = {
        .sample = sample, .correlation = sample->correlation, .known_vif = least_vif};
    for (size_t k = 0; k < count; k++)
        fill(&storage, &out[k], arena);
}

/* Batches are equal in time, so their counts differ: shares are weighted by them. */
static double inflation_of_hists(const struct pyr_hist *const *batches, size_t batch_count,
                                 double q, uint64_t limit) {
    double total = 0, above_total = 0, weighted = 0;
    for (size_t b = 0; b < batch_count; b++) {
        total += (double)batches[b]->count;
        above_total += (double)pyr_hist_count_above(batches[b], limit);
    }
    if (total == 0)
        return 1;
    double share = above_total / total;
    double shares[PYR_PARTS];
    assert(batch_count <= PYR_PARTS);
    for (size_t b = 0; b < batch_count; b++) {
        double n = (double)batches[b]->count;
        double off = (double)pyr_hist_count_above(batches[b], limit) - n * share;
        weighted += n > 0 ? off * off / n : 0;
        shares[b] = n > 0 ? share + off / n : share;
    }
    double long_run = total / (double)batch_count * pyr_long_run_variance(shares, batch_count);
    return floor_of(fmax(weighted / (double)(batch_count - 1), long_run) / (q * (1 - q)));
}

void pyr_quantiles_of_hist(const struct pyr_hist *hist, const struct pyr_hist *const *batches,
                           size_t batch_count, const struct pyr_correlation *correlation,
                           const double *qs, size_t count, struct pyr_arena *arena,
                           struct pyr_quantile *out) {
    bool batched = batches && batch_count >= LEAST_HIST_BATCHES;
    const struct storage storage = {.hist = hist, .correlation = correlation};
    for (size_t k = 0; k < count; k++) {
        out[k] = (struct pyr_quantile){.q = qs[k], .n = hist->count, .vif = 1};
        if (batched && hist->count > 0) {
            struct pyr_hist_value at =
                pyr_hist_at_rank(hist, pyr_quantile_rank(hist->count, qs[k]));
            out[k].vif = inflation_of_hists(batches, batch_count, qs[k], at.hi);
        }
        out[k].relative_error = PYR_HIST_RELATIVE_ERROR;
        fill(&storage, &out[k], arena);
        if (!batched && !out[k].estimate.reason)
            out[k].estimate.reason = "order unknown: values taken as independent";
    }
}
