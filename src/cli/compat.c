/* SPDX-License-Identifier: MIT */
#include "cli/compat.h"

#include "base/fs.h"
#include "report/compat.h"

#include <string.h>

static bool write_text(const struct pyr_cli *cli, const char *run_path, bool json, bool color,
                       struct pyr_buf *out, struct pyr_err *err) {
    struct pyr_compat_result compat;
    const struct pyr_report_options options = {.color = color, .width = cli->width};
    if (!pyr_compat_make(run_path, cli->shared.compat, cli->arena, &compat, err))
        return false;
    if (json)
        pyr_report_compat_json(&compat, out);
    else
        pyr_report_compat_text(&compat, &options, out);
    return true;
}

bool pyr_compat_print(const struct pyr_cli *cli, const char *run_path, struct pyr_err *err) {
    struct pyr_buf text = {0};
    if (!cli->shared.compat)
        return true;
    bool ok = write_text(cli, run_path, false, cli->color, &text, err);
    if (ok)
        fwrite(pyr_buf_text(&text), 1, text.length, stdout);
    pyr_buf_deinit(&text);
    return ok;
}

bool pyr_compat_report(const struct pyr_cli *cli, const char *run_path, struct pyr_err *err) {
    const char *format = cli->shared.format ? cli->shared.format : "terminal";
    const char *path = cli->shared.output;
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "terminal") != 0 && strcmp(format, "text") != 0)
        return pyr_fail(err, PYR_E_USAGE, "--format %s: with --compat use terminal or json",
                        format);
    if (path && (pyr_fs_is_dir(path) || path[strlen(path) - 1] == '/')) {
        if (!pyr_fs_make_dirs(path, err))
            return false;
        path = pyr_arena_printf(cli->arena, "%s/compat-%s%s", path, cli->shared.compat,
                                json ? ".json" : ".txt");
    }
    struct pyr_buf text = {0};
    bool ok = write_text(cli, run_path, json, cli->color && !path, &text, err);
    if (ok && path)
        ok = pyr_fs_write_whole(path, pyr_buf_text(&text), text.length, err);
    else if (ok)
        fwrite(pyr_buf_text(&text), 1, text.length, stdout);
    pyr_buf_deinit(&text);
    return ok;
}
