/* SPDX-License-Identifier: MIT */
#include "sample/machine.h"

#include "sample/machine_read.h"
#include "sample/nvml.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define CPU_DIR "/sys/devices/system/cpu"
#define ABSENT "not available: "

static void set(json_t *object, const char *key, json_t *value) {
    json_object_set_new(object, key, value);
}

/* A string that may hold anything the kernel wrote: what is not UTF-8 is not text. */
static json_t *text_or(const char *text, const char *otherwise) {
    json_t *value = text && *text ? json_string(text) : NULL;
    return value ? value : json_string(otherwise);
}

/* The file's text, or why not. */
static void set_file(json_t *object, const char *key, const struct pyr_root *root,
                     const char *path) {
    struct pyr_buf buf = {0};
    char absent[512];
    snprintf(absent, sizeof absent, ABSENT "no %s", path);
    bool ok = pyr_read_text(root, &buf, "%s", path);
    set(object, key, text_or(ok ? buf.data : NULL, absent));
    pyr_buf_deinit(&buf);
}

/* A number, or the reason where it is 0. */
static json_t *bytes_or(uint64_t bytes, const char *otherwise) {
    return bytes ? json_integer((json_int_t)bytes) : json_string(otherwise);
}

/* Governor, boost and SMT: what changes a clock frequency behind the measurement's back. */
static void describe_frequency(const struct pyr_root *root, json_t *cpu) {
    struct pyr_buf buf = {0};
    const char *hidden = ABSENT "the kernel has no frequency control here (a virtual machine, or a "
                                "driver that is not loaded)";
    bool ok = pyr_read_text(root, &buf, CPU_DIR "/cpu0/cpufreq/scaling_governor");
    set(cpu, "governor", text_or(ok ? buf.data : NULL, hidden));
    ok = pyr_read_text(root, &buf, CPU_DIR "/cpu0/cpufreq/scaling_driver");
    set(cpu, "frequency_driver", text_or(ok ? buf.data : NULL, hidden));
    uint64_t khz, flag;
    if (pyr_read_u64(root, &khz, CPU_DIR "/cpu0/cpufreq/cpuinfo_max_freq"))
        set(cpu, "max_mhz", json_real((double)khz / 1e3));
    else
        set(cpu, "max_mhz", json_string(hidden));
    /* Two drivers, two files of opposite sense. */
    if (pyr_read_u64(root, &flag, CPU_DIR "/intel_pstate/no_turbo"))
        set(cpu, "turbo", json_string(flag ? "off" : "on"));
    else if (pyr_read_u64(root, &flag, CPU_DIR "/cpufreq/boost"))
        set(cpu, "turbo", json_string(flag ? "on" : "off"));
    else
        set(cpu, "turbo", json_string(hidden));
    ok = pyr_read_text(root, &buf, CPU_DIR "/smt/control");
    set(cpu, "smt", text_or(ok ? buf.data : NULL, ABSENT "no " CPU_DIR "/smt/control"));
    pyr_buf_deinit(&buf);
}

static bool has_word(const char *text, const char *word) {
    size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += length)
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* Only the instruction sets that choose an engine's kernels; the whole list is 100 words. */
static json_t *instruction_sets(const char *flags) {
    static const char *const wanted[] = {
        "sse4_2",   "avx",         "f16c",        "fma",         "avx2",     "avx_vnni", "avx512f",
        "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
        "asimd",    "asimddp",     "i8mm",        "bf16",        "sve",      "sve2",     "sme"};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (has_word(flags, wanted[i]))
            json_array_append_new(list, json_string(wanted[i]));
    return list;
}

static json_t *describe_cpu(const struct pyr_root *root, const struct pyr_machine_limits *limits) {
    struct pyr_buf buf = {0};
    json_t *cpu = json_object();
    char model[256] = "", flags[8192] = "", microcode[64] = "";
    if (pyr_read_text(root, &buf, "/proc/cpuinfo")) {
        (void)(pyr_text_field(buf.data, "model name", model, sizeof model) ||
               pyr_text_field(buf.data, "Model", model, sizeof model));
        (void)(pyr_text_field(buf.data, "flags", flags, sizeof flags) ||
               pyr_text_field(buf.data, "Features", flags, sizeof flags));
        (void)pyr_text_field(buf.data, "microcode", microcode, sizeof microcode);
    }
    set(cpu, "model", text_or(model, ABSENT "/proc/cpuinfo names none"));
    set(cpu, "online", json_integer(limits->cpus_online));
    set(cpu, "allowed", json_integer(limits->cpus_allowed));
    set(cpu, "cores_allowed", json_integer(limits->cores_allowed));
    if (limits->cpu_quota > 0)
        set(cpu, "quota", json_real(limits->cpu_quota));
    else
        set(cpu, "quota", json_string("none"));
    set(cpu, "compute_threads", json_integer(limits->compute_threads));
    describe_frequency(root, cpu);
    set(cpu, "l3_bytes", bytes_or(limits->l3_bytes, ABSENT "the kernel names no level 3 cache"));
    set(cpu, "microcode", text_or(microcode, ABSENT "/proc/cpuinfo names none"));
    set(cpu, "instruction_sets", instruction_sets(flags));
    set_file(cpu, "numa_nodes", root, "/sys/devices/system/node/online");
    pyr_buf_deinit(&buf);
    return cpu;
}

static json_t *describe_memory(const struct pyr_root *root,
                               const struct pyr_machine_limits *limits) {
    struct pyr_buf buf = {0};
    json_t *memory = json_object();
    char swap[64];
    set(memory, "total_bytes", bytes_or(limits->memory_total_bytes, ABSENT "no /proc/meminfo"));
    set(memory, "available_bytes",
        bytes_or(limits->memory_available_bytes, ABSENT "no MemAvailable in /proc/meminfo"));
    set(memory, "limit_bytes", bytes_or(limits->memory_limit_bytes, "none"));
    set(memory, "usable_bytes", json_integer((json_int_t)limits->memory_usable_bytes));
    if (pyr_read_text(root, &buf, "/proc/meminfo") &&
        pyr_text_field(buf.data, "SwapTotal", swap, sizeof swap))
        set(memory, "swap_bytes", json_integer((json_int_t)(strtoull(swap, NULL, 10) * 1024)));
    set_file(memory, "transparent_huge_pages", root, "/sys/kernel/mm/transparent_hugepage/enabled");
    pyr_buf_deinit(&buf);
    return memory;
}

/* One /proc/pressure file: {"some_avg10": .., "some_avg60": .., "full_avg10": ..}, in percent. */
static json_t *describe_pressure(const struct pyr_root *root, const char *what) {
    struct pyr_buf buf = {0};
    json_t *pressure = NULL;
    if (pyr_read_text(root, &buf, "/proc/pressure/%s", what)) {
        char *rest = buf.data;
        pressure = json_object();
        for (char *line; (line = strsep(&rest, "\n"));) {
            char kind[8], key[32];
            double ten, sixty;
            if (sscanf(line, "%7s avg10=%lf avg60=%lf", kind, &ten, &sixty) != 3)
                continue;
            snprintf(key, sizeof key, "%s_avg10", kind);
            set(pressure, key, json_real(ten));
            snprintf(key, sizeof key, "%s_avg60", kind);
            set(pressure, key, json_real(sixty));
        }
    }
    pyr_buf_deinit(&buf);
    return pressure ? pressure : json_string(ABSENT "the kernel was built without PSI");
}

static json_t *describe_load(const struct pyr_root *root) {
    struct pyr_buf buf = {0};
    double one, five, fifteen;
    json_t *load = NULL;
    if (pyr_read_text(root, &buf, "/proc/loadavg") &&
        sscanf(buf.data, "%lf %lf %lf", &one, &five, &fifteen) == 3)
        load = json_pack("[f,f,f]", one, five, fifteen);
    pyr_buf_deinit(&buf);
    return load ? load : json_string(ABSENT "no /proc/loadavg");
}

/* "KVM (Amazon EC2 ...)", "no", ...: by the CPU's own flag, with the firmware's word beside it. */
static json_t *describe_virtualised(const struct pyr_root *root) {
    struct pyr_buf buf = {0};
    char flags[8192] = "", product[256] = "", text[512];
    json_t *answer;
    bool known = pyr_read_text(root, &buf, "/proc/cpuinfo") &&
                 (pyr_text_field(buf.data, "flags", flags, sizeof flags) ||
                  pyr_text_field(buf.data, "Features", flags, sizeof flags));
    if (pyr_read_text(root, &buf, "/sys/class/dmi/id/product_name"))
        snprintf(product, sizeof product, "%s", buf.data);
    if (!known) {
        answer = json_string(ABSENT "no CPU flags in /proc/cpuinfo");
    } else if (has_word(flags, "hypervisor")) {
        snprintf(text, sizeof text, "yes%s%s", *product ? ", " : "", product);
        answer = text_or(text, "yes");
    } else {
        answer = json_string("no");
    }
    pyr_buf_deinit(&buf);
    return answer;
}

/* The seed's gpu_name and gpu_memory_gb, and all devices. */
static void describe_gpus(json_t *info, bool live) {
    struct pyr_nvml *nvml = NULL;
    struct pyr_err err = {0};
    if (!live || !pyr_nvml_open(NULL, &nvml, &err)) {
        const char *reason = live ? err.text : ABSENT "a recorded machine";
        set(info, "gpu_name", json_null());
        set(info, "gpu_memory_gb", json_null());
        set(info, "gpu_reason", json_string(reason));
        set(info, "gpus", json_array());
        return;
    }
    json_t *gpus = json_array();
    for (unsigned i = 0; i < pyr_nvml_count(nvml); i++) {
        struct pyr_nvml_device device;
        json_t *gpu = json_object();
        if (pyr_nvml_describe(nvml, i, &device, &err)) {
            set(gpu, "name", text_or(device.name, ABSENT "the driver names none"));
            set(gpu, "memory_bytes", json_integer((json_int_t)device.memory_bytes));
            set(gpu, "memory_used_bytes", json_integer((json_int_t)device.memory_used_bytes));
            if (i == 0) {
                set(info, "gpu_name", text_or(device.name, ABSENT "the driver names none"));
                set(info, "gpu_memory_gb", json_real((double)device.memory_bytes / 1e9));
            }
        } else {
            set(gpu, "name", json_string(err.text));
        }
        json_array_append_new(gpus, gpu);
    }
    set(info, "gpus", gpus);
    set(info, "gpu_driver", text_or(pyr_nvml_driver(nvml), ABSENT "the driver does not tell"));
    pyr_nvml_close(nvml);
}

static void describe_software(const struct pyr_root *root, json_t *info, bool live) {
    struct utsname name;
    char text[512];
    if (live && uname(&name) == 0) {
        snprintf(text, sizeof text, "%s %s %s", name.sysname, name.release, name.machine);
        set(info, "platform", text_or(text, "Linux"));
        set(info, "hostname", text_or(name.nodename, ABSENT "unnamed"));
    } else {
        set_file(info, "platform", root, "/proc/version");
        set_file(info, "hostname", root, "/proc/sys/kernel/hostname");
    }
    set_file(info, "kernel", root, "/proc/sys/kernel/osrelease");
    snprintf(text, sizeof text, "glibc %s", gnu_get_libc_version());
    set(info, "libc", json_string(text));
#ifdef __clang__
    set(info, "compiler", json_string("clang " __clang_version__));
#else
    set(info, "compiler", json_string("gcc " __VERSION__));
#endif
    set(info, "pyrometer_version", json_string(PYR_VERSION));
    set_file(info, "clock_source", root,
             "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    set_file(info, "address_randomisation", root, "/proc/sys/kernel/randomize_va_space");
    set_file(info, "perf_event_paranoid", root, "/proc/sys/kernel/perf_event_paranoid");
}

json_t *pyr_machine_describe(const struct pyr_root *root) {
    struct pyr_machine_limits limits;
    bool live = root->prefix[0] == '\0';
    json_t *info = json_object();
    pyr_machine_limits(root, &limits);
    describe_software(root, info, live);
    set(info, "cpu_count", json_integer(limits.cpus_online));
    set(info, "memory_total_gb",
        limits.memory_total_bytes ? json_real((double)limits.memory_total_bytes / 1e9)
                                  : json_null());
    describe_gpus(info, live);
    set(info, "virtualised", describe_virtualised(root));
    set(info, "cpu", describe_cpu(root, &limits));
    set(info, "memory", describe_memory(root, &limits));
    set(info, "load_average", describe_load(root));
    json_t *pressure = json_object();
    set(pressure, "cpu", describe_pressure(root, "cpu"));
    set(pressure, "memory", describe_pressure(root, "memory"));
    set(pressure, "io", describe_pressure(root, "io"));
    set(info, "pressure", pressure);
    return info;
}

static void warn(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(json_t *list, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(list, json_string(text));
}

json_t *pyr_machine_warnings(const struct pyr_root *root) {
    struct pyr_machine_limits limits;
    struct pyr_buf buf = {0};
    json_t *list = json_array();
    double load;
    pyr_machine_limits(root, &limits);
    json_t *virtualised = describe_virtualised(root);
    if (strncmp(json_string_value(virtualised), "yes", 3) == 0)
        warn(list, "this is a virtual machine: its neighbours share caches, memory bandwidth and "
                   "clock frequency, so compare only runs taken side by side");
    json_decref(virtualised);
    if (pyr_read_text(root, &buf, CPU_DIR "/cpu0/cpufreq/scaling_governor") &&
        strcmp(buf.data, "performance") != 0)
        warn(list,
             "the CPU governor is '%s': clock frequency follows load; set 'performance' for "
             "steady figures (cpupower frequency-set -g performance)",
             buf.data);
    if (limits.cpu_quota > 0)
        warn(list,
             "a cgroup allows %.2f CPUs: the kernel stops every thread when that is used up, "
             "which shows as stalls",
             limits.cpu_quota);
    if (pyr_read_text(root, &buf, "/proc/loadavg") && sscanf(buf.data, "%lf", &load) == 1 &&
        limits.cpus_online > 0 && load > 0.25 * limits.cpus_online)
        warn(list, "other programs keep %.1f of %u CPUs busy (load average of the last minute)",
             load, limits.cpus_online);
    pyr_buf_deinit(&buf);
    return list;
}
