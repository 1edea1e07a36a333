/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/signals.h"

#include "base/fs.h"
#include "model/info.h"
#include "model/model_find.h"
#include "model/synth.h"
#include "suite/bench_options.h"

#include <string.h>

struct synth_options {
    const char *weights;
    uint64_t layers, vocabulary, context, threads, seed;
};

#define MODEL "Model"
#define AT(field) offsetof(struct synth_options, field)
static const struct pyr_option_row synth_rows[] = {
    {.name = "--weights",
     .aliases = {"--quant"},
     .kind = PYR_OPTION_TEXT,
     .offset = AT(weights),
     .standard = "q4_0",
     .argument = "TYPE",
     .group = MODEL,
     .help = "f32, f16, q8_0 or q4_0 (default q4_0)"},
    {.name = "--layers",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(layers),
     .least = 1,
     .most = 512,
     .argument = "N",
     .group = MODEL,
     .help = "instead of the shape's own"},
    {.name = "--vocabulary",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(vocabulary),
     .least = 1,
     .most = UINT32_MAX,
     .argument = "N",
     .group = MODEL,
     .help = "instead of the shape's own"},
    {.name = "--context",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(context),
     .least = 1,
     .most = UINT32_MAX,
     .argument = "N",
     .group = MODEL,
     .help = "tokens, instead of the shape's own"},
    PYR_ROW_THREAD_COUNT(AT(threads)),
    PYR_ROW_SEED(AT(seed)),
};
#undef AT
static const struct pyr_option_table synth_table = PYR_OPTION_TABLE("model synth", synth_rows);
const struct pyr_option_set pyr_synth_set = {sizeof(struct synth_options),
                                             {{&synth_table, 0, false}}};

struct info_options {
    bool metadata, tensors;
};

#define AT(field) offsetof(struct info_options, field)
static const struct pyr_option_row info_rows[] = {
    {.name = "--metadata",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(metadata),
     .group = MODEL,
     .help = "every metadata value too"},
    {.name = "--tensors",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(tensors),
     .group = MODEL,
     .help = "every tensor too"},
};
static const struct pyr_option_table info_table = PYR_OPTION_TABLE("model info", info_rows);
const struct pyr_option_set pyr_info_set = {sizeof(struct info_options), {{&info_table, 0, false}}};

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
    const char *output = cli->shared.output;
    const char *operand = args->operand_count > 1 ? args->operands[1] : NULL;
    if (output && operand && strcmp(output, operand) != 0) {
        pyr_fail(err, PYR_E_USAGE, "%s and %s %s contradict: two places to write to; leave one out",
                 operand, pyr_spelling(args, "--output"), output);
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
    const struct synth_options *o = cli->options;
    const struct pyr_synth_shape *shape = pyr_synth_shape_find(cli->args.operands[0], err);
    struct synth_progress progress = {
        .stop = pyr_signals_install(), .cli = cli, .show = !cli->shared.quiet};
    struct pyr_synth_config config = {.seed = o->seed,
                                      .threads = (unsigned)o->threads,
                                      .progress = on_progress,
                                      .progress_context = &progress};
    struct pyr_synth_result result;
    if (!shape || !pyr_synth_type_find(o->weights, &config.type, err))
        return PYR_CLI_FAILED;
    config.shape = *shape;
    if (o->layers)
        config.shape.layers = (uint32_t)o->layers;
    if (o->vocabulary)
        config.shape.vocabulary = (uint32_t)o->vocabulary;
    if (o->context)
        config.shape.context = (uint32_t)o->context;
    const char *path = synth_path(cli, shape->name, o->weights, err);
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
    const struct info_options *o = cli->options;
    char path[PATH_MAX];
    struct pyr_gguf_file file;
    struct pyr_info info;
    struct pyr_buf text = {0};
    if (!pyr_model_find(cli->args.operands[0], path, err) || !pyr_gguf_open(path, &file, err))
        return PYR_CLI_FAILED;
    bool ok = pyr_info_make(&file.gguf, path, &info, err);
    if (ok)
        pyr_info_write(&info, path, &text);
    if (o->metadata)
        pyr_info_write_metadata(&file.gguf, &text);
    if (o->tensors)
        pyr_info_write_tensors(&file.gguf, &text);
    if (text.length && text.data[text.length - 1] != '\n')
        pyr_buf_putc(&text, '\n');
    fputs(pyr_buf_text(&text), stdout);
    pyr_buf_deinit(&text);
    pyr_gguf_close(&file);
    return ok ? 0 : PYR_CLI_FAILED;
}
