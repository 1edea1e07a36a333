/* SPDX-License-Identifier: MIT */
#include "sample/energy.h"

#include "base/mem.h"
#include "sample/machine_read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POWERCAP "/sys/class/powercap/"
enum { ZONES_MAX = 64, GPUS_MAX = 64, PACKAGES_MAX = 32, SUBZONES_MAX = 8 };

struct zone {
    int fd; /* of its energy_uj, kept open */
    uint64_t range_uj, last_uj;
};

struct pyr_energy {
    struct zone zones[ZONES_MAX];
    size_t zone_count;
    double cpu_joules;
    const struct pyr_nvml *nvml;
    double gpu_start[GPUS_MAX], gpu_joules[GPUS_MAX];
    bool gpu_counts[GPUS_MAX];
    unsigned gpu_count;
};

static bool read_counter(int fd, uint64_t *value) {
    char text[32];
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    if (got <= 0)
        return false;
    text[got] = '\0';
    *value = strtoull(text, NULL, 10);
    return true;
}

/* Adds the zone if its name is wanted; remembers a refusal. */
static void add_zone(struct pyr_energy *energy, const struct pyr_root *root, const char *zone,
                     bool package, bool *refused) {
    struct pyr_buf name = {0};
    char path[PATH_MAX];
    struct zone *slot = &energy->zones[energy->zone_count];
    /* A package holds its cores and graphics already; DRAM is counted apart from it. */
    bool wanted = energy->zone_count < ZONES_MAX &&
                  pyr_read_text(root, &name, POWERCAP "%s/name", zone) &&
                  strncmp(name.data, package ? "package" : "dram", package ? 7 : 4) == 0;
    pyr_buf_deinit(&name);
    if (!wanted || !pyr_read_u64(root, &slot->range_uj, POWERCAP "%s/max_energy_range_uj", zone))
        return;
    snprintf(path, sizeof path, "%s" POWERCAP "%s/energy_uj", root->prefix, zone);
    slot->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (slot->fd < 0) {
        *refused = *refused || errno == EACCES;
        return;
    }
    if (read_counter(slot->fd, &slot->last_uj))
        energy->zone_count++;
    else
        close(slot->fd);
}

static void find_zones(struct pyr_energy *energy, const struct pyr_root *root, bool *refused) {
    char zone[64];
    for (int package = 0; package < PACKAGES_MAX; package++) {
        snprintf(zone, sizeof zone, "intel-rapl:%d", package); /* AMD's are named so too */
        add_zone(energy, root, zone, true, refused);
        for (int sub = 0; sub < SUBZONES_MAX; sub++) {
            snprintf(zone, sizeof zone, "intel-rapl:%d:%d", package, sub);
            add_zone(energy, root, zone, false, refused);
        }
    }
}

static void find_gpus(struct pyr_energy *energy) {
    unsigned count = energy->nvml ? pyr_nvml_count(energy->nvml) : 0;
    energy->gpu_count = count < GPUS_MAX ? count : GPUS_MAX;
    for (unsigned i = 0; i < energy->gpu_count; i++)
        energy->gpu_counts[i] = pyr_nvml_energy(energy->nvml, i, &energy->gpu_start[i], NULL);
}

static bool any_gpu(const struct pyr_energy *energy) {
    for (unsigned i = 0; i < energy->gpu_count; i++)
        if (energy->gpu_counts[i])
            return true;
    return false;
}

bool pyr_energy_open(const struct pyr_root *root, const struct pyr_nvml *nvml,
                     struct pyr_energy **out, struct pyr_err *err) {
    struct pyr_energy *energy = pyr_xcalloc(1, sizeof *energy);
    bool refused = false;
    energy->nvml = nvml;
    find_zones(energy, root, &refused);
    find_gpus(energy);
    if (energy->zone_count == 0 && !any_gpu(energy)) {
        pyr_energy_close(energy);
        return pyr_fail(err, PYR_E_UNSUPPORTED, "not available: %s",
                        refused ? "the RAPL counters (" POWERCAP "*/energy_uj) may be read by root "
                                  "only; run as root"
                                : "no RAPL counter in " POWERCAP " (virtual machines have none) "
                                  "and no GPU with one");
    }
    *out = energy;
    return true;
}

void pyr_energy_close(struct pyr_energy *energy) {
    if (!energy)
        return;
    for (size_t i = 0; i < energy->zone_count; i++)
        close(energy->zones[i].fd);
    pyr_free(energy);
}

void pyr_energy_poll(struct pyr_energy *energy) {
    for (size_t i = 0; i < energy->zone_count; i++) {
        struct zone *zone = &energy->zones[i];
        uint64_t now;
        if (!read_counter(zone->fd, &now))
            continue; /* the next poll's difference holds this one's */
        uint64_t grown =
            now >= zone->last_uj ? now - zone->last_uj : zone->range_uj - zone->last_uj + now;
        energy->cpu_joules += (double)grown / 1e6;
        zone->last_uj = now;
    }
    for (unsigned i = 0; i < energy->gpu_count; i++) {
        double joules;
        if (energy->gpu_counts[i] && pyr_nvml_energy(energy->nvml, i, &joules, NULL))
            energy->gpu_joules[i] = joules - energy->gpu_start[i];
    }
}

void pyr_energy_read(const struct pyr_energy *energy, struct pyr_energy_reading *reading) {
    bool cpu = energy->zone_count > 0, gpu = any_gpu(energy);
    double gpu_joules = 0;
    for (unsigned i = 0; i < energy->gpu_count; i++)
        gpu_joules += energy->gpu_joules[i];
    reading->cpu_joules = cpu ? energy->cpu_joules : (double)NAN;
    reading->gpu_joules = gpu ? gpu_joules : (double)NAN;
    reading->joules = (cpu ? energy->cpu_joules : 0) + gpu_joules;
    reading->source = cpu && gpu ? "RAPL, NVML" : cpu ? "RAPL" : "NVML";
}
