/* SPDX-License-Identifier: MIT
 *
 * Load's end of a channel: slots in, slots out. Shared by the targets local and worker. One thread.
 */
#ifndef PYR_TARGET_LINK_H
#define PYR_TARGET_LINK_H

#include "base/arena.h"
#include "base/clock.h"
#include "target/channel.h"
#include "target/target.h"

struct pyr_link_slot {
    struct pyr_slot *slot; /* NULL: free */
    uint64_t text_capacity;
    uint32_t next_free;
    bool cancel_sent;
};

struct pyr_link {
    struct pyr_channel *channel;
    const struct pyr_clock *clock;
    int engine_fd, load_fd; /* of the bells; -1: nobody sleeps (virtual time) */
    uint32_t piece_bytes;   /* of the longest token: sizes captured text */
    struct pyr_link_slot *slots;
    uint32_t first_free, in_flight;
    struct pyr_arena *texts; /* captured texts until reset; NULL: none yet */
    bool unrung;             /* commands were sent since the engine's bell was rung */
    bool armed;              /* our own bell */
    bool dead;               /* the engine's side is gone: nothing is sent any more */
};

void pyr_link_init(struct pyr_link *link, struct pyr_channel *channel,
                   const struct pyr_clock *clock, int engine_fd, int load_fd, uint32_t piece_bytes);
void pyr_link_deinit(struct pyr_link *link);
/* Gives captured texts back; nothing is in flight. */
void pyr_link_reset(struct pyr_link *link);

/* As the functions of target.h. Submit stamps sent_ns. */
void pyr_link_submit(struct pyr_link *link, struct pyr_slot *slot);
void pyr_link_cancel(struct pyr_link *link, struct pyr_slot *slot, enum pyr_outcome outcome);
size_t pyr_link_poll(struct pyr_link *link, struct pyr_slot **done, size_t capacity);
struct pyr_wait pyr_link_wait(struct pyr_link *link);
/* Ends everything in flight with that outcome, without the engine's side, which must be gone.
 * Returns as poll does; call until it gives 0. `dead` is set before. */
size_t pyr_link_abandon(struct pyr_link *link, enum pyr_outcome outcome, const char *why,
                        struct pyr_slot **done, size_t capacity);

#endif
