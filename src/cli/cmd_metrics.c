/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/judge.h"

#include "base/buf.h"
#include "base/fs.h"
#include "report/formats.h"
#include "stats/result.h"

#include <string.h>

int pyr_cmd_metrics_export(struct pyr_cli *cli, struct pyr_err *err) {
    const struct pyr_args *args = &cli->args;
    const char *name = cli->shared.format, *run = NULL;
    const char *operand = args->operand_count ? args->operands[0] : NULL;
    const char *output = cli->shared.output;
    const struct pyr_report_format *format = pyr_report_format_find(name ? name : "prometheus");
    if (!format) {
        pyr_report_format_fail(name, err);
        return PYR_CLI_FAILED;
    }
    if (operand && (pyr_fs_is_file(operand) || pyr_fs_is_dir(operand)))
        run = operand;
    else if (!pyr_judge_run_file(cli, operand, &run, err))
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
