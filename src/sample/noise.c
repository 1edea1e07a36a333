/* SPDX-License-Identifier: MIT */
#include "sample/noise.h"

#include "base/mem.h"
#include "base/rng.h"
#include "sample/proc.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { DEFAULT_COUNT = 500, CALIBRATION_ROUNDS = 100000 };
#define LOOP_AIM_NS PYR_NS_PER_MS

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nearest rank of sorted values. */
static double rank(const double *sorted, uint32_t count, double q) {
    uint32_t at = (uint32_t)ceil(q * count);
    return sorted[at > 0 ? at - 1 : 0];
}

static void sleep_until(uint64_t when_ns) {
    struct timespec until = {.tv_sec = (time_t)(when_ns / PYR_NS_PER_S),
                             .tv_nsec = (long)(when_ns % PYR_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static void measure_wakes(const struct pyr_noise_config *config, const struct pyr_clock *clock,
                          double *late_ns, struct pyr_machine_noise *noise) {
    uint64_t gap = config->wake_gap_ns ? config->wake_gap_ns : PYR_NS_PER_MS;
    for (uint32_t i = 0; i < noise->wakes; i++) {
        uint64_t due = pyr_now_ns(clock) + gap;
        sleep_until(due);
        uint64_t now = pyr_now_ns(clock);
        late_ns[i] = now > due ? (double)(now - due) : 0;
    }
    qsort(late_ns, noise->wakes, sizeof *late_ns, by_value);
    noise->wake_p50_ns = rank(late_ns, noise->wakes, 0.5);
    noise->wake_p99_ns = rank(late_ns, noise->wakes, 0.99);
    noise->wake_max_ns = late_ns[noise->wakes - 1];
}

/* A chain in which every round waits for the one before: no memory, no branches to learn. */
static uint64_t fixed_loop(uint64_t x, uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; i++)
        x = pyr_mix64(x);
    return x;
}

static uint64_t involuntary_switches(void) {
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? (uint64_t)usage.ru_nivcsw : 0;
}

static void measure_loops(const struct pyr_noise_config *config, const struct pyr_clock *clock,
                          double *took_ns, struct pyr_machine_noise *noise) {
    uint32_t rounds = config->loop_rounds;
    volatile uint64_t sink = 1;
    if (rounds == 0) {
        uint64_t from = pyr_now_ns(clock);
        sink = fixed_loop(sink, CALIBRATION_ROUNDS);
        uint64_t took = pyr_now_ns(clock) - from + 1;
        double fitting = (double)CALIBRATION_ROUNDS * (double)LOOP_AIM_NS / (double)took;
        rounds = fitting < 1000 ? 1000 : fitting > 1e8 ? 100000000 : (uint32_t)fitting;
    }
    uint64_t switches = involuntary_switches();
    for (uint32_t i = 0; i < noise->loops; i++) {
        uint64_t from = pyr_now_ns(clock);
        sink = fixed_loop(sink, rounds);
        took_ns[i] = (double)(pyr_now_ns(clock) - from);
    }
    noise->involuntary_switches = involuntary_switches() - switches;
    qsort(took_ns, noise->loops, sizeof *took_ns, by_value);
    noise->loop_min_ns = took_ns[0];
    noise->loop_max_ns = took_ns[noise->loops - 1];
    noise->loop_p50_ns = rank(took_ns, noise->loops, 0.5);
    noise->loop_p99_ns = rank(took_ns, noise->loops, 0.99);
    noise->loop_spread =
        noise->loop_p50_ns > 0 ? noise->loop_p99_ns / noise->loop_p50_ns - 1 : (double)NAN;
}

void pyr_noise_measure(const struct pyr_noise_config *config, const struct pyr_root *root,
                       const struct pyr_clock *clock, struct pyr_machine_noise *noise) {
    *noise = (struct pyr_machine_noise){.wakes = config->wakes ? config->wakes : DEFAULT_COUNT,
                                        .loops = config->loops ? config->loops : DEFAULT_COUNT,
                                        .steal_share = NAN};
    uint32_t most = noise->wakes > noise->loops ? noise->wakes : noise->loops;
    double *values = pyr_xcalloc(most, sizeof *values);
    struct pyr_proc_machine before, after;
    bool known = pyr_proc_machine(root, &before, NULL);
    measure_wakes(config, clock, values, noise);
    measure_loops(config, clock, values, noise);
    if (known && pyr_proc_machine(root, &after, NULL)) {
        double steal = (double)(after.steal_ticks - before.steal_ticks);
        double all = steal + (double)(after.busy_ticks - before.busy_ticks) +
                     (double)(after.idle_ticks - before.idle_ticks);
        noise->steal_share = all > 0 ? steal / all : (double)NAN;
    }
    pyr_free(values);
}
