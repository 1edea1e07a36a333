/* SPDX-License-Identifier: MIT */
#include "judge/ab_trouble.h"

#include "base/mem.h"
#include "estimate/sample.h"
#include "sample/proc.h"

#include <math.h>
#include <unistd.h>

/* Of one CPU: this much more in one block of a pair than in another moves a median by more than the
 * gate bears, on the two to four CPUs of a small machine. */
static const double cpu_apart = 0.15;
/* And at least this long, as the kernel counts in ticks of 10 ms. */
static const double cpu_apart_s = 0.03;
/* A probe that differs by this much between the blocks of a pair. */
static const double mode_apart = 1.25;
/* How surely trouble comes with one side before it is called that side's own. */
static const double own_alpha = 0.005;

static double steal_of(const struct pyr_ab_span *span) {
    return span->after.steal_s - span->before.steal_s;
}
static double others_of(const struct pyr_ab_span *span) {
    return span->after.others_s - span->before.others_s;
}
static double seconds_of(const struct pyr_ab_span *span) {
    return span->after.at_s - span->before.at_s;
}

static double median_share(const struct pyr_ab_span *spans, size_t pairs, size_t sides, size_t side,
                           double (*taken)(const struct pyr_ab_span *)) {
    double *shares = pyr_xcalloc(pairs, sizeof *shares);
    size_t n = 0;
    for (size_t i = 0; i < pairs; i++) {
        const struct pyr_ab_span *span = &spans[i * sides + side];
        double share = taken(span) / seconds_of(span);
        if (isfinite(share))
            shares[n++] = share;
    }
    pyr_sort_doubles(shares, n);
    double median = n ? pyr_median_of_sorted(shares, n) : (double)NAN;
    pyr_free(shares);
    return median;
}

/* What one side's own server takes is in its median; what is left is the machine's. `worst` gets
 * the side that had the most. */
static bool is_cpu_apart(const struct pyr_ab_span *pair, size_t sides, const double *medians,
                         double (*taken)(const struct pyr_ab_span *), size_t *worst) {
    double least = INFINITY, most = -INFINITY, most_s = 0;
    for (size_t side = 0; side < sides; side++) {
        double seconds = seconds_of(&pair[side]);
        double excess = taken(&pair[side]) - medians[side] * seconds;
        if (!isfinite(excess) || !(seconds > 0))
            return false;
        if (excess / seconds > most) {
            most = excess / seconds;
            most_s = seconds;
            *worst = side;
        }
        least = fmin(least, excess / seconds);
    }
    return most - least > cpu_apart && (most - least) * most_s > cpu_apart_s;
}

static double probe_of(const struct pyr_ab_reading *reading, bool handover) {
    return handover ? reading->handover_ns : reading->loop_ns;
}

static bool is_mode_apart(const struct pyr_ab_span *pair, size_t sides, bool handover,
                          size_t *worst) {
    double least = INFINITY, most = 0;
    for (size_t side = 0; side < sides; side++) {
        double before = probe_of(&pair[side].before, handover);
        double after = probe_of(&pair[side].after, handover);
        if (!(before > 0) || !(after > 0))
            return false;
        least = fmin(least, fmin(before, after));
        if (fmax(before, after) > most) {
            most = fmax(before, after);
            *worst = side;
        }
    }
    return most > mode_apart * least;
}

/* P(at least k of n) at probability p each. */
static double binomial_tail(size_t n, size_t k, double p) {
    double sum = 0;
    for (size_t i = k; i <= n; i++) {
        double ways = lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1);
        sum += exp(ways + (double)i * log(p) + (double)(n - i) * log1p(-p));
    }
    return fmin(sum, 1);
}

void pyr_ab_find_troubles(const struct pyr_ab_span *spans, size_t pairs, size_t sides,
                          enum pyr_ab_trouble *trouble, struct pyr_ab_troubles *found) {
    double steal[8], others[8];
    size_t with_b = 0;
    *found = (struct pyr_ab_troubles){.troubled = 0};
    for (size_t side = 0; side < sides; side++) {
        steal[side] = median_share(spans, pairs, sides, side, steal_of);
        others[side] = median_share(spans, pairs, sides, side, others_of);
    }
    for (size_t i = 0; i < pairs; i++) {
        const struct pyr_ab_span *pair = &spans[i * sides];
        size_t worst = 0;
        trouble[i] =
            is_cpu_apart(pair, sides, steal, steal_of, &worst)     ? PYR_AB_STEAL
            : is_cpu_apart(pair, sides, others, others_of, &worst) ? PYR_AB_OTHERS
            : is_mode_apart(pair, sides, false, &worst) || is_mode_apart(pair, sides, true, &worst)
                ? PYR_AB_MODE
                : PYR_AB_CALM;
        if (trouble[i] == PYR_AB_CALM)
            continue;
        found->troubled++;
        found->counts[trouble[i]]++;
        with_b += worst == 1;
    }
    size_t n = found->troubled;
    double share_b = 1 / (double)sides;
    found->comes_with_b = n > 0 && binomial_tail(n, with_b, share_b) < own_alpha;
    found->comes_with_a = n > 0 && binomial_tail(n, n - with_b, 1 - share_b) < own_alpha;
    found->everywhere = 2 * n > pairs;
    bool stays = found->comes_with_a || found->comes_with_b || found->everywhere;
    found->dropped = stays ? 0 : n;
    for (size_t i = 0; stays && i < pairs; i++)
        trouble[i] = PYR_AB_CALM;
}

/* --- the live machine ----------------------------------------------------------------------------
 */

enum { LOOPS = 5, LOOP_ROUNDS = 100000 };

static double loop_ns(const struct pyr_clock *clock) {
    double took[LOOPS];
    volatile uint64_t sink = 1;
    for (size_t i = 0; i < LOOPS; i++) {
        uint64_t from = pyr_now_ns(clock), x = sink;
        for (uint32_t k = 0; k < LOOP_ROUNDS; k++)
            x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        sink = x;
        took[i] = (double)(pyr_now_ns(clock) - from);
    }
    pyr_sort_doubles(took, LOOPS);
    return took[LOOPS / 2];
}

static void read_live(void *context, struct pyr_ab_reading *reading) {
    const struct pyr_ab_live *live = context;
    const double tick_s = 0.01;
    struct pyr_proc_machine machine;
    struct pyr_proc_usage own;
    struct pyr_err absent;
    *reading = (struct pyr_ab_reading){
        .steal_s = NAN, .others_s = NAN, .loop_ns = loop_ns(live->clock), .handover_ns = NAN};
    reading->at_s = (double)pyr_now_ns(live->clock) * 1e-9;
    if (!pyr_proc_machine(live->root, &machine, &absent))
        return;
    reading->steal_s = (double)machine.steal_ticks * tick_s;
    if (pyr_proc_read_tree(live->root, getpid(), PYR_PROC_CHEAP, &own, &absent) &&
        own.cpu_ns != PYR_PROC_UNKNOWN)
        reading->others_s = (double)machine.busy_ticks * tick_s - (double)own.cpu_ns * 1e-9;
}

struct pyr_ab_machine pyr_ab_live_machine(struct pyr_ab_live *live) {
    return (struct pyr_ab_machine){read_live, live};
}
