/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/judge.h"

#include "base/buf.h"
#include "base/fs.h"
#include "report/formats.h"
#include "stats/result.h"
#include "store/store.h"

#include <string.h>

/* The newest whose run file is there: comparisons and imported files have none. */
static bool load_newest(struct pyr_cli *cli, struct pyr_store *store, struct pyr_kept_run **run,
                        struct pyr_err *err) {
    struct pyr_kept_run *runs;
    size_t count;
    if (!pyr_store_list(store, cli->arena, NULL, &runs, &count, err))
        return false;
    while (count > 0 && !pyr_fs_is_file(runs[count - 1].run_path ? runs[count - 1].run_path : ""))
        count--;
    if (count == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: no run in it whose run file is still there; name a run file",
                        pyr_store_name(store));
    *run = &runs[count - 1];
    return true;
}

/* The run file of a run in the history: by id, or the newest. */
static bool find_kept(struct pyr_cli *cli, const char *id, const char **path, struct pyr_err *err) {
    const struct pyr_store_config config = {.where = pyr_judge_history(cli)};
    struct pyr_store *store;
    struct pyr_kept_run *run;
    if (!config.where)
        return pyr_fail(err, PYR_E_INPUT, "metrics export: name a run; there is no history here");
    if (!pyr_store_open(&config, &store, err))
        return false;
    bool fine = id ? pyr_store_load(store, cli->arena, id, false, &run, err)
                   : load_newest(cli, store, &run, err);
    pyr_store_close(store);
    if (!fine)
        return false;
    *path = run->run_path;
    return (*path && pyr_fs_is_file(*path)) ||
           pyr_fail(err, PYR_E_INPUT,
                    "run %s: its run file %s is not there; name another run or file", run->id,
                    *path ? *path : "(unknown)");
}

int pyr_cmd_metrics_export(struct pyr_cli *cli, struct pyr_err *err) {
    const struct pyr_args *args = &cli->args;
    const char *name = args->values[PYR_OPT_FORMAT].text, *run = NULL;
    const char *operand = args->operand_count ? args->operands[0] : NULL;
    const char *output = args->values[PYR_OPT_OUTPUT_FILE].text;
    const struct pyr_report_format *format = pyr_report_format_find(name ? name : "prometheus");
    if (!format) {
        pyr_report_format_fail(name, err);
        return PYR_CLI_FAILED;
    }
    if (operand && (pyr_fs_is_file(operand) || pyr_fs_is_dir(operand)))
        run = operand;
    else if (!find_kept(cli, operand, &run, err))
        return PYR_CLI_FAILED;
    struct pyr_result *result;
    const struct pyr_report_options options = {.width = cli->width};
    struct pyr_buf text = {0};
    if (!pyr_result_make(run, &result, err))
        return PYR_CLI_FAILED;
    bool fine = format->write(result, &options, &text, err);
    if (fine && output)
        fine = pyr_fs_write_whole(output, pyr_buf_text(&text), text.length, err);
    else if (fine)
        fwrite(pyr_buf_text(&text), 1, text.length, stdout);
    pyr_buf_deinit(&text);
    pyr_result_destroy(result);
    return fine ? 0 : PYR_CLI_FAILED;
}
