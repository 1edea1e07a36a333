/* SPDX-License-Identifier: MIT */
#include "load/pace.h"

#include "base/clock.h"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The last part before an instant that is spun away where that is allowed: with 50 us the p99 of
 * the lateness was 32 us, with 100 us 1.1 us, with 200 us no better for twice the CPU. */
#define SPIN_NS (100 * PYR_NS_PER_US)

/* The kernel's struct sched_attr in its first version, which not every C library has. */
struct scheduling {
    uint32_t size, sched_policy;
    uint64_t sched_flags;
    int32_t sched_nice;
    uint32_t sched_priority;
    uint64_t sched_runtime, sched_deadline, sched_period;
};

/* The least that the kernel takes. */
#define SLICE_NS (100 * PYR_NS_PER_US)

/* Above this share of a processor a thread counts as one that does not wait. */
static const double busy_share = 0.8;
/* Over so long: longer than a burst of tokens takes to read, and shorter than the second after
 * which the kernel itself takes the processor from a real-time thread that never waits. */
#define BUSY_NS (PYR_NS_PER_S / 2)

static bool read_scheduling(struct scheduling *attr) {
    *attr = (struct scheduling){.size = sizeof *attr};
    return syscall(SYS_sched_getattr, 0, attr, sizeof *attr, 0) == 0;
}

/* 0: the kernel's own. Only of a thread of the ordinary kind: somebody chose the others. */
static bool set_slice(uint64_t slice_ns) {
    struct scheduling attr;
    if (!read_scheduling(&attr) || attr.sched_policy != SCHED_OTHER)
        return false;
    attr.sched_runtime = slice_ns;
    return syscall(SYS_sched_setattr, 0, &attr, 0) == 0;
}

/* The niceness stays what it was, for when the priority is given back. */
static bool set_policy(uint32_t from, uint32_t to, uint32_t priority) {
    struct scheduling attr;
    if (!read_scheduling(&attr) || attr.sched_policy != from)
        return false;
    attr.sched_policy = to;
    attr.sched_priority = priority;
    attr.sched_runtime = 0;
    return syscall(SYS_sched_setattr, 0, &attr, 0) == 0;
}

/* Not where the kernel ends a process for using its priority for too long. */
static bool become_urgent(void) {
    struct rlimit most;
    return getrlimit(RLIMIT_RTTIME, &most) == 0 && most.rlim_cur == RLIM_INFINITY &&
           set_policy(SCHED_OTHER, SCHED_FIFO, 1);
}

static uint64_t thread_cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * PYR_NS_PER_S + (uint64_t)used.tv_nsec;
}

/* The next best: the kernel has no use for the slack of a real-time thread, and forgets it. */
static void ask_as_ordinary(struct pyr_pace *pace) {
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    pace->sliced = set_slice(SLICE_NS);
}

void pyr_pace_start(struct pyr_pace *pace, bool urgent) {
    *pace =
        (struct pyr_pace){.slack_before_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), .spins = true};
    pace->urgent = urgent && become_urgent();
    if (!pace->urgent)
        ask_as_ordinary(pace);
}

static void calm_down(struct pyr_pace *pace) {
    if (pace->urgent)
        set_policy(SCHED_FIFO, SCHED_OTHER, 0);
    pace->urgent = false;
}

void pyr_pace_look(struct pyr_pace *pace, uint64_t now_ns) {
    if (!pace->urgent)
        return;
    uint64_t since_ns = now_ns - pace->looked_ns;
    if (pace->looked_ns && since_ns < BUSY_NS)
        return;
    uint64_t cpu_ns = thread_cpu_ns();
    bool busy = pace->looked_ns && (double)(cpu_ns - pace->cpu_ns) > busy_share * (double)since_ns;
    bool gives_up = busy && !pace->spins;
    if (gives_up) {
        calm_down(pace);
        ask_as_ordinary(pace);
    }
    pace->spins = gives_up || (pace->spins && !busy);
    pace->looked_ns = now_ns;
    pace->cpu_ns = cpu_ns;
}

void pyr_pace_stop(struct pyr_pace *pace) {
    calm_down(pace);
    if (pace->sliced)
        set_slice(0);
    if (pace->slack_before_ns > 0)
        prctl(PR_SET_TIMERSLACK, pace->slack_before_ns, 0, 0, 0);
}

uint64_t pyr_pace_until(uint64_t deadline_ns, bool spin) {
    if (!spin || deadline_ns == PYR_NEVER || deadline_ns <= SPIN_NS)
        return deadline_ns;
    return deadline_ns - SPIN_NS;
}

void pyr_pace_wait(int fd, uint64_t now_ns, uint64_t deadline_ns, bool spin) {
    deadline_ns = pyr_pace_until(deadline_ns, spin);
    if (deadline_ns <= now_ns)
        return;
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    struct timespec timeout;
    if (deadline_ns != PYR_NEVER) {
        uint64_t left_ns = deadline_ns - now_ns;
        timeout.tv_sec = (time_t)(left_ns / PYR_NS_PER_S);
        timeout.tv_nsec = (long)(left_ns % PYR_NS_PER_S);
    }
    ppoll(&entry, fd >= 0, deadline_ns != PYR_NEVER ? &timeout : NULL, NULL);
}
