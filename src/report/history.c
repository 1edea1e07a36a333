/* SPDX-License-Identifier: MIT */
#include "report/history.h"

#include "codec/escape.h"
#include "report/figures.h"
#include "report/meta.h"

#include <math.h>
#include <string.h>

static const char *clean(struct pyr_arena *arena, const char *text) {
    struct pyr_buf buf = {0};
    pyr_text_clean(&buf, text ? text : "-", false);
    const char *copy = pyr_arena_strdup(arena, pyr_buf_text(&buf));
    pyr_buf_deinit(&buf);
    return copy;
}

static const char *format_time(struct pyr_arena *arena, double unix_s) {
    char when[32];
    pyr_report_iso_time(unix_s, when, sizeof when);
    return pyr_arena_strdup(arena, *when ? when : "-");
}

const char *pyr_report_history_target(struct pyr_arena *arena, const struct pyr_kept_run *run) {
    struct pyr_report_meta meta;
    pyr_report_meta_open(run->meta_json, &meta);
    const char *name = meta.name ? meta.name : run->origin;
    const char *copy = clean(arena, name);
    pyr_report_meta_close(&meta);
    return copy;
}

static const char *flags_of(const struct pyr_kept_run *run) {
    return run->partial     ? (run->simulated ? "partial, simulated" : "partial")
           : run->simulated ? "simulated"
                            : "";
}

/* The time is in an id already, but for what was imported. */
void pyr_report_history_list(const struct pyr_paper *paper, struct pyr_arena *arena,
                             const struct pyr_kept_run *runs, size_t count) {
    enum { COLUMNS = 4 };
    static const struct pyr_column columns[COLUMNS] = {
        {"run", "", true}, {"target", "", true}, {"revision", "", true}, {"group", "", true}};
    struct pyr_cell *cells = pyr_arena_array(arena, count * COLUMNS, sizeof *cells);
    for (size_t i = 0; i < count; i++) {
        struct pyr_cell *row = &cells[i * COLUMNS];
        const char *flags = flags_of(&runs[i]);
        row[0].full = clean(arena, runs[i].id);
        row[1].full = pyr_report_history_target(arena, &runs[i]);
        if (*flags)
            row[1].full = pyr_arena_printf(arena, "%s (%s)", row[1].full, flags);
        row[2].full = clean(arena, runs[i].revision);
        row[2].brief = pyr_arena_strndup(arena, row[2].full, 12);
        row[3].full = clean(arena, runs[i].group);
    }
    const struct pyr_table table = {columns, cells, COLUMNS, count};
    pyr_paper_table(paper, &table);
}

/* --- one run ---------------------------------------------------------------------------------- */

static void put_kept_metric(const struct pyr_paper *paper, const struct pyr_kept_metric *metric) {
    const struct pyr_metric_info *info = pyr_metric_info(metric->metric);
    double largest = (double)NAN;
    for (int i = 0; i < PYR_KEPT_COUNT; i++)
        largest = fmax(largest, metric->at[i].value);
    if (isnan(largest)) /* too few values for any statistic */
        return;
    struct pyr_scale scale = pyr_scale_for(info->unit, largest);
    pyr_buf_printf(paper->out, "    %-28s", info->name);
    for (int i = 0; i < PYR_KEPT_COUNT; i++) {
        if (isnan(metric->at[i].value))
            continue;
        if (i != PYR_KEPT_VALUE)
            pyr_buf_printf(paper->out, " %s ", pyr_kept_names[i]);
        else
            pyr_buf_putc(paper->out, ' ');
        pyr_put_number(paper->out, metric->at[i].value * scale.factor);
    }
    pyr_buf_printf(paper->out, " %s  (n %llu)\n", scale.unit, (unsigned long long)metric->n);
}

static void put_kept_case(const struct pyr_paper *paper, struct pyr_arena *arena,
                          const struct pyr_kept_case *kept) {
    pyr_buf_printf(paper->out, "\n%s %s", clean(arena, kept->suite), clean(arena, kept->id));
    if (kept->total)
        pyr_buf_printf(paper->out, "  %llu of %llu ok", (unsigned long long)kept->ok,
                       (unsigned long long)kept->total);
    pyr_buf_putc(paper->out, '\n');
    if (kept->reference)
        pyr_buf_printf(paper->out, "  measured beside %s\n", clean(arena, kept->reference));
    for (size_t k = 0; k < kept->metric_count; k++) {
        const struct pyr_kept_metric *metric = &kept->metrics[k];
        put_kept_metric(paper, metric);
        if (kept->reference && metric->ratio.value > 0)
            pyr_buf_printf(paper->out, "    %-28s %.4f [%.4f, %.4f]\n", "  as a ratio to it",
                           metric->ratio.value, metric->ratio.lo, metric->ratio.hi);
    }
}

void pyr_report_history_run(const struct pyr_paper *paper, struct pyr_arena *arena,
                            const struct pyr_kept_run *run) {
    pyr_buf_printf(paper->out, "run       %s %s\ntime      %s\ntarget    %s\ncommand   %s\n",
                   clean(arena, run->id), flags_of(run), format_time(arena, run->time_unix_s),
                   pyr_report_history_target(arena, run), clean(arena, run->command));
    pyr_buf_printf(paper->out, "revision  %s\ngroup     %s\nversion   %s\n",
                   clean(arena, run->revision), clean(arena, run->group),
                   clean(arena, run->version));
    if (run->run_path && *run->run_path)
        pyr_buf_printf(paper->out, "run file  %s\n", clean(arena, run->run_path));
    for (size_t i = 0; i < run->case_count; i++)
        put_kept_case(paper, arena, &run->cases[i]);
}

/* --- trends ----------------------------------------------------------------------------------- */

static const char *name_of(struct pyr_arena *arena, const struct pyr_trend *trend) {
    return clean(arena, pyr_arena_printf(arena, "%s %s %s%s%s", trend->suite, trend->case_id,
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
static void put_environment(const struct pyr_paper *paper, struct pyr_arena *arena,
                            const struct pyr_trend *trend, const struct pyr_trend *before) {
    if (before && before->newest == trend->newest)
        return;
    pyr_buf_printf(paper->out, "%s%s, %zu run%s in this environment, the newest %s\n",
                   before ? "\n" : "", pyr_report_history_target(arena, trend->newest),
                   trend->point_count, trend->point_count == 1 ? "" : "s",
                   clean(arena, trend->newest->id));
}

static void put_value(const struct pyr_paper *paper, const struct pyr_trend *trend, double value) {
    if (trend->reference) {
        pyr_buf_printf(paper->out, "%.3f", value);
        return;
    }
    struct pyr_scale scale = pyr_scale_for(pyr_metric_info(trend->metric)->unit, value);
    pyr_put_number(paper->out, value * scale.factor);
    if (*scale.unit)
        pyr_buf_printf(paper->out, " %s", scale.unit);
}

/* Eighths of a column: between the least and greatest value. */
static void put_plot(const struct pyr_paper *paper, struct pyr_arena *arena,
                     const struct pyr_trend *trend) {
    static const char *const bars[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
    double least = (double)INFINITY, most = 0;
    size_t room = paper->width > 24 ? paper->width - 4 : 20;
    size_t first = trend->point_count > room ? trend->point_count - room : 0;
    bool noted = false;
    for (size_t i = first; i < trend->point_count; i++) {
        least = fmin(least, trend->values[i].value);
        most = fmax(most, trend->values[i].value);
        noted |= is_change(trend, i) || trend->points[i].expected;
    }
    pyr_buf_printf(paper->out, "  %s%s, now ", name_of(arena, trend),
                   trend->reference ? " as a ratio" : "");
    put_value(paper, trend, trend->values[trend->point_count - 1].value);
    if (most > least) {
        pyr_buf_puts(paper->out, ", from ");
        put_value(paper, trend, least);
        pyr_buf_puts(paper->out, " to ");
        put_value(paper, trend, most);
    }
    pyr_buf_puts(paper->out, "\n    ");
    for (size_t i = first; i < trend->point_count; i++) {
        double share = most > least ? (trend->values[i].value - least) / (most - least) : 0.5;
        pyr_buf_puts(paper->out, bars[(int)(share * 7.999)]);
    }
    pyr_buf_putc(paper->out, '\n');
    if (!noted)
        return;
    pyr_buf_puts(paper->out, "    ");
    for (size_t i = first; i < trend->point_count; i++)
        pyr_buf_putc(paper->out, is_change(trend, i) ? '^' : trend->points[i].expected ? 'm' : ' ');
    pyr_buf_puts(paper->out, "  (^ a change of level, m a mark)\n");
}

void pyr_report_trends_plot(const struct pyr_paper *paper, struct pyr_arena *arena,
                            const struct pyr_trend *trends, size_t count) {
    for (size_t i = 0; i < count; i++) {
        put_environment(paper, arena, &trends[i], i ? &trends[i - 1] : NULL);
        put_plot(paper, arena, &trends[i]);
    }
}

static void put_number_cell(struct pyr_buf *out, double value) {
    if (!isnan(value))
        pyr_buf_printf(out, "%.9g", value);
    pyr_buf_putc(out, ',');
}

/* A line a run and number: time, commit and then columns, as change-point programs take it. */
void pyr_report_trends_csv(struct pyr_buf *out, struct pyr_arena *arena,
                           const struct pyr_trend *trends, size_t count) {
    pyr_buf_puts(out, "time,commit,run,series,unit,value,lo,hi,change,raw\n");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < trends[i].point_count; k++) {
            const struct pyr_store_point *point = &trends[i].points[k];
            const struct pyr_estimate *value = &trends[i].values[k];
            const char *revision = point->revision ? point->revision : "";
            const char *name = name_of(arena, &trends[i]);
            pyr_buf_printf(out, "%.3f,", point->time_unix_s);
            pyr_escape_csv(out, revision, strlen(revision));
            pyr_buf_putc(out, ',');
            pyr_escape_csv(out, point->run_id, strlen(point->run_id));
            pyr_buf_putc(out, ',');
            pyr_escape_csv(out, name, strlen(name));
            pyr_buf_printf(out, ",%s,",
                           trends[i].reference
                               ? "ratio"
                               : pyr_unit_name(pyr_metric_info(trends[i].metric)->unit));
            put_number_cell(out, value->value);
            put_number_cell(out, value->lo);
            put_number_cell(out, value->hi);
            pyr_buf_printf(out, "%d,%.9g\n", is_change(&trends[i], k), point->at.value);
        }
}

static void put_change(const struct pyr_paper *paper, struct pyr_arena *arena,
                       const struct pyr_trend *trend, const struct pyr_trend_change *change) {
    pyr_buf_printf(paper->out, "  %s: %+.1f %% (%s) from run %s", name_of(arena, trend),
                   100 * (change->change.ratio - 1), change->worse ? "worse" : "better",
                   change->at->run_id);
    if (change->at->revision)
        pyr_buf_printf(paper->out, ", revision %s", clean(arena, change->at->revision));
    pyr_buf_puts(paper->out, ": ");
    put_value(paper, trend, change->change.before);
    pyr_buf_puts(paper->out, " before, ");
    put_value(paper, trend, change->change.after);
    pyr_buf_puts(paper->out, " after");
    pyr_buf_puts(paper->out, trend->reference ? " (ratios)\n" : "\n");
}

/* What a search of these series could not see. */
static void put_limits(const struct pyr_paper *paper, const struct pyr_trend *trends,
                       size_t count) {
    size_t reduced = 0, few = 0;
    for (size_t i = 0; i < count; i++) {
        reduced += trends[i].reduced_power;
        few += trends[i].point_count - trends[i].start < 2 * PYR_CHANGES_LEAST_SIDE;
    }
    if (few)
        pyr_buf_printf(paper->out,
                       "%zu of the series ha%s fewer than %d runs since the start or the last "
                       "mark: too few to search (a change needs %d on either side)\n",
                       few, few == 1 ? "s" : "ve", 2 * PYR_CHANGES_LEAST_SIDE,
                       PYR_CHANGES_LEAST_SIDE);
    if (reduced)
        pyr_buf_printf(paper->out, "%zu autocorrelated: reduced power\n", reduced);
}

void pyr_report_trends_changes(const struct pyr_paper *paper, struct pyr_arena *arena,
                               const struct pyr_trend *trends, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += trends[i].change_count;
    pyr_buf_printf(paper->out, "%zu change%s in %zu series\n", found, found == 1 ? "" : "s", count);
    const struct pyr_trend *before = NULL;
    for (size_t i = 0; i < count; i++) {
        if (trends[i].change_count == 0 && !trends[i].suspected)
            continue;
        put_environment(paper, arena, &trends[i], before);
        before = &trends[i];
        for (size_t k = 0; k < trends[i].change_count; k++)
            put_change(paper, arena, &trends[i], &trends[i].changes[k]);
        if (trends[i].suspected)
            pyr_buf_printf(paper->out,
                           "  %s: the last three runs stand out; a suspicion, no more\n",
                           name_of(arena, &trends[i]));
    }
    put_limits(paper, trends, count);
}
