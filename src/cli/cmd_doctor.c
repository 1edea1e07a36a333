/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"

#include "base/fs.h"
#include "model/llama_find.h"
#include "report/text.h"
#include "sample/bandwidth.h"
#include "sample/energy.h"
#include "sample/machine.h"
#include "sample/noise.h"
#include "suite/bench_options.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where a machine is no longer fit to measure on: rates of the fixed loop that differ by half, or
 * one part in twenty of the CPU time taken by others, move a median by more than the tenth that a
 * comparison looks for. */
#define UNFIT_LOOP_SPREAD 0.5
#define UNFIT_STEAL 0.05
/* A wake-up this late shows in inter-token latencies of a few milliseconds. */
#define LATE_WAKE_NS 1e6

struct options {
    uint64_t threads;
};
static const struct pyr_option_row rows[] = {
    PYR_ROW_THREAD_COUNT(offsetof(struct options, threads)),
};
static const struct pyr_option_table table = PYR_OPTION_TABLE("doctor", rows);
const struct pyr_option_set pyr_doctor_set = {sizeof(struct options), {{&table, 0, false}}};

struct findings {
    json_t *machine, *warnings;
    struct pyr_machine_noise noise;
    struct pyr_bandwidth bandwidth;
    struct pyr_err bandwidth_err, energy_err;
    struct pyr_llama_paths engine;
    struct pyr_err engine_err;
    bool bandwidth_known, energy_known, engine_known, fit;
};

static void examine(const struct pyr_cli *cli, struct findings *f) {
    struct pyr_machine_limits limits;
    struct pyr_energy *energy;
    pyr_machine_limits(&pyr_root_live, &limits);
    f->machine = pyr_machine_describe(&pyr_root_live);
    f->warnings = pyr_machine_warnings(&pyr_root_live);
    pyr_noise_measure(&(struct pyr_noise_config){0}, &pyr_root_live, cli->clock, &f->noise);
    struct pyr_bandwidth_config config = {.threads = limits.compute_threads};
    const struct options *o = cli->options;
    if (o->threads)
        config.threads = (uint32_t)o->threads;
    if (config.threads > PYR_BANDWIDTH_THREADS_MAX)
        config.threads = PYR_BANDWIDTH_THREADS_MAX;
    f->bandwidth_known = pyr_bandwidth_measure(&config, &pyr_root_live, cli->clock, &f->bandwidth,
                                               &f->bandwidth_err);
    f->energy_known = pyr_energy_open(&pyr_root_live, NULL, &energy, &f->energy_err);
    if (f->energy_known)
        pyr_energy_close(energy);
    f->engine_known = pyr_llama_find(NULL, NULL, &f->engine, &f->engine_err);
}

static void add_warning(struct findings *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_warning(struct findings *f, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(f->warnings, json_string(text));
}

static void judge(struct findings *f) {
    f->fit = true;
    if (f->noise.loop_spread > UNFIT_LOOP_SPREAD) {
        f->fit = false;
        add_warning(f,
                    "one fixed loop takes %.0f %% longer at its p99 than at its median: "
                    "something else uses these CPUs; end it, or measure another time",
                    100 * f->noise.loop_spread);
    }
    if (f->noise.steal_share > UNFIT_STEAL) {
        f->fit = false;
        add_warning(f,
                    "the hypervisor gave %.1f %% of the CPU time to others; measure another time, "
                    "or on a machine of your own",
                    100 * f->noise.steal_share);
    }
    if (f->noise.wake_p99_ns > LATE_WAKE_NS)
        add_warning(f,
                    "one thread in a hundred wakes %.1f ms late or more: open-loop schedules are "
                    "off by as much; prefer closed loop, or fewer CPUs for the engine",
                    f->noise.wake_p99_ns / 1e6);
}

static json_t *number_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static void write_json(const struct findings *f) {
    const struct pyr_machine_noise *n = &f->noise;
    json_t *root = json_object(), *probe = json_object(), *bandwidth = json_object();
    json_object_set_new(probe, "wake_p50_ns", json_real(n->wake_p50_ns));
    json_object_set_new(probe, "wake_p99_ns", json_real(n->wake_p99_ns));
    json_object_set_new(probe, "wake_max_ns", json_real(n->wake_max_ns));
    json_object_set_new(probe, "wakes", json_integer(n->wakes));
    json_object_set_new(probe, "loop_p50_ns", json_real(n->loop_p50_ns));
    json_object_set_new(probe, "loop_p99_ns", json_real(n->loop_p99_ns));
    json_object_set_new(probe, "loop_spread", number_or_null(n->loop_spread));
    json_object_set_new(probe, "loops", json_integer(n->loops));
    json_object_set_new(probe, "steal_share", number_or_null(n->steal_share));
    if (f->bandwidth_known) {
        json_object_set_new(bandwidth, "bytes_per_s", json_real(f->bandwidth.bytes_per_s));
        json_object_set_new(bandwidth, "lowest", json_real(f->bandwidth.lowest));
        json_object_set_new(bandwidth, "highest", json_real(f->bandwidth.highest));
        json_object_set_new(bandwidth, "threads", json_integer(f->bandwidth.threads));
        json_object_set_new(bandwidth, "beyond_caches", json_boolean(f->bandwidth.beyond_caches));
    } else {
        json_object_set_new(bandwidth, "reason", json_string(f->bandwidth_err.text));
    }
    json_object_set_new(root, "schema", json_string("pyrometer-doctor/1"));
    json_object_set_new(root, "fit", json_boolean(f->fit));
    json_object_set(root, "warnings", f->warnings);
    json_object_set_new(root, "machine_probe", probe);
    json_object_set_new(root, "memory_bandwidth", bandwidth);
    json_object_set_new(root, "energy",
                        json_string(f->energy_known ? "available" : f->energy_err.text));
    json_object_set_new(root, "engine",
                        json_string(f->engine_known ? f->engine.library : f->engine_err.text));
    json_object_set(root, "system_info", f->machine);
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(root);
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "?";
}

static void put(const struct pyr_paper *paper, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void put(const struct pyr_paper *paper, const char *label, const char *format, ...) {
    char mark[32], text[512];
    va_list args;
    snprintf(mark, sizeof mark, "  %-12s", label);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pyr_paper_wrap(paper, PYR_STYLE_PLAIN, mark, text);
}

static void put_noise(const struct pyr_paper *paper, const struct findings *f) {
    const struct pyr_machine_noise *n = &f->noise;
    if (f->bandwidth_known)
        put(paper, "memory read", "%.1f GB/s (%.1f to %.1f over %u passes, %u threads)%s",
            f->bandwidth.bytes_per_s / 1e9, f->bandwidth.lowest / 1e9, f->bandwidth.highest / 1e9,
            f->bandwidth.repetitions, f->bandwidth.threads,
            f->bandwidth.beyond_caches ? "" : "; within reach of the caches");
    else
        put(paper, "memory read", "%s", f->bandwidth_err.text);
    put(paper, "wake-up", "p50 %.0f us, p99 %.0f us, worst %.0f us late (n=%u)",
        n->wake_p50_ns / 1e3, n->wake_p99_ns / 1e3, n->wake_max_ns / 1e3, n->wakes);
    put(paper, "fixed loop", "p99 is %.1f %% above the median (n=%u)", 100 * n->loop_spread,
        n->loops);
    if (isnan(n->steal_share))
        put(paper, "stolen", "not available: the kernel does not tell");
    else
        put(paper, "stolen", "%.1f %% of the CPU time", 100 * n->steal_share);
}

static void put_machine(const struct pyr_paper *paper, const struct findings *f) {
    const json_t *cpu = json_object_get(f->machine, "cpu");
    const json_t *memory = json_object_get(f->machine, "memory");
    bool gpu = json_string_value(json_object_get(f->machine, "gpu_name"));
    put(paper, "CPU", "%s, %lld of %lld CPUs allowed, %lld cores", text_of(cpu, "model"),
        json_integer_value(json_object_get(cpu, "allowed")),
        json_integer_value(json_object_get(cpu, "online")),
        json_integer_value(json_object_get(cpu, "cores_allowed")));
    put(paper, "governor", "%s", text_of(cpu, "governor"));
    /* One reason for both, told once. */
    if (strcmp(text_of(cpu, "turbo"), text_of(cpu, "governor")) != 0)
        put(paper, "turbo", "%s", text_of(cpu, "turbo"));
    put(paper, "memory", "%.3g GB, %.3g GB usable",
        (double)json_integer_value(json_object_get(memory, "total_bytes")) / 1e9,
        (double)json_integer_value(json_object_get(memory, "usable_bytes")) / 1e9);
    put(paper, "GPU", "%s", text_of(f->machine, gpu ? "gpu_name" : "gpu_reason"));
    put(paper, "energy", "%s", f->energy_known ? "available (RAPL)" : f->energy_err.text);
    put(paper, "kernel", "%s, virtualised: %s", text_of(f->machine, "kernel"),
        text_of(f->machine, "virtualised"));
    put(paper, "engine", "%s", f->engine_known ? f->engine.library : f->engine_err.text);
}

static void write_text(const struct pyr_cli *cli, const struct findings *f) {
    struct pyr_buf text = {0};
    const struct pyr_paper paper = {.out = &text, .width = cli->width, .color = cli->color};
    pyr_paper_put(&paper, f->fit ? PYR_STYLE_GOOD : PYR_STYLE_BAD,
                  f->fit ? "This machine can be measured on."
                         : "This machine is not fit to measure on now.");
    pyr_buf_puts(&text, "\n\n");
    for (size_t i = 0; i < json_array_size(f->warnings); i++)
        pyr_paper_wrap(&paper, PYR_STYLE_WARN, "  ! ",
                       json_string_value(json_array_get(f->warnings, i)));
    if (json_array_size(f->warnings))
        pyr_buf_putc(&text, '\n');
    put_machine(&paper, f);
    put_noise(&paper, f);
    fwrite(pyr_buf_text(&text), 1, text.length, stdout);
    pyr_buf_deinit(&text);
}

int pyr_cmd_doctor(struct pyr_cli *cli, struct pyr_err *err) {
    const char *format = cli->shared.format;
    struct findings findings = {0};
    if (format && strcmp(format, "json") != 0 && strcmp(format, "terminal") != 0) {
        pyr_fail(err, PYR_E_USAGE, "--format %s: doctor knows terminal and json", format);
        return PYR_CLI_FAILED;
    }
    examine(cli, &findings);
    judge(&findings);
    if (format && strcmp(format, "json") == 0)
        write_json(&findings);
    else
        write_text(cli, &findings);
    json_decref(findings.machine);
    json_decref(findings.warnings);
    bool strict = cli->shared.strict;
    return strict && !findings.fit ? pyr_exit_code(PYR_E_INVALID) : 0;
}
