/* SPDX-License-Identifier: MIT
 *
 * Do the users of a closed loop move in step? Where answers are of one length, users who once sent
 * together end together and send together again, for thousands of requests: what is then measured
 * is a burst of them, and neither a warm-up nor a steady cut shows it.
 *
 * Two sends are together when they lie within `window` of each other: a quarter of the mean gap
 * between sends (but at least a millisecond, as long as that is at most a sixteenth of a round).
 * The index is how much more often than by chance two users who send together do so again in their
 * next round:
 *
 *     index = (P(again | together) - p0) / (1 - p0),   p0 = 2 window / round
 *
 * 0 for independent users, 1 where nobody changes his place. The burst is the mean number of sends
 * that a send finds together with itself, itself included: 1 + (users - 1) p0 for independent
 * users. docs/method/closed-loops.md shows both for known laws.
 */
#ifndef PYR_ESTIMATE_LOCKSTEP_H
#define PYR_ESTIMATE_LOCKSTEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyr_send {
    uint64_t at_ns;
    uint32_t user; /* 0 .. users - 1 */
};

struct pyr_lockstep {
    double index;     /* 0 .. 1; NaN: unknown (fewer than two users or rounds, nobody together) */
    double burst;     /* sends at a time; NaN likewise */
    double by_chance; /* the burst of independent users */
    double round_cv;  /* spread of those times; NaN likewise */
    double round_ns;  /* mean time from a user's send to his next; NaN likewise */
    /* Users move in step so far that it shows: index at least .5, and bursts of two and more that
     * are half as large again as by chance. */
    bool found;
};

/* True where the users of a closed loop keep their places for the whole run: their rounds are of
 * one length (round_cv below a quarter). What a round shows, the same steps shown to all of them,
 * the next one shows again, and so many requests are one observation. */
bool pyr_places_are_kept(const struct pyr_lockstep *lockstep);

/* `sends` in order of time. Takes memory of its own for the call. */
struct pyr_lockstep pyr_lockstep_of(const struct pyr_send *sends, size_t count, uint32_t users);

#endif
