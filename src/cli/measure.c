/* SPDX-License-Identifier: MIT */
#include "cli/measure.h"

#include "cli/ci.h"
#include "cli/compat.h"
#include "cli/judge.h"
#include "cli/progress.h"
#include "cli/resolve.h"
#include "cli/signals.h"
#include "cli/typed.h"

#include "base/buf.h"
#include "base/fs.h"
#include "load/length.h"
#include "model/gguf_check.h"
#include "report/formats.h"
#include "suite/bench.h"
#include "suite/config.h"
#include "suite/plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was typed that decides what is measured, with its value, in the order of --help. What goes
 * into the requests of a server may be secret and stays out. */
static void fill_settings(struct pyr_cli *cli, struct pyr_bench_options *o) {
    static const char *const groups[] = {PYR_GROUP_TARGET, PYR_GROUP_LOAD, PYR_GROUP_REQUESTS,
                                         PYR_GROUP_JUDGING};
    /* Told elsewhere in the record. */
    static const char *const left_out[] = {"--model", "--config", "--preset"};
    struct pyr_setting *settings =
        pyr_arena_array(cli->arena, cli->args.given_count + 1, sizeof *settings);
    struct pyr_command_option option;
    for (size_t i = 0; (option = pyr_command_option(cli->command, i)).row; i++) {
        const struct pyr_option_given *given = pyr_given(&cli->args, option.row->name);
        bool counts = false;
        for (size_t j = 0; j < sizeof groups / sizeof *groups; j++)
            counts |= strcmp(option.row->group, groups[j]) == 0;
        for (size_t j = 0; j < sizeof left_out / sizeof *left_out; j++)
            counts &= strcmp(option.row->name, left_out[j]) != 0;
        if (!counts || !given || (given->text && strstr(given->text, "header=")))
            continue;
        const char *value = given->text ? given->text : "yes";
        if (strcmp(option.row->name, "--launch") == 0)
            value = pyr_without_secrets(cli->arena, value);
        if (given->text && value != given->text && !cli->shared.quiet)
            fprintf(stderr, "%s: what looks like a secret is kept as ***\n", option.row->name);
        settings[o->setting_count++] = (struct pyr_setting){
            .name = option.row->name + strspn(option.row->name, "-"),
            .value = value,
            .source = given->source ? given->source : "command line",
        };
    }
    o->settings = settings;
}

/* What is missing or misspelt is told before a model is loaded for a minute. */
static bool check_paths(const struct pyr_cli *cli, const struct pyr_bench_options *o,
                        struct pyr_err *err) {
    static const char *const files[] = {"--prompts", "--sessions", "--trace"};
    const struct pyr_args *args = &cli->args;
    const char *compat = cli->shared.compat;
    if (o->output && strcmp(o->output, "-") == 0)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s -: several files are written; name a folder, and have one of them with "
                        "pyrometer report RUN --format NAME",
                        pyr_spelling(args, "--output"));
    if (compat && !pyr_compat_check(compat, err))
        return false;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct pyr_option_given *given = pyr_given(args, files[i]);
        if (given && !pyr_fs_is_file(given->text))
            return pyr_fail(err, PYR_E_USAGE, "%s: there is no file %s", given->spelling,
                            given->text);
    }
    if (o->engine_dir && !pyr_fs_is_dir(o->engine_dir))
        return pyr_fail(err, PYR_E_USAGE, "--engine-dir: there is no folder %s", o->engine_dir);
    return true;
}

/* The most tokens that a length of the user's own asks for; 0 where it is drawn without a bound. */
static uint64_t asked_tokens(const char *text) {
    struct pyr_length length;
    if (!text || !pyr_length_parse(text, &length, NULL))
        return 0; /* what is malformed is told with the plan */
    return length.kind == PYR_LENGTH_FIXED || length.kind == PYR_LENGTH_UNIFORM ? length.max : 0;
}

/* Told before the model is loaded: an engine stretches its context beyond what the model was
 * trained for, and then measures what nobody would run. */
static bool check_context(const struct pyr_bench_options *o, const char *target,
                          struct pyr_err *err) {
    struct pyr_gguf_file file;
    struct pyr_gguf_shape shape;
    uint64_t prompt = asked_tokens(o->prompt_tokens);
    uint64_t output = asked_tokens(o->output_tokens);
    if (prompt + output == 0 || !pyr_fs_is_file(target) || !pyr_gguf_open(target, &file, NULL))
        return true;
    bool known = pyr_gguf_check(&file.gguf, target, &shape, NULL) && shape.context > 0;
    pyr_gguf_close(&file);
    if (!known || prompt + output <= shape.context)
        return true;
    return pyr_fail(err, PYR_E_USAGE,
                    "%s: holds %u tokens of context, and %llu of prompt with %llu of output were "
                    "asked for; ask for less",
                    target, shape.context, (unsigned long long)prompt, (unsigned long long)output);
}

static bool print_report(const struct pyr_cli *cli, const struct pyr_bench_outcome *outcome,
                         struct pyr_err *err) {
    struct pyr_buf text = {0};
    const struct pyr_report_options options = {.color = cli->color,
                                               .width = cli->width,
                                               .detail = cli->shared.brief     ? PYR_DETAIL_BRIEF
                                                         : cli->shared.details ? PYR_DETAIL_ALL
                                                                               : PYR_DETAIL_SCREEN,
                                               .files = outcome->files,
                                               .file_count = outcome->file_count};
    bool ok = pyr_report_terminal(outcome->result, &options, &text, err);
    if (ok)
        fwrite(pyr_buf_text(&text), 1, text.length, stdout);
    pyr_buf_deinit(&text);
    return ok;
}

static bool undecided_goal(const struct pyr_result *result) {
    for (size_t i = 0; i < result->goal_count; i++)
        if (result->goals[i].goal->user && (result->goals[i].verdict == PYR_GOAL_UNDECIDED ||
                                            result->goals[i].verdict == PYR_GOAL_UNKNOWN))
            return true;
    return false;
}

/* docs/exit-codes.md: the first of these that holds. */
static int exit_code(const struct pyr_bench_outcome *outcome, bool strict) {
    if (outcome->signal)
        return 128 + outcome->signal;
    if (outcome->invalid)
        return pyr_exit_code(PYR_E_INVALID);
    if (outcome->missed_goal)
        return pyr_exit_code(PYR_E_REGRESSION);
    if (strict && outcome->result && undecided_goal(outcome->result))
        return pyr_exit_code(PYR_E_INCONCLUSIVE);
    return 0;
}

static enum pyr_progress_style progress_style(const struct pyr_cli *cli) {
    if (cli->shared.quiet)
        return PYR_PROGRESS_NONE;
    return cli->error_terminal ? PYR_PROGRESS_BAR : PYR_PROGRESS_LINES;
}

/* Goals of --slo and of a file of goals, together. */
static bool fill_goals(struct pyr_cli *cli, struct pyr_bench_options *o, struct pyr_err *err) {
    const char *path = cli->shared.targets, *goals;
    if (!path)
        return true;
    if (!pyr_targets_load(cli->arena, path, &goals, err))
        return false;
    o->slo = o->slo ? pyr_arena_printf(cli->arena, "%s,%s", o->slo, goals) : goals;
    return true;
}

/* The configuration file, NULL when none was named; its options are taken as if they were typed. */
static bool read_config(struct pyr_cli *cli, const struct pyr_config **config,
                        struct pyr_err *err) {
    const char *path = cli->shared.config;
    struct pyr_config *read = path ? pyr_arena_alloc(cli->arena, sizeof *read) : NULL;
    *config = read;
    if (!path)
        return true;
    if (!pyr_config_load(cli->arena, path, read, err))
        return false;
    for (size_t i = 0; i < read->option_count; i++) {
        const struct pyr_config_option *option = &read->options[i];
        if (!pyr_args_add(cli, path, option->name, option->text, err))
            return pyr_err_prefix(err, "%s:%d", path, option->line);
    }
    return pyr_args_check(&cli->args, err);
}

/* What nobody said as an option, the other keys of the file may. */
static bool fill_config(struct pyr_cli *cli, const struct pyr_config *config,
                        struct pyr_bench_options *o, const char **model, struct pyr_err *err) {
    struct pyr_config_notes notes = {0};
    if (!config)
        return true;
    if (!pyr_config_apply(cli->arena, config, o, &notes, err))
        return false;
    *model = config->model;
    for (size_t i = 0; !cli->shared.quiet && i < notes.count; i++)
        fprintf(stderr, "%s: %s\n", config->path, notes.items[i]);
    return true;
}

/* Whatever is wrong with the plan is told before a model is made or loaded for it. A trace is read
 * with the run: it may be large. */
static bool check_plan(struct pyr_cli *cli, const struct pyr_bench_options *options,
                       struct pyr_plan *plan, struct pyr_err *err) {
    *plan = (struct pyr_plan){.needs_target = true};
    return options->trace || strcmp(cli->command->name, "stress") == 0 ||
           pyr_plan_make(options, 1, true, cli->arena, plan, err);
}

/* A target that was typed is on the first line of every report anyway. */
static void name_target(struct pyr_cli *cli, const struct pyr_resolved *resolved,
                        struct pyr_bench_options *o) {
    if (strcmp(resolved->source, "command line") == 0)
        return;
    struct pyr_setting *all = pyr_arena_array(cli->arena, o->setting_count + 1, sizeof *all);
    all[0] = (struct pyr_setting){"target", resolved->target, resolved->source};
    if (o->setting_count)
        memcpy(all + 1, o->settings, o->setting_count * sizeof *all);
    o->settings = all;
    o->setting_count++;
}

bool pyr_measure_prepare(struct pyr_cli *cli, struct pyr_bench_options *options,
                         struct pyr_err *err) {
    const struct pyr_args *args = &cli->args;
    const struct pyr_config *config;
    if (!read_config(cli, &config, err))
        return false;
    struct pyr_resolve_input input = {.operand = args->operand_count ? args->operands[0] : NULL,
                                      .model = cli->shared.model,
                                      .environment = getenv,
                                      .announce = !cli->shared.quiet};
    struct pyr_resolved resolved;
    struct pyr_plan plan;
    options->strict = cli->shared.strict;
    fill_settings(cli, options);
    if (!check_paths(cli, options, err) || !fill_goals(cli, options, err) ||
        !fill_config(cli, config, options, &input.configured, err) ||
        !check_plan(cli, options, &plan, err))
        return false;
    if (!plan.needs_target) {
        options->command_line = pyr_typed_again(cli);
        options->repeat_line = pyr_typed_to_repeat(cli);
        pyr_ci_prepare(cli, options);
        return !input.operand ||
               pyr_fail(err, PYR_E_USAGE, "%s: what was asked for needs no target; leave it out",
                        input.operand);
    }
    if (!pyr_resolve_target(cli->arena, &input, &resolved, err) ||
        !pyr_check_target(args, options->target_options, options->target_option_count, &resolved,
                          err) ||
        !check_context(options, resolved.target, err))
        return false;
    pyr_ci_prepare(cli, options);
    name_target(cli, &resolved, options);
    options->target = resolved.target;
    options->target_note = resolved.note;
    options->model = resolved.model;
    options->command_line = pyr_typed_again(cli);
    options->repeat_line = pyr_typed_to_repeat(cli);
    if (resolved.note) {
        printf("No model was named: measuring %s, %s.\n", resolved.target, resolved.note);
        fflush(stdout);
    }
    if (cli->shared.verbose)
        fprintf(stderr, "target: %s\ncommand: %s\n", options->target, options->command_line);
    return true;
}

int pyr_measure(struct pyr_cli *cli, pyr_measure_job *job, const void *context,
                struct pyr_err *err) {
    struct pyr_bench_outcome outcome = {0};
    struct pyr_progress progress;
    pyr_progress_init(&progress, progress_style(cli), STDERR_FILENO, cli->width, cli->clock);
    bool ok = job(context, pyr_progress_update, &progress, &outcome, err);
    pyr_progress_clear(&progress);
    if (!ok) {
        struct pyr_err dropped;
        /* What was measured is worth seeing although the disk could not take it. */
        if (outcome.result && err->code == PYR_E_IO)
            (void)print_report(cli, &outcome, &dropped);
        pyr_result_destroy(outcome.result);
        return PYR_CLI_FAILED;
    }
    ok = !outcome.result ||
         (print_report(cli, &outcome, err) && pyr_compat_print(cli, outcome.run_path, err));
    int code = ok ? exit_code(&outcome, cli->shared.strict) : PYR_CLI_FAILED;
    if (ok && outcome.result) {
        pyr_judge_keep(cli, outcome.result);
        if (!pyr_ci_tell_result(cli, outcome.result, err))
            code = PYR_CLI_FAILED;
        else if (!outcome.signal)
            code = pyr_judge_against(cli, outcome.results_path, code, err);
    }
    pyr_result_destroy(outcome.result);
    return code;
}
