/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/compat.h"
#include "cli/judge.h"

#include "base/fs.h"
#include "base/mem.h"
#include "report/formats.h"
#include "stats/result.h"
#include "suite/find_run.h"

#include <limits.h>
#include <string.h>

/* A path (suite/find_run.h says of what), else the name of a run below benchmark_results/history,
 * else one of the history: an id or latest. */
static bool find_run(struct pyr_cli *cli, const char *said, const char **run, struct pyr_err *err) {
    char path[PATH_MAX];
    if (pyr_fs_is_file(said) || pyr_fs_is_dir(said) || strchr(said, '/') || strchr(said, '.')) {
        bool found = pyr_find_run(said, path, err);
        *run = pyr_arena_strdup(cli->arena, found ? path : said);
        return found;
    }
    *run = pyr_arena_printf(cli->arena, "benchmark_results/history/%s", said);
    if (pyr_fs_is_dir(*run))
        return true;
    return pyr_judge_run_file(cli, strcmp(said, "latest") == 0 ? NULL : said, run, err) ||
           pyr_err_prefix(err, "%s: no such file or folder, and in the history", said);
}

static const struct pyr_report_format *find_format(const char *name, struct pyr_err *err) {
    const struct pyr_report_format *format = pyr_report_format_find(name);
    if (!format)
        pyr_report_format_fail(name, err);
    return format;
}

static bool write_result(const struct pyr_cli *cli, const struct pyr_result *result,
                         const struct pyr_report_format *format, struct pyr_err *err) {
    const char *path = cli->shared.output;
    const struct pyr_report_options options = {.color = cli->color && !path,
                                               .width = cli->width,
                                               .commit = cli->shared.commit,
                                               .detail = cli->shared.brief     ? PYR_DETAIL_BRIEF
                                                         : cli->shared.details ? PYR_DETAIL_ALL
                                                                               : PYR_DETAIL_SCREEN};
    struct pyr_buf text = {0};
    if (path && (pyr_fs_is_dir(path) || path[strlen(path) - 1] == '/')) {
        if (!pyr_fs_make_dirs(path, err))
            return false;
        path = pyr_arena_printf(cli->arena, "%s/report%s", path, format->extension);
    }
    if (path)
        return pyr_report_write_file(format, result, &options, path, err);
    bool ok = format->write(result, &options, &text, err);
    if (ok)
        fwrite(pyr_buf_text(&text), 1, text.length, stdout);
    pyr_buf_deinit(&text);
    return ok;
}

int pyr_cmd_report(struct pyr_cli *cli, struct pyr_err *err) {
    const char *name = cli->shared.format, *run;
    const struct pyr_report_format *format = find_format(name ? name : "terminal", err);
    if (!format || !find_run(cli, cli->args.operands[0], &run, err))
        return PYR_CLI_FAILED;
    if (cli->shared.compat)
        return pyr_compat_report(cli, run, err) ? 0 : PYR_CLI_FAILED;
    struct pyr_result *result;
    if (!pyr_result_make(run, &result, err))
        return PYR_CLI_FAILED;
    bool ok = write_result(cli, result, format, err);
    pyr_result_destroy(result);
    return ok ? 0 : PYR_CLI_FAILED;
}
