/* SPDX-License-Identifier: MIT */
#include "cli/judge.h"
#include "cli/measure.h"
#include "cli/repeat.h"
#include "cli/signals.h"

#include "base/buf.h"
#include "base/fs.h"
#include "judge/baseline.h"
#include "report/baseline.h"

#include "suite/bench_options.h"
#include "target/http_options.h"

#include <string.h>

const struct pyr_option_set pyr_bench_set = {sizeof(struct pyr_bench_options),
                                             {{&pyr_bench_target_options, 0, false},
                                              {&pyr_http_option_table, 0, true},
                                              {&pyr_bench_case_options, 0, false},
                                              {&pyr_bench_run_options, 0, false}}};

static bool run(const void *context, pyr_bench_progress_fn *progress, void *progress_context,
                struct pyr_bench_outcome *outcome, struct pyr_err *err) {
    return pyr_bench_run(context, progress, progress_context, outcome, err);
}

static bool leave_runs(struct pyr_cli *cli, const struct pyr_repeat *repeat,
                       const struct pyr_repeated *repeated, struct pyr_err *err) {
    struct pyr_buf text = {0};
    const char *path = pyr_arena_printf(cli->arena, "%s/runs.json", repeat->output);
    pyr_baseline_json(repeated->results, &text);
    bool fine = pyr_fs_write_whole(path, pyr_buf_text(&text), text.length, err);
    pyr_buf_clear(&text);
    const struct pyr_run_spread *spreads;
    size_t count = pyr_baseline_spreads(cli->arena, repeated->runs, repeated->count, &spreads);
    pyr_report_baseline_markdown(repeated->results, spreads, count, &text);
    if (fine)
        printf("%s\nWritten  %s, with all %zu runs\n", pyr_buf_text(&text), path, repeated->count);
    pyr_buf_deinit(&text);
    return fine;
}

static int bench_several(struct pyr_cli *cli, struct pyr_err *err) {
    const struct pyr_bench_options *o = cli->options;
    const char *output = o->output ? o->output : "benchmark_results";
    const char *dot = strrchr(output, '.');
    if (dot && !strchr(dot, '/') && !pyr_fs_is_dir(output)) {
        pyr_fail(err, PYR_E_USAGE, "%s %s: several runs leave several files; name a folder",
                 pyr_spelling(&cli->args, "--output"), output);
        return PYR_CLI_FAILED;
    }
    const struct pyr_repeat repeat = {.runs = o->runs,
                                      .seed = o->seed,
                                      .duration_ns = o->duration_ns,
                                      .output = pyr_repeat_folder(cli, output),
                                      .group = pyr_repeat_group(cli, "runs")};
    struct pyr_repeated repeated;
    bool fine = pyr_repeat_bench(cli, &repeat, &repeated, err) &&
                (repeated.count == 0 || leave_runs(cli, &repeat, &repeated, err));
    json_decref(repeated.results);
    if (!fine)
        return PYR_CLI_FAILED;
    if (repeated.signal)
        return 128 + repeated.signal;
    return pyr_judge_against(cli, pyr_arena_printf(cli->arena, "%s/runs.json", repeat.output),
                             repeated.worst_exit, err);
}

int pyr_cmd_bench(struct pyr_cli *cli, struct pyr_err *err) {
    struct pyr_bench_options *options = cli->options;
    if (options->runs > 1)
        return bench_several(cli, err);
    options->color = cli->color;
    options->stop = pyr_signals_install();
    if (!pyr_measure_prepare(cli, options, err))
        return PYR_CLI_FAILED;
    return pyr_measure(cli, run, options, err);
}
