/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/judge.h"
#include "cli/repeat.h"

#include "base/buf.h"
#include "base/fs.h"
#include "estimate/predict.h"
#include "judge/baseline.h"
#include "report/baseline.h"
#include "suite/bench_options.h"
#include "target/http_options.h"

#include <inttypes.h>
#include <string.h>

struct options {
    struct pyr_bench_options bench;
    const char *backends;
};

static const struct pyr_option_row rows[] = {
    {.name = "--backends",
     .kind = PYR_OPTION_TEXT,
     .offset = offsetof(struct options, backends),
     .argument = "LIST",
     .group = PYR_GROUP_TARGET,
     .help = "kinds of models (gguf); the target says which one it is"},
};
static const struct pyr_option_table table = PYR_OPTION_TABLE("baseline", rows);

#define BENCH offsetof(struct options, bench)
const struct pyr_option_set pyr_baseline_set = {sizeof(struct options),
                                                {{&pyr_bench_target_options, BENCH, false},
                                                 {&pyr_http_option_table, BENCH, true},
                                                 {&table, 0, false},
                                                 {&pyr_bench_case_options, BENCH, false},
                                                 {&pyr_bench_run_options, BENCH, false}}};

/* Kinds of models in the documents' words; what the target is decides itself. */
static bool check_backends(const struct pyr_cli *cli, struct pyr_err *err) {
    const char *list = ((const struct options *)cli->options)->backends;
    if (!list)
        return true;
    if (!*list)
        return pyr_fail(err, PYR_E_USAGE, "--backends: '' names none; give gguf");
    char *rest = pyr_arena_strdup(cli->arena, list), *item;
    while ((item = strsep(&rest, ",")))
        if (strcmp(item, "onnx") == 0)
            fprintf(stderr, "--backends onnx: not built yet in this version, left out\n");
        else if (strcmp(item, "gguf") != 0)
            return pyr_fail(err, PYR_E_USAGE, "--backends: '%s' is none; there is gguf", item);
    return true;
}

static bool read_targets(const struct pyr_cli *cli, struct pyr_buf *text, struct pyr_err *err) {
    const char *path = cli->shared.targets;
    return !path || pyr_fs_read_file(path, 1 << 20, text, err);
}

static void tell(struct pyr_cli *cli, const struct pyr_repeat *repeat,
                 const struct pyr_repeated *repeated, const struct pyr_run_spread *spreads,
                 size_t count) {
    struct pyr_buf text = {0};
    const struct pyr_paper paper = {&text, cli->width < 60 ? 60 : cli->width, cli->color, false};
    printf("Baseline of %zu runs, each in a process of its own\n\n", repeated->count);
    pyr_report_baseline_terminal(spreads, count, repeated->count, &paper);
    printf("%s\nWritten  %s/baseline_results.json, performance_targets.json, "
           "baseline_report.md\nHistory  group:%s\nNext     pyrometer bench ..., then "
           "pyrometer compare %s benchmark_results\n",
           pyr_buf_text(&text), repeat->output, repeat->group, repeat->output);
    pyr_buf_deinit(&text);
}

static bool leave_files(struct pyr_cli *cli, const struct pyr_repeat *repeat,
                        const struct pyr_repeated *repeated, struct pyr_err *err) {
    struct pyr_buf targets = {0}, report = {0};
    const struct pyr_run_spread *spreads;
    size_t count = pyr_baseline_spreads(cli->arena, repeated->runs, repeated->count, &spreads);
    pyr_report_baseline_markdown(repeated->results, spreads, count, &report);
    bool fine = read_targets(cli, &targets, err) &&
                pyr_baseline_write(repeat->output, repeated->results, pyr_buf_text(&report),
                                   targets.length ? pyr_buf_text(&targets) : NULL, err);
    if (fine)
        tell(cli, repeat, repeated, spreads, count);
    pyr_buf_deinit(&targets);
    pyr_buf_deinit(&report);
    return fine;
}

int pyr_cmd_baseline(struct pyr_cli *cli, struct pyr_err *err) {
    const struct pyr_bench_options *o = &((const struct options *)cli->options)->bench;
    uint64_t runs = o->runs ? o->runs : PYR_STORED_RUNS_LEAST;
    if (runs < PYR_STORED_RUNS_LEAST)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: %" PRIu64 " runs are no baseline; one further run can be judged by %d "
                        "or more",
                        pyr_spelling(&cli->args, "--runs"), runs, PYR_STORED_RUNS_LEAST)
                   ? 0
                   : PYR_CLI_FAILED;
    if (!check_backends(cli, err))
        return PYR_CLI_FAILED;
    const char *output = o->output ? o->output : "performance_baseline";
    struct pyr_repeat repeat = {.runs = runs,
                                .seed = o->seed,
                                .duration_ns = o->duration_ns / runs,
                                .output = pyr_repeat_folder(cli, output),
                                .group = pyr_repeat_group(cli, "baseline")};
    struct pyr_repeated repeated;
    bool fine = pyr_repeat_bench(cli, &repeat, &repeated, err) &&
                (repeated.count == 0 || leave_files(cli, &repeat, &repeated, err));
    json_decref(repeated.results);
    if (!fine)
        return PYR_CLI_FAILED;
    if (repeated.signal)
        return 128 + repeated.signal;
    return repeated.worst_exit;
}
