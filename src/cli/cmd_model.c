/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/signals.h"

#include "base/fs.h"
#include "model/info.h"
#include "model/model_find.h"
#include "model/synth.h"

#include <string.h>

struct synth_progress {
    const volatile sig_atomic_t *stop;
    const struct pyr_cli *cli;
    bool show;
    int shown; /* whole tenths */
};

static bool on_progress(void *context, double share) {
    struct synth_progress *progress = context;
    int tenths = (int)(share * 10);
    if (progress->show && progress->cli->error_terminal && tenths > progress->shown)
        fprintf(stderr, "\r%d %%\033[K", tenths * 10);
    progress->shown = tenths;
    return !*progress->stop;
}

/* SHAPE.gguf in the folder that is meant, or the file. */
static const char *synth_path(const struct pyr_cli *cli, const char *shape, const char *weights,
                              struct pyr_err *err) {
    const struct pyr_args *args = &cli->args;
    const char *output = args->values[PYR_OPT_OUTPUT_FILE].text;
    const char *operand = args->operand_count > 1 ? args->operands[1] : NULL;
    if (output && operand && strcmp(output, operand) != 0) {
        pyr_fail(err, PYR_E_USAGE, "%s and %s %s contradict: two places to write to; leave one out",
                 operand, args->values[PYR_OPT_OUTPUT_FILE].spelling, output);
        return NULL;
    }
    const char *path = operand ? operand : output ? output : ".";
    size_t length = strlen(path);
    if (!pyr_fs_is_dir(path) && path[length ? length - 1 : 0] != '/')
        return path;
    if (!pyr_fs_make_dirs(path, err))
        return NULL;
    return pyr_arena_printf(cli->arena, "%s%s%s-%s.gguf", path, path[length - 1] == '/' ? "" : "/",
                            shape, weights);
}

int pyr_cmd_model_synth(struct pyr_cli *cli, struct pyr_err *err) {
    const struct pyr_option_value *v = cli->args.values;
    const struct pyr_synth_shape *shape = pyr_synth_shape_find(cli->args.operands[0], err);
    const char *weights = v[PYR_OPT_WEIGHTS].text ? v[PYR_OPT_WEIGHTS].text : "q4_0";
    struct synth_progress progress = {
        .stop = pyr_signals_install(), .cli = cli, .show = !pyr_given(&cli->args, PYR_OPT_QUIET)};
    struct pyr_synth_config config = {
        .seed = 1, .progress = on_progress, .progress_context = &progress};
    struct pyr_synth_result result;
    if (!shape || !pyr_synth_type_find(weights, &config.type, err))
        return PYR_CLI_FAILED;
    config.shape = *shape;
    if (pyr_given(&cli->args, PYR_OPT_SEED))
        config.seed = v[PYR_OPT_SEED].number;
    if (pyr_given(&cli->args, PYR_OPT_THREAD_COUNT))
        config.threads = (unsigned)v[PYR_OPT_THREAD_COUNT].number;
    if (pyr_given(&cli->args, PYR_OPT_LAYERS))
        config.shape.layers = (uint32_t)v[PYR_OPT_LAYERS].number;
    if (pyr_given(&cli->args, PYR_OPT_VOCABULARY))
        config.shape.vocabulary = (uint32_t)v[PYR_OPT_VOCABULARY].number;
    if (pyr_given(&cli->args, PYR_OPT_CONTEXT))
        config.shape.context = (uint32_t)v[PYR_OPT_CONTEXT].number;
    const char *path = synth_path(cli, shape->name, weights, err);
    if (!path)
        return PYR_CLI_FAILED;
    bool ok = pyr_synth(path, &config, &result, err);
    if (progress.show && cli->error_terminal)
        fputs("\r\033[K", stderr);
    if (!ok)
        return *progress.stop ? 128 + *progress.stop : PYR_CLI_FAILED;
    printf("%s: %.4g MB, %.4g million parameters, random weights\n", path,
           (double)result.file_bytes / 1e6, (double)result.parameter_count / 1e6);
    return 0;
}

int pyr_cmd_model_info(struct pyr_cli *cli, struct pyr_err *err) {
    char path[PATH_MAX];
    struct pyr_gguf_file file;
    struct pyr_info info;
    struct pyr_buf text = {0};
    if (!pyr_model_find(cli->args.operands[0], path, err) || !pyr_gguf_open(path, &file, err))
        return PYR_CLI_FAILED;
    bool ok = pyr_info_make(&file.gguf, path, &info, err);
    if (ok)
        pyr_info_write(&info, path, &text);
    if (pyr_given(&cli->args, PYR_OPT_METADATA))
        pyr_info_write_metadata(&file.gguf, &text);
    if (pyr_given(&cli->args, PYR_OPT_TENSORS))
        pyr_info_write_tensors(&file.gguf, &text);
    if (text.length && text.data[text.length - 1] != '\n')
        pyr_buf_putc(&text, '\n');
    fputs(pyr_buf_text(&text), stdout);
    pyr_buf_deinit(&text);
    pyr_gguf_close(&file);
    return ok ? 0 : PYR_CLI_FAILED;
}
