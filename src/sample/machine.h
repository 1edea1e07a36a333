/* SPDX-License-Identifier: MIT
 *
 * What the machine is and how much of it this process may use. Read below a root, so that tests
 * describe recorded machines; with the live root ("") also what only a call tells (GPU, libc).
 */
#ifndef PYR_SAMPLE_MACHINE_H
#define PYR_SAMPLE_MACHINE_H

#include "base/fs.h"

#include <jansson.h>
#include <stdint.h>

enum { PYR_MACHINE_CPUS_MAX = 4096 };

/* What this process may use, containers' limits included. 0 where the machine does not tell. */
struct pyr_machine_limits {
    uint32_t cpus_online;
    uint32_t cpus_allowed;    /* by affinity and cpuset */
    double cpu_quota;         /* cgroup, in CPUs; 0: no quota */
    uint32_t cores_allowed;   /* physical cores among the allowed CPUs (SMT siblings once) */
    uint32_t compute_threads; /* what an engine should use: the cores allowed, cut to the quota,
                                 at least 1 */
    uint64_t memory_total_bytes;
    uint64_t memory_available_bytes; /* MemAvailable */
    uint64_t memory_limit_bytes;     /* cgroup; 0: no limit */
    uint64_t memory_usable_bytes;    /* available now, within the cgroup's limit */
    uint64_t l3_bytes;               /* of all last-level caches together */
};

void pyr_machine_limits(const struct pyr_root *root, struct pyr_machine_limits *limits);

/* CPU numbers from "0-3,8" into cpus, ascending as written; returns how many (at most capacity).
 * Malformed text gives what was read before the fault. */
size_t pyr_machine_parse_cpus(const char *text, uint32_t *cpus, size_t capacity);

/* The report's system_info: a new JSON object, owned by the caller. What cannot be known is the
 * string "not available: reason", but for the seed's own keys gpu_name and gpu_memory_gb, which are
 * null with the reason in gpu_reason. docs/formats/system-info.md lists the keys. */
json_t *pyr_machine_describe(const struct pyr_root *root);

/* Sentences about what makes measurements worse here (a virtual machine, a powersave governor, a
 * busy machine, a CPU quota): a new JSON array of strings, owned by the caller. */
json_t *pyr_machine_warnings(const struct pyr_root *root);

#endif
