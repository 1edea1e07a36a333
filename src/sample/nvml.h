/* SPDX-License-Identifier: MIT
 *
 * NVIDIA's management library, opened when used: names and memory of the GPUs and their energy
 * counters. A machine without it is told so in words. One thread at a time.
 */
#ifndef PYR_SAMPLE_NVML_H
#define PYR_SAMPLE_NVML_H

#include "base/err.h"

#include <stdint.h>

/* The functions used, as the library declares them (return 0 when fine), so that a test can lend
 * its own. Source: NVML API reference, "Initialization", "System Queries", "Device Queries". */
struct pyr_nvml_memory {
    unsigned long long total, free, used; /* bytes */
};
struct pyr_nvml_api {
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int code);
    int (*driver_version)(char *text, unsigned length);
    int (*device_count)(unsigned *count);
    int (*device_by_index)(unsigned index, void **device);
    int (*device_name)(void *device, char *name, unsigned length);
    int (*device_memory)(void *device, struct pyr_nvml_memory *memory);
    int (*device_energy)(void *device, unsigned long long *millijoules); /* since driver load */
};

struct pyr_nvml; /* opaque */

/* api NULL: the library on this machine. Fails with "not available: reason". */
bool pyr_nvml_open(const struct pyr_nvml_api *api, struct pyr_nvml **nvml, struct pyr_err *err);
void pyr_nvml_close(struct pyr_nvml *nvml); /* NULL is allowed */

enum { PYR_NVML_NAME_BYTES = 96 };
struct pyr_nvml_device {
    char name[PYR_NVML_NAME_BYTES];
    uint64_t memory_bytes, memory_used_bytes;
};

unsigned pyr_nvml_count(const struct pyr_nvml *nvml);
const char *pyr_nvml_driver(const struct pyr_nvml *nvml); /* "" when unknown */
bool pyr_nvml_describe(const struct pyr_nvml *nvml, unsigned index, struct pyr_nvml_device *device,
                       struct pyr_err *err);
/* The device's energy counter in joules; only differences mean something. Fails on GPUs that have
 * none (before Volta). */
bool pyr_nvml_energy(const struct pyr_nvml *nvml, unsigned index, double *joules,
                     struct pyr_err *err);

#endif
