/* SPDX-License-Identifier: MIT
 *
 * What processes use, read from /proc below a root: memory, CPU time, context switches and page
 * faults of one process or of its whole tree, and the CPU time of single threads (so that the
 * harness's own share can be told from the engine's).
 *
 * Nothing is allocated: every file is read into a buffer on the stack, so that the sampler may call
 * this on the measured path. Any thread.
 */
#ifndef PYR_SAMPLE_PROC_H
#define PYR_SAMPLE_PROC_H

#include "base/err.h"
#include "base/fs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PYR_PROC_UNKNOWN UINT64_MAX /* the kernel does not tell */

enum pyr_proc_detail {
    /* statm: some 10 us, whatever the size of the process. Kernels from 6.2 on keep resident pages
     * in one counter a CPU, so that it may be off by 64 pages a CPU and more on large machines. */
    PYR_PROC_CHEAP,
    /* smaps_rollup: exact, with the proportional share of shared pages. Walks the page tables (some
     * milliseconds a gigabyte of 4 KiB pages) and holds up the process's own mmap calls meanwhile:
     * for the seams between phases. Falls back to statm, and says so in memory_source. */
    PYR_PROC_EXACT
};

/* Sums over the processes read; a member is PYR_PROC_UNKNOWN when any of them does not tell. */
struct pyr_proc_usage {
    uint64_t rss_bytes;      /* resident; pages shared within the tree count once a process */
    uint64_t pss_bytes;      /* shared pages in equal parts; known with PYR_PROC_EXACT only */
    uint64_t rss_peak_bytes; /* VmHWM since each process started (of a tree: the sum of peaks) */
    uint64_t cpu_ns;         /* user and system, ended threads and reaped children too */
    uint64_t user_ns, system_ns; /* the same split up, in steps of the kernel's tick (10 ms) */
    uint64_t minor_faults, major_faults;
    uint64_t voluntary_switches, involuntary_switches; /* of the main thread of each process */
    uint32_t processes, threads;
    const char *memory_source; /* "smaps_rollup" or "statm"; static text */
};

/* One process. Fails when it is gone. */
bool pyr_proc_read(const struct pyr_root *root, pid_t pid, enum pyr_proc_detail detail,
                   struct pyr_proc_usage *usage, struct pyr_err *err);

/* The process and its descendants, at most PYR_PROC_TREE_MAX of them (more are left out). Those
 * that end while this reads are left out. Fails when pid itself is gone. */
enum { PYR_PROC_TREE_MAX = 512 };
bool pyr_proc_read_tree(const struct pyr_root *root, pid_t pid, enum pyr_proc_detail detail,
                        struct pyr_proc_usage *usage, struct pyr_err *err);

/* Forgets the peak (VmHWM) of a process, so that the next one is that of a phase. Live machine
 * only; fails where the kernel or the rights do not allow it. */
bool pyr_proc_reset_peak(pid_t pid, struct pyr_err *err);

/* pid and its descendants, parents before children; returns how many were written. */
size_t pyr_proc_tree(const struct pyr_root *root, pid_t pid, pid_t *pids, size_t capacity);

struct pyr_proc_thread {
    pid_t tid;
    char name[16]; /* as the kernel has it: cut at 15 bytes */
    uint64_t cpu_ns;
};

/* The live threads of a process, in order of their id; returns how many were written. cpu_ns comes
 * from schedstat (nanoseconds), else from stat (ticks). */
size_t pyr_proc_threads(const struct pyr_root *root, pid_t pid, struct pyr_proc_thread *threads,
                        size_t capacity);

/* The system's CPU time since boot, summed over the CPUs, in ticks of 1/100 s. */
struct pyr_proc_machine {
    uint64_t busy_ticks, idle_ticks, steal_ticks; /* steal is not part of busy */
};
bool pyr_proc_machine(const struct pyr_root *root, struct pyr_proc_machine *machine,
                      struct pyr_err *err);

#endif
