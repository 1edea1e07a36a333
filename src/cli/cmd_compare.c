/* SPDX-License-Identifier: MIT */
#include "cli/ab.h"
#include "cli/ci.h"
#include "cli/cmds.h"
#include "cli/judge.h"
#include "cli/tell.h"

#include "base/fs.h"
#include "judge/compare.h"
#include "suite/bench_options.h"

#include <string.h>
#include <time.h>

#define ALIVE "Both alive"
#define AT(field) offsetof(struct pyr_compare_words, field)
static const struct pyr_option_row rows[] = {
    {.name = "--current",
     .letter = 'c',
     .kind = PYR_OPTION_TEXT,
     .offset = AT(current),
     .argument = "RUNS",
     .group = PYR_GROUP_JUDGING,
     .help = "what is judged, likewise"},
    {.name = "--report",
     .letter = 'r',
     .kind = PYR_OPTION_FLAG,
     .offset = AT(report),
     .group = PYR_GROUP_OUTPUT,
     .help = "write comparison_report.html, .md, .json and .xml too (a folder as --output does it "
             "by itself)"},
    {.name = "--ab",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(ab),
     .group = ALIVE,
     .help = "the two sides are targets ('TARGET KEY=VALUE ...') or commands; measure both, "
             "interleaved"},
    {.name = "--confirm",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(confirm),
     .group = ALIVE,
     .help = "unless nothing changed, measure the targets of both sides again, interleaved; that "
             "verdict counts"},
    {.name = "--pairs",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(pairs),
     .least = 6,
     .most = 2000,
     .argument = "N",
     .group = ALIVE,
     .help = "blocks of each side (default 20)"},
    {.name = "--duration",
     .letter = 'd',
     .kind = PYR_OPTION_DURATION,
     .offset = AT(duration_ns),
     .argument = "TIME",
     .group = ALIVE,
     .help = "about how long all blocks may take (default 10m)"},
    {.name = "--concurrency",
     .aliases = {"--concurrent"},
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(concurrency),
     .least = 1,
     .most = PYR_OPTION_MANY,
     .argument = "N",
     .group = ALIVE,
     .help = "requests in flight (default 4)"},
    {.name = "--prompt-tokens",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(prompt_tokens),
     .least = 1,
     .most = PYR_OPTION_VERY_MANY,
     .argument = "N",
     .group = ALIVE,
     .help = "of each request (default 64)"},
    {.name = "--output-tokens",
     .letter = 'n',
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(output_tokens),
     .least = 1,
     .most = PYR_OPTION_VERY_MANY,
     .argument = "N",
     .group = ALIVE,
     .help = "of each request (default 16)"},
    PYR_ROW_SEED(AT(seed)),
};
static const struct pyr_option_table table = PYR_OPTION_TABLE("compare", rows);
const struct pyr_option_set pyr_compare_set = {sizeof(struct pyr_compare_words),
                                               {{&table, 0, false}}};

static const struct pyr_compare_words *words_of(const struct pyr_cli *cli) {
    return cli->options;
}

/* BASELINE CURRENT as words or as options; a lone word beside both options is --report's file. */
static bool find_sides(struct pyr_cli *cli, const char **baseline, const char **current,
                       const char **path, struct pyr_err *err) {
    const struct pyr_args *args = &cli->args;
    *baseline = cli->shared.baseline;
    *current = words_of(cli)->current;
    *path = cli->shared.output;
    size_t words = args->operand_count;
    if (*baseline && *current && words == 1 && words_of(cli)->report && !*path) {
        *path = args->operands[0];
        return true;
    }
    size_t wanted = (size_t) !*baseline + (size_t) !*current;
    if (words != wanted)
        return pyr_fail(err, PYR_E_USAGE,
                        "compare: wants two sides, %zu given; usage: pyrometer compare BASELINE "
                        "CURRENT, or --baseline RUNS --current RUNS",
                        2 - wanted + words);
    size_t next = 0;
    if (!*baseline)
        *baseline = args->operands[next++];
    if (!*current)
        *current = args->operands[next];
    return true;
}

static bool is_folder(const char *path) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    return pyr_fs_is_dir(path) || path[strlen(path) - 1] == '/' || !dot || (slash && dot < slash);
}

static bool tell(struct pyr_cli *cli, const struct pyr_comparison *comparison, const char *path,
                 struct pyr_err *err) {
    const char *format = cli->shared.format;
    bool report = words_of(cli)->report;
    /* --format and --output FILE together: that format goes to the file. */
    bool to_file = path && !is_folder(path);
    if (to_file && !format)
        format = strstr(path, ".json") ? "json" : strstr(path, ".xml") ? "junit" : "md";
    if (to_file && !pyr_tell_comparison(cli, comparison, format, path, err))
        return false;
    if (!pyr_tell_comparison(cli, comparison, to_file ? NULL : format, NULL, err))
        return false;
    bool folder = path && !to_file;
    if (cli->shared.ci)
        return pyr_ci_tell_comparison(cli, comparison, folder ? path : "benchmark_results", err);
    if (to_file)
        fprintf(stderr, "written: %s\n", path);
    return to_file || (!report && !folder) ||
           pyr_tell_reports(cli, comparison, folder ? path : "benchmark_results", err);
}

/* What only one way of comparing knows. */
static bool check(const struct pyr_cli *cli, struct pyr_err *err) {
    static const char *const only_alive[] = {"--pairs", "--duration", "--concurrency",
                                             "--prompt-tokens", "--output-tokens"};
    static const char *const only_kept[] = {"--single", "--vary", "--gate", "--confirm"};
    bool ab = words_of(cli)->ab;
    bool alive = ab || words_of(cli)->confirm;
    for (size_t i = 0; i < 5; i++) {
        if (!alive && pyr_given(&cli->args, only_alive[i]))
            return pyr_fail(err, PYR_E_USAGE, "%s: says nothing without --ab or --confirm",
                            pyr_spelling(&cli->args, only_alive[i]));
        if (ab && i < sizeof only_kept / sizeof *only_kept && pyr_given(&cli->args, only_kept[i]))
            return pyr_fail(err, PYR_E_USAGE,
                            "%s and --ab contradict: --ab measures both sides now",
                            pyr_spelling(&cli->args, only_kept[i]));
    }
    return true;
}

static uint64_t now_unix_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * PYR_NS_PER_S + (uint64_t)now.tv_nsec;
}

int pyr_cmd_compare(struct pyr_cli *cli, struct pyr_err *err) {
    const char *baseline, *current, *path;
    struct pyr_comparison *comparison = NULL;
    int signal = 0;
    if (!find_sides(cli, &baseline, &current, &path, err) || !check(cli, err))
        return PYR_CLI_FAILED;
    bool ab = words_of(cli)->ab;
    uint64_t started_unix_ns = now_unix_ns();
    bool fine = ab ? pyr_ab_sides(cli, words_of(cli), baseline, current, &comparison, &signal, err)
                   : pyr_judge_compare(cli, baseline, current, &comparison, err) &&
                         pyr_judge_confirm(cli, words_of(cli), baseline, current, &comparison, err);
    if (!fine) {
        pyr_comparison_destroy(comparison);
        return signal ? 128 + signal : PYR_CLI_FAILED;
    }
    if (ab)
        pyr_judge_keep_pairs(cli, comparison, started_unix_ns);
    int code = tell(cli, comparison, path, err)
                   ? pyr_comparison_exit_code(comparison, cli->shared.strict)
                   : PYR_CLI_FAILED;
    pyr_comparison_destroy(comparison);
    return signal ? 128 + signal : code;
}
