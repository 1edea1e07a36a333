/* SPDX-License-Identifier: MIT */
#include "sample/bandwidth.h"

#include "base/mem.h"
#include "sample/machine.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

/* One stream leaves a core's line-fill buffers idle between pages; four, fetched ahead by 1 KiB,
 * were the fastest of the shapes tried (docs/method/machine.md). */
enum { STREAMS = 4, LINE_BYTES = 64, AHEAD_BYTES = 1024, DEFAULT_REPETITIONS = 7 };
#define DEFAULT_BYTES (UINT64_C(512) << 20)
#define GRAIN_BYTES ((uint64_t)STREAMS << 21) /* a huge page for each stream */

typedef uint64_t vector __attribute__((vector_size(16)));

struct span {
    uint64_t from_ns, to_ns;
};

struct reader {
    struct team *team;
    unsigned char *memory; /* this reader's part, touched by it first */
    uint64_t bytes;
    int cpu; /* -1: not pinned */
    pthread_t thread;
    struct span *spans; /* (passes): stamped by the reader itself, so that no wake-up counts */
    uint64_t sum;       /* of what was read: keeps the reads, and shows that they were all */
};

enum gate { GATE_SHUT, GATE_OPEN, GATE_ABANDONED };

struct team {
    const struct pyr_clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum gate gate; /* opened when every reader was started */
    pthread_barrier_t pass_start;
    uint32_t passes;
    struct reader *readers;
    struct span *spans; /* (readers, passes) */
};

/* Vectors of 16 bytes are what every machine has; a core of any of them asks for lines faster than
 * memory delivers. */
static uint64_t read_once(const unsigned char *memory, uint64_t bytes) {
    uint64_t part = bytes / STREAMS;
    vector sums[STREAMS] = {{0}};
    for (uint64_t at = 0; at < part; at += LINE_BYTES) {
#pragma GCC unroll 4
        for (int s = 0; s < STREAMS; s++) {
            const vector *from = (const vector *)(memory + (uint64_t)s * part + at);
            __builtin_prefetch((const char *)from + AHEAD_BYTES); /* past the end: does nothing */
            sums[s] += (from[0] + from[1]) + (from[2] + from[3]);
        }
    }
    vector all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    return all[0] + all[1];
}

/* The sum of what it wrote, as read_once adds it up. */
static uint64_t touch(unsigned char *memory, uint64_t bytes) {
    uint64_t sum = 0;
    /* Zero pages are one shared page until written. */
    for (uint64_t at = 0; at < bytes; at += 4096) {
        *(volatile unsigned char *)(memory + at) = (unsigned char)(at >> 12);
        sum += (unsigned char)(at >> 12);
    }
    return sum;
}

static bool pass_gate(struct team *team) {
    pthread_mutex_lock(&team->lock);
    while (team->gate == GATE_SHUT)
        pthread_cond_wait(&team->changed, &team->lock);
    bool open = team->gate == GATE_OPEN;
    pthread_mutex_unlock(&team->lock);
    return open;
}

static void set_gate(struct team *team, enum gate gate) {
    pthread_mutex_lock(&team->lock);
    team->gate = gate;
    pthread_cond_broadcast(&team->changed);
    pthread_mutex_unlock(&team->lock);
}

static void *reader_main(void *argument) {
    struct reader *reader = argument;
    struct team *team = reader->team;
    if (!pass_gate(team))
        return NULL;
    if (reader->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)reader->cpu, &set);
        /* A refusal leaves the thread where the kernel puts it: slower at worst. */
        (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    uint64_t written = touch(reader->memory, reader->bytes);
    for (uint32_t pass = 0; pass < team->passes; pass++) {
        pthread_barrier_wait(&team->pass_start);
        reader->spans[pass].from_ns = pyr_now_ns(team->clock);
        reader->sum += read_once(reader->memory, reader->bytes);
        reader->spans[pass].to_ns = pyr_now_ns(team->clock);
    }
    /* Whoever read less would call memory faster than it is. */
    assert(reader->sum == team->passes * written);
    return NULL;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The size of one pass, and whether it leaves the caches behind. */
static bool choose_bytes(const struct pyr_bandwidth_config *config, const struct pyr_root *root,
                         struct pyr_bandwidth *result, struct pyr_err *err) {
    struct pyr_machine_limits limits;
    pyr_machine_limits(root, &limits);
    uint64_t bytes = config->bytes;
    if (bytes == 0) {
        bytes = limits.l3_bytes * 4 > DEFAULT_BYTES ? limits.l3_bytes * 4 : DEFAULT_BYTES;
        if (limits.memory_usable_bytes && bytes > limits.memory_usable_bytes / 4)
            bytes = limits.memory_usable_bytes / 4;
    }
    uint64_t grain = GRAIN_BYTES * config->threads;
    if (bytes < grain && config->bytes == 0)
        return pyr_fail(
            err, PYR_E_NOMEM,
            "memory bandwidth: not available: %llu MB are usable and %llu MB are needed",
            (unsigned long long)(limits.memory_usable_bytes / 1000000),
            (unsigned long long)(4 * grain / 1000000));
    result->bytes = bytes < grain ? grain : bytes / grain * grain;
    result->beyond_caches = result->bytes >= limits.l3_bytes * 4 - limits.l3_bytes / 8;
    return true;
}

/* A pass lasts from the first reader's start to the last one's end. The first pass is left out: it
 * begins with the last of the touched pages still in the caches. */
static void summarise(const struct team *team, double *rates, struct pyr_bandwidth *result) {
    uint32_t count = team->passes - 1;
    for (uint32_t pass = 1; pass <= count; pass++) {
        uint64_t from = UINT64_MAX, to = 0;
        for (uint32_t i = 0; i < result->threads; i++) {
            const struct span *span = &team->readers[i].spans[pass];
            from = span->from_ns < from ? span->from_ns : from;
            to = span->to_ns > to ? span->to_ns : to;
        }
        rates[pass - 1] = (double)result->bytes / ((double)(to > from ? to - from : 1) / 1e9);
    }
    qsort(rates, count, sizeof *rates, by_value);
    result->lowest = rates[0];
    result->highest = rates[count - 1];
    result->bytes_per_s =
        count % 2 ? rates[count / 2] : (rates[count / 2 - 1] + rates[count / 2]) / 2;
    result->repetitions = count;
}

static void lay_out(struct team *team, unsigned char *memory, struct pyr_bandwidth *result) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    bool pin = sched_getaffinity(0, sizeof allowed, &allowed) == 0 &&
               (uint32_t)CPU_COUNT(&allowed) >= result->threads;
    uint64_t part = result->bytes / result->threads;
    int cpu = -1;
    for (uint32_t i = 0; i < result->threads; i++) {
        if (pin)
            do
                cpu++;
            while (!CPU_ISSET((size_t)cpu, &allowed));
        team->readers[i] = (struct reader){.team = team,
                                           .memory = memory + i * part,
                                           .bytes = part,
                                           .cpu = pin ? cpu : -1,
                                           .spans = team->spans + i * team->passes};
    }
}

/* Runs all readers to their end; false when not all could be started. */
static bool run_team(struct team *team, uint32_t count) {
    uint32_t running = 0;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->changed, NULL);
    pthread_barrier_init(&team->pass_start, NULL, count);
    while (running < count && pthread_create(&team->readers[running].thread, NULL, reader_main,
                                             &team->readers[running]) == 0)
        running++;
    set_gate(team, running == count ? GATE_OPEN : GATE_ABANDONED);
    for (uint32_t i = 0; i < running; i++)
        pthread_join(team->readers[i].thread, NULL);
    pthread_barrier_destroy(&team->pass_start);
    pthread_cond_destroy(&team->changed);
    pthread_mutex_destroy(&team->lock);
    return running == count;
}

bool pyr_bandwidth_measure(const struct pyr_bandwidth_config *config, const struct pyr_root *root,
                           const struct pyr_clock *clock, struct pyr_bandwidth *result,
                           struct pyr_err *err) {
    uint32_t repetitions = config->repetitions ? config->repetitions : DEFAULT_REPETITIONS;
    assert(config->threads >= 1 && config->threads <= PYR_BANDWIDTH_THREADS_MAX);
    assert(repetitions <= PYR_BANDWIDTH_REPETITIONS_MAX);
    *result = (struct pyr_bandwidth){.threads = config->threads};
    if (!choose_bytes(config, root, result, err))
        return false;
    unsigned char *memory =
        mmap(NULL, result->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return pyr_fail_errno(err, errno, "memory bandwidth: cannot map %llu MB",
                              (unsigned long long)(result->bytes / 1000000));
    /* Page-table walks would otherwise share the buses; a refusal costs a few percent. */
    (void)madvise(memory, result->bytes, MADV_HUGEPAGE);
    struct team team = {.clock = clock, .passes = repetitions + 1};
    team.readers = pyr_xcalloc(config->threads, sizeof *team.readers);
    team.spans = pyr_xcalloc((size_t)config->threads * team.passes, sizeof *team.spans);
    double *rates = pyr_xcalloc(repetitions, sizeof *rates);
    lay_out(&team, memory, result);
    bool ok = run_team(&team, config->threads);
    if (ok)
        summarise(&team, rates, result);
    else
        pyr_fail(err, PYR_E_IO, "memory bandwidth: not available: cannot start %u threads",
                 config->threads);
    pyr_free(rates);
    pyr_free(team.spans);
    pyr_free(team.readers);
    munmap(memory, result->bytes);
    return ok;
}
