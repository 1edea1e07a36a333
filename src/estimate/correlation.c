/* SPDX-License-Identifier: MIT */
#include "estimate/correlation.h"

#include "base/mem.h"
#include "estimate/sample.h"

#include <assert.h>
#include <math.h>

enum {
    BATCHES = 10,
    LEAST = 20,
    GRID = 512, /* parts of the window in which the number in flight is averaged */
    DEGREES_MAX = 19,
    TAIL_A_DEGREE = 3,
    ANSWERS_LEAST = 50,
    LATENCIES_TO_SETTLE = 4,
    LOAD_REQUESTS = 100,
    DEGREES_WISHED = 4 /* of the length that would do: Student's t is 2.8 there */
};

/* --- the variance of a mean --------------------------------------------------------------------
 */

static double autocovariance(const double *off, size_t n, size_t lag) {
    double sum = 0;
    for (size_t i = lag; i < n; i++)
        sum += off[i] * off[i - lag];
    return sum / (double)n;
}

static double initial_sequence(const double *off, size_t n) {
    double sum = -autocovariance(off, n, 0), before = INFINITY;
    size_t lag = 0;
    for (; lag + 1 <= n / 4; lag += 2) {
        double pair = autocovariance(off, n, lag) + autocovariance(off, n, lag + 1);
        if (pair <= 0)
            break;
        before = fmin(pair, before);
        sum += 2 * before;
    }
    /* The series' own mean takes Var(mean) from each autocovariance. */
    double kept = lag > 0 ? 1 - (2 * (double)lag - 1) / (double)n : 1;
    return fmax(sum, 0) / fmax(kept, 0.05);
}

static double batch_means(const double *off, size_t n) {
    size_t each = n / BATCHES;
    double mean = 0, squares = 0, batch[BATCHES];
    for (size_t b = 0; b < BATCHES; b++) {
        batch[b] = 0;
        for (size_t i = 0; i < each; i++)
            batch[b] += off[n - (BATCHES - b) * each + i] / (double)each;
        mean += batch[b] / BATCHES;
    }
    for (size_t b = 0; b < BATCHES; b++)
        squares += (batch[b] - mean) * (batch[b] - mean);
    return (double)each * squares / (BATCHES - 1);
}

double pyr_long_run_variance(const double *series, size_t n) {
    double mean = 0, off[PYR_SERIES_MAX];
    assert(n <= PYR_SERIES_MAX);
    if (n < LEAST)
        return 0;
    for (size_t i = 0; i < n; i++)
        mean += series[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        off[i] = series[i] - mean;
    return fmax(initial_sequence(off, n), batch_means(off, n));
}

double pyr_quantile_degrees(uint64_t n, double q, double vif, double limit) {
    double thin = (double)n / vif * fmin(q, 1 - q);
    double degrees = fmin(limit, DEGREES_MAX);
    return vif > 1 ? fmin(degrees, thin / TAIL_A_DEGREE * vif / (vif - 1)) : degrees;
}

double pyr_spans_of_points(const double *in_flight, size_t n) {
    double mean = 0, variance = 0;
    if (n < LEAST)
        return 0;
    for (size_t i = 0; i < n; i++)
        mean += in_flight[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (in_flight[i] - mean) * (in_flight[i] - mean) / (double)n;
    double long_run = pyr_long_run_variance(in_flight, n);
    return long_run > 0 ? (double)n * variance / long_run : (double)n;
}

bool pyr_means_differ(const double *series, size_t n, size_t at) {
    size_t each = (n - at) / PYR_PARTS + 1, parts = (n - at) / each;
    double before = 0, after = 0, batch[PYR_PARTS] = {0};
    if (at == 0 || parts < LEAST)
        return at > 0;
    for (size_t i = 0; i < at; i++)
        before += series[i] / (double)at;
    for (size_t i = 0; i < parts * each; i++)
        batch[i / each] += series[n - parts * each + i] / (double)each;
    for (size_t i = 0; i < parts; i++)
        after += batch[i] / (double)parts;
    double variance = (double)each * pyr_long_run_variance(batch, parts);
    const double many = 3; /* standard errors: the cut was chosen for being the best */
    return fabs(before - after) > many * sqrt(variance * (1 / (double)at + 1 / (double)(n - at)));
}

/* --- what is in flight -------------------------------------------------------------------------
 */

struct grid {
    double width_ns, from_ns, to_ns;
    double part[GRID];
    double whole[GRID + 1]; /* changes of the number that is in flight for all of a part */
};

static void add_to_grid(struct grid *grid, const struct pyr_flight *flight) {
    double start = fmax((double)flight->start_ns - grid->from_ns, 0) / grid->width_ns;
    double end =
        fmin((double)flight->end_ns - grid->from_ns, grid->to_ns - grid->from_ns) / grid->width_ns;
    if (!(end > start) || (double)flight->start_ns >= grid->to_ns)
        return;
    size_t first = (size_t)fmin(start, GRID - 1), last = (size_t)fmin(end, GRID - 1);
    if (first == last) {
        grid->part[first] += end - start;
        return;
    }
    grid->part[first] += (double)(first + 1) - start;
    grid->part[last] += end - (double)last;
    grid->whole[first + 1]++;
    grid->whole[last]--;
}

/* How many were in flight when each request started, itself left out, of those that start in the
 * window. */
static size_t count_at_starts(const struct pyr_flight *flights, size_t n, uint64_t from_ns,
                              uint64_t to_ns, uint32_t *seen, size_t *first) {
    uint64_t *ends = pyr_xcalloc(2 * n, sizeof *ends);
    for (size_t i = 0; i < n; i++)
        ends[i] = flights[i].end_ns;
    pyr_sort_keys(ends, ends + n, n);
    size_t ended = 0, count = 0;
    for (size_t i = 0; i < n && flights[i].start_ns < to_ns; i++) {
        while (ended < i && ends[ended] <= flights[i].start_ns)
            ended++;
        if (flights[i].start_ns < from_ns)
            continue;
        if (count == 0)
            *first = i;
        seen[count++] = (uint32_t)(i - ended);
    }
    pyr_free(ends);
    return count;
}

/* The least number that `share` of all have at most. */
static uint32_t quantile_of_counts(const uint32_t *seen, size_t n, double share) {
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = seen[i] > most ? seen[i] : most;
    size_t *times = pyr_xcalloc((size_t)most + 1, sizeof *times), below = 0;
    for (size_t i = 0; i < n; i++)
        times[seen[i]]++;
    uint32_t at = 0;
    for (; at < most && (double)(below + times[at]) <= share * (double)n; at++)
        below += times[at];
    pyr_free(times);
    return at;
}

/* Least squares of the wait for the first token on the number in flight, of those that found
 * `least` or more: what one more adds, in ns. */
static double wait_of_one_more(const struct pyr_flight *flights, const uint32_t *seen, size_t n,
                               uint32_t least) {
    double count = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        if (seen[i] < least || flights[i].first_ns <= flights[i].start_ns)
            continue;
        double wait = (double)(flights[i].first_ns - flights[i].start_ns);
        count++;
        x += seen[i];
        y += wait;
        xx += (double)seen[i] * seen[i];
        xy += seen[i] * wait;
    }
    double spread = count > 0 ? xx - x * x / count : 0;
    return spread > 0 ? (xy - x * y / count) / spread : 0;
}

static double variance_of(const uint32_t *seen, size_t n) {
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += seen[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (seen[i] - mean) * (seen[i] - mean);
    return squares / (double)n;
}

static double load_of(const struct pyr_flight *flights, const uint32_t *seen, size_t n,
                      double width_ns) {
    static const double shares[] = {0.5, 0.8};
    double more = 0;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        more =
            fmax(more, wait_of_one_more(flights, seen, n, quantile_of_counts(seen, n, shares[i])));
    return more * (double)n / width_ns;
}

static double square(double x) {
    return x * x;
}

/* Degrees of freedom, and how much longer would do. */
static void judge(struct pyr_correlation *out, size_t n) {
    /* Memory beyond two latencies is that of a queue. Its excursions come in all lengths, the
     * longest count most, and a short run sees few of them. */
    double queue = fmax(1, out->answers / (2 * out->spans));
    double load = fmin(out->load, 0.99);
    double at_load = LOAD_REQUESTS * load / square(1 - load) / (double)n;
    double short_by = fmax(ANSWERS_LEAST / out->answers, at_load);
    out->degrees = out->spans / PYR_SPANS_A_DEGREE / sqrt(queue);
    out->longer = fmax(short_by, out->degrees < 1 ? DEGREES_WISHED / out->degrees : 0);
    if (short_by > 1)
        out->degrees = 0;
}

static void fill(const struct pyr_flight *flights, size_t n, const uint32_t *seen, size_t starts,
                 struct grid *grid, struct pyr_correlation *out) {
    double mean = 0, whole = 0;
    size_t first = 0;
    while (first < n && (double)flights[first].start_ns < grid->from_ns)
        first++;
    for (size_t i = 0; i < n; i++)
        add_to_grid(grid, &flights[i]);
    for (size_t i = 0; i < GRID; i++) {
        whole += grid->whole[i];
        grid->part[i] += whole;
        mean += grid->part[i] / GRID;
    }
    if (!(mean > 0))
        return;
    for (size_t i = 0; i < GRID; i++)
        grid->part[i] -= mean;
    out->answers = (double)starts / mean;
    /* The variance at instants, not of means over parts of the window, or a long run would seem to
     * remember for as long as a part is. Poisson arrivals see what a clock would see. */
    double seconds = (grid->to_ns - grid->from_ns) * 1e-9, variance = variance_of(seen, starts);
    double long_run = initial_sequence(grid->part, GRID);
    out->spans = variance > 0 && long_run > 0 ? GRID * variance / long_run : out->answers;
    out->time_s = seconds / out->spans;
    out->load = load_of(flights + first, seen, starts, grid->to_ns - grid->from_ns);
    judge(out, starts);
}

uint64_t pyr_settled_ns(const struct pyr_flight *flights, size_t n, uint64_t from_ns,
                        uint64_t to_ns) {
    if (n < LEAST || to_ns <= from_ns)
        return from_ns;
    uint32_t *seen = pyr_xcalloc(n, sizeof *seen);
    size_t first = 0, count = count_at_starts(flights, n, 0, to_ns, seen, &first), in_window = 0;
    double mean = 0, took = 0;
    for (size_t i = 0; i < count; i++) {
        if (flights[i].start_ns < from_ns)
            continue;
        in_window++;
        mean += seen[i];
        took += (double)(flights[i].end_ns - flights[i].start_ns);
    }
    uint64_t settled = from_ns;
    if (in_window > 0) {
        mean /= (double)in_window;
        double least = (double)flights[0].start_ns + LATENCIES_TO_SETTLE * took / (double)in_window;
        size_t i = 0;
        while (i < count && ((double)flights[i].start_ns < least || seen[i] < mean))
            i++;
        if (i < count && flights[i].start_ns > from_ns)
            settled = flights[i].start_ns;
    }
    pyr_free(seen);
    return settled;
}

struct pyr_correlation pyr_correlation_of(const struct pyr_flight *flights, size_t n,
                                          uint64_t from_ns, uint64_t to_ns) {
    struct pyr_correlation out = {NAN, NAN, NAN, NAN, NAN, NAN};
    if (n < LEAST || to_ns <= from_ns)
        return out;
    uint32_t *seen = pyr_xcalloc(n, sizeof *seen);
    size_t first = 0;
    size_t starts = count_at_starts(flights, n, from_ns, to_ns, seen, &first);
    if (starts >= LEAST) {
        struct grid *grid = pyr_xcalloc(1, sizeof *grid);
        grid->from_ns = (double)from_ns;
        grid->to_ns = (double)to_ns;
        grid->width_ns = (double)(to_ns - from_ns) / GRID;
        fill(flights, n, seen, starts, grid, &out);
        pyr_free(grid);
    }
    pyr_free(seen);
    return out;
}

double pyr_correlation_limit(const struct pyr_correlation *correlation) {
    return correlation && !isnan(correlation->degrees) ? correlation->degrees : (double)INFINITY;
}

const char *pyr_correlation_tell(const struct pyr_correlation *correlation,
                                 struct pyr_arena *arena) {
    double longer = correlation->longer;
    if (correlation->answers < ANSWERS_LEAST)
        return pyr_arena_printf(arena,
                                "this run holds %.0f mean latencies, fewer than %d: %.1f times as "
                                "long would do",
                                correlation->answers, ANSWERS_LEAST, longer);
    if (correlation->degrees <= 0)
        return pyr_arena_printf(arena,
                                "at about %.0f %% of what the target carries queues come and go "
                                "too slowly for this run: %.1f times as long would do",
                                100 * fmin(correlation->load, 1), longer);
    return pyr_arena_printf(arena,
                            "requests in flight stay alike for %.3g s, of which this run holds "
                            "%.0f: %.1f times as long would do",
                            correlation->time_s, correlation->spans, longer);
}
