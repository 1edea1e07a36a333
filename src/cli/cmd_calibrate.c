/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/signals.h"

#include "base/fs.h"
#include "calibrate/calibrate.h"
#include "report/calibration.h"
#include "report/formats.h"
#include "report/json_text.h"
#include "sample/machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TOKENS = 20, DURATION_S = 3 };
#define TOKEN_RATE 20
static const uint64_t default_streams[] = {100, 1000};

static void tell(void *context, const struct pyr_calibrate_options *level) {
    const struct pyr_cli *cli = context;
    if (!pyr_given(&cli->args, PYR_OPT_QUIET))
        fprintf(stderr, "calibrating %u streams x %.4g tokens/s, about %.0f s ...\n",
                level->streams, level->tokens_per_s,
                /* its warm-up, the measured part, the pass without pacing */
                (double)level->duration_ns * 1e-9 + 2 * level->tokens / level->tokens_per_s + 0.5);
}

static void put_text(struct pyr_cli *cli, const struct pyr_result *result, struct pyr_buf *out) {
    const struct pyr_paper paper = {.out = out, .width = cli->width, .color = cli->color};
    for (size_t i = 0; i < result->calibration_count; i++) {
        if (i)
            pyr_buf_putc(out, '\n');
        pyr_calibration_terminal(&paper, cli->arena, &result->calibrations[i]);
    }
}

static void put_json(const struct pyr_result *result, struct pyr_buf *out) {
    json_t *root = json_object(), *list = json_array();
    for (size_t i = 0; i < result->calibration_count; i++)
        json_array_append_new(list, pyr_calibration_json(&result->calibrations[i]));
    pyr_json_put(root, "schema", json_string("pyrometer-calibration/1"));
    pyr_json_put(root, "version", json_string(PYR_VERSION));
    pyr_json_put(root, "calibrations", list);
    pyr_json_put(root, "system_info", pyr_machine_describe(&pyr_root_live));
    pyr_json_pretty(out, root);
    json_decref(root);
}

static bool write_out(const char *path, const struct pyr_buf *text, struct pyr_err *err) {
    if (path && strcmp(path, "-") != 0)
        return pyr_fs_write_whole(path, text->data, text->length, err);
    return fwrite(text->data, 1, text->length, stdout) == text->length ||
           pyr_fail_errno(err, errno, "standard output");
}

static bool fill(struct pyr_cli *cli, struct pyr_calibrate_options *level, struct pyr_err *err) {
    const struct pyr_option_value *v = cli->args.values;
    struct pyr_machine_limits limits;
    pyr_machine_limits(&pyr_root_live, &limits);
    *level = (struct pyr_calibrate_options){
        .tokens_per_s =
            pyr_given(&cli->args, PYR_OPT_TOKEN_RATE) ? v[PYR_OPT_TOKEN_RATE].real : TOKEN_RATE,
        .tokens = TOKENS,
        .uniform = pyr_given(&cli->args, PYR_OPT_UNIFORM),
        .unix_socket = pyr_given(&cli->args, PYR_OPT_UNIX_SOCKET),
        .in_process = pyr_given(&cli->args, PYR_OPT_IN_PROCESS),
        .duration_ns = pyr_given(&cli->args, PYR_OPT_PASS_TIME) ? v[PYR_OPT_PASS_TIME].number
                                                                : DURATION_S * PYR_NS_PER_S,
        .spin = limits.cpus_allowed > 1,
        .urgent = limits.cpus_allowed > 1,
        .stop = pyr_signals_install()};
    if (!(level->tokens_per_s >= 0.1) || level->tokens_per_s > 1e6)
        return pyr_fail(err, PYR_E_USAGE, "--token-rate: give 0.1 to 1000000 tokens a second");
    const char *format = v[PYR_OPT_MACHINE_FORMAT].text;
    return !format || strcmp(format, "json") == 0 || strcmp(format, "terminal") == 0 ||
           pyr_fail(err, PYR_E_USAGE, "--format %s: calibrate knows terminal and json", format);
}

/* The first load that could not be had ends the command badly, and the others are told. */
static bool all_there(const struct pyr_result *result, struct pyr_err *err) {
    for (size_t i = 0; i < result->calibration_count; i++)
        if (result->calibrations[i].metric_count == 0)
            return pyr_fail(err, PYR_E_INVALID, "calibrate: %u streams: not available",
                            result->calibrations[i].plan->concurrency);
    return true;
}

int pyr_cmd_calibrate(struct pyr_cli *cli, struct pyr_err *err) {
    const struct pyr_option_value *v = cli->args.values;
    bool given = pyr_given(&cli->args, PYR_OPT_STREAMS);
    const uint64_t *streams = given ? v[PYR_OPT_STREAMS].list : default_streams;
    size_t count =
        given ? v[PYR_OPT_STREAMS].list_count : sizeof default_streams / sizeof *default_streams;
    struct pyr_calibrate_options *levels = pyr_arena_array(cli->arena, count, sizeof *levels);
    struct pyr_result *result;
    for (size_t i = 0; i < count; i++) {
        if (!fill(cli, &levels[i], err))
            return PYR_CLI_FAILED;
        levels[i].streams = (uint32_t)streams[i];
    }
    if (!pyr_calibrate_levels(levels, count, tell, cli, &result, err))
        return *levels->stop ? 128 + (int)*levels->stop : PYR_CLI_FAILED;
    const char *path = v[PYR_OPT_OUTPUT_FILE].text, *format = v[PYR_OPT_MACHINE_FORMAT].text;
    size_t length = path ? strlen(path) : 0;
    struct pyr_buf text = {0};
    if (format ? strcmp(format, "json") == 0
               : length > 5 && strcmp(path + length - 5, ".json") == 0)
        put_json(result, &text);
    else
        put_text(cli, result, &text);
    bool ok = write_out(path, &text, err) && all_there(result, err);
    pyr_buf_deinit(&text);
    pyr_result_destroy(result);
    return ok ? 0 : PYR_CLI_FAILED;
}
