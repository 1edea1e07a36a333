/* SPDX-License-Identifier: MIT
 *
 * Waiting until an instant or until a file descriptor has something, as exactly as the kernel lets
 * us. Real time only.
 *
 * Measured on a two-core virtual machine, lateness p50/p99 (docs/method/pacing.md): ppoll with the
 * default timer slack 78/229 us, with a slack of 1 ns 27/70 us, the last 100 us spun away
 * 0.1/1.1 us for 9 % of a core at 1,000 instants a second.
 */
#ifndef PYR_LOAD_PACE_H
#define PYR_LOAD_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pyr_pace {
    long slack_before_ns; /* the thread's timer slack, given back at the end */
    bool sliced, urgent;  /* so is its slice, or its priority */
    bool spins;           /* may: see pyr_pace_look */
    uint64_t looked_ns, cpu_ns;
};

/* For the calling thread, until pyr_pace_stop: the finest timer slack, and where the kernel lets us
 * - with `urgent` the lowest real-time priority (SCHED_FIFO 1), so that a due request goes out
 *   before whatever else wants the processor; it needs CAP_SYS_NICE or an RLIMIT_RTPRIO;
 * - else the shortest slice of the processor: who asks for little at a time gets it sooner, and no
 *   more of it in all (EEVDF, Linux 6.12 and later; others take no notice). */
void pyr_pace_start(struct pyr_pace *pace, bool urgent);
/* To be called ten times a second: a thread of that priority that hardly ever waits gives up
 * spinning first, and then, where it has too much to do even so, the priority for good (and spins
 * again as others do): there is nothing that it would still be in time for, and others are to
 * live. */
void pyr_pace_look(struct pyr_pace *pace, uint64_t now_ns);
void pyr_pace_stop(struct pyr_pace *pace);

/* Until when to sleep before an instant: itself, or with `spin` 100 us before it, where the caller
 * then polls. */
uint64_t pyr_pace_until(uint64_t deadline_ns, bool spin);

/* Returns at `deadline_ns` (PYR_NEVER: none), or before when fd (-1: none) is readable or a signal
 * came. With `spin` it returns up to 100 us early: the caller then polls until the instant. */
void pyr_pace_wait(int fd, uint64_t now_ns, uint64_t deadline_ns, bool spin);

#endif
