/* SPDX-License-Identifier: MIT */
#include "cli/tell.h"

#include "cli/repeat.h"

#include "base/buf.h"
#include "base/fs.h"
#include "report/comparison.h"
#include "report/formats.h"

#include <string.h>

bool pyr_tell_comparison(struct pyr_cli *cli, const struct pyr_comparison *comparison,
                         const char *format, const char *path, struct pyr_err *err) {
    const struct pyr_comparison_format *chosen =
        pyr_comparison_format_find(format ? format : "terminal");
    if (!chosen)
        return pyr_fail(err, PYR_E_USAGE,
                        "--format %s: there is no such format of a comparison; formats: terminal, "
                        "json, html, md, junit, github",
                        format);
    const struct pyr_report_options options = {.color = cli->color && !path, .width = cli->width};
    struct pyr_buf text = {0};
    chosen->write(comparison, &options, &text);
    bool fine = true;
    if (path)
        fine = pyr_fs_write_whole(path, pyr_buf_text(&text), text.length, err);
    else
        fwrite(pyr_buf_text(&text), 1, text.length, stdout);
    pyr_buf_deinit(&text);
    return fine;
}

bool pyr_tell_reports(struct pyr_cli *cli, const struct pyr_comparison *comparison,
                      const char *folder, struct pyr_err *err) {
    static const char *const formats[] = {"md", "json", "junit", "html"};
    folder = pyr_repeat_folder(cli, folder);
    if (!pyr_fs_make_dirs(folder, err))
        return false;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const char *path = pyr_arena_printf(cli->arena, "%s/comparison_report%s", folder,
                                            pyr_comparison_format_find(formats[i])->extension);
        if (!pyr_tell_comparison(cli, comparison, formats[i], path, err))
            return false;
        fprintf(stderr, "written: %s\n", path);
    }
    return true;
}
