/* SPDX-License-Identifier: MIT */
#include "sample/machine.h"

#include "base/mem.h"
#include "sample/machine_read.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_DIR "/sys/devices/system/cpu"

size_t pyr_machine_parse_cpus(const char *text, uint32_t *cpus, size_t capacity) {
    size_t count = 0;
    while (isdigit((unsigned char)*text)) {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = first;
        if (*end == '-' && isdigit((unsigned char)end[1]))
            last = strtoul(end + 1, &end, 10);
        for (unsigned long cpu = first; cpu <= last && count < capacity; cpu++)
            cpus[count++] = (uint32_t)cpu;
        if (*end != ',' || last < first)
            break;
        text = end + 1;
    }
    return count;
}

/* The CPUs this process may run on (affinity and cpuset together, as the kernel keeps them). */
static size_t allowed_cpus(const struct pyr_root *root, uint32_t *cpus, size_t capacity) {
    struct pyr_buf buf = {0};
    char list[4096];
    size_t count = 0;
    if (pyr_read_text(root, &buf, "/proc/self/status") &&
        pyr_text_field(buf.data, "Cpus_allowed_list", list, sizeof list))
        count = pyr_machine_parse_cpus(list, cpus, capacity);
    pyr_buf_deinit(&buf);
    return count;
}

/* Counts CPUs that are the first of their core's siblings within the list. */
static uint32_t count_cores(const struct pyr_root *root, const uint32_t *cpus, size_t count) {
    uint32_t *siblings = pyr_xcalloc(PYR_MACHINE_CPUS_MAX, sizeof *siblings);
    struct pyr_buf buf = {0};
    uint32_t cores = 0;
    for (size_t i = 0; i < count; i++) {
        bool first = true;
        if (pyr_read_text(root, &buf, CPU_DIR "/cpu%u/topology/thread_siblings_list", cpus[i])) {
            size_t n = pyr_machine_parse_cpus(buf.data, siblings, PYR_MACHINE_CPUS_MAX);
            for (size_t s = 0; s < n; s++)
                for (size_t j = 0; j < i; j++)
                    first = first && siblings[s] != cpus[j];
        }
        cores += first;
    }
    pyr_buf_deinit(&buf);
    pyr_free(siblings);
    return cores;
}

/* The smallest quota from the process's own cgroup up to the root, in CPUs; 0: none. */
static double quota_v2(const struct pyr_root *root) {
    char dir[4096];
    double least = 0;
    struct pyr_buf buf = {0};
    if (pyr_cgroup_dir(root, NULL, dir, sizeof dir)) {
        do {
            unsigned long long quota, period;
            if (pyr_read_text(root, &buf, "%s/cpu.max", dir) &&
                sscanf(buf.data, "%llu %llu", &quota, &period) == 2 && period > 0) {
                double cpus = (double)quota / (double)period;
                least = least == 0 || cpus < least ? cpus : least;
            }
        } while (pyr_cgroup_parent(root, dir));
    }
    pyr_buf_deinit(&buf);
    return least;
}

static double quota_v1(const struct pyr_root *root) {
    char dir[4096];
    double least = 0;
    if (!pyr_cgroup_dir(root, "cpu", dir, sizeof dir))
        return 0;
    do {
        uint64_t quota, period;
        /* -1 stands for no quota and is no number for pyr_read_u64. */
        if (pyr_read_u64(root, &quota, "%s/cpu.cfs_quota_us", dir) &&
            pyr_read_u64(root, &period, "%s/cpu.cfs_period_us", dir) && period > 0) {
            double cpus = (double)quota / (double)period;
            least = least == 0 || cpus < least ? cpus : least;
        }
    } while (pyr_cgroup_parent(root, dir));
    return least;
}

/* The tightest memory limit up to the root, and what is left below it; version 1 writes "no limit"
 * as a huge number of pages. */
static void memory_limit(const struct pyr_root *root, const char *controller,
                         const char *limit_file, const char *usage_file,
                         struct pyr_machine_limits *limits) {
    char dir[4096];
    if (!pyr_cgroup_dir(root, controller, dir, sizeof dir))
        return;
    do {
        uint64_t limit, usage = 0;
        if (!pyr_read_u64(root, &limit, "%s/%s", dir, limit_file) || limit >= UINT64_C(1) << 60)
            continue;
        (void)pyr_read_u64(root, &usage, "%s/%s", dir, usage_file);
        uint64_t left = limit > usage ? limit - usage : 0;
        if (!limits->memory_limit_bytes || limit < limits->memory_limit_bytes)
            limits->memory_limit_bytes = limit;
        if (left < limits->memory_usable_bytes)
            limits->memory_usable_bytes = left;
    } while (pyr_cgroup_parent(root, dir));
}

/* Caches are shared by CPUs: the first CPU of each shared list counts it. */
static uint64_t last_level_cache(const struct pyr_root *root, const uint32_t *cpus, size_t count) {
    struct pyr_buf buf = {0};
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t first;
        uint64_t kib;
        if (pyr_read_text(root, &buf, CPU_DIR "/cpu%u/cache/index3/shared_cpu_list", cpus[i]) &&
            pyr_machine_parse_cpus(buf.data, &first, 1) == 1 && first == cpus[i] &&
            pyr_read_u64(root, &kib, CPU_DIR "/cpu%u/cache/index3/size", cpus[i]))
            total += kib * 1024; /* the kernel writes sizes as "32768K" */
    }
    pyr_buf_deinit(&buf);
    return total;
}

static uint64_t meminfo(const char *text, const char *key) {
    char value[64];
    return pyr_text_field(text, key, value, sizeof value) ? strtoull(value, NULL, 10) * 1024 : 0;
}

static void cpu_limits(const struct pyr_root *root, struct pyr_machine_limits *limits) {
    uint32_t *cpus = pyr_xcalloc(PYR_MACHINE_CPUS_MAX, sizeof *cpus);
    struct pyr_buf buf = {0};
    if (pyr_read_text(root, &buf, CPU_DIR "/online")) {
        size_t count = pyr_machine_parse_cpus(buf.data, cpus, PYR_MACHINE_CPUS_MAX);
        limits->cpus_online = (uint32_t)count;
        limits->l3_bytes = last_level_cache(root, cpus, count);
    }
    size_t allowed = allowed_cpus(root, cpus, PYR_MACHINE_CPUS_MAX);
    limits->cpus_allowed = (uint32_t)allowed;
    limits->cores_allowed = count_cores(root, cpus, allowed);
    double v2 = quota_v2(root), v1 = quota_v1(root);
    limits->cpu_quota = v2 > 0 && (v1 == 0 || v2 < v1) ? v2 : v1;
    limits->compute_threads = limits->cores_allowed;
    if (limits->cpu_quota > 0 && limits->cpu_quota < limits->compute_threads)
        limits->compute_threads = (uint32_t)floor(limits->cpu_quota);
    if (limits->compute_threads == 0)
        limits->compute_threads = 1;
    pyr_buf_deinit(&buf);
    pyr_free(cpus);
}

void pyr_machine_limits(const struct pyr_root *root, struct pyr_machine_limits *limits) {
    struct pyr_buf buf = {0};
    *limits = (struct pyr_machine_limits){0};
    cpu_limits(root, limits);
    if (pyr_read_text(root, &buf, "/proc/meminfo")) {
        limits->memory_total_bytes = meminfo(buf.data, "MemTotal");
        limits->memory_available_bytes = meminfo(buf.data, "MemAvailable");
        limits->memory_usable_bytes = limits->memory_available_bytes;
        memory_limit(root, NULL, "memory.max", "memory.current", limits);
        memory_limit(root, "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", limits);
    }
    pyr_buf_deinit(&buf);
}
