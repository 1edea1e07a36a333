/* SPDX-License-Identifier: MIT */
#include "estimate/lockstep.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>

/* Companions looked at on each side of a send: in a burst of thousands some tell as much as all. */
enum { LOOKED_AT = 16 };
#define WINDOW_LEAST_NS 1e6
#define NONE SIZE_MAX

struct rounds {
    double mean_ns, cv; /* NaN: nobody sends twice */
};

/* Where each send's user sends next, and how long that takes. */
static struct rounds link_rounds(const struct pyr_send *sends, size_t count, uint32_t users,
                                 size_t *next) {
    size_t *last = pyr_xcalloc(users, sizeof *last), n = 0;
    double mean = 0, squares = 0;
    for (uint32_t u = 0; u < users; u++)
        last[u] = NONE;
    for (size_t i = 0; i < count; i++) {
        assert(sends[i].user < users);
        size_t *before = &last[sends[i].user];
        next[i] = NONE;
        if (*before != NONE) {
            next[*before] = i;
            double round_ns = (double)(sends[i].at_ns - sends[*before].at_ns),
                   off = round_ns - mean;
            mean += off / (double)++n;
            squares += off * (round_ns - mean);
        }
        *before = i;
    }
    pyr_free(last);
    if (n == 0)
        return (struct rounds){NAN, NAN};
    return (struct rounds){mean, mean > 0 ? sqrt(squares / (double)n) / mean : (double)NAN};
}

static double window_of(double round_ns, uint32_t users) {
    return fmax(round_ns / (4.0 * users), fmin(WINDOW_LEAST_NS, round_ns / 16));
}

static bool are_together(const struct pyr_send *a, const struct pyr_send *b, double window_ns) {
    return fabs((double)a->at_ns - (double)b->at_ns) <= window_ns;
}

struct company {
    uint64_t pairs, followed, again;
};

/* Pairs of sends that are together, and of those whose users both sent once more how many were
 * together then. Each pair once. */
static struct company count_company(const struct pyr_send *sends, size_t count, const size_t *next,
                                    double window_ns) {
    struct company seen = {0};
    for (size_t i = 0, end = 0; i < count; i++) {
        if (end < i + 1)
            end = i + 1;
        while (end < count && are_together(&sends[i], &sends[end], window_ns))
            end++;
        seen.pairs += end - i - 1;
        for (size_t j = i + 1; j < end && j <= i + LOOKED_AT; j++) {
            if (sends[j].user == sends[i].user || next[i] == NONE || next[j] == NONE)
                continue;
            seen.followed++;
            seen.again += are_together(&sends[next[i]], &sends[next[j]], window_ns);
        }
    }
    return seen;
}

struct pyr_lockstep pyr_lockstep_of(const struct pyr_send *sends, size_t count, uint32_t users) {
    struct pyr_lockstep lockstep = {NAN, NAN, NAN, NAN, NAN, false};
    if (users < 2 || count < 2)
        return lockstep;
    size_t *next = pyr_xcalloc(count, sizeof *next);
    struct rounds rounds = link_rounds(sends, count, users, next);
    lockstep.round_ns = rounds.mean_ns;
    lockstep.round_cv = rounds.cv;
    if (lockstep.round_ns > 0) {
        double window_ns = window_of(lockstep.round_ns, users);
        double p0 = 2 * window_ns / lockstep.round_ns;
        struct company seen = count_company(sends, count, next, window_ns);
        lockstep.burst = 1 + 2 * (double)seen.pairs / (double)count;
        lockstep.by_chance = 1 + (users - 1) * p0;
        if (seen.followed)
            lockstep.index = fmax(0, ((double)seen.again / (double)seen.followed - p0) / (1 - p0));
    }
    lockstep.found =
        lockstep.index >= 0.5 && lockstep.burst >= 2 && lockstep.burst >= 1.5 * lockstep.by_chance;
    pyr_free(next);
    return lockstep;
}

bool pyr_places_are_kept(const struct pyr_lockstep *lockstep) {
    return lockstep->round_cv < 0.25; /* not where it is unknown */
}
