/* SPDX-License-Identifier: MIT */
#include "suite/pressure.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sample/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    CPU_THREADS_MAX = 1024,
    /* Large enough that the disk and not the page cache carries it once synced. */
    IO_BYTES = 64 << 20,
    IO_BLOCK = 1 << 20,
    PAGE_BYTES = 4096,
    STEP_BYTES = 128 << 20 /* of filling and giving back, between two looks at the machine */
};

struct pyr_pressure {
    atomic_bool stop;
    pthread_t threads[CPU_THREADS_MAX + 2];
    size_t thread_count;
    unsigned char *memory;
    size_t mapped_bytes, memory_bytes; /* asked for; held now */
    uint64_t reserve_bytes;            /* left to others at the start */
    struct pyr_pressure_toll toll;     /* each field of one thread */
    int file;
};

static bool stopped(struct pyr_pressure *p) {
    return atomic_load_explicit(&p->stop, memory_order_relaxed);
}

static void *compute(void *context) {
    struct pyr_pressure *p = context;
    volatile uint64_t sink = 1;
    while (!stopped(p))
        for (int i = 0; i < 4096; i++)
            sink = sink * 6364136223846793005u + 1442695040888963407u;
    return NULL;
}

static uint64_t usable_bytes(void) {
    struct pyr_machine_limits limits;
    pyr_machine_limits(&pyr_root_live, &limits);
    return limits.memory_usable_bytes;
}

static void touch(struct pyr_pressure *p, size_t from, size_t to) {
    for (size_t at = from; at < to && at < p->memory_bytes; at += PAGE_BYTES)
        p->memory[at]++;
}

/* Gives memory back from its end until enough is usable again. */
static void make_room(struct pyr_pressure *p) {
    while (p->memory_bytes > 0 && usable_bytes() < p->reserve_bytes / 2) {
        size_t less = p->memory_bytes < STEP_BYTES ? p->memory_bytes : STEP_BYTES;
        p->memory_bytes -= less;
        p->toll.given_back += less;
        madvise(p->memory + p->memory_bytes, less, MADV_DONTNEED);
    }
}

/* Looks ten times a second whether the machine still has room, and touches all pages within ten
 * seconds, so that none can be moved out, at next to no work: pressure on the CPU is asked for by
 * itself. */
static void *hold_memory(void *context) {
    struct pyr_pressure *p = context;
    const struct timespec tick = {.tv_nsec = 100 * PYR_NS_PER_MS};
    for (size_t at = 0; !stopped(p); nanosleep(&tick, NULL)) {
        make_room(p);
        size_t slice = p->memory_bytes / 100 / PAGE_BYTES * PAGE_BYTES + PAGE_BYTES;
        touch(p, at, at + slice);
        at = at + slice < p->memory_bytes ? at + slice : 0;
    }
    return NULL;
}

/* Remembers why and waits a little: a disk that is full is not asked a million times. */
static void write_failed(struct pyr_pressure *p) {
    const struct timespec pause = {.tv_nsec = 100 * PYR_NS_PER_MS};
    p->toll.write_errno = errno;
    nanosleep(&pause, NULL);
}

static void *write_file(void *context) {
    struct pyr_pressure *p = context;
    unsigned char *block = pyr_xcalloc(1, IO_BLOCK);
    while (!stopped(p)) {
        for (off_t at = 0; at < IO_BYTES && !stopped(p); at += IO_BLOCK) {
            memset(block, (int)(at >> 20) + 1, 64);
            ssize_t wrote = pwrite(p->file, block, IO_BLOCK, at);
            p->toll.written_bytes += wrote > 0 ? (uint64_t)wrote : 0;
            if (wrote < 0 && errno != EINTR)
                write_failed(p);
        }
        if (fdatasync(p->file) == 0)
            p->toll.synced++;
        else
            write_failed(p);
    }
    pyr_free(block);
    return NULL;
}

static bool start_thread(struct pyr_pressure *p, void *(*run)(void *), struct pyr_err *err) {
    int failed = pthread_create(&p->threads[p->thread_count], NULL, run, p);
    if (failed)
        return pyr_fail_errno(err, failed, "pressure: cannot start a thread");
    p->thread_count++;
    return true;
}

static bool start_memory(struct pyr_pressure *p, const struct pyr_pressure_options *options,
                         struct pyr_err *err) {
    uint64_t usable = usable_bytes(), ceiling = usable / 5 * 4;
    if (usable == 0)
        return pyr_fail(err, PYR_E_UNSUPPORTED,
                        "memory pressure: /proc/meminfo does not say what may be taken");
    uint64_t wanted = options->memory_bytes < ceiling ? options->memory_bytes : ceiling;
    p->reserve_bytes = usable - ceiling;
    p->mapped_bytes = ((size_t)wanted + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    p->memory = mmap(NULL, p->mapped_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p->memory == MAP_FAILED) {
        p->memory = NULL;
        return pyr_fail_errno(err, errno, "memory pressure: cannot map %zu bytes", p->mapped_bytes);
    }
    madvise(p->memory, p->mapped_bytes, MADV_HUGEPAGE); /* fills many times as fast */
    /* Step by step, because others may take memory at the same time. */
    while (p->memory_bytes < p->mapped_bytes && !(options->stop && *options->stop) &&
           usable_bytes() > p->reserve_bytes) {
        size_t from = p->memory_bytes, left = p->mapped_bytes - from;
        p->memory_bytes += left < STEP_BYTES ? left : STEP_BYTES;
        touch(p, from, p->memory_bytes);
    }
    return start_thread(p, hold_memory, err);
}

static bool start_io(struct pyr_pressure *p, struct pyr_err *err) {
    const char *dir = getenv("TMPDIR");
    dir = dir && *dir ? dir : "/tmp";
    p->file = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (p->file < 0)
        return pyr_fail_errno(err, errno, "I/O pressure: %s: cannot make a nameless file", dir);
    int full = posix_fallocate(p->file, 0, IO_BYTES);
    if (full)
        return pyr_fail_errno(err, full,
                              "I/O pressure: %s has no room for a file of %d MB; name another "
                              "folder in TMPDIR",
                              dir, IO_BYTES >> 20);
    return start_thread(p, write_file, err);
}

bool pyr_pressure_start(const struct pyr_pressure_options *options, struct pyr_pressure **pressure,
                        struct pyr_pressure_info *info, struct pyr_err *err) {
    struct pyr_pressure *p = pyr_xcalloc(1, sizeof *p);
    p->file = -1;
    bool ok = true;
    uint32_t cpu = options->cpu_threads < CPU_THREADS_MAX ? options->cpu_threads : CPU_THREADS_MAX;
    /* Memory first: it fills faster while nothing else is pressed. */
    ok = options->memory_bytes == 0 || start_memory(p, options, err);
    for (uint32_t i = 0; ok && i < cpu; i++)
        ok = start_thread(p, compute, err);
    ok = ok && (!options->io || start_io(p, err));
    if (!ok) {
        pyr_pressure_stop(p);
        return false;
    }
    *info = (struct pyr_pressure_info){cpu, p->memory_bytes, options->io};
    *pressure = p;
    return true;
}

struct pyr_pressure_toll pyr_pressure_stop(struct pyr_pressure *p) {
    struct pyr_pressure_toll toll = {0};
    if (!p)
        return toll;
    atomic_store(&p->stop, true);
    for (size_t i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    if (p->memory)
        munmap(p->memory, p->mapped_bytes);
    if (p->file >= 0)
        close(p->file);
    toll = p->toll;
    pyr_free(p);
    return toll;
}
