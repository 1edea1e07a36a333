/* SPDX-License-Identifier: MIT */
#include "suite/session.h"

#include "base/fs.h"
#include "base/mem.h"
#include "report/formats.h"
#include "report/requests_log.h"
#include "sample/bandwidth.h"
#include "sample/machine.h"
#include "sample/noise.h"
#include "sample/proc.h"
#include "suite/meta.h"
#include "suite/outputs.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Prompts from a file have no length known beforehand; this is what a sequence is opened with, as
 * far as the model allows. */
enum { TOKENS_FOR_FILE_PROMPTS = 2048 };
/* More sequences than this are not opened for an open loop without a cap: their KV memory is taken
 * whether they are used or not. */
enum { OPEN_LOOP_SEQUENCES = 32 };

struct pyr_lane *pyr_session_lane(const struct pyr_session *s) {
    return pyr_recorder_lane(s->recorder, PYR_LANE_LOAD);
}

void pyr_session_warn(struct pyr_session *s, uint32_t case_index, const char *format, ...) {
    char text[232]; /* what a mark holds */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pyr_lane_mark(pyr_session_lane(s), PYR_MARK_WARNING, case_index, 0, text);
}

void pyr_session_record_case(struct pyr_session *s, const struct pyr_case *record) {
    pyr_lane_case(pyr_session_lane(s), record);
    s->cases++;
}

bool pyr_session_stopped(const struct pyr_session *s) {
    return s->signal || s->broken.code != PYR_OK || (s->options->stop && *s->options->stop);
}

struct pyr_target_config pyr_session_target_config(struct pyr_session *s, uint32_t variant) {
    const struct pyr_bench_options *o = s->options;
    const struct pyr_variant *v = &s->plan->variants[variant];
    uint32_t longest = s->plan->trace
                           ? s->plan->trace->longest_total
                           : pyr_workload_longest(s->plan->classes, s->plan->class_count);
    return (struct pyr_target_config){
        .spec = o->target,
        .model = o->model,
        .options = v->options,
        .option_count = v->option_count,
        .threads = v->threads,
        .sequences = s->plan->arrival && !o->concurrency_count ? OPEN_LOOP_SEQUENCES : 0,
        .tokens_per_sequence = o->prompts_path || o->sessions ? TOKENS_FOR_FILE_PROMPTS : longest,
        .timeout_ns = o->timeout_ns,
        .timeout_connect_ns = o->timeout_connect_ns,
        .seed = o->seed,
        .temperature = o->temperature,
        .virtual_now_ns = strncmp(o->target, "sim:", 4) == 0 ? &s->virtual_now_ns : NULL,
    };
}

/* --- the target ------------------------------------------------------------------------------ */

static uint64_t resident_bytes(const struct pyr_session *s, pid_t pid) {
    struct pyr_proc_usage usage;
    struct pyr_err dropped;
    if (pid <= 0 || !pyr_proc_read_tree(s->root, pid, PYR_PROC_EXACT, &usage, &dropped))
        return 0;
    return usage.rss_bytes == PYR_PROC_UNKNOWN ? 0 : usage.rss_bytes;
}

bool pyr_session_open_target(struct pyr_session *s, uint32_t variant, struct pyr_err *err) {
    struct pyr_target_config config = pyr_session_target_config(s, variant);
    s->harness_bytes = resident_bytes(s, getpid());
    /* Once for each way of loading it; beyond the 64th each time. */
    uint64_t bit = variant < 64 ? UINT64_C(1) << variant : 0;
    config.attempt = !(s->attempted & bit);
    s->attempted |= bit;
    if (!pyr_target_open(&config, s->options->isolate, &s->target, err))
        return false;
    s->target->ops->describe(s->target, &s->info);
    s->variant = variant;
    s->engine_bytes = 0;
    if (s->info.pid == getpid())
        s->engine_bytes = resident_bytes(s, getpid());
    else if (s->info.pid > 0)
        s->engine_bytes = s->harness_bytes + resident_bytes(s, s->info.pid);
    if (s->sampler)
        pyr_sampler_set_pid(s->sampler, s->info.pid);
    return true;
}

void pyr_session_close_target(struct pyr_session *s) {
    if (s->target)
        s->target->ops->close(s->target);
    s->target = NULL;
}

/* Beside each variant, because a shared host's bandwidth drifts within minutes. */
void pyr_session_measure_bandwidth(struct pyr_session *s) {
    struct pyr_bandwidth_config config = {.threads = s->info.threads ? s->info.threads : 1};
    struct pyr_bandwidth seen;
    struct pyr_err err;
    s->bandwidth = 0;
    if (s->info.bytes_per_token == 0 || s->info.simulated)
        return;
    if (pyr_bandwidth_measure(&config, s->root, &s->clock, &seen, &err))
        s->bandwidth = seen.bytes_per_s;
    else
        pyr_session_warn(s, PYR_NO_CASE, "memory bandwidth not measured: %s", err.text);
}

/* A machine that takes the CPU away (a busy host, a throttled one) bounds what can be resolved
 * here, and no counter inside a virtual machine need say so: a loop of fixed length does. */
static void probe_noise(struct pyr_session *s) {
    const struct pyr_noise_config config = {.wakes = 100, .loops = 300};
    struct pyr_machine_noise noise;
    if (s->info.virtual_time)
        return;
    pyr_noise_measure(&config, s->root, &s->clock, &noise);
    /* On a quiet machine the slowest of 100 turns is within a tenth or two of the median. */
    if (noise.loop_spread > 0.5)
        pyr_session_warn(s, PYR_NO_CASE,
                         "noisy machine: a loop of %.1f ms took up to %.1f ms (p99 %.1f ms); "
                         "absolute times are upper bounds, compare by interleaved pairs",
                         noise.loop_p50_ns * 1e-6, noise.loop_max_ns * 1e-6,
                         noise.loop_p99_ns * 1e-6);
}

/* The same work in every run, so that a comparison sees when the machine itself got slower: the
 * median of 60 turns of about a millisecond, which a neighbour's short bursts do not move. */
static void probe_speed(struct pyr_session *s, enum pyr_metric metric) {
    const struct pyr_noise_config config = {.wakes = 1, .loops = 60, .loop_rounds = 500000};
    struct pyr_machine_noise noise;
    if (s->info.virtual_time)
        return;
    pyr_noise_measure(&config, s->root, &s->clock, &noise);
    pyr_lane_observe(pyr_session_lane(s), metric, PYR_NO_CASE, 0, noise.loop_p50_ns);
}

static bool start_sampler(struct pyr_session *s, struct pyr_err *err) {
    if (s->info.virtual_time)
        return true;
    struct pyr_sampler_config config = {
        .root = s->root,
        .clock = &s->clock,
        .pid = s->info.pid,
        .own_pid = getpid(),
        .lane = pyr_recorder_lane(s->recorder, PYR_LANE_SAMPLER),
    };
    return pyr_sampler_create(&config, &s->sampler, err) && pyr_sampler_start(s->sampler, err);
}

static void stop_sampler(struct pyr_session *s) {
    if (!s->sampler)
        return;
    pyr_sampler_stop(s->sampler);
    pyr_sampler_destroy(s->sampler);
    s->sampler = NULL;
}

static bool open_recorder(struct pyr_session *s, const struct pyr_outputs *outputs,
                          struct pyr_err *err) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    char *meta = pyr_meta_make(s->options, s->plan, s->root, &s->info,
                               (uint64_t)wall.tv_sec * PYR_NS_PER_S + (uint64_t)wall.tv_nsec);
    struct pyr_recorder_config config = {.path = outputs->run,
                                         .lanes = PYR_LANE_COUNT,
                                         .inline_writer = s->info.virtual_time,
                                         .meta_json = meta};
    bool ok = pyr_recorder_open(&config, &s->clock, &s->recorder, err);
    pyr_free(meta);
    return ok;
}

static void record_plan(struct pyr_session *s) {
    for (size_t i = 0; i < s->plan->goal_count; i++)
        pyr_lane_goal(pyr_session_lane(s), &s->plan->goals[i]);
    for (size_t i = 0; i < s->plan->skipped_count; i++)
        pyr_session_warn(s, PYR_NO_CASE, "%s", s->plan->skipped[i]);
    if (s->plan->left_out.count)
        pyr_session_warn(s, PYR_NO_CASE,
                         "%llu lines of the trace were left out (--strict refuses them), the "
                         "first: %s",
                         (unsigned long long)s->plan->left_out.count, s->plan->left_out.first);
    const char *caution = s->info.cautions;
    while (*caution) {
        int length = (int)strcspn(caution, "\n");
        pyr_session_warn(s, PYR_NO_CASE, "%.*s", length, caution);
        caution += length + (caution[length] == '\n');
    }
}

/* What has no counter is not measured and never estimated; system_info says why. */
static void open_energy(struct pyr_session *s) {
    struct pyr_err absent;
    if (s->info.virtual_time)
        return;
    if (!pyr_nvml_open(NULL, &s->nvml, &absent))
        s->nvml = NULL;
    if (!pyr_energy_open(s->root, s->nvml, &s->energy, &absent))
        s->energy = NULL;
}

/* Everything from the first record to the last. */
static bool record_run(struct pyr_session *s, const struct pyr_outputs *outputs,
                       pyr_session_body *body, void *context, struct pyr_err *err) {
    s->clock.virtual_now_ns = s->info.virtual_time ? &s->virtual_now_ns : NULL;
    if (!open_recorder(s, outputs, err))
        return false;
    s->started_ns = pyr_now_ns(&s->clock);
    s->deadline_ns = s->started_ns + s->plan->duration_ns;
    record_plan(s);
    open_energy(s);
    probe_noise(s);
    probe_speed(s, PYR_M_MACHINE_LOOP_BEFORE);
    if (start_sampler(s, &s->broken))
        body(s, context);
    stop_sampler(s);
    probe_speed(s, PYR_M_MACHINE_LOOP_AFTER);
    pyr_energy_close(s->energy);
    pyr_nvml_close(s->nvml);
    if (s->options->stop && *s->options->stop)
        s->signal = *s->options->stop;
    if (s->signal && !s->measured)
        pyr_lane_mark(pyr_session_lane(s), PYR_MARK_SIGNAL, PYR_NO_CASE, s->signal, "");
    if (s->broken.code != PYR_OK)
        pyr_session_warn(s, PYR_NO_CASE, "given up: %s", s->broken.text);
    pyr_session_close_target(s);
    struct pyr_err closing;
    if (!pyr_recorder_close(s->recorder, &closing) && s->broken.code == PYR_OK)
        s->broken = closing;
    return true;
}

/* --- the files -------------------------------------------------------------------------------- */

static void keep_file(struct pyr_bench_outcome *outcome, const char *path) {
    size_t room = sizeof outcome->files / sizeof *outcome->files;
    if (outcome->file_count < room)
        outcome->files[outcome->file_count++] = pyr_arena_strdup(outcome->result->arena, path);
}

static bool write_format(const char *name, const char *path, struct pyr_bench_outcome *outcome,
                         struct pyr_err *err) {
    const struct pyr_report_format *format = pyr_report_format_find(name);
    if (!format)
        return pyr_report_format_fail(name, err);
    struct pyr_report_options options = {0};
    if (!pyr_report_write_file(format, outcome->result, &options, path, err))
        return false;
    keep_file(outcome, path);
    return true;
}

/* Beside results.json, unless the user named another file: each suite by itself. */
static bool write_suites(const struct pyr_outputs *outputs, struct pyr_bench_outcome *outcome,
                         struct pyr_err *err) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/results.json", outputs->dir);
    bool fine = true;
    for (size_t i = 0;
         fine && i < outcome->result->suite_count && strcmp(path, outputs->results) == 0; i++) {
        struct pyr_buf text = {0};
        char name[PATH_MAX + 64];
        const char *suite_name = outcome->result->suites[i].name;
        const struct pyr_suite *suite = pyr_suite_find(suite_name);
        if (suite && suite->result_file)
            snprintf(name, sizeof name, "%s/%s", outputs->dir, suite->result_file);
        else
            snprintf(name, sizeof name, "%s/%s_benchmark.json", outputs->dir, suite_name);
        pyr_report_suite_json(outcome->result, i, &text);
        fine = pyr_fs_write_whole(name, pyr_buf_text(&text), text.length, err);
        pyr_buf_deinit(&text);
    }
    return fine;
}

/* "json" goes to the stable name and into the run's own folder; HTML has the documents' name. */
static bool write_reports(const struct pyr_bench_options *o, const struct pyr_outputs *outputs,
                          struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    char path[PATH_MAX + 64];
    if (!write_format("json", outputs->results, outcome, err))
        return false;
    snprintf(path, sizeof path, "%s/results.json", outputs->history);
    if (!write_format("json", path, outcome, err))
        return false;
    outcome->file_count--; /* a copy: not worth a line */
    if (pyr_report_format_find("html")) {
        snprintf(path, sizeof path, "%s/benchmark_report.html", outputs->dir);
        if (!write_format("html", path, outcome, err))
            return false;
    }
    if (!write_suites(outputs, outcome, err))
        return false;
    char *list = pyr_arena_strdup(outcome->result->arena, o->format ? o->format : ""), *name;
    while ((name = strsep(&list, ","))) {
        const struct pyr_report_format *format = *name ? pyr_report_format_find(name) : NULL;
        if (!*name || strcmp(name, "json") == 0 || strcmp(name, "terminal") == 0 ||
            strcmp(name, "html") == 0)
            continue;
        snprintf(path, sizeof path, "%s/results-%s%s", outputs->dir, name,
                 format ? format->extension : "");
        if (!write_format(name, path, outcome, err))
            return false;
    }
    keep_file(outcome, outputs->run);
    return true;
}

static bool write_requests_log(const struct pyr_bench_options *o, const struct pyr_outputs *outputs,
                               struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    struct pyr_requests_log_counts counts;
    if (!o->requests_log)
        return true;
    if (!pyr_report_requests_log_file(outputs->run, o->requests_log, &counts, err))
        return pyr_err_prefix(err, "--requests-log");
    keep_file(outcome, o->requests_log);
    return true;
}

static bool check_formats(const struct pyr_bench_options *o, struct pyr_err *err) {
    char copy[512], *list = copy, *name;
    snprintf(copy, sizeof copy, "%s", o->format ? o->format : "");
    while ((name = strsep(&list, ",")))
        if (*name && !pyr_report_format_find(name))
            return pyr_report_format_fail(name, err);
    return true;
}

static void judge(const struct pyr_session *s, struct pyr_bench_outcome *outcome) {
    const struct pyr_result *result = outcome->result;
    for (size_t i = 0; i < result->goal_count; i++)
        outcome->missed_goal |=
            result->goals[i].goal->user && result->goals[i].verdict == PYR_GOAL_MISSED;
    outcome->signal = s->signal;
    outcome->invalid = result->invalid != NULL;
}

static bool conclude(struct pyr_session *s, const struct pyr_outputs *outputs,
                     struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    const char *why = s->broken.code != PYR_OK ? s->broken.text : NULL;
    if (!pyr_result_make_cut(outputs->run, why, &outcome->result, err))
        return false;
    snprintf(outcome->results_path, sizeof outcome->results_path, "%s", outputs->results);
    snprintf(outcome->run_path, sizeof outcome->run_path, "%s", outputs->run);
    bool written = write_reports(s->options, outputs, outcome, err) &&
                   write_requests_log(s->options, outputs, outcome, err);
    judge(s, outcome);
    if (s->broken.code != PYR_OK) { /* what failed first is why */
        *err = s->broken;
        return false;
    }
    if (!written)
        return false;
    if (s->ok == 0 && s->failed > 0)
        return pyr_fail(err, PYR_E_ENGINE, "%s: all %llu requests failed: %s; %s has each case",
                        s->options->target, (unsigned long long)s->failed, s->first_failure,
                        outcome->results_path);
    return true;
}

bool pyr_session_run(const struct pyr_bench_options *options, const struct pyr_plan *plan,
                     const char *fallback_dir, const struct pyr_session_progress *progress,
                     pyr_session_body *body, void *context, struct pyr_bench_outcome *outcome,
                     struct pyr_err *err) {
    memset(outcome, 0, sizeof *outcome);
    const struct pyr_root *root = options->root ? options->root : &pyr_root_live;
    struct pyr_machine_limits limits;
    pyr_machine_limits(root, &limits);
    struct pyr_outputs outputs;
    struct pyr_session session = {.options = options,
                                  .plan = plan,
                                  .root = root,
                                  .progress = progress->call,
                                  .progress_context = progress->context,
                                  /* 0 would read as an unknown stamp. */
                                  .virtual_now_ns = PYR_NS_PER_S,
                                  .cpus_allowed = limits.cpus_allowed};
    if (!check_formats(options, err) ||
        !pyr_outputs_prepare(options->output, fallback_dir, time(NULL), &outputs, err))
        return false;
    session.run_path = outputs.run;
    if (plan->needs_target && !pyr_session_open_target(&session, 0, err)) {
        pyr_outputs_discard(&outputs);
        return false;
    }
    bool ok = record_run(&session, &outputs, body, context, err);
    pyr_session_close_target(&session);
    return ok && conclude(&session, &outputs, outcome, err);
}
