/* SPDX-License-Identifier: MIT
 *
 * The clock is an argument. Everything that measures takes a `const struct pyr_clock *`; tests
 * and the sim target lend a virtual one, which moves only when its owner sets it.
 *
 * All times are nanoseconds of one monotonic clock (CLOCK_MONOTONIC is system-wide on Linux, so
 * stamps of a worker process can be compared with ours), held in uint64_t.
 */
#ifndef PYR_BASE_CLOCK_H
#define PYR_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define PYR_NS_PER_S UINT64_C(1000000000)
#define PYR_NS_PER_MS UINT64_C(1000000)
#define PYR_NS_PER_US UINT64_C(1000)
#define PYR_NEVER UINT64_MAX /* an instant that does not come */

struct pyr_clock {
    const uint64_t *virtual_now_ns; /* NULL: the real clock */
};

static inline uint64_t pyr_clock_real_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * PYR_NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t pyr_now_ns(const struct pyr_clock *clock) {
    return clock->virtual_now_ns ? *clock->virtual_now_ns : pyr_clock_real_ns();
}

static inline bool pyr_clock_is_virtual(const struct pyr_clock *clock) {
    return clock->virtual_now_ns != 0;
}

#endif
