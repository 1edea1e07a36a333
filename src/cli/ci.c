/* SPDX-License-Identifier: MIT */
#include "cli/ci.h"

#include "cli/tell.h"
#include "report/comparison.h"
#include "report/formats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Above 1 MiB the whole summary is refused (docs.github.com, job summaries). */
enum { SUMMARY_BYTES_MAX = 900 * 1000 };

static const char *set_environment(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

void pyr_ci_prepare(struct pyr_cli *cli, struct pyr_bench_options *options) {
    if (!cli->shared.ci)
        return;
    options->color = false;
    options->format = options->format
                          ? pyr_arena_printf(cli->arena, "%s,junit,markdown", options->format)
                          : "junit,markdown";
    const struct pyr_preset *preset =
        options->preset_data ? options->preset_data
                             : pyr_preset_find(options->preset ? options->preset : "quick");
    if (!options->slo && preset)
        options->slo = preset->goals;
}

/* Steps of a job share the file: each adds to it. */
static bool append_summary(const struct pyr_buf *text, struct pyr_err *err) {
    const char *path = set_environment("GITHUB_STEP_SUMMARY");
    if (!path)
        return true;
    FILE *file = fopen(path, "a");
    if (!file)
        return pyr_fail_errno(err, errno, "%s", path);
    size_t length = text->length < SUMMARY_BYTES_MAX ? text->length : SUMMARY_BYTES_MAX;
    bool fine = fwrite(pyr_buf_text(text), 1, length, file) == length;
    if (fclose(file) != 0 || !fine)
        return pyr_fail_errno(err, errno, "%s: cannot be written", path);
    return true;
}

static void print(const struct pyr_buf *text) {
    if (set_environment("GITHUB_ACTIONS"))
        fwrite(pyr_buf_text(text), 1, text->length, stdout);
}

bool pyr_ci_tell_result(struct pyr_cli *cli, const struct pyr_result *result, struct pyr_err *err) {
    if (!cli->shared.ci)
        return true;
    const struct pyr_report_format *format = pyr_report_format_find("github");
    const struct pyr_report_options options = {0};
    struct pyr_buf summary = {0}, notes = {0};
    bool fine = format->write(result, &options, &summary, err) &&
                format->write_second(result, &options, &notes, err) &&
                append_summary(&summary, err);
    if (fine)
        print(&notes);
    pyr_buf_deinit(&summary);
    pyr_buf_deinit(&notes);
    return fine;
}

bool pyr_ci_tell_comparison(struct pyr_cli *cli, const struct pyr_comparison *comparison,
                            const char *folder, struct pyr_err *err) {
    if (!cli->shared.ci)
        return true;
    const struct pyr_report_options options = {0};
    struct pyr_buf summary = {0}, notes = {0};
    pyr_comparison_markdown(comparison, &options, &summary);
    pyr_comparison_github(comparison, &options, &notes);
    bool fine = pyr_tell_reports(cli, comparison, folder, err) && append_summary(&summary, err);
    if (fine)
        print(&notes);
    pyr_buf_deinit(&summary);
    pyr_buf_deinit(&notes);
    return fine;
}
