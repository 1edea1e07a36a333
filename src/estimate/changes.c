/* SPDX-License-Identifier: MIT */
#include "estimate/changes.h"

#include "base/mem.h"
#include "base/rng.h"
#include "estimate/dist.h"
#include "estimate/sample.h"

#include <assert.h>
#include <math.h>

enum { WINDOW = PYR_CHANGES_WINDOW, LEAST = PYR_CHANGES_LEAST_SIDE, STRIDE = WINDOW + 1 };

/* Below this a permutation of blocks has too few arrangements to reach 1 %. */
enum { LEAST_FOR_BLOCKS = 30 };

static const double weak = 0.01, strong = 0.001, least_change = 0.03;

struct search {
    const double *values;
    size_t n, block;
    uint64_t seed;
    bool *change;               /* per index: a level starts here */
    double *sums;               /* STRIDE^2: sums of distances over rectangles from the origin */
    double inverse[WINDOW + 1]; /* 1/k */
    double copy[WINDOW];        /* the values of a permutation */
    double swap[WINDOW];
};

/* sums[i][j] = the sum of |x_a - x_b| over a < i, b < j. */
static void add_up_distances(double *sums, const double *x, size_t n) {
    for (size_t j = 0; j <= n; j++)
        sums[j] = 0;
    for (size_t i = 1; i <= n; i++) {
        double row = 0;
        sums[i * STRIDE] = 0;
        for (size_t j = 1; j <= n; j++) {
            row += fabs(x[i - 1] - x[j - 1]);
            sums[i * STRIDE + j] = sums[(i - 1) * STRIDE + j] + row;
        }
    }
}

/* The greatest energy statistic of [0, at) against [at, end) over all ends and splits:
 * m n / (m + n) (2 mean|x - y| - mean|x - x'| - mean|y - y'|), written without divisions.
 * Source: Matteson & James 2014, equations 5 to 7 with exponent 1. */
static double best_split(const struct search *search, size_t n, size_t *split) {
    const double *sums = search->sums;
    double best = -INFINITY, within[WINDOW + 1];
    for (size_t i = 0; i <= n; i++)
        within[i] = sums[i * STRIDE + i];
    for (size_t at = LEAST; at + LEAST <= n; at++) {
        const double *row = sums + at * STRIDE;
        double left = (double)at, left_share = within[at] * search->inverse[at - 1];
        for (size_t end = at + LEAST; end <= n; end++) {
            double across = row[end] - within[at];
            double within_right = within[end] - 2 * across - within[at];
            double energy = 2 * across - left_share * (double)(end - at) -
                            within_right * left * search->inverse[end - at - 1];
            double statistic = energy * search->inverse[end];
            if (statistic > best) {
                best = statistic;
                *split = at;
            }
        }
    }
    return best;
}

/* Puts the blocks of search->copy into a random order; the blocks begin at a random phase. */
static void permute(struct search *search, size_t n, struct pyr_rng *rng) {
    size_t block = n < LEAST_FOR_BLOCKS ? 1 : search->block;
    if (block <= 1) {
        pyr_rng_shuffle(rng, search->copy, n, sizeof *search->copy);
        return;
    }
    size_t starts[WINDOW + 1], blocks = 0;
    size_t phase = (size_t)pyr_rng_below(rng, block);
    for (size_t at = 0; at < n; at = at == 0 && phase > 0 ? phase : at + block)
        starts[blocks++] = at;
    starts[blocks] = n;
    size_t order[WINDOW];
    for (size_t b = 0; b < blocks; b++)
        order[b] = b;
    pyr_rng_shuffle(rng, order, blocks, sizeof *order);
    size_t filled = 0;
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = starts[order[b]]; i < starts[order[b] + 1]; i++)
            search->swap[filled++] = search->copy[i];
    memcpy(search->copy, search->swap, n * sizeof *search->copy);
}

static bool is_significant(struct search *search, size_t from, size_t n, double observed) {
    struct pyr_rng rng;
    pyr_rng_init_stream(&rng, search->seed, (uint64_t)from << 32 | n);
    const size_t allowed = (size_t)(weak * (PYR_CHANGES_PERMUTATIONS + 1)) - 1;
    size_t as_great = 0, split;
    memcpy(search->copy, search->values + from, n * sizeof *search->copy);
    for (size_t i = 0; i < PYR_CHANGES_PERMUTATIONS; i++) {
        permute(search, n, &rng);
        add_up_distances(search->sums, search->copy, n);
        as_great += best_split(search, n, &split) >= observed;
        if (as_great > allowed) /* what follows cannot bring the share back to 1 % */
            return false;
    }
    return true;
}

static void divide(struct search *search, size_t from, size_t to) {
    size_t n = to - from, split = 0;
    if (n < 2 * LEAST)
        return;
    add_up_distances(search->sums, search->values + from, n);
    double observed = best_split(search, n, &split);
    if (!(observed > 0) || !is_significant(search, from, n, observed))
        return;
    search->change[from + split] = true;
    divide(search, from, from + split);
    divide(search, from + split, to);
}

static void divide_windows(struct search *search) {
    memset(search->change, 0, search->n * sizeof *search->change);
    for (size_t from = 0;; from += WINDOW / 2) {
        size_t to = from + WINDOW < search->n ? from + WINDOW : search->n;
        divide(search, from, to);
        if (to == search->n)
            break;
    }
}

static double mean_of(const double *values, size_t n, double *variance) {
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    *variance = n > 1 ? squares / (double)(n - 1) : 0;
    return mean;
}

/* Welch's t between [from, at) and [at, to); `inflation` is that of the variance of a mean. */
static struct pyr_change measure(const double *values, size_t from, size_t at, size_t to,
                                 double inflation) {
    double left_variance, right_variance;
    struct pyr_change change = {.index = at};
    change.before = mean_of(values + from, at - from, &left_variance);
    change.after = mean_of(values + at, to - at, &right_variance);
    change.ratio = change.after / change.before;
    double left = left_variance * inflation / (double)(at - from);
    double right = right_variance * inflation / (double)(to - at);
    double difference = change.after - change.before;
    if (left + right == 0) {
        change.p = difference == 0 ? 1 : 0;
        return change;
    }
    double df = (left + right) * (left + right) /
                (left * left / fmax((double)(at - from) - 1, 1) +
                 right * right / fmax((double)(to - at) - 1, 1));
    change.p = 2 * pyr_student_cdf(-fabs(difference) / sqrt(left + right), df);
    return change;
}

static size_t next_change(const struct search *search, size_t after) {
    size_t i = after + 1;
    while (i < search->n && !search->change[i])
        i++;
    return i;
}

/* Weakest first, takes out the changes that are not significant or too small between their present
 * neighbours, until all that remain are. Returns how many remain; items may be NULL. */
static size_t prune(struct search *search, double inflation, double least,
                    struct pyr_change *items) {
    for (;;) {
        size_t count = 0, from = 0, weakest = 0;
        double weakest_p = -1;
        for (size_t at = next_change(search, 0); at < search->n;) {
            size_t to = next_change(search, at);
            struct pyr_change change = measure(search->values, from, at, to, inflation);
            double size = fmax(fabs(change.ratio), fabs(1 / change.ratio)) - 1;
            double p = size < least ? 1 : change.p;
            if (p > strong && p > weakest_p) {
                weakest_p = p;
                weakest = at;
            }
            if (items)
                items[count] = change;
            count++;
            from = at;
            at = to;
        }
        if (weakest_p < 0)
            return count;
        search->change[weakest] = false;
    }
}

/* Lag-1 autocorrelation about the present levels. Each fitted level takes (1 + 3 r)/n from the
 * estimate (Kendall 1954 for one mean), which is given back; and because the levels were chosen to
 * fit, the more the better, 2.5/n times the square of their number less one is added (by
 * simulation: without it, wandering series pass for series of many steps). */
static double lag1(const struct search *search) {
    if (search->n < 2 * LEAST)
        return NAN;
    double squares = 0, products = 0;
    size_t levels = 0;
    for (size_t from = 0; from < search->n; levels++) {
        size_t to = next_change(search, from);
        double unused, mean = mean_of(search->values + from, to - from, &unused);
        for (size_t i = from; i < to; i++) {
            double off = search->values[i] - mean;
            squares += off * off;
            if (i > from)
                products += off * (search->values[i - 1] - mean);
        }
        from = to;
    }
    if (squares == 0)
        return 0;
    double r = products / squares;
    double l = (double)levels;
    return r + ((1 + 3 * r) * l + 2.5 * (l - 1) * (l - 1)) / (double)search->n;
}

/* Of the variance of a mean, at 1.5 standard errors above the estimated autocorrelation. */
static double inflation_of_mean(double r, size_t n) {
    double upper = r + 1.5 * sqrt(fmax(0, 1 - r * r) / (double)n);
    upper = fmin(upper, 0.95);
    return (1 + upper) / (1 - upper);
}

void pyr_find_changes(const double *values, size_t n, const struct pyr_changes_options *options,
                      struct pyr_arena *arena, struct pyr_changes *out) {
    assert(n < UINT32_MAX);
    double floor_now = options->noise_floor > 0 ? options->noise_floor : 0;
    *out = (struct pyr_changes){.autocorrelation = NAN,
                                .block_length = 1,
                                .least_change = fmax(least_change, 2 * floor_now)};
    if (n < 2 * LEAST)
        return;
    struct search *search = pyr_xcalloc(1, sizeof *search);
    search->values = values;
    search->n = n;
    search->block = 1;
    search->seed = options->seed;
    search->change = pyr_xcalloc(n, sizeof *search->change);
    search->sums = pyr_xcalloc((size_t)STRIDE * STRIDE, sizeof *search->sums);
    for (size_t k = 1; k <= WINDOW; k++)
        search->inverse[k] = 1 / (double)k;
    divide_windows(search);
    prune(search, 1, out->least_change, NULL);
    out->autocorrelation = lag1(search);
    double inflation = 1;
    /* Below 50 points the estimate is mostly noise: the fewer, the more it takes to act on it. */
    if (out->autocorrelation > 0.2 * fmax(1, pow(50 / (double)n, 1.5))) {
        inflation = inflation_of_mean(out->autocorrelation, n);
        out->reduced_power = true;
        size_t window = n < WINDOW ? n : WINDOW;
        out->block_length = search->block = (size_t)ceil(cbrt((double)window)) + 1;
        divide_windows(search);
    }
    out->count = prune(search, inflation, out->least_change, NULL);
    out->items = pyr_arena_array(arena, out->count, sizeof *out->items);
    prune(search, inflation, out->least_change, out->items);
    pyr_free(search->sums);
    pyr_free(search->change);
    pyr_free(search);
}

static double median_of(const double *values, size_t n, double centre, double *scratch) {
    for (size_t i = 0; i < n; i++)
        scratch[i] = isnan(centre) ? values[i] : fabs(values[i] - centre);
    pyr_sort_doubles(scratch, n);
    return pyr_median_of_sorted(scratch, n);
}

bool pyr_change_suspected(const double *values, size_t n) {
    enum { LATE = 3, LEAST_BEFORE = 10 };
    if (n < LATE + LEAST_BEFORE)
        return false;
    size_t before = n - LATE;
    double *scratch = pyr_xcalloc(before, sizeof *scratch);
    double late = median_of(values + before, LATE, NAN, scratch);
    double level = median_of(values, before, NAN, scratch);
    double sigma = 1.4826 * median_of(values, before, level, scratch);
    pyr_free(scratch);
    return fabs(late - level) > 3 * sigma / sqrt(LATE);
}
