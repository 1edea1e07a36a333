/* SPDX-License-Identifier: MIT
 *
 * epoll, thinly: readiness with waits in nanoseconds. One thread.
 */
#ifndef PYR_NET_LOOP_H
#define PYR_NET_LOOP_H

#include "base/err.h"

#include <stdint.h>
#include <sys/epoll.h>

struct pyr_loop {
    int fd; /* itself pollable: readable while anything in it is ready */
};

bool pyr_loop_open(struct pyr_loop *loop, struct pyr_err *err);
void pyr_loop_close(struct pyr_loop *loop);
/* events: EPOLLIN, EPOLLOUT, and EPOLLET for edges; EPOLLHUP and EPOLLERR always come. False with
 * errno when the kernel has no room (ENOSPC, ENOMEM). A closed descriptor leaves by itself. */
bool pyr_loop_add(struct pyr_loop *loop, int fd, uint32_t events, void *data);
void pyr_loop_change(struct pyr_loop *loop, int fd, uint32_t events, void *data);
void pyr_loop_remove(struct pyr_loop *loop, int fd);
/* Fills at most `capacity` events, waiting up to timeout_ns (0: not at all, PYR_NEVER: for good).
 * Returns their number; 0 after the time-out or a signal. */
int pyr_loop_wait(struct pyr_loop *loop, struct epoll_event *events, int capacity,
                  uint64_t timeout_ns);

#endif
