/* SPDX-License-Identifier: MIT */
#include "cli/ab.h"

#include "base/buf.h"
#include "cli/signals.h"
#include "judge/ab.h"
#include "judge/compare.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A side's workload: what the quick preset asks of its middle class. */
struct workload {
    uint32_t concurrency, prompt_tokens, output_tokens;
};
static const struct workload usual = {4, 64, 16};

struct watcher {
    bool terminal, quiet;
};

static void show(void *context, const struct pyr_ab_progress *now) {
    const struct watcher *watcher = context;
    if (watcher->quiet)
        return;
    if (watcher->terminal)
        fprintf(stderr, "\r\033[K%s: %llu of %llu blocks of %llu, %.3g s each", now->what,
                (unsigned long long)now->done, (unsigned long long)now->of,
                (unsigned long long)now->block_size, now->block_s);
    else if (now->done == now->of)
        fprintf(stderr, "%s: %llu blocks of %llu\n", now->what, (unsigned long long)now->of,
                (unsigned long long)now->block_size);
}

static bool open_arm(const char *text, const struct workload *load, uint64_t seed, uint64_t *now_ns,
                     struct pyr_ab_arm **arm, struct pyr_err *err) {
    if (!pyr_ab_is_target(text))
        return pyr_ab_command_open(text, seed, arm, err);
    const struct pyr_ab_target_config config = {.text = text,
                                                .concurrency = load->concurrency,
                                                .prompt_tokens = load->prompt_tokens,
                                                .output_tokens = load->output_tokens,
                                                .seed = seed,
                                                .virtual_now_ns = now_ns,
                                                .stop = pyr_signals_install()};
    return pyr_ab_target_open(&config, arm, err);
}

static bool run_sides(struct pyr_cli *cli, const struct pyr_compare_words *words, const char *a,
                      const char *b, const struct workload *load, double threshold,
                      struct pyr_comparison **comparison, int *signal, struct pyr_err *err) {
    const volatile sig_atomic_t *stop = pyr_signals_install();
    bool simulated = strncmp(a, "sim:", 4) == 0 && strncmp(b, "sim:", 4) == 0;
    struct pyr_ab_live live = {&pyr_root_live, cli->clock};
    const struct pyr_ab_machine machine = pyr_ab_live_machine(&live);
    struct watcher watcher = {cli->error_terminal, cli->shared.quiet};
    const struct pyr_ab_options options = {.pairs = words->pairs,
                                           .duration_ns = words->duration_ns,
                                           .seed = words->seed,
                                           .threshold = threshold,
                                           .stop = stop,
                                           .machine = simulated ? NULL : &machine,
                                           .progress = show,
                                           .progress_context = &watcher};
    uint64_t now_ns = PYR_NS_PER_S; /* 0 would read as an unknown stamp */
    struct pyr_ab_arm *arms[2] = {NULL, NULL};
    bool fine = open_arm(a, load, options.seed, &now_ns, &arms[0], err) &&
                open_arm(b, load, options.seed, &now_ns, &arms[1], err) &&
                pyr_ab_run(arms[0], arms[1], &options, comparison, err);
    if (watcher.terminal && !watcher.quiet)
        fputs("\r\033[K", stderr);
    pyr_ab_close(arms[0]);
    pyr_ab_close(arms[1]);
    *signal = *stop;
    return fine;
}

static bool threshold_of(struct pyr_cli *cli, double *threshold, struct pyr_err *err) {
    struct pyr_compare_options options = {.threshold = 0.10};
    const char *text = cli->shared.threshold;
    if (text && !pyr_compare_parse_threshold(cli->arena, text, &options, err))
        return false;
    *threshold = options.threshold;
    return true;
}

bool pyr_ab_sides(struct pyr_cli *cli, const struct pyr_compare_words *words, const char *a,
                  const char *b, struct pyr_comparison **comparison, int *signal,
                  struct pyr_err *err) {
    struct workload load = usual;
    double threshold;
    if (words->concurrency)
        load.concurrency = (uint32_t)words->concurrency;
    if (words->prompt_tokens)
        load.prompt_tokens = (uint32_t)words->prompt_tokens;
    if (words->output_tokens)
        load.output_tokens = (uint32_t)words->output_tokens;
    return threshold_of(cli, &threshold, err) &&
           run_sides(cli, words, a, b, &load, threshold, comparison, signal, err);
}

/* --- --confirm
 * ------------------------------------------------------------------------------------- */

const char *pyr_ab_side_of(struct pyr_arena *arena, const struct pyr_kept_run *run) {
    json_t *meta = run->meta_json ? json_loads(run->meta_json, 0, NULL) : NULL;
    const json_t *target = json_object_get(meta, "target"),
                 *config = json_object_get(meta, "config");
    const char *spec = json_string_value(json_object_get(target, "spec"));
    const char *engine = json_string_value(json_object_get(config, "engine_dir")), *text = NULL;
    if (spec) {
        struct pyr_buf side = {0};
        const char *key;
        json_t *value;
        pyr_buf_puts(&side, spec);
        if (engine)
            pyr_buf_printf(&side, " engine_dir=%s", engine);
        json_object_foreach(json_object_get(config, "options"), key,
                            value) if (json_is_string(value))
            pyr_buf_printf(&side, " %s=%s", key, json_string_value(value));
        text = pyr_arena_strdup(arena, pyr_buf_text(&side));
        pyr_buf_deinit(&side);
    }
    json_decref(meta);
    return text;
}

/* The number behind "key=" in a case's parameters, or `otherwise`. */
static uint32_t param(const char *params, const char *key, uint32_t otherwise) {
    size_t length = strlen(key);
    for (const char *at = params; at && (at = strstr(at, key)); at += length)
        if ((at == params || at[-1] == ';') && at[length] == '=')
            return (uint32_t)strtoul(at + length + 1, NULL, 10);
    return otherwise;
}

static struct workload workload_of(const struct pyr_kept_run *run,
                                   const struct pyr_compared_metric *metric) {
    const struct pyr_kept_case *kept = pyr_kept_case(run, metric->suite, metric->case_id);
    struct workload load = usual;
    const char *level = strstr(metric->case_id, "/c");
    load.concurrency = level ? (uint32_t)strtoul(level + 2, NULL, 10) : 1;
    if (load.concurrency == 0)
        load.concurrency = 1;
    if (kept) {
        load.prompt_tokens = param(kept->params, "prompt_tokens", load.prompt_tokens);
        load.output_tokens = param(kept->params, "output_tokens", load.output_tokens);
    }
    return load;
}

bool pyr_ab_confirm(struct pyr_cli *cli, const struct pyr_compare_words *words,
                    const struct pyr_kept_run *before, const struct pyr_kept_run *now,
                    const struct pyr_comparison *doubted, struct pyr_comparison **comparison,
                    struct pyr_err *err) {
    const char *a = pyr_ab_side_of(cli->arena, before), *b = pyr_ab_side_of(cli->arena, now);
    double threshold;
    int signal;
    if (!a || !b)
        return pyr_fail(err, PYR_E_INPUT,
                        "--confirm: these files do not say what was measured; compare it with --ab "
                        "A B");
    if (strcmp(a, b) == 0)
        return pyr_fail(
            err, PYR_E_INPUT,
            "--confirm: both sides are '%s', so there is no older one to measure again; "
            "keep the older build in a folder of its own (--engine-dir), or compare "
            "with --ab A B",
            a);
    const struct workload load = workload_of(now, &doubted->metrics[0]);
    if (!threshold_of(cli, &threshold, err) ||
        !run_sides(cli, words, a, b, &load, threshold, comparison, &signal, err))
        return false;
    (*comparison)->confirmed = true;
    return true;
}
