/* SPDX-License-Identifier: MIT */
#include "sample/nvml.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <string.h>

struct pyr_nvml {
    struct pyr_nvml_api api;
    void *library; /* NULL when the api was lent */
    unsigned count;
    char driver[PYR_NVML_NAME_BYTES];
};

static bool load_library(struct pyr_nvml *nvml, struct pyr_err *err) {
    nvml->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!nvml->library)
        return pyr_fail(err, PYR_E_UNSUPPORTED,
                        "not available: libnvidia-ml.so.1 (of the NVIDIA driver) is not installed");
    const struct {
        const char *name;
        void *slot;
    } symbols[] = {{"nvmlInit_v2", &nvml->api.init},
                   {"nvmlShutdown", &nvml->api.shutdown},
                   {"nvmlErrorString", &nvml->api.error_string},
                   {"nvmlSystemGetDriverVersion", &nvml->api.driver_version},
                   {"nvmlDeviceGetCount_v2", &nvml->api.device_count},
                   {"nvmlDeviceGetHandleByIndex_v2", &nvml->api.device_by_index},
                   {"nvmlDeviceGetName", &nvml->api.device_name},
                   {"nvmlDeviceGetMemoryInfo", &nvml->api.device_memory},
                   {"nvmlDeviceGetTotalEnergyConsumption", &nvml->api.device_energy}};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *found = dlsym(nvml->library, symbols[i].name);
        if (!found)
            return pyr_fail(err, PYR_E_UNSUPPORTED,
                            "not available: libnvidia-ml.so.1 has no %s; its driver is too old",
                            symbols[i].name);
        /* POSIX lets a function's address travel in a void *; C has no other way to store it. */
        memcpy(symbols[i].slot, &found, sizeof found);
    }
    return true;
}

static bool explain(const struct pyr_nvml *nvml, int code, const char *what, struct pyr_err *err) {
    return pyr_fail(err, PYR_E_UNSUPPORTED, "not available: %s: %s", what,
                    nvml->api.error_string(code));
}

bool pyr_nvml_open(const struct pyr_nvml_api *api, struct pyr_nvml **out, struct pyr_err *err) {
    struct pyr_nvml *nvml = pyr_xcalloc(1, sizeof *nvml);
    int code = 0;
    if (api)
        nvml->api = *api;
    if (!api && !load_library(nvml, err))
        goto fail;
    if ((code = nvml->api.init()) != 0) {
        explain(nvml, code, "the NVIDIA management library does not start", err);
        goto fail;
    }
    if ((code = nvml->api.device_count(&nvml->count)) != 0 || nvml->count == 0) {
        if (code != 0)
            explain(nvml, code, "the GPUs cannot be counted", err);
        else
            pyr_fail(err, PYR_E_UNSUPPORTED, "not available: the NVIDIA driver sees no GPU");
        nvml->api.shutdown();
        goto fail;
    }
    if (nvml->api.driver_version(nvml->driver, sizeof nvml->driver) != 0)
        nvml->driver[0] = '\0';
    *out = nvml;
    return true;
fail:
    if (nvml->library)
        dlclose(nvml->library);
    pyr_free(nvml);
    return false;
}

void pyr_nvml_close(struct pyr_nvml *nvml) {
    if (!nvml)
        return;
    nvml->api.shutdown();
    if (nvml->library)
        dlclose(nvml->library);
    pyr_free(nvml);
}

unsigned pyr_nvml_count(const struct pyr_nvml *nvml) {
    return nvml->count;
}

const char *pyr_nvml_driver(const struct pyr_nvml *nvml) {
    return nvml->driver;
}

bool pyr_nvml_describe(const struct pyr_nvml *nvml, unsigned index, struct pyr_nvml_device *device,
                       struct pyr_err *err) {
    void *handle;
    struct pyr_nvml_memory memory;
    int code = nvml->api.device_by_index(index, &handle);
    if (code == 0)
        code = nvml->api.device_name(handle, device->name, sizeof device->name);
    if (code == 0)
        code = nvml->api.device_memory(handle, &memory);
    if (code != 0)
        return explain(nvml, code, "the GPU does not answer", err);
    device->memory_bytes = memory.total;
    device->memory_used_bytes = memory.used;
    return true;
}

bool pyr_nvml_energy(const struct pyr_nvml *nvml, unsigned index, double *joules,
                     struct pyr_err *err) {
    void *handle;
    unsigned long long millijoules;
    int code = nvml->api.device_by_index(index, &handle);
    if (code == 0)
        code = nvml->api.device_energy(handle, &millijoules);
    if (code != 0)
        return explain(nvml, code, "the GPU has no energy counter", err);
    *joules = (double)millijoules / 1e3;
    return true;
}
