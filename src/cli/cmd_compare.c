/* SPDX-License-Identifier: MIT */
#include "cli/ab.h"
#include "cli/ci.h"
#include "cli/cmds.h"
#include "cli/judge.h"

#include "base/fs.h"
#include "judge/compare.h"

#include <string.h>
#include <time.h>

/* BASELINE CURRENT as words or as options; a lone word beside both options is --report's file. */
static bool find_sides(struct pyr_cli *cli, const char **baseline, const char **current,
                       const char **path, struct pyr_err *err) {
    const struct pyr_args *args = &cli->args;
    *baseline = args->values[PYR_OPT_BASELINE].text;
    *current = args->values[PYR_OPT_CURRENT].text;
    *path = args->values[PYR_OPT_OUTPUT_FILE].text;
    size_t words = args->operand_count;
    if (*baseline && *current && words == 1 && pyr_given(args, PYR_OPT_WRITE_REPORT) && !*path) {
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
    const char *format = cli->args.values[PYR_OPT_COMPARE_FORMAT].text;
    bool report = pyr_given(&cli->args, PYR_OPT_WRITE_REPORT);
    /* --format and --output FILE together: that format goes to the file. */
    bool to_file = path && !is_folder(path);
    if (to_file && !format)
        format = strstr(path, ".json") ? "json" : strstr(path, ".xml") ? "junit" : "md";
    if (to_file && !pyr_judge_tell(cli, comparison, format, path, err))
        return false;
    if (!pyr_judge_tell(cli, comparison, to_file ? NULL : format, NULL, err))
        return false;
    const char *folder = path && !to_file ? path : "benchmark_results";
    if (pyr_given(&cli->args, PYR_OPT_CI))
        return pyr_ci_tell_comparison(cli, comparison, folder, err);
    return !report || to_file || pyr_judge_write_reports(cli, comparison, folder, err);
}

/* What only one way of comparing knows. */
static bool check(const struct pyr_cli *cli, struct pyr_err *err) {
    static const enum pyr_cli_option only_alive[] = {PYR_OPT_PAIRS, PYR_OPT_AB_TIME,
                                                     PYR_OPT_AB_CONCURRENCY, PYR_OPT_AB_PROMPT,
                                                     PYR_OPT_AB_OUTPUT};
    static const enum pyr_cli_option only_kept[] = {PYR_OPT_SINGLE, PYR_OPT_VARY, PYR_OPT_GATE,
                                                    PYR_OPT_CONFIRM};
    bool ab = pyr_given(&cli->args, PYR_OPT_AB);
    bool alive = ab || pyr_given(&cli->args, PYR_OPT_CONFIRM);
    for (size_t i = 0; i < 5; i++) {
        if (!alive && pyr_given(&cli->args, only_alive[i]))
            return pyr_fail(err, PYR_E_USAGE, "%s: says nothing without --ab or --confirm",
                            cli->args.values[only_alive[i]].spelling);
        if (ab && i < sizeof only_kept / sizeof *only_kept && pyr_given(&cli->args, only_kept[i]))
            return pyr_fail(err, PYR_E_USAGE,
                            "%s and --ab contradict: --ab measures both sides now",
                            cli->args.values[only_kept[i]].spelling);
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
    bool ab = pyr_given(&cli->args, PYR_OPT_AB);
    uint64_t started_unix_ns = now_unix_ns();
    bool fine = ab ? pyr_ab_sides(cli, baseline, current, &comparison, &signal, err)
                   : pyr_judge_compare(cli, baseline, current, &comparison, err) &&
                         pyr_judge_confirm(cli, baseline, current, &comparison, err);
    if (!fine) {
        pyr_comparison_destroy(comparison);
        return signal ? 128 + signal : PYR_CLI_FAILED;
    }
    if (ab)
        pyr_judge_keep_pairs(cli, comparison, started_unix_ns);
    int code =
        tell(cli, comparison, path, err)
            ? pyr_comparison_exit_code(comparison, pyr_given(&cli->args, PYR_OPT_STRICT_COMPARE))
            : PYR_CLI_FAILED;
    pyr_comparison_destroy(comparison);
    return signal ? 128 + signal : code;
}
