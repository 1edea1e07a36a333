/* SPDX-License-Identifier: MIT */
#include "cli/judge.h"

#include "cli/ab.h"
#include "cli/ci.h"
#include "cli/tell.h"
#include "cli/typed.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "judge/compare.h"
#include "judge/history.h"
#include "report/comparison.h"
#include "store/store.h"
#include "suite/meta.h"

#include <stdlib.h>
#include <string.h>

static bool find_history(struct pyr_cli *cli, const char **where, struct pyr_err *err) {
    *where = cli->shared.history;
    return *where || pyr_store_default(cli->arena, getenv("PYROMETER_HISTORY"),
                                       getenv("XDG_STATE_HOME"), getenv("HOME"), where, err);
}

const char *pyr_judge_history(struct pyr_cli *cli) {
    const char *where;
    return find_history(cli, &where, NULL) ? where : NULL;
}

static const char *revision_of(const struct pyr_cli *cli) {
    const char *said = cli->shared.commit;
    return said ? said : getenv("GIT_COMMIT");
}

static void keep(struct pyr_cli *cli, const struct pyr_kept_run *run) {
    struct pyr_err err;
    const char *where;
    if (!find_history(cli, &where, &err) || !pyr_history_keep(where, run, &err))
        fprintf(stderr, "pyrometer: not kept in the history: %s\n", err.text);
}

void pyr_judge_keep(struct pyr_cli *cli, const struct pyr_result *result) {
    if (cli->shared.no_history)
        return;
    struct pyr_kept_run *run =
        pyr_history_run(cli->arena, result, revision_of(cli), cli->shared.group);
    /* The history is read from other folders too. */
    char *whole = realpath(run->run_path, NULL);
    if (whole)
        run->run_path = pyr_arena_strdup(cli->arena, whole);
    pyr_free(whole);
    keep(cli, run);
}

void pyr_judge_keep_pairs(struct pyr_cli *cli, const struct pyr_comparison *comparison,
                          uint64_t started_unix_ns) {
    if (cli->shared.no_history)
        return;
    char *meta = pyr_meta_of_pairs(comparison, pyr_typed_again(cli), started_unix_ns);
    keep(cli, pyr_history_pairs(cli->arena, comparison, meta, revision_of(cli), cli->shared.group));
    pyr_free(meta);
}

/* The newest whose run file is there: comparisons and imported files have none. */
static bool load_newest(struct pyr_cli *cli, struct pyr_store *store, struct pyr_kept_run **run,
                        struct pyr_err *err) {
    struct pyr_kept_run *runs;
    size_t count;
    if (!pyr_store_list(store, cli->arena, NULL, &runs, &count, err))
        return false;
    while (count > 0 && !pyr_fs_is_file(runs[count - 1].run_path ? runs[count - 1].run_path : ""))
        count--;
    if (count == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: no run in it whose run file is still there; name a run file",
                        pyr_store_name(store));
    *run = &runs[count - 1];
    return true;
}

bool pyr_judge_run_file(struct pyr_cli *cli, const char *id, const char **path,
                        struct pyr_err *err) {
    const struct pyr_store_config config = {.where = pyr_judge_history(cli)};
    struct pyr_store *store;
    struct pyr_kept_run *run;
    if (!config.where)
        return pyr_fail(err, PYR_E_INPUT, "no history here; name a run file or its folder");
    if (!pyr_store_open(&config, &store, err))
        return false;
    bool fine = id ? pyr_store_load(store, cli->arena, id, false, &run, err)
                   : load_newest(cli, store, &run, err);
    pyr_store_close(store);
    if (!fine)
        return false;
    *path = run->run_path;
    return (*path && pyr_fs_is_file(*path)) ||
           pyr_fail(err, PYR_E_INPUT,
                    "run %s: its run file %s is not there; name another run or file", run->id,
                    *path ? *path : "(unknown)");
}

static bool fill_options(struct pyr_cli *cli, struct pyr_compare_options *options,
                         struct pyr_err *err) {
    *options = (struct pyr_compare_options){.threshold = 0.10, .single = cli->shared.single};
    if (cli->shared.threshold &&
        !pyr_compare_parse_threshold(cli->arena, cli->shared.threshold, options, err))
        return false;
    if (cli->shared.gate && !pyr_compare_parse_gates(cli->arena, cli->shared.gate, options, err))
        return false;
    if (!cli->shared.vary)
        return true;
    char *rest = pyr_arena_strdup(cli->arena, cli->shared.vary), *item;
    const char **vary = pyr_arena_array(cli->arena, strlen(rest) + 1, sizeof *vary);
    while ((item = strsep(&rest, ",")))
        if (*item)
            vary[options->vary_count++] = item;
    options->vary = vary;
    return true;
}

bool pyr_judge_compare(struct pyr_cli *cli, const char *baseline, const char *current,
                       struct pyr_comparison **comparison, struct pyr_err *err) {
    struct pyr_compare_options options;
    struct pyr_kept_run *before, *now;
    struct pyr_compare_side a = {.name = baseline}, b = {.name = current};
    const char *where = pyr_judge_history(cli);
    if (!fill_options(cli, &options, err) ||
        !pyr_history_find(cli->arena, where, baseline, &before, &a.count, err) ||
        !pyr_history_find(cli->arena, where, current, &now, &b.count, err))
        return false;
    a.runs = before;
    b.runs = now;
    return pyr_compare_runs(&a, &b, &options, comparison, err);
}

bool pyr_judge_confirm(struct pyr_cli *cli, const struct pyr_compare_words *words,
                       const char *baseline, const char *current,
                       struct pyr_comparison **comparison, struct pyr_err *err) {
    const char *where = pyr_judge_history(cli);
    struct pyr_kept_run *before, *now;
    struct pyr_comparison *confirmed;
    size_t before_count, now_count;
    if (!words->confirm || (*comparison)->verdict == PYR_UNCHANGED)
        return true;
    if (!pyr_history_find(cli->arena, where, baseline, &before, &before_count, err) ||
        !pyr_history_find(cli->arena, where, current, &now, &now_count, err) ||
        !pyr_ab_confirm(cli, words, &before[before_count - 1], &now[now_count - 1], *comparison,
                        &confirmed, err))
        return false;
    pyr_comparison_destroy(*comparison);
    *comparison = confirmed;
    return true;
}

int pyr_judge_against(struct pyr_cli *cli, const char *current, int code, struct pyr_err *err) {
    const char *baseline = cli->shared.baseline;
    struct pyr_comparison *comparison;
    if (!baseline)
        return code;
    if (!pyr_judge_compare(cli, baseline, current, &comparison, err))
        return PYR_CLI_FAILED;
    putchar('\n');
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", current);
    char *slash = strrchr(folder, '/');
    snprintf(slash ? slash : folder, slash ? 1 : sizeof folder, "%s", slash ? "" : ".");
    bool fine = pyr_tell_comparison(cli, comparison, NULL, NULL, err) &&
                pyr_ci_tell_comparison(cli, comparison, folder, err);
    int judged = pyr_comparison_exit_code(comparison, cli->shared.strict);
    pyr_comparison_destroy(comparison);
    return !fine ? PYR_CLI_FAILED : code ? code : judged;
}
