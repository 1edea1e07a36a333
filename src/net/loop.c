/* SPDX-License-Identifier: MIT */
#include "net/loop.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

bool pyr_loop_open(struct pyr_loop *loop, struct pyr_err *err) {
    loop->fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->fd < 0)
        return pyr_fail_errno(err, errno, "epoll");
    return true;
}

void pyr_loop_close(struct pyr_loop *loop) {
    if (loop->fd >= 0)
        close(loop->fd);
    loop->fd = -1;
}

bool pyr_loop_add(struct pyr_loop *loop, int fd, uint32_t events, void *data) {
    struct epoll_event event = {.events = events, .data.ptr = data};
    return epoll_ctl(loop->fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void pyr_loop_change(struct pyr_loop *loop, int fd, uint32_t events, void *data) {
    struct epoll_event event = {.events = events, .data.ptr = data};
    int status = epoll_ctl(loop->fd, EPOLL_CTL_MOD, fd, &event);
    assert(status == 0);
    (void)status;
}

void pyr_loop_remove(struct pyr_loop *loop, int fd) {
    struct epoll_event unused = {0};
    epoll_ctl(loop->fd, EPOLL_CTL_DEL, fd, &unused);
}

/* Kernels before 5.11, and some sandboxes, have no epoll_pwait2: there the descriptor of the loop
 * is waited for, which takes nanoseconds as well. */
static int wait_as_ever(struct pyr_loop *loop, struct epoll_event *events, int capacity,
                        const struct timespec *timeout) {
    struct pollfd readable = {.fd = loop->fd, .events = POLLIN};
    int ready = ppoll(&readable, 1, timeout, NULL);
    return ready > 0 ? epoll_wait(loop->fd, events, capacity, 0) : ready;
}

int pyr_loop_wait(struct pyr_loop *loop, struct epoll_event *events, int capacity,
                  uint64_t timeout_ns) {
    int count;
    if (timeout_ns == 0) {
        count = epoll_wait(loop->fd, events, capacity, 0);
    } else {
        struct timespec span = {.tv_sec = (time_t)(timeout_ns / PYR_NS_PER_S),
                                .tv_nsec = (long)(timeout_ns % PYR_NS_PER_S)};
        const struct timespec *timeout = timeout_ns == PYR_NEVER ? NULL : &span;
        count = epoll_pwait2(loop->fd, events, capacity, timeout, NULL);
        if (count < 0 && (errno == ENOSYS || errno == EPERM))
            count = wait_as_ever(loop, events, capacity, timeout);
    }
    assert(count >= 0 || errno == EINTR);
    return count > 0 ? count : 0;
}
