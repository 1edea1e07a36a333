/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/judge.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/parse.h"
#include "codec/escape.h"
#include "report/figures.h"
#include "report/meta.h"
#include "report/text.h"
#include "store/store.h"
#include "suite/history.h"
#include "suite/trend.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { LISTED = 20 };

struct desk {
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

static const char *format_time(struct desk *desk, double unix_s) {
    char when[32];
    pyr_report_iso_time(unix_s, when, sizeof when);
    return pyr_arena_strdup(desk->arena, *when ? when : "-");
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

static const char *target_of(struct desk *desk, const struct pyr_kept_run *run) {
    struct pyr_report_meta meta;
    pyr_report_meta_open(run->meta_json, &meta);
    const char *name = meta.name ? meta.name : run->origin;
    const char *copy = clean(desk, name);
    pyr_report_meta_close(&meta);
    return copy;
}

static const char *flags_of(const struct pyr_kept_run *run) {
    return run->partial     ? (run->simulated ? "partial, simulated" : "partial")
           : run->simulated ? "simulated"
                            : "";
}

static bool list_runs(struct desk *desk, struct pyr_err *err) {
    enum { COLUMNS = 6 };
    static const struct pyr_column columns[COLUMNS] = {{"run", "", true},    {"time", "", true},
                                                       {"target", "", true}, {"revision", "", true},
                                                       {"group", "", true},  {"", "", true}};
    struct pyr_kept_run *runs;
    size_t count;
    if (!desk->filter.newest)
        desk->filter.newest = LISTED;
    if (!open_store(desk, false, err) ||
        !pyr_store_list(desk->store, desk->arena, &desk->filter, &runs, &count, err))
        return false;
    if (count == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: no such run in it; 'pyrometer bench' keeps its runs there",
                        desk->where);
    struct pyr_cell *cells = pyr_arena_array(desk->arena, count * COLUMNS, sizeof *cells);
    for (size_t i = 0; i < count; i++) {
        struct pyr_cell *row = &cells[i * COLUMNS];
        row[0].full = clean(desk, runs[i].id);
        row[1].full = format_time(desk, runs[i].time_unix_s);
        row[2].full = target_of(desk, &runs[i]);
        row[3].full = clean(desk, runs[i].revision);
        row[4].full = clean(desk, runs[i].group);
        row[5].full = flags_of(&runs[i]);
    }
    const struct pyr_table table = {columns, cells, COLUMNS, count};
    pyr_paper_table(&desk->paper, &table);
    return true;
}

/* --- show ----------------------------------------------------------------------------------------
 */

static void put_kept_metric(struct desk *desk, const struct pyr_kept_metric *metric) {
    const struct pyr_metric_info *info = pyr_metric_info(metric->metric);
    double largest = 0;
    for (int i = 0; i < PYR_KEPT_COUNT; i++)
        largest = fmax(largest, metric->at[i].value);
    struct pyr_scale scale = pyr_scale_for(info->unit, largest);
    pyr_buf_printf(&desk->out, "    %-28s", info->name);
    for (int i = 0; i < PYR_KEPT_COUNT; i++) {
        if (isnan(metric->at[i].value))
            continue;
        if (i != PYR_KEPT_VALUE)
            pyr_buf_printf(&desk->out, " %s ", pyr_kept_names[i]);
        else
            pyr_buf_putc(&desk->out, ' ');
        pyr_put_number(&desk->out, metric->at[i].value * scale.factor);
    }
    pyr_buf_printf(&desk->out, " %s  (n %llu)\n", scale.unit, (unsigned long long)metric->n);
}

static bool show_run(struct desk *desk, struct pyr_err *err) {
    struct pyr_kept_run *run;
    const char *id = word(desk, 1) ? word(desk, 1) : "latest";
    if (!open_store(desk, false, err) ||
        !pyr_store_load(desk->store, desk->arena, id, false, &run, err))
        return false;
    pyr_buf_printf(&desk->out, "run       %s %s\ntime      %s\ntarget    %s\ncommand   %s\n",
                   clean(desk, run->id), flags_of(run), format_time(desk, run->time_unix_s),
                   target_of(desk, run), clean(desk, run->command));
    pyr_buf_printf(&desk->out, "revision  %s\ngroup     %s\nversion   %s\nrun file  %s\n",
                   clean(desk, run->revision), clean(desk, run->group), clean(desk, run->version),
                   clean(desk, run->run_path));
    for (size_t i = 0; i < run->case_count; i++) {
        const struct pyr_kept_case *kept = &run->cases[i];
        pyr_buf_printf(&desk->out, "\n%s %s  %llu of %llu ok\n", clean(desk, kept->suite),
                       clean(desk, kept->id), (unsigned long long)kept->ok,
                       (unsigned long long)kept->total);
        for (size_t k = 0; k < kept->metric_count; k++)
            put_kept_metric(desk, &kept->metrics[k]);
    }
    if (run->run_path && pyr_fs_is_file(run->run_path))
        pyr_buf_printf(&desk->out, "\nthe whole report: pyrometer report %s\n",
                       clean(desk, run->run_path));
    return true;
}

/* --- trends --------------------------------------------------------------------------------------
 */

static bool find_trends(struct desk *desk, struct pyr_trend **trends, size_t *count,
                        struct pyr_err *err) {
    const struct pyr_option_value *v = desk->cli->args.values;
    struct pyr_trend_options options = {.filter = &desk->filter,
                                        .case_id = v[PYR_OPT_CASE].text,
                                        .metric = PYR_METRIC_COUNT,
                                        .seed = 1};
    const char *metric = v[PYR_OPT_METRIC].text;
    if (metric && (options.metric = pyr_metric_find(metric)) == PYR_METRIC_COUNT)
        return pyr_fail(err, PYR_E_USAGE,
                        "--metric %s: no such metric (docs/metrics.md lists them)", metric);
    if (!open_store(desk, false, err) ||
        !pyr_trends_find(desk->store, desk->arena, &options, trends, count, err))
        return false;
    return *count > 0 || pyr_fail(err, PYR_E_INPUT,
                                  "the newest run of the history has no such case or metric; "
                                  "'pyrometer history show' lists what it has");
}

static const char *name_of(struct desk *desk, const struct pyr_trend *trend) {
    return clean(desk, pyr_arena_printf(desk->arena, "%s %s %s%s%s", trend->suite, trend->case_id,
                                        pyr_metric_info(trend->metric)->name,
                                        trend->statistic == PYR_KEPT_VALUE ? "" : " ",
                                        trend->statistic == PYR_KEPT_VALUE
                                            ? ""
                                            : pyr_kept_names[trend->statistic]));
}

static bool is_change(const struct pyr_trend *trend, size_t i) {
    for (size_t k = 0; k < trend->change_count; k++)
        if (trend->changes[k].at == &trend->points[i])
            return true;
    return false;
}

/* Eighths of a column: between the least and greatest value. */
static void put_plot(struct desk *desk, const struct pyr_trend *trend) {
    static const char *const bars[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
    double least = (double)INFINITY, most = 0;
    size_t room = desk->paper.width > 24 ? desk->paper.width - 4 : 20;
    size_t first = trend->point_count > room ? trend->point_count - room : 0;
    for (size_t i = first; i < trend->point_count; i++) {
        least = fmin(least, trend->points[i].at.value);
        most = fmax(most, trend->points[i].at.value);
    }
    struct pyr_scale scale = pyr_scale_for(pyr_metric_info(trend->metric)->unit, most);
    pyr_buf_printf(&desk->out, "%s: ", name_of(desk, trend));
    pyr_put_number(&desk->out, least * scale.factor);
    pyr_buf_puts(&desk->out, " .. ");
    pyr_put_number(&desk->out, most * scale.factor);
    pyr_buf_printf(&desk->out, " %s, %zu runs\n  ", scale.unit, trend->point_count);
    for (size_t i = first; i < trend->point_count; i++) {
        double share = most > least ? (trend->points[i].at.value - least) / (most - least) : 0.5;
        pyr_buf_puts(&desk->out, bars[(int)(share * 7.999)]);
    }
    pyr_buf_puts(&desk->out, "\n  ");
    for (size_t i = first; i < trend->point_count; i++)
        pyr_buf_putc(&desk->out, is_change(trend, i) ? '^' : trend->points[i].expected ? 'm' : ' ');
    pyr_buf_putc(&desk->out, '\n');
}

/* A line a run and number: time, commit and then columns, as change-point programs take it. */
static void put_csv(struct desk *desk, const struct pyr_trend *trends, size_t count) {
    pyr_buf_puts(&desk->out, "time,commit,run,series,unit,value,lo,hi,change\n");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < trends[i].point_count; k++) {
            const struct pyr_store_point *point = &trends[i].points[k];
            const char *revision = point->revision ? point->revision : "";
            const char *name = name_of(desk, &trends[i]);
            pyr_buf_printf(&desk->out, "%.3f,", point->time_unix_s);
            pyr_escape_csv(&desk->out, revision, strlen(revision));
            pyr_buf_printf(&desk->out, ",%s,", point->run_id);
            pyr_escape_csv(&desk->out, name, strlen(name));
            pyr_buf_printf(&desk->out, ",%s,%.9g,",
                           pyr_unit_name(pyr_metric_info(trends[i].metric)->unit), point->at.value);
            if (!isnan(point->at.lo))
                pyr_buf_printf(&desk->out, "%.9g", point->at.lo);
            pyr_buf_putc(&desk->out, ',');
            if (!isnan(point->at.hi))
                pyr_buf_printf(&desk->out, "%.9g", point->at.hi);
            pyr_buf_printf(&desk->out, ",%d\n", is_change(&trends[i], k));
        }
}

static bool plot(struct desk *desk, struct pyr_err *err) {
    struct pyr_trend *trends;
    size_t count;
    if (!find_trends(desk, &trends, &count, err))
        return false;
    if (desk->csv)
        put_csv(desk, trends, count);
    else
        for (size_t i = 0; i < count; i++)
            put_plot(desk, &trends[i]);
    if (!desk->csv)
        pyr_buf_puts(&desk->out, "^ a change of level, m a mark\n");
    return true;
}

static bool changes(struct desk *desk, struct pyr_err *err) {
    struct pyr_trend *trends;
    size_t count, found = 0, reduced = 0, suspected = 0, least = SIZE_MAX;
    if (!find_trends(desk, &trends, &count, err))
        return false;
    if (desk->csv) {
        put_csv(desk, trends, count);
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        reduced += trends[i].reduced_power;
        suspected += trends[i].suspected;
        least = trends[i].point_count - trends[i].start < least
                    ? trends[i].point_count - trends[i].start
                    : least;
        for (size_t k = 0; k < trends[i].change_count; k++, found++) {
            const struct pyr_trend_change *change = &trends[i].changes[k];
            pyr_buf_printf(&desk->out, "%s: %+.1f %% (%s) from run %s%s%s, %s\n",
                           name_of(desk, &trends[i]), 100 * (change->change.ratio - 1),
                           change->worse ? "worse" : "better", change->at->run_id,
                           change->at->revision ? ", revision " : "",
                           change->at->revision ? clean(desk, change->at->revision) : "",
                           format_time(desk, change->at->time_unix_s));
        }
        if (trends[i].suspected)
            pyr_buf_printf(&desk->out, "%s: the last three runs stand out; a suspicion, no more\n",
                           name_of(desk, &trends[i]));
    }
    pyr_buf_printf(&desk->out, "%zu changes in %zu series", found, count);
    if (least < 6)
        pyr_buf_printf(&desk->out,
                       "; the shortest has %zu runs since the start or the last mark, "
                       "and a change needs 3 on either side",
                       least);
    if (reduced)
        pyr_buf_printf(&desk->out, "; %zu autocorrelated: reduced power", reduced);
    pyr_buf_putc(&desk->out, '\n');
    return true;
}

/* --- mark, add
 * ------------------------------------------------------------------------------------ */

static bool mark(struct desk *desk, struct pyr_err *err) {
    const char *revision = word(desk, 1), *text = word(desk, 2) ? word(desk, 2) : "expected";
    if (!revision)
        return pyr_fail(
            err, PYR_E_USAGE,
            "history mark: wants a commit; usage: pyrometer history mark COMMIT [TEXT]");
    if (!open_store(desk, true, err) ||
        !pyr_store_mark(desk->store, revision, text, (double)time(NULL), err))
        return false;
    pyr_buf_printf(&desk->out, "marked %s: %s\n", clean(desk, revision), clean(desk, text));
    return true;
}

static bool add(struct desk *desk, struct pyr_err *err) {
    const struct pyr_option_value *v = desk->cli->args.values;
    struct pyr_kept_run *runs;
    size_t count;
    if (!word(desk, 1))
        return pyr_fail(err, PYR_E_USAGE,
                        "history add: wants a file; usage: pyrometer history add FILE");
    if (!pyr_history_find(desk->arena, NULL, word(desk, 1), &runs, &count, err) ||
        !open_store(desk, true, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (v[PYR_OPT_RUN_GROUP].text)
            runs[i].group = v[PYR_OPT_RUN_GROUP].text;
        if (!pyr_store_add(desk->store, &runs[i], err))
            return false;
        pyr_buf_printf(&desk->out, "added %s\n", clean(desk, runs[i].id));
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
    {"list", list_runs, 1},  {"show", show_run, 2}, {"plot", plot, 1},
    {"changes", changes, 1}, {"mark", mark, 3},     {"add", add, 2},
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
    const char *path = desk->cli->args.values[PYR_OPT_OUTPUT_FILE].text;
    if (path)
        return pyr_fs_write_whole(path, pyr_buf_text(&desk->out), desk->out.length, err);
    fwrite(pyr_buf_text(&desk->out), 1, desk->out.length, stdout);
    return true;
}

int pyr_cmd_history(struct pyr_cli *cli, struct pyr_err *err) {
    const struct pyr_option_value *v = cli->args.values;
    const char *format = v[PYR_OPT_HISTORY_FORMAT].text;
    struct desk desk = {.cli = cli, .arena = cli->arena, .where = pyr_judge_history(cli)};
    desk.csv = format && strcmp(format, "csv") == 0;
    if (format && !desk.csv && strcmp(format, "terminal") != 0) {
        pyr_fail(err, PYR_E_USAGE, "--format %s: terminal or csv", format);
        return PYR_CLI_FAILED;
    }
    if (!desk.where) {
        pyr_fail(err, PYR_E_INPUT, "no place for the history; name one with --history FILE");
        return PYR_CLI_FAILED;
    }
    desk.filter = (struct pyr_store_filter){.group = v[PYR_OPT_RUN_GROUP].text,
                                            .newest = v[PYR_OPT_LIMIT].number};
    desk.paper =
        (struct pyr_paper){&desk.out, cli->width < 60 ? 60 : cli->width, cli->color, false};
    bool fine = run_action(&desk, err) && tell(&desk, err);
    pyr_store_close(desk.store);
    pyr_buf_deinit(&desk.out);
    return fine ? 0 : PYR_CLI_FAILED;
}
