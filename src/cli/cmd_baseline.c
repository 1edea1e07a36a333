/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/judge.h"
#include "cli/repeat.h"

#include "base/buf.h"
#include "base/fs.h"
#include "estimate/predict.h"
#include "judge/baseline.h"

#include <inttypes.h>
#include <string.h>

/* Kinds of models in the documents' words; what the target is decides itself. */
static bool check_backends(const struct pyr_cli *cli, struct pyr_err *err) {
    const char *list = cli->args.values[PYR_OPT_BACKENDS].text;
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
    const char *path = cli->args.values[PYR_OPT_TARGETS].text;
    return !path || pyr_fs_read_file(path, 1 << 20, text, err);
}

static void tell(struct pyr_cli *cli, const struct pyr_repeat *repeat,
                 const struct pyr_repeated *repeated) {
    struct pyr_buf text = {0};
    const struct pyr_paper paper = {&text, cli->width < 60 ? 60 : cli->width, cli->color, false};
    printf("Baseline of %zu runs, each in a process of its own\n\n", repeated->count);
    pyr_baseline_terminal(repeated->runs, repeated->count, &paper);
    printf("%s\nWritten  %s/baseline_results.json, performance_targets.json, "
           "baseline_report.md\nHistory  group:%s\nNext     pyrometer bench ..., then "
           "pyrometer compare %s benchmark_results\n",
           pyr_buf_text(&text), repeat->output, repeat->group, repeat->output);
    pyr_buf_deinit(&text);
}

static bool leave_files(struct pyr_cli *cli, const struct pyr_repeat *repeat,
                        const struct pyr_repeated *repeated, struct pyr_err *err) {
    struct pyr_buf targets = {0};
    bool fine =
        read_targets(cli, &targets, err) &&
        pyr_baseline_write(repeat->output, repeated->results, repeated->runs, repeated->count,
                           targets.length ? pyr_buf_text(&targets) : NULL, err);
    if (fine)
        tell(cli, repeat, repeated);
    pyr_buf_deinit(&targets);
    return fine;
}

int pyr_cmd_baseline(struct pyr_cli *cli, struct pyr_err *err) {
    const struct pyr_option_value *v = cli->args.values;
    uint64_t runs =
        pyr_given(&cli->args, PYR_OPT_RUNS) ? v[PYR_OPT_RUNS].number : PYR_STORED_RUNS_LEAST;
    if (runs < PYR_STORED_RUNS_LEAST)
        return pyr_fail(err, PYR_E_USAGE,
                        "%s: %" PRIu64 " runs are no baseline; one further run can be judged by %d "
                        "or more",
                        v[PYR_OPT_RUNS].spelling, runs, PYR_STORED_RUNS_LEAST)
                   ? 0
                   : PYR_CLI_FAILED;
    if (!check_backends(cli, err))
        return PYR_CLI_FAILED;
    const char *output = v[PYR_OPT_OUTPUT].text ? v[PYR_OPT_OUTPUT].text : "performance_baseline";
    size_t length = strlen(output);
    while (length > 1 && output[length - 1] == '/')
        length--;
    struct pyr_repeat repeat = {.runs = runs,
                                .seed = pyr_given(&cli->args, PYR_OPT_SEED) ? v[PYR_OPT_SEED].number
                                                                            : 1,
                                .duration_ns = v[PYR_OPT_DURATION].number / runs,
                                .output = pyr_arena_strndup(cli->arena, output, length),
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
