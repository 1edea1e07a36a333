/* SPDX-License-Identifier: MIT */
#include "suite/pressure.h"

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
#include <unistd.h>

enum {
    CPU_THREADS_MAX = 1024,
    /* Large enough that the disk and not the page cache carries it once synced. */
    IO_BYTES = 64 << 20,
    IO_BLOCK = 1 << 20
};

struct pyr_pressure {
    atomic_bool stop;
    pthread_t threads[CPU_THREADS_MAX + 2];
    size_t thread_count;
    unsigned char *memory;
    size_t memory_bytes;
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

/* Touches every page again and again, so that none can be taken back. */
static void *hold_memory(void *context) {
    struct pyr_pressure *p = context;
    for (unsigned char round = 1; !stopped(p); round++)
        for (size_t at = 0; at < p->memory_bytes && !stopped(p); at += 4096)
            p->memory[at] = round;
    return NULL;
}

static void *write_file(void *context) {
    struct pyr_pressure *p = context;
    unsigned char *block = pyr_xcalloc(1, IO_BLOCK);
    while (!stopped(p)) {
        for (off_t at = 0; at < IO_BYTES && !stopped(p); at += IO_BLOCK) {
            memset(block, (int)(at >> 20) + 1, 64);
            if (pwrite(p->file, block, IO_BLOCK, at) < 0 && errno != EINTR)
                break;
        }
        fdatasync(p->file);
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

static bool start_memory(struct pyr_pressure *p, uint64_t wanted, struct pyr_err *err) {
    static const struct pyr_root live = {""};
    struct pyr_machine_limits limits;
    pyr_machine_limits(&live, &limits);
    uint64_t ceiling = limits.memory_usable_bytes / 5 * 4;
    if (ceiling == 0)
        return pyr_fail(err, PYR_E_UNSUPPORTED,
                        "memory pressure: /proc/meminfo does not say what may be taken");
    p->memory_bytes = (size_t)(wanted < ceiling ? wanted : ceiling);
    p->memory =
        mmap(NULL, p->memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p->memory == MAP_FAILED) {
        p->memory = NULL;
        return pyr_fail_errno(err, errno, "memory pressure: cannot map %zu bytes", p->memory_bytes);
    }
    return start_thread(p, hold_memory, err);
}

static bool start_io(struct pyr_pressure *p, struct pyr_err *err) {
    const char *dir = getenv("TMPDIR");
    dir = dir && *dir ? dir : "/tmp";
    p->file = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (p->file < 0)
        return pyr_fail_errno(err, errno, "I/O pressure: %s: cannot make a nameless file", dir);
    return start_thread(p, write_file, err);
}

bool pyr_pressure_start(const struct pyr_pressure_options *options, struct pyr_pressure **pressure,
                        struct pyr_pressure_info *info, struct pyr_err *err) {
    struct pyr_pressure *p = pyr_xcalloc(1, sizeof *p);
    p->file = -1;
    bool ok = true;
    uint32_t cpu = options->cpu_threads < CPU_THREADS_MAX ? options->cpu_threads : CPU_THREADS_MAX;
    for (uint32_t i = 0; ok && i < cpu; i++)
        ok = start_thread(p, compute, err);
    ok = ok && (options->memory_bytes == 0 || start_memory(p, options->memory_bytes, err));
    ok = ok && (!options->io || start_io(p, err));
    if (!ok) {
        pyr_pressure_stop(p);
        return false;
    }
    *info = (struct pyr_pressure_info){cpu, p->memory_bytes, options->io};
    *pressure = p;
    return true;
}

void pyr_pressure_stop(struct pyr_pressure *p) {
    if (!p)
        return;
    atomic_store(&p->stop, true);
    for (size_t i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    if (p->memory)
        munmap(p->memory, p->memory_bytes);
    if (p->file >= 0)
        close(p->file);
    pyr_free(p);
}
