/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/judge.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/parse.h"
#include "codec/escape.h"
#include "estimate/quantile.h"
#include "judge/history.h"
#include "judge/trend.h"
#include "report/figures.h"
#include "report/meta.h"
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

/* The runs that the options choose, oldest first. */
static bool list(struct desk *desk, struct pyr_kept_run **runs, size_t *count,
                 struct pyr_err *err) {
    return open_store(desk, false, err) &&
           pyr_store_list(desk->store, desk->arena, &desk->filter, runs, count, err) &&
           (*count > 0 || pyr_fail(err, PYR_E_INPUT,
                                   "%s: no such run in it; 'pyrometer bench' keeps its runs there",
                                   pyr_store_name(desk->store)));
}

/* The time is in an id already, but for what was imported. */
static bool list_runs(struct desk *desk, struct pyr_err *err) {
    enum { COLUMNS = 4 };
    static const struct pyr_column columns[COLUMNS] = {
        {"run", "", true}, {"target", "", true}, {"revision", "", true}, {"group", "", true}};
    struct pyr_kept_run *runs;
    size_t count;
    if (!desk->filter.newest)
        desk->filter.newest = LISTED;
    if (!list(desk, &runs, &count, err))
        return false;
    struct pyr_cell *cells = pyr_arena_array(desk->arena, count * COLUMNS, sizeof *cells);
    for (size_t i = 0; i < count; i++) {
        struct pyr_cell *row = &cells[i * COLUMNS];
        const char *flags = flags_of(&runs[i]);
        row[0].full = clean(desk, runs[i].id);
        row[1].full = target_of(desk, &runs[i]);
        if (*flags)
            row[1].full = pyr_arena_printf(desk->arena, "%s (%s)", row[1].full, flags);
        row[2].full = clean(desk, runs[i].revision);
        row[2].brief = pyr_arena_strndup(desk->arena, row[2].full, 12);
        row[3].full = clean(desk, runs[i].group);
    }
    const struct pyr_table table = {columns, cells, COLUMNS, count};
    pyr_paper_table(&desk->paper, &table);
    return true;
}

/* --- show ----------------------------------------------------------------------------------------
 */

static void put_kept_metric(struct desk *desk, const struct pyr_kept_metric *metric) {
    const struct pyr_metric_info *info = pyr_metric_info(metric->metric);
    double largest = (double)NAN;
    for (int i = 0; i < PYR_KEPT_COUNT; i++)
        largest = fmax(largest, metric->at[i].value);
    if (isnan(largest)) /* too few values for any statistic */
        return;
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

static void put_kept_case(struct desk *desk, const struct pyr_kept_case *kept) {
    pyr_buf_printf(&desk->out, "\n%s %s", clean(desk, kept->suite), clean(desk, kept->id));
    if (kept->total)
        pyr_buf_printf(&desk->out, "  %llu of %llu ok", (unsigned long long)kept->ok,
                       (unsigned long long)kept->total);
    pyr_buf_putc(&desk->out, '\n');
    if (kept->reference)
        pyr_buf_printf(&desk->out, "  measured beside %s\n", clean(desk, kept->reference));
    for (size_t k = 0; k < kept->metric_count; k++) {
        const struct pyr_kept_metric *metric = &kept->metrics[k];
        put_kept_metric(desk, metric);
        if (kept->reference && metric->ratio.value > 0)
            pyr_buf_printf(&desk->out, "    %-28s %.4f [%.4f, %.4f]\n", "  as a ratio to it",
                           metric->ratio.value, metric->ratio.lo, metric->ratio.hi);
    }
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
    pyr_buf_printf(&desk->out, "revision  %s\ngroup     %s\nversion   %s\n",
                   clean(desk, run->revision), clean(desk, run->group), clean(desk, run->version));
    if (run->run_path && *run->run_path)
        pyr_buf_printf(&desk->out, "run file  %s\n", clean(desk, run->run_path));
    for (size_t i = 0; i < run->case_count; i++)
        put_kept_case(desk, &run->cases[i]);
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

/* A heading where another environment begins. */
static void put_environment(struct desk *desk, const struct pyr_trend *trend,
                            const struct pyr_trend *before) {
    if (before && before->newest == trend->newest)
        return;
    pyr_buf_printf(&desk->out, "%s%s, %zu run%s in this environment, the newest %s\n",
                   before ? "\n" : "", target_of(desk, trend->newest), trend->point_count,
                   trend->point_count == 1 ? "" : "s", clean(desk, trend->newest->id));
}

static void put_value(struct desk *desk, const struct pyr_trend *trend, double value) {
    if (trend->reference) {
        pyr_buf_printf(&desk->out, "%.3f", value);
        return;
    }
    struct pyr_scale scale = pyr_scale_for(pyr_metric_info(trend->metric)->unit, value);
    pyr_put_number(&desk->out, value * scale.factor);
    if (*scale.unit)
        pyr_buf_printf(&desk->out, " %s", scale.unit);
}

/* Eighths of a column: between the least and greatest value. */
static void put_plot(struct desk *desk, const struct pyr_trend *trend) {
    static const char *const bars[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
    double least = (double)INFINITY, most = 0;
    size_t room = desk->paper.width > 24 ? desk->paper.width - 4 : 20;
    size_t first = trend->point_count > room ? trend->point_count - room : 0;
    bool noted = false;
    for (size_t i = first; i < trend->point_count; i++) {
        least = fmin(least, trend->values[i].value);
        most = fmax(most, trend->values[i].value);
        noted |= is_change(trend, i) || trend->points[i].expected;
    }
    pyr_buf_printf(&desk->out, "  %s%s, now ", name_of(desk, trend),
                   trend->reference ? " as a ratio" : "");
    put_value(desk, trend, trend->values[trend->point_count - 1].value);
    if (most > least) {
        pyr_buf_puts(&desk->out, ", from ");
        put_value(desk, trend, least);
        pyr_buf_puts(&desk->out, " to ");
        put_value(desk, trend, most);
    }
    pyr_buf_puts(&desk->out, "\n    ");
    for (size_t i = first; i < trend->point_count; i++) {
        double share = most > least ? (trend->values[i].value - least) / (most - least) : 0.5;
        pyr_buf_puts(&desk->out, bars[(int)(share * 7.999)]);
    }
    pyr_buf_putc(&desk->out, '\n');
    if (!noted)
        return;
    pyr_buf_puts(&desk->out, "    ");
    for (size_t i = first; i < trend->point_count; i++)
        pyr_buf_putc(&desk->out, is_change(trend, i) ? '^' : trend->points[i].expected ? 'm' : ' ');
    pyr_buf_puts(&desk->out, "  (^ a change of level, m a mark)\n");
}

static void put_number_cell(struct desk *desk, double value) {
    if (!isnan(value))
        pyr_buf_printf(&desk->out, "%.9g", value);
    pyr_buf_putc(&desk->out, ',');
}

/* A line a run and number: time, commit and then columns, as change-point programs take it. */
static void put_csv(struct desk *desk, const struct pyr_trend *trends, size_t count) {
    pyr_buf_puts(&desk->out, "time,commit,run,series,unit,value,lo,hi,change,raw\n");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < trends[i].point_count; k++) {
            const struct pyr_store_point *point = &trends[i].points[k];
            const struct pyr_estimate *value = &trends[i].values[k];
            const char *revision = point->revision ? point->revision : "";
            const char *name = name_of(desk, &trends[i]);
            pyr_buf_printf(&desk->out, "%.3f,", point->time_unix_s);
            pyr_escape_csv(&desk->out, revision, strlen(revision));
            pyr_buf_putc(&desk->out, ',');
            pyr_escape_csv(&desk->out, point->run_id, strlen(point->run_id));
            pyr_buf_putc(&desk->out, ',');
            pyr_escape_csv(&desk->out, name, strlen(name));
            pyr_buf_printf(&desk->out, ",%s,",
                           trends[i].reference
                               ? "ratio"
                               : pyr_unit_name(pyr_metric_info(trends[i].metric)->unit));
            put_number_cell(desk, value->value);
            put_number_cell(desk, value->lo);
            put_number_cell(desk, value->hi);
            pyr_buf_printf(&desk->out, "%d,%.9g\n", is_change(&trends[i], k), point->at.value);
        }
}

static bool plot(struct desk *desk, struct pyr_err *err) {
    struct pyr_trend *trends;
    size_t count;
    if (!find_trends(desk, false, &trends, &count, err))
        return false;
    if (desk->csv)
        put_csv(desk, trends, count);
    for (size_t i = 0; !desk->csv && i < count; i++) {
        put_environment(desk, &trends[i], i ? &trends[i - 1] : NULL);
        put_plot(desk, &trends[i]);
    }
    return true;
}

static void put_change(struct desk *desk, const struct pyr_trend *trend,
                       const struct pyr_trend_change *change) {
    pyr_buf_printf(&desk->out, "  %s: %+.1f %% (%s) from run %s", name_of(desk, trend),
                   100 * (change->change.ratio - 1), change->worse ? "worse" : "better",
                   change->at->run_id);
    if (change->at->revision)
        pyr_buf_printf(&desk->out, ", revision %s", clean(desk, change->at->revision));
    pyr_buf_puts(&desk->out, ": ");
    put_value(desk, trend, change->change.before);
    pyr_buf_puts(&desk->out, " before, ");
    put_value(desk, trend, change->change.after);
    pyr_buf_puts(&desk->out, " after");
    pyr_buf_puts(&desk->out, trend->reference ? " (ratios)\n" : "\n");
}

/* What a search of these series could not see. */
static void put_limits(struct desk *desk, const struct pyr_trend *trends, size_t count) {
    size_t reduced = 0, few = 0;
    for (size_t i = 0; i < count; i++) {
        reduced += trends[i].reduced_power;
        few += trends[i].point_count - trends[i].start < 2 * PYR_CHANGES_LEAST_SIDE;
    }
    if (few)
        pyr_buf_printf(&desk->out,
                       "%zu of the series ha%s fewer than %d runs since the start or the last "
                       "mark: too few to search (a change needs %d on either side)\n",
                       few, few == 1 ? "s" : "ve", 2 * PYR_CHANGES_LEAST_SIDE,
                       PYR_CHANGES_LEAST_SIDE);
    if (reduced)
        pyr_buf_printf(&desk->out, "%zu autocorrelated: reduced power\n", reduced);
}

static bool changes(struct desk *desk, struct pyr_err *err) {
    struct pyr_trend *trends;
    size_t count, found = 0;
    if (!find_trends(desk, true, &trends, &count, err))
        return false;
    if (desk->csv) {
        put_csv(desk, trends, count);
        return true;
    }
    for (size_t i = 0; i < count; i++)
        found += trends[i].change_count;
    pyr_buf_printf(&desk->out, "%zu change%s in %zu series\n", found, found == 1 ? "" : "s", count);
    const struct pyr_trend *before = NULL;
    for (size_t i = 0; i < count; i++) {
        if (trends[i].change_count == 0 && !trends[i].suspected)
            continue;
        put_environment(desk, &trends[i], before);
        before = &trends[i];
        for (size_t k = 0; k < trends[i].change_count; k++)
            put_change(desk, &trends[i], &trends[i].changes[k]);
        if (trends[i].suspected)
            pyr_buf_printf(&desk->out,
                           "  %s: the last three runs stand out; a suspicion, no more\n",
                           name_of(desk, &trends[i]));
    }
    put_limits(desk, trends, count);
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
                               target_of(desk, newest));
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
