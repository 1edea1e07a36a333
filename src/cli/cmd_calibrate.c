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

enum { TOKENS = 20 };

struct options {
    const uint64_t *streams;
    size_t level_count;
    double token_rate;
    bool uniform, unix_socket, in_process;
    uint64_t duration_ns;
};

/* As the row says. */
static const uint64_t default_streams[] = {100, 1000};

#define AT(field) offsetof(struct options, field)
static const struct pyr_option_row rows[] = {
    {.name = "--concurrency",
     .aliases = {"--concurrent"},
     .kind = PYR_OPTION_LIST,
     .offset = AT(streams),
     .count_offset = AT(level_count),
     .least = 1,
     .most = 20000,
     .argument = "LIST",
     .group = PYR_GROUP_LOAD,
     .help = "streams in flight, one level for each number (default 100,1000)"},
    {.name = "--token-rate",
     .kind = PYR_OPTION_REAL,
     .offset = AT(token_rate),
     .standard = "20",
     .argument = "R",
     .group = PYR_GROUP_LOAD,
     .help = "tokens a second of each stream (default 20)"},
    {.name = "--uniform",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(uniform),
     .group = PYR_GROUP_LOAD,
     .help = "streams step each by itself instead of all together"},
    {.name = "--unix-socket",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(unix_socket),
     .group = PYR_GROUP_LOAD,
     .help = "over a Unix socket instead of TCP on loopback"},
    {.name = "--in-process",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(in_process),
     .group = PYR_GROUP_LOAD,
     .help = "no server: pacing and CPU per event with an engine that costs nothing, as for model "
             "files"},
    {.name = "--duration",
     .letter = 'd',
     .kind = PYR_OPTION_DURATION,
     .offset = AT(duration_ns),
     .standard = "3s",
     .argument = "TIME",
     .group = PYR_GROUP_LOAD,
     .help = "of the measured part of each level (default 3s)"},
};
static const struct pyr_option_table table = PYR_OPTION_TABLE("calibrate", rows);
const struct pyr_option_set pyr_calibrate_set = {sizeof(struct options), {{&table, 0, false}}};

static void tell(void *context, const struct pyr_calibrate_options *level) {
    const struct pyr_cli *cli = context;
    if (!cli->shared.quiet)
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
    return fwrite(pyr_buf_text(text), 1, text->length, stdout) == text->length ||
           pyr_fail_errno(err, errno, "standard output");
}

static bool fill(struct pyr_cli *cli, struct pyr_calibrate_options *level, struct pyr_err *err) {
    const struct options *o = cli->options;
    struct pyr_machine_limits limits;
    pyr_machine_limits(&pyr_root_live, &limits);
    *level = (struct pyr_calibrate_options){.tokens_per_s = o->token_rate,
                                            .tokens = TOKENS,
                                            .uniform = o->uniform,
                                            .unix_socket = o->unix_socket,
                                            .in_process = o->in_process,
                                            .duration_ns = o->duration_ns,
                                            .spin = limits.cpus_allowed > 1,
                                            .urgent = limits.cpus_allowed > 1,
                                            .stop = pyr_signals_install()};
    if (!(level->tokens_per_s >= 0.1) || level->tokens_per_s > 1e6)
        return pyr_fail(err, PYR_E_USAGE, "--token-rate: give 0.1 to 1000000 tokens a second");
    const char *format = cli->shared.format;
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
    const struct options *o = cli->options;
    const uint64_t *streams = o->level_count ? o->streams : default_streams;
    size_t count =
        o->level_count ? o->level_count : sizeof default_streams / sizeof *default_streams;
    struct pyr_calibrate_options *levels = pyr_arena_array(cli->arena, count, sizeof *levels);
    struct pyr_result *result;
    for (size_t i = 0; i < count; i++) {
        if (!fill(cli, &levels[i], err))
            return PYR_CLI_FAILED;
        levels[i].streams = (uint32_t)streams[i];
    }
    if (!pyr_calibrate_levels(levels, count, tell, cli, &result, err))
        return *levels->stop ? 128 + (int)*levels->stop : PYR_CLI_FAILED;
    const char *path = cli->shared.output, *format = cli->shared.format;
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
