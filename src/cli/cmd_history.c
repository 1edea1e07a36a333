/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/judge.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/parse.h"
#include "estimate/quantile.h"
#include "judge/history.h"
#include "judge/trend.h"
#include "report/figures.h"
#include "report/history.h"
#include "report/text.h"
#include "store/store.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { LISTED = 20 };

struct options {
    const char *case_id, *metric;
    uint64_t limit;
};

#define AT(field) offsetof(struct options, field)
static const struct pyr_option_row rows[] = {
    {.name = "--case",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(case_id),
     .argument = "ID",
     .group = PYR_GROUP_HISTORY,
     .help = "one case only: short/c8"},
    {.name = "--metric",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(metric),
     .argument = "NAME",
     .group = PYR_GROUP_HISTORY,
     .help = "one metric only (default: what a comparison would gate)"},
    {.name = "--limit",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(limit),
     .least = 1,
     .most = 1000000,
     .argument = "N",
     .group = PYR_GROUP_HISTORY,
     .help = "the newest N runs (list: default 20)"},
};
static const struct pyr_option_table option_table = PYR_OPTION_TABLE("history", rows);
const struct pyr_option_set pyr_history_set = {sizeof(struct options), {{&option_table, 0, false}}};

struct desk {
    const struct options *options;
    struct pyr_cli *cli;
    struct pyr_arena *arena;
    const char *where;
    struct pyr_store *store;
    struct pyr_store_filter filter;
    bool csv;
    struct pyr_paper paper;
    struct pyr_buf out;
};

static const char *word(const struct desk *desk, size_t i) {
    return i < desk->cli->args.operand_count ? desk->cli->args.operands[i] : NULL;
}

static bool open_store(struct desk *desk, bool write, struct pyr_err *err) {
    const struct pyr_store_config config = {.where = desk->where, .write = write};
    return pyr_store_open(&config, &desk->store, err);
}

static const char *clean(struct desk *desk, const char *text) {
    struct pyr_buf buf = {0};
    pyr_text_clean(&buf, text ? text : "-", false);
    const char *copy = pyr_arena_strdup(desk->arena, pyr_buf_text(&buf));
    pyr_buf_deinit(&buf);
    return copy;
}

/* --- list ----------------------------------------------------------------------------------------
 */

/* The runs that the options choose, oldest first. */
static bool list(struct desk *desk, struct pyr_kept_run **runs, size_t *count,
                 struct pyr_err *err) {
    return open_store(desk, false, err) &&
           pyr_store_list(desk->store, desk->arena, &desk->filter, runs, count, err) &&
           (*count > 0 || pyr_fail(err, PYR_E_INPUT,
                                   "%s: no such run in it; 'pyrometer bench' keeps its runs there",
                                   pyr_store_name(desk->store)));
}

static bool list_runs(struct desk *desk, struct pyr_err *err) {
    struct pyr_kept_run *runs;
    size_t count;
    if (!desk->filter.newest)
        desk->filter.newest = LISTED;
    if (!list(desk, &runs, &count, err))
        return false;
    pyr_report_history_list(&desk->paper, desk->arena, runs, count);
    return true;
}

/* --- show ----------------------------------------------------------------------------------------
 */

static bool show_run(struct desk *desk, struct pyr_err *err) {
    struct pyr_kept_run *run;
    const char *id = word(desk, 1) ? word(desk, 1) : "latest";
    if (!open_store(desk, false, err) ||
        !pyr_store_load(desk->store, desk->arena, id, false, &run, err))
        return false;
    pyr_report_history_run(&desk->paper, desk->arena, run);
    if (run->run_path && pyr_fs_is_file(run->run_path))
        pyr_buf_printf(&desk->out, "\nthe whole report: pyrometer report %s\n",
                       clean(desk, run->run_path));
    return true;
}

/* --- trends --------------------------------------------------------------------------------------
 */

static bool parse_metric(const struct desk *desk, enum pyr_metric *metric, struct pyr_err *err) {
    const char *said = desk->options->metric;
    *metric = said ? pyr_metric_find(said) : PYR_METRIC_COUNT;
    return !said || *metric != PYR_METRIC_COUNT ||
           pyr_fail(err, PYR_E_USAGE, "--metric %s: no such metric (docs/metrics.md lists them)",
                    said);
}

static bool find_trends(struct desk *desk, bool all_environments, struct pyr_trend **trends,
                        size_t *count, struct pyr_err *err) {
    struct pyr_trend_options options = {.filter = &desk->filter,
                                        .all_environments = all_environments,
                                        .case_id = desk->options->case_id,
                                        .seed = 1};
    if (!parse_metric(desk, &options.metric, err) || !open_store(desk, false, err) ||
        !pyr_trends_find(desk->store, desk->arena, &options, trends, count, err))
        return false;
    return *count > 0 || pyr_fail(err, PYR_E_INPUT,
                                  "the newest run of the history has no such case or metric; "
                                  "'pyrometer history show' lists what it has");
}

static bool plot(struct desk *desk, struct pyr_err *err) {
    struct pyr_trend *trends;
    size_t count;
    if (!find_trends(desk, false, &trends, &count, err))
        return false;
    if (desk->csv)
        pyr_report_trends_csv(&desk->out, desk->arena, trends, count);
    else
        pyr_report_trends_plot(&desk->paper, desk->arena, trends, count);
    return true;
}

static bool changes(struct desk *desk, struct pyr_err *err) {
    struct pyr_trend *trends;
    size_t count;
    if (!find_trends(desk, true, &trends, &count, err))
        return false;
    if (desk->csv)
        pyr_report_trends_csv(&desk->out, desk->arena, trends, count);
    else
        pyr_report_trends_changes(&desk->paper, desk->arena, trends, count);
    return true;
}

/* --- merge
 * ---------------------------------------------------------------------------------------- */

/* A metric whose histograms were kept: of all runs that the options choose, which averages of
 * percentiles cannot give. */
static bool merge_metric(struct desk *desk, const struct pyr_kept_case *kept,
                         const struct pyr_kept_metric *metric, struct pyr_err *err) {
    struct pyr_hist *hist = pyr_hist_create();
    const struct pyr_metric_info *info = pyr_metric_info(metric->metric);
    size_t runs;
    bool fine = pyr_store_merge(desk->store, kept->suite, kept->id, metric->metric, &desk->filter,
                                hist, &runs, err);
    uint64_t n = hist->count;
    if (fine && n > 0) {
        struct pyr_scale scale =
            pyr_scale_for(info->unit, pyr_hist_at_rank(hist, pyr_quantile_rank(n, 0.5)).value);
        pyr_buf_printf(&desk->out, "  %s %s, %zu run%s, n %llu:", clean(desk, kept->id), info->name,
                       runs, runs == 1 ? "" : "s", (unsigned long long)n);
        for (int q = 0; q < PYR_Q_COUNT; q++)
            if ((double)n * (1 - pyr_quantile_levels[q]) >= 1 - 1e-9) {
                uint64_t rank = pyr_quantile_rank(n, pyr_quantile_levels[q]);
                pyr_buf_printf(&desk->out, " %s ", pyr_quantile_names[q]);
                pyr_put_number(&desk->out, pyr_hist_at_rank(hist, rank).value * scale.factor);
            }
        pyr_buf_printf(&desk->out, " %s\n", scale.unit);
    }
    pyr_hist_destroy(hist);
    return fine;
}

/* The newest run that has some: comparisons and other tools' files have none. */
static bool find_with_histograms(struct desk *desk, const struct pyr_kept_run *runs, size_t count,
                                 struct pyr_kept_run **found, struct pyr_err *err) {
    while (count-- > 0) {
        if (!pyr_store_load(desk->store, desk->arena, runs[count].id, true, found, err))
            return false;
        for (size_t i = 0; i < (*found)->case_count; i++)
            for (size_t k = 0; k < (*found)->cases[i].metric_count; k++)
                if ((*found)->cases[i].metrics[k].hist)
                    return true;
    }
    return pyr_fail(err, PYR_E_INPUT, "%s: none of these runs has histograms to merge",
                    pyr_store_name(desk->store));
}

static bool merge(struct desk *desk, struct pyr_err *err) {
    enum pyr_metric only;
    struct pyr_kept_run *runs, *newest;
    size_t count, merged = 0;
    if (!parse_metric(desk, &only, err) || !list(desk, &runs, &count, err) ||
        !find_with_histograms(desk, runs, count, &newest, err))
        return false;
    /* Another machine's or model's values are another distribution. */
    desk->filter.fingerprint_hash = newest->fingerprint_hash;
    for (size_t i = 0; i < newest->case_count; i++) {
        const struct pyr_kept_case *kept = &newest->cases[i];
        if (desk->options->case_id && strcmp(kept->id, desk->options->case_id) != 0)
            continue;
        for (size_t k = 0; k < kept->metric_count; k++) {
            if (!kept->metrics[k].hist ||
                (only != PYR_METRIC_COUNT && kept->metrics[k].metric != only))
                continue;
            if (merged++ == 0)
                pyr_buf_printf(&desk->out,
                               "%s, the values of all runs of its environment together (no "
                               "intervals: runs differ by more than their values tell)\n",
                               pyr_report_history_target(desk->arena, newest));
            if (!merge_metric(desk, kept, &kept->metrics[k], err))
                return false;
        }
    }
    return merged > 0 || pyr_fail(err, PYR_E_INPUT,
                                  "run %s has no histogram of such a case or metric; "
                                  "'pyrometer history show' lists what it has",
                                  newest->id);
}

/* --- mark, add
 * ------------------------------------------------------------------------------------ */

static bool mark(struct desk *desk, struct pyr_err *err) {
    const char *said = word(desk, 1), *text = word(desk, 2) ? word(desk, 2) : "expected", *revision;
    size_t runs;
    if (!said)
        return pyr_fail(
            err, PYR_E_USAGE,
            "history mark: wants a commit; usage: pyrometer history mark COMMIT [TEXT]");
    if (!open_store(desk, true, err) ||
        !pyr_store_revision(desk->store, desk->arena, said, &revision, &runs, err) ||
        !pyr_store_mark(desk->store, revision, text, (double)time(NULL), err))
        return false;
    pyr_buf_printf(&desk->out, "marked %s: %s", clean(desk, revision), clean(desk, text));
    if (runs)
        pyr_buf_printf(&desk->out, "; %zu run%s of it, 'history changes' starts anew there\n", runs,
                       runs == 1 ? "" : "s");
    else
        pyr_buf_puts(&desk->out, "; no run of it yet: name it with --commit or GIT_COMMIT\n");
    return true;
}

/* Runs by id, or all of group:NAME. */
static bool remove_runs(struct desk *desk, struct pyr_err *err) {
    const char *said = word(desk, 1);
    struct pyr_kept_run *runs;
    size_t count = 1;
    if (!said)
        return pyr_fail(err, PYR_E_USAGE,
                        "history remove: wants a run; usage: pyrometer history remove RUN, or "
                        "group:NAME");
    if (!open_store(desk, true, err))
        return false;
    if (strncmp(said, "group:", 6) == 0) {
        const struct pyr_store_filter filter = {.group = said + 6};
        if (!pyr_store_list(desk->store, desk->arena, &filter, &runs, &count, err))
            return false;
        if (count == 0)
            return pyr_fail(err, PYR_E_INPUT, "%s: no run of that group in the history", said);
    } else if (!pyr_store_load(desk->store, desk->arena, said, false, &runs, err)) {
        return false;
    }
    const char **ids = pyr_arena_array(desk->arena, count, sizeof *ids);
    for (size_t i = 0; i < count; i++) {
        ids[i] = runs[i].id;
        pyr_buf_printf(&desk->out, "removed %s\n", clean(desk, ids[i]));
    }
    return pyr_store_remove(desk->store, ids, count, err);
}

static void put_cautions(struct desk *desk, const struct pyr_kept_run *run) {
    const char *line = run->cautions ? run->cautions : "";
    while (*line) {
        size_t length = strcspn(line, "\n");
        pyr_buf_printf(&desk->out, "  note: %s\n",
                       clean(desk, pyr_arena_strndup(desk->arena, line, length)));
        line += length + (line[length] == '\n');
    }
}

static bool add(struct desk *desk, struct pyr_err *err) {
    struct pyr_kept_run *runs;
    size_t count;
    if (!word(desk, 1))
        return pyr_fail(err, PYR_E_USAGE,
                        "history add: wants a file; usage: pyrometer history add FILE");
    if (!pyr_history_find(desk->arena, NULL, word(desk, 1), &runs, &count, err) ||
        !open_store(desk, true, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (desk->cli->shared.group)
            runs[i].group = desk->cli->shared.group;
        if (!pyr_store_add(desk->store, &runs[i], err))
            return false;
        pyr_buf_printf(&desk->out, "added %s\n", clean(desk, runs[i].id));
        put_cautions(desk, &runs[i]);
    }
    return true;
}

/* --- the command
 * ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*run)(struct desk *desk, struct pyr_err *err);
    size_t words; /* with the name, at most */
} actions[] = {
    {"list", list_runs, 1}, {"show", show_run, 2}, {"plot", plot, 1},   {"changes", changes, 1},
    {"mark", mark, 3},      {"add", add, 2},       {"merge", merge, 1}, {"remove", remove_runs, 2},
};
enum { ACTIONS = sizeof actions / sizeof *actions };

static bool run_action(struct desk *desk, struct pyr_err *err) {
    const char *names[ACTIONS], *said = word(desk, 0) ? word(desk, 0) : "list";
    for (size_t i = 0; i < ACTIONS; i++) {
        names[i] = actions[i].name;
        if (strcmp(said, actions[i].name) != 0)
            continue;
        if (desk->cli->args.operand_count > actions[i].words)
            return pyr_fail(err, PYR_E_USAGE, "history %s: '%s' is one word too many", said,
                            word(desk, actions[i].words));
        return actions[i].run(desk, err);
    }
    const char *near = pyr_nearest(said, names, ACTIONS);
    return pyr_fail(err, PYR_E_USAGE,
                    "history %s: no such word%s%s; pyrometer history --help lists "
                    "them",
                    said, near ? "; did you mean " : "", near ? near : "");
}

static bool tell(struct desk *desk, struct pyr_err *err) {
    const char *path = desk->cli->shared.output;
    if (path)
        return pyr_fs_write_whole(path, pyr_buf_text(&desk->out), desk->out.length, err);
    fwrite(pyr_buf_text(&desk->out), 1, desk->out.length, stdout);
    return true;
}

int pyr_cmd_history(struct pyr_cli *cli, struct pyr_err *err) {
    const struct options *options = cli->options;
    const char *format = cli->shared.format;
    struct desk desk = {
        .cli = cli, .options = options, .arena = cli->arena, .where = pyr_judge_history(cli)};
    desk.csv = format && strcmp(format, "csv") == 0;
    if (format && !desk.csv && strcmp(format, "terminal") != 0) {
        pyr_fail(err, PYR_E_USAGE, "--format %s: terminal or csv", format);
        return PYR_CLI_FAILED;
    }
    if (!desk.where) {
        pyr_fail(err, PYR_E_INPUT, "no place for the history; name one with --history FILE");
        return PYR_CLI_FAILED;
    }
    desk.filter = (struct pyr_store_filter){.group = cli->shared.group, .newest = options->limit};
    desk.paper =
        (struct pyr_paper){&desk.out, cli->width < 60 ? 60 : cli->width, cli->color, false};
    bool fine = run_action(&desk, err) && tell(&desk, err);
    pyr_store_close(desk.store);
    pyr_buf_deinit(&desk.out);
    return fine ? 0 : PYR_CLI_FAILED;
}
