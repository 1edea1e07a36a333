/* SPDX-License-Identifier: MIT */
/* An arm that is a target: a block is some requests in closed loop, a few at once. */
#include "judge/ab.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/rng.h"
#include "load/driver.h"
#include "load/workload.h"
#include "sample/machine.h"
#include "target/target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Gated are the four that a user feels; the means of what they have in common are left out. */
static const struct pyr_ab_measure measures[] = {
    {PYR_M_OUTPUT_TOKEN_THROUGHPUT, "value", true, 0.5},
    {PYR_M_TTFT_SENT, "p50", true, 1e6},
    {PYR_M_TPOT, "p50", true, 50e3},
    {PYR_M_LATENCY_SENT, "p50", true, 1e6},
    {PYR_M_REQUEST_THROUGHPUT, "value", false, 0.01},
};
enum { TOKENS_PER_S, TTFT, TPOT, LATENCY, REQUESTS_PER_S, MEASURES };

enum { MOST_OPTIONS = 32, DRAIN_S = 60, LANES = 2 };

struct target_arm {
    struct pyr_ab_arm arm;
    struct pyr_arena *arena;
    struct pyr_ab_target_config config;
    struct pyr_prompt_class class;
    struct pyr_target *target;
    struct pyr_target_info info;
    struct pyr_recorder *recorder; /* keeps nothing: the numbers of a block are its medians */
    struct pyr_load *load;
    struct pyr_clock clock;
};

/* What a block gathers from its requests. */
struct gathered {
    double *ttft, *tpot, *latency;
    size_t ok, tpots, total, capacity;
    uint64_t tokens, outputs_hash;
};

static void gather(void *context, const struct pyr_slot *slot) {
    struct gathered *g = context;
    const struct pyr_request *r = &slot->record;
    g->total++;
    if (r->outcome != PYR_OUTCOME_OK || g->ok == g->capacity)
        return;
    g->ttft[g->ok] = (double)(r->first_content_ns - r->sent_ns);
    g->latency[g->ok] = (double)(r->last_content_ns - r->sent_ns);
    uint32_t streamed = pyr_request_streamed_tokens(r);
    if (streamed > 1)
        g->tpot[g->tpots++] =
            (double)(r->last_content_ns - r->first_content_ns) / (double)(streamed - 1);
    g->tokens += pyr_request_tokens(r);
    g->outputs_hash += pyr_mix64(r->prompt_hash ^ pyr_mix64(r->text_hash));
    g->ok++;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n) {
    qsort(values, n, sizeof *values, ascending);
    return n == 0 ? (double)NAN : n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static bool run_block(struct target_arm *arm, struct pyr_workload *workload, uint64_t size,
                      uint64_t seed, struct gathered *g, struct pyr_ab_block *block,
                      struct pyr_err *err) {
    struct pyr_load_plan plan = {.concurrency = arm->config.concurrency,
                                 .requests = size,
                                 .drain_ns = DRAIN_S * PYR_NS_PER_S,
                                 .exact_output = true,
                                 .seed = seed,
                                 .ended = gather,
                                 .ended_context = g,
                                 .stop = arm->config.stop};
    struct pyr_load_result result;
    if (!pyr_load_run(arm->load, &plan, workload, &result, err))
        return pyr_err_prefix(err, "%s", arm->arm.name);
    double seconds = (double)(result.measured_end_ns - result.measured_start_ns) * 1e-9;
    block->ns = result.ended_ns - result.started_ns;
    block->broken = result.end == PYR_LOAD_ENDED_SIGNAL || result.end == PYR_LOAD_ENDED_RECORDER;
    block->total = g->total;
    block->ok = g->ok;
    block->outputs_hash = g->ok ? g->outputs_hash | 1 : 0;
    block->values[TOKENS_PER_S] = g->ok ? (double)g->tokens / seconds : (double)NAN;
    block->values[REQUESTS_PER_S] = g->ok ? (double)g->ok / seconds : (double)NAN;
    block->values[TTFT] = median(g->ttft, g->ok);
    block->values[TPOT] = median(g->tpot, g->tpots);
    block->values[LATENCY] = median(g->latency, g->ok);
    return true;
}

static bool target_block(struct pyr_ab_arm *base, uint64_t size, uint64_t number,
                         struct pyr_ab_block *block, struct pyr_err *err) {
    struct target_arm *arm = (struct target_arm *)base;
    uint64_t seed = pyr_mix64(arm->config.seed ^ pyr_mix64(number));
    const struct pyr_workload_options wanted = {.classes = &arm->class,
                                                .class_count = 1,
                                                .requests = size,
                                                .max_in_flight = arm->config.concurrency,
                                                .seed = seed};
    struct pyr_workload *workload;
    if (!pyr_workload_create(&wanted, arm->target, &workload, err))
        return pyr_err_prefix(err, "%s", arm->arm.name);
    double *memory = pyr_xcalloc(3 * size, sizeof *memory);
    struct gathered g = {
        .ttft = memory, .tpot = memory + size, .latency = memory + 2 * size, .capacity = size};
    memset(block, 0, sizeof *block);
    bool fine = run_block(arm, workload, size, seed, &g, block, err);
    pyr_free(memory);
    pyr_workload_destroy(workload);
    return fine;
}

static void target_close(struct pyr_ab_arm *base) {
    struct target_arm *arm = (struct target_arm *)base;
    struct pyr_err dropped;
    pyr_load_close(arm->load);
    if (arm->recorder)
        pyr_recorder_close(arm->recorder, &dropped);
    if (arm->target)
        arm->target->ops->close(arm->target);
    pyr_arena_destroy(arm->arena);
    pyr_free(arm);
}

static const struct pyr_ab_arm_ops target_ops = {.case_id = "requests",
                                                 .measures = measures,
                                                 .measure_count = MEASURES,
                                                 .pilot_size = 8,
                                                 .block = target_block,
                                                 .close = target_close};

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

bool pyr_ab_is_target(const char *text) {
    static const char *const schemes[] = {"http://", "https://", "unix:", "sim:", "null:"};
    char path[4096];
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (begins(text, schemes[i]))
            return true;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(text, " "), text);
    size_t length = strlen(path);
    return pyr_fs_is_dir(path) || (length > 5 && strcmp(path + length - 5, ".gguf") == 0);
}

/* "TARGET KEY=VALUE ..." */
static bool split(struct target_arm *arm, struct pyr_target_config *config, struct pyr_err *err) {
    char *rest = pyr_arena_strdup(arm->arena, arm->config.text), *word;
    struct pyr_option *options = pyr_arena_array(arm->arena, MOST_OPTIONS, sizeof *options);
    config->options = options;
    while ((word = strsep(&rest, " "))) {
        char *equals = strchr(word, '=');
        if (!*word)
            continue;
        if (!config->spec) {
            config->spec = word;
        } else if (!equals || equals == word) {
            return pyr_fail(err, PYR_E_USAGE,
                            "'%s': '%s' is not KEY=VALUE; write a side as 'TARGET KEY=VALUE ...'",
                            arm->config.text, word);
        } else if (begins(word, "threads=")) {
            config->threads = (uint32_t)strtoul(equals + 1, NULL, 10);
        } else if (begins(word, "model=")) {
            config->model = equals + 1;
        } else if (begins(word, "label=")) {
            arm->arm.name = equals + 1;
        } else if (config->option_count < MOST_OPTIONS) {
            *equals = '\0';
            options[config->option_count++] = (struct pyr_option){.key = word, .value = equals + 1};
        }
    }
    if (!config->threads) { /* as many as bench would take */
        struct pyr_machine_limits limits;
        pyr_machine_limits(&pyr_root_live, &limits);
        config->threads = limits.compute_threads;
    }
    return config->spec || pyr_fail(err, PYR_E_USAGE, "'': name a target or a command");
}

static bool open_load(struct target_arm *arm, struct pyr_err *err) {
    const struct pyr_recorder_config recorder = {.lanes = LANES, .inline_writer = true};
    if (!pyr_recorder_open(&recorder, &arm->clock, &arm->recorder, err))
        return false;
    const struct pyr_load_config load = {
        .target = arm->target,
        .max_in_flight = arm->config.concurrency,
        .recorder = arm->recorder,
        .lane = pyr_recorder_lane(arm->recorder, 0),
        .engine_lane = pyr_recorder_lane(arm->recorder, 1),
        .virtual_now_ns = arm->clock.virtual_now_ns ? arm->config.virtual_now_ns : NULL};
    return pyr_load_open(&load, &arm->load, err);
}

static bool open_target(struct target_arm *arm, struct pyr_err *err) {
    const struct pyr_ab_target_config *wanted = &arm->config;
    struct pyr_target_config config = {
        .tokens_per_sequence = wanted->prompt_tokens + wanted->output_tokens, .seed = wanted->seed};
    if (!split(arm, &config, err))
        return false;
    bool sim = begins(config.spec, "sim:"), null = begins(config.spec, "null:");
    bool server = begins(config.spec, "http") || begins(config.spec, "unix:");
    config.virtual_now_ns = sim ? wanted->virtual_now_ns : NULL;
    if (!pyr_target_open(&config, !sim && !null && !server, &arm->target, err))
        return false;
    arm->target->ops->describe(arm->target, &arm->info);
    arm->clock.virtual_now_ns = arm->info.virtual_time ? wanted->virtual_now_ns : NULL;
    if (!open_load(arm, err))
        return false;
    arm->arm.simulated = arm->info.simulated;
    arm->arm.engine = pyr_arena_strdup(arm->arena, arm->info.engine);
    return true;
}

bool pyr_ab_target_open(const struct pyr_ab_target_config *config, struct pyr_ab_arm **made,
                        struct pyr_err *err) {
    struct target_arm *arm = pyr_xcalloc(1, sizeof *arm);
    arm->arena = pyr_arena_create();
    arm->config = *config;
    arm->arm.ops = &target_ops;
    arm->arm.name = pyr_arena_strdup(arm->arena, config->text);
    arm->arm.case_id = pyr_arena_printf(arm->arena, "p%u/o%u/c%u", config->prompt_tokens,
                                        config->output_tokens, config->concurrency);
    arm->class =
        (struct pyr_prompt_class){.name = "ab",
                                  .prompt_tokens = pyr_length_fixed(config->prompt_tokens),
                                  .output_tokens = pyr_length_fixed(config->output_tokens)};
    if (!open_target(arm, err)) {
        target_close(&arm->arm);
        return false;
    }
    *made = &arm->arm;
    return true;
}
