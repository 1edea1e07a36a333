/* SPDX-License-Identifier: MIT */
#include "report/answer.h"
#include "report/calibration.h"
#include "report/figures.h"
#include "report/formats.h"
#include "report/meta.h"
#include "report/terminal_load.h"
#include "report/text.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* What one report needs all along; texts made on the way live in the arena. */
struct writer {
    struct pyr_paper paper;
    struct pyr_arena *arena;
    const struct pyr_result *result;
    const struct pyr_report_options *options;
    const char *plus_minus;
    bool compact_used, open_used;
};

static const char *kept(struct writer *writer, struct pyr_buf *buf) {
    char *text = pyr_arena_strndup(writer->arena, pyr_buf_text(buf), buf->length);
    pyr_buf_deinit(buf);
    return text;
}

static const char *clean(struct writer *writer, const char *text) {
    struct pyr_buf buf = {0};
    pyr_text_clean(&buf, text, writer->paper.ascii);
    return kept(writer, &buf);
}

static void heading(struct writer *writer, const char *text, const char *rest) {
    pyr_buf_putc(writer->paper.out, '\n');
    const char *mark = rest ? pyr_arena_printf(writer->arena, "%s  ", text) : text;
    pyr_paper_wrap(&writer->paper, PYR_STYLE_BOLD, mark, rest);
}

static void wrapf(struct writer *writer, enum pyr_style style, const char *mark, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

static void wrapf(struct writer *writer, enum pyr_style style, const char *mark, const char *format,
                  ...) {
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pyr_paper_wrap(&writer->paper, style, mark, text);
}

/* --- what was measured ----------------------------------------------------------------------- */

static bool detailed(const struct writer *writer) {
    return writer->options->detail == PYR_DETAIL_ALL;
}

static void put_target(struct writer *writer, const struct pyr_report_meta *meta) {
    struct pyr_buf line = {0};
    const char *name = meta->name ? meta->name : meta->spec;
    pyr_buf_puts(&line, name ? name : "an unknown target");
    if (meta->engine)
        pyr_buf_printf(&line, " on %s", meta->engine);
    if (meta->kind && strcmp(meta->kind, "worker") == 0)
        pyr_buf_puts(&line, " in a worker process");
    double threads = meta->threads;
    double cores = pyr_report_meta_number(meta->system_info, "cpu_count");
    const char *cpu = meta->cpu_model;
    if (threads > 0)
        pyr_buf_printf(&line, ", %.0f thread%s", threads, threads == 1 ? "" : "s");
    if (cores > 0)
        pyr_buf_printf(&line, "%s %.0f core%s", threads > 0 ? " on" : ",", cores,
                       cores == 1 ? "" : "s");
    if (cpu)
        pyr_buf_printf(&line, " of %s", cpu);
    pyr_paper_wrap(&writer->paper, PYR_STYLE_BOLD, "pyrometer " PYR_VERSION "  ",
                   pyr_buf_text(&line));
    pyr_buf_deinit(&line);
    if (meta->note)
        wrapf(writer, PYR_STYLE_PLAIN, "  ", "The model was %s.", meta->note);
    if (meta->description)
        pyr_paper_wrap(&writer->paper, PYR_STYLE_PLAIN, "  ", meta->description);
    if (detailed(writer) && meta->notes && *meta->notes)
        pyr_paper_wrap(&writer->paper, PYR_STYLE_PLAIN, "  ", meta->notes);
}

/* What one of them said: "concurrency=1,2, duration=20s". */
static void put_settings_of(struct pyr_buf *line, const json_t *list, const char *source) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *name = pyr_report_meta_text(one, "name"),
                   *dot = name ? strrchr(name, '.') : NULL;
        const char *value = pyr_report_meta_text(one, "value");
        const char *said_by = pyr_report_meta_text(one, "source");
        if (name && value && said_by && strcmp(said_by, source) == 0)
            pyr_buf_printf(line, "%s%s=%s", line->length ? "; " : "", dot ? dot + 1 : name, value);
    }
}

/* What is not the preset's, and who said it: a line for each of them. */
static void put_settings(struct writer *writer, const struct pyr_report_meta *meta) {
    const json_t *list = json_object_get(meta->config, "settings");
    const char *preset = pyr_report_meta_text(meta->config, "preset");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *source = pyr_report_meta_text(json_array_get(list, i), "source");
        bool told = !source;
        for (size_t j = 0; j < i && !told; j++) {
            const char *before = pyr_report_meta_text(json_array_get(list, j), "source");
            told = before && strcmp(before, source) == 0;
        }
        struct pyr_buf line = {0};
        if (!told)
            put_settings_of(&line, list, source);
        if (line.length)
            wrapf(writer, PYR_STYLE_PLAIN, "  ", "%s: %s", source, pyr_buf_text(&line));
        pyr_buf_deinit(&line);
    }
    if (json_is_array(list) && preset)
        wrapf(writer, PYR_STYLE_PLAIN, "  ", "preset %s%s", preset,
              json_array_size(list) ? " for the rest" : "");
}

static void put_banners(struct writer *writer) {
    const struct pyr_result *result = writer->result;
    if (result->partial) {
        pyr_buf_putc(writer->paper.out, '\n');
        wrapf(writer, PYR_STYLE_BAD, "PARTIAL  ",
              "%s. What follows is what was measured until then.", result->partial);
    }
    if (result->simulated) {
        pyr_buf_putc(writer->paper.out, '\n');
        pyr_paper_wrap(&writer->paper, PYR_STYLE_BAD, "SIMULATED  ",
                       "The target follows a set law and no model ran: these figures test this "
                       "program and say nothing about any engine or machine.");
    }
}

static void put_warnings(struct writer *writer) {
    const struct pyr_result *result = writer->result;
    if (!result->warning_count)
        return;
    heading(writer, "Warnings", NULL);
    for (size_t i = 0; i < result->warning_count; i++)
        pyr_paper_wrap(&writer->paper, PYR_STYLE_WARN, "  ! ", result->warnings[i]);
}

/* --- goals ----------------------------------------------------------------------------------- */

static enum pyr_style verdict_style(enum pyr_goal_verdict verdict) {
    return verdict == PYR_GOAL_MET      ? PYR_STYLE_GOOD
           : verdict == PYR_GOAL_MISSED ? PYR_STYLE_BAD
                                        : PYR_STYLE_WARN;
}

static const char *count_verdicts(struct writer *writer) {
    const struct pyr_result *result = writer->result;
    struct pyr_buf text = {0};
    for (int verdict = PYR_GOAL_MET; verdict <= PYR_GOAL_UNKNOWN; verdict++) {
        size_t count = 0;
        for (size_t i = 0; i < result->goal_count; i++)
            count += result->goals[i].verdict == (enum pyr_goal_verdict)verdict;
        if (count)
            pyr_buf_printf(&text, "%s%zu %s", text.length ? ", " : "", count,
                           pyr_goal_verdict_name((enum pyr_goal_verdict)verdict));
    }
    return kept(writer, &text);
}

/* A level that misses them is what a search looks for. */
static void put_goals_of_levels(struct writer *writer) {
    struct pyr_buf text = {0};
    for (size_t i = 0; i < writer->result->goal_count; i++)
        pyr_buf_printf(&text, "%s%s", i ? ", " : "",
                       clean(writer, writer->result->goals[i].goal->label));
    pyr_buf_puts(&text, "; each level is held against them");
    heading(writer, "Goals", kept(writer, &text));
}

static void put_goals(struct writer *writer) {
    const struct pyr_result *result = writer->result;
    if (!result->goal_count)
        return;
    if (result->suite_count == 1 && pyr_terminal_is_levels(&result->suites[0])) {
        put_goals_of_levels(writer);
        return;
    }
    heading(writer, "Goals", count_verdicts(writer));
    size_t widest = 0;
    for (size_t i = 0; i < result->goal_count; i++) {
        size_t columns = pyr_text_columns(clean(writer, result->goals[i].goal->label));
        widest = columns > widest ? columns : widest;
    }
    for (size_t i = 0; i < result->goal_count; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        const char *label = clean(writer, row->goal->label);
        const char *mark =
            pyr_arena_printf(writer->arena, "  %-9s  %s%*s", pyr_goal_verdict_name(row->verdict),
                             label, (int)(widest - pyr_text_columns(label) + 2), "");
        const char *why = row->why ? row->why : "";
        /* A least is judged by what the target can do, a most must hold everywhere. */
        /* What is unknown was seen nowhere. */
        const char *where = row->verdict == PYR_GOAL_UNKNOWN ? ", as in "
                            : row->goal->at_least            ? ", best in "
                                                             : ", worst in ";
        wrapf(writer, verdict_style(row->verdict), mark, "%s%s%s", why, row->case_id ? where : "",
              row->case_id ? row->case_id : "");
    }
}

/* --- suites ---------------------------------------------------------------------------------- */

static const char *unit_of(const struct writer *writer, struct pyr_scale scale) {
    return !writer->paper.ascii && strcmp(scale.unit, "us") == 0 ? "\u00b5s" : scale.unit;
}

static struct pyr_cell estimate_cell(struct writer *writer, const struct pyr_estimate *at,
                                     struct pyr_scale scale) {
    if (!pyr_estimate_is_known(at))
        return (struct pyr_cell){"-", NULL, PYR_STYLE_DIM};
    struct pyr_buf full = {0}, brief = {0};
    pyr_put_interval(&full, at, scale);
    pyr_put_compact(&brief, at, scale, writer->plus_minus);
    writer->open_used |= !pyr_estimate_is_bounded(at);
    return (struct pyr_cell){kept(writer, &full), kept(writer, &brief), PYR_STYLE_PLAIN};
}

/* "" or the signs by which the rows of troubled cases are known; put_notes explains them. */
static const char *row_marks(const struct pyr_case_result *result) {
    bool unsteady = result->steadiness == PYR_NEVER_STEADY;
    return unsteady && result->saturating ? " ~^"
           : unsteady                     ? " ~"
           : result->saturating           ? " ^"
                                          : "";
}

/* The table of those figures; its cells live in the arena. */
static struct pyr_table make_table(struct writer *writer, const struct pyr_suite_result *suite,
                                   const struct pyr_figure *figures, size_t count, bool counts) {
    size_t fixed = counts ? 2 : 1, column_count = fixed + count, rows = 0;
    struct pyr_column *columns =
        pyr_arena_array(writer->arena, PYR_FIGURES_MAX + 2, sizeof *columns);
    struct pyr_scale scales[PYR_FIGURES_MAX];
    columns[0] = (struct pyr_column){"case", "", true};
    columns[1] = (struct pyr_column){"ok", "", false};
    for (size_t i = 0; i < count; i++) {
        scales[i] = pyr_scale_of_figure(suite, &figures[i]);
        columns[fixed + i] =
            (struct pyr_column){figures[i].header, unit_of(writer, scales[i]), false};
    }
    struct pyr_cell *cells =
        pyr_arena_array(writer->arena, suite->case_count * column_count, sizeof *cells);
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        if (!pyr_case_in_table(suite, result))
            continue;
        struct pyr_cell *cell = &cells[rows++ * column_count];
        const char *id = clean(writer, pyr_case_short_id(suite, result));
        cell[0].full = pyr_arena_printf(writer->arena, "%s%s", id, row_marks(result));
        if (counts && result->ok != result->total)
            cell[1] = (struct pyr_cell){pyr_arena_printf(writer->arena, "%llu/%llu",
                                                         (unsigned long long)result->ok,
                                                         (unsigned long long)result->total),
                                        NULL, PYR_STYLE_WARN};
        else if (counts)
            cell[1].full = pyr_arena_printf(writer->arena, "%llu", (unsigned long long)result->ok);
        for (size_t j = 0; j < count; j++) {
            struct pyr_estimate at = pyr_figure_of(result, &figures[j]);
            cell[fixed + j] = estimate_cell(writer, &at, scales[j]);
        }
    }
    return (struct pyr_table){columns, cells, column_count, rows};
}

/* Takes the figure out that a screen can best do without: a tail, else the last. */
static size_t drop_one(struct pyr_figure *figures, size_t count) {
    size_t victim = count - 1;
    for (size_t i = 0; i < count; i++)
        if (figures[i].quantile == PYR_Q_P99)
            victim = i;
    memmove(&figures[victim], &figures[victim + 1], (count - 1 - victim) * sizeof *figures);
    return count - 1;
}

static void put_figures(struct writer *writer, const struct pyr_suite_result *suite,
                        enum pyr_figure_group group) {
    struct pyr_figure figures[PYR_FIGURES_MAX];
    size_t count = pyr_figures_choose(suite, group, figures);
    if (!count)
        return;
    bool counts = group <= PYR_FIGURES_SPEED && pyr_suite_has_requests(suite);
    bool open_used = writer->open_used;
    struct pyr_table table = make_table(writer, suite, figures, count, counts);
    while (group == PYR_FIGURES_SHORT && count > 1 &&
           !pyr_paper_table_fits(&writer->paper, &table)) {
        count = drop_one(figures, count);
        writer->open_used = open_used;
        table = make_table(writer, suite, figures, count, counts);
    }
    if (group > PYR_FIGURES_SPEED)
        pyr_buf_putc(writer->paper.out, '\n');
    if (!pyr_paper_table(&writer->paper, &table))
        writer->compact_used = true;
}

/* A list of metrics, one a row: cases without requests, and the instrument. */
static void put_metric_rows(struct writer *writer, const char *title,
                            const struct pyr_metric_result *rows, size_t count, int tail) {
    struct pyr_column columns[4] = {
        {title, "", true}, {"p50 or value", "", true}, {"n", "", false}, {"", "", true}};
    size_t column_count = tail >= 0 ? 4 : 3;
    if (tail >= 0)
        columns[3].header = pyr_quantile_names[tail];
    struct pyr_cell *cells = pyr_arena_array(writer->arena, count * column_count, sizeof *cells);
    for (size_t i = 0; i < count; i++) {
        const struct pyr_metric_info *info = pyr_metric_info(rows[i].metric);
        struct pyr_estimate at[2] = {pyr_metric_headline(&rows[i]),
                                     pyr_estimate_unknown("no quantile")};
        if (tail >= 0 && info->kind == PYR_KIND_DISTRIBUTION)
            at[1] = pyr_metric_quantile(&rows[i], tail);
        struct pyr_cell *cell = &cells[i * column_count];
        cell[0].full = info->label;
        cell[2].full = pyr_arena_printf(writer->arena, "%llu", (unsigned long long)rows[i].n);
        for (int j = 0; j < (tail >= 0 ? 2 : 1); j++) {
            struct pyr_scale scale = pyr_scale_for(info->unit, at[j].value);
            struct pyr_cell *into = &cell[j ? 3 : 1];
            *into = estimate_cell(writer, &at[j], scale);
            if (pyr_estimate_is_known(&at[j]))
                into->full =
                    pyr_arena_printf(writer->arena, "%s %s", into->full, unit_of(writer, scale));
            into->brief = NULL;
        }
    }
    pyr_paper_table(&writer->paper, &(struct pyr_table){columns, cells, column_count, count});
}

static void put_still_cases(struct writer *writer, const struct pyr_suite_result *suite) {
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        if (pyr_case_in_table(suite, result) || !result->metric_count)
            continue;
        put_metric_rows(writer, clean(writer, pyr_case_short_id(suite, result)), result->metrics,
                        result->metric_count, -1);
        pyr_buf_putc(writer->paper.out, '\n');
    }
}

static const char *suite_summary(struct writer *writer, const struct pyr_suite_result *suite) {
    uint64_t total = 0, outcomes[PYR_OUTCOME_COUNT] = {0};
    bool open = false, closed = false;
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        total += result->total;
        for (int j = 0; j < PYR_OUTCOME_COUNT; j++)
            outcomes[j] += result->outcomes[j];
        if (result->total) {
            open |= result->plan->open_loop;
            closed |= !result->plan->open_loop;
        }
    }
    struct pyr_buf text = {0};
    pyr_buf_printf(&text, "%zu case%s", suite->case_count, suite->case_count == 1 ? "" : "s");
    if (total || !suite->column_count) {
        pyr_buf_puts(&text, ", ");
        pyr_put_count(&text, total);
        pyr_buf_puts(&text, total == 1 ? " request" : " requests");
    }
    if (total && outcomes[PYR_OUTCOME_OK] == total)
        pyr_buf_puts(&text, ", all ok");
    else
        for (int j = 0; j < PYR_OUTCOME_COUNT; j++)
            if (outcomes[j])
                pyr_put_outcome(&text, (enum pyr_outcome)j, outcomes[j]);
    if (open || closed)
        pyr_buf_printf(&text, "; times from %s",
                       open && closed ? "the schedule (open loop) or the sending (closed loop)"
                       : open         ? "the schedule (open loop)"
                                      : "the sending (closed loop)");
    return kept(writer, &text);
}

/* One note for all the cases it holds for. */
static void put_case_notes(struct writer *writer, const struct pyr_suite_result *suite,
                           const char *mark, const char *text,
                           bool (*holds)(const struct pyr_case_result *result)) {
    struct pyr_buf ids = {0};
    for (size_t i = 0; i < suite->case_count; i++)
        if (holds(&suite->cases[i]))
            pyr_buf_printf(&ids, "%s%s", ids.length ? ", " : "",
                           pyr_case_short_id(suite, &suite->cases[i]));
    if (ids.length)
        wrapf(writer, PYR_STYLE_WARN, mark, "%s: %s", text, pyr_buf_text(&ids));
    pyr_buf_deinit(&ids);
}

static bool is_unsteady(const struct pyr_case_result *result) {
    return result->total && result->steadiness == PYR_NEVER_STEADY;
}

static bool is_saturating(const struct pyr_case_result *result) {
    return result->total && result->saturating;
}

static void put_notes(struct writer *writer, const struct pyr_suite_result *suite) {
    put_case_notes(writer, suite, "  ~ ", "never steady, so the figures mix warm-up and run",
                   is_unsteady);
    put_case_notes(writer, suite, "  ^ ", "saturating: queue and TTFT were still rising at the end",
                   is_saturating);
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *result = &suite->cases[i];
        const char *id = pyr_case_short_id(suite, result);
        for (size_t j = 0; j < result->warning_count; j++)
            wrapf(writer, PYR_STYLE_WARN, "  ! ", "%s: %s", id, result->warnings[j]);
        if (result->serialises)
            wrapf(writer, PYR_STYLE_WARN, "  ! ", "%s: %s", id, result->serialises);
        if (result->flag_short)
            wrapf(writer, PYR_STYLE_WARN, "  ! ", "%s: %llu answers were shorter than asked", id,
                  (unsigned long long)result->flag_short);
        for (size_t j = 0; j < result->metric_count; j++)
            if (result->metrics[j].overflow)
                wrapf(writer, PYR_STYLE_BAD, "  ! ",
                      "%s: %llu values of %s lay outside the histogram", id,
                      (unsigned long long)result->metrics[j].overflow,
                      pyr_metric_info(result->metrics[j].metric)->label);
    }
    const char *case_id = NULL;
    uint64_t needs = pyr_figures_p99_needs(suite, &case_id);
    if (needs)
        wrapf(writer, PYR_STYLE_PLAIN, "  ",
              "p99 needs up to %llu more requests a case (most: %s).", (unsigned long long)needs,
              case_id);
}

/* "CPU 98.2 %, peak RSS 812 MB": one line, with the range where the cases differ. */
static void put_machine(struct writer *writer, const struct pyr_suite_result *suite) {
    struct pyr_figure figures[PYR_FIGURES_MAX];
    size_t count = pyr_figures_choose(suite, PYR_FIGURES_MACHINE, figures);
    struct pyr_buf text = {0};
    for (size_t i = 0; i < count; i++) {
        double least = INFINITY, most = -INFINITY;
        for (size_t j = 0; j < suite->case_count; j++) {
            struct pyr_estimate at = pyr_figure_of(&suite->cases[j], &figures[i]);
            least = fmin(least, at.value);
            most = fmax(most, at.value);
        }
        struct pyr_scale scale = pyr_scale_of_figure(suite, &figures[i]);
        pyr_buf_printf(&text, "%s%s ", i ? ", " : "", figures[i].header);
        if (least < most) {
            pyr_put_number(&text, least * scale.factor);
            pyr_buf_puts(&text, " to ");
        }
        pyr_put_number(&text, most * scale.factor);
        pyr_buf_printf(&text, " %s", scale.unit);
    }
    if (text.length)
        pyr_paper_wrap(&writer->paper, PYR_STYLE_PLAIN, "  ", pyr_buf_text(&text));
    pyr_buf_deinit(&text);
}

/* "startup: cold load 635 [612, 648] ms, warm load ..., n 6": a case without requests in a line. */
static void put_still_lines(struct writer *writer, const struct pyr_suite_result *suite) {
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *one = &suite->cases[i];
        if (pyr_case_in_table(suite, one) || !one->metric_count)
            continue;
        struct pyr_buf text = {0};
        for (size_t j = 0; j < one->metric_count; j++) {
            const struct pyr_metric_info *info = pyr_metric_info(one->metrics[j].metric);
            struct pyr_estimate at = pyr_metric_headline(&one->metrics[j]);
            struct pyr_scale scale = pyr_scale_for(info->unit, at.value);
            pyr_buf_printf(&text, "%s%s ", j ? ", " : "", info->label);
            pyr_put_interval(&text, &at, scale);
            pyr_buf_printf(&text, " %s", unit_of(writer, scale));
        }
        pyr_buf_printf(&text, " (n %llu)", (unsigned long long)one->metrics[0].n);
        wrapf(writer, PYR_STYLE_PLAIN, "  ", "%s: %s", pyr_case_short_id(suite, one),
              pyr_buf_text(&text));
        pyr_buf_deinit(&text);
    }
}

/* One table a suite, and what is wrong with its cases, shortly. */
static void put_suite_short(struct writer *writer, const struct pyr_suite_result *suite) {
    enum { TOLD = 3 };
    heading(writer, clean(writer, suite->name), suite_summary(writer, suite));
    put_still_lines(writer, suite);
    if (pyr_terminal_is_levels(suite)) {
        writer->compact_used = true;
        return;
    }
    put_figures(writer, suite, PYR_FIGURES_SHORT);
    pyr_terminal_load_parts(&writer->paper, writer->arena, suite, writer->plus_minus);
    put_case_notes(writer, suite, "  ~ ", "never steady, so the figures mix warm-up and run",
                   is_unsteady);
    put_case_notes(writer, suite, "  ^ ", "saturating: queue and TTFT were still rising at the end",
                   is_saturating);
    size_t count = 0;
    for (size_t i = 0; i < suite->case_count; i++)
        for (size_t j = 0; j < suite->cases[i].warning_count; j++, count++)
            if (count < TOLD)
                wrapf(writer, PYR_STYLE_WARN, "  ! ", "%s: %s",
                      pyr_case_short_id(suite, &suite->cases[i]), suite->cases[i].warnings[j]);
    if (count > TOLD)
        wrapf(writer, PYR_STYLE_WARN, "  ! ", "and %zu more (--details)", count - TOLD);
}

static void put_suite(struct writer *writer, const struct pyr_suite_result *suite,
                      const struct pyr_report_meta *meta) {
    heading(writer, clean(writer, suite->name), suite_summary(writer, suite));
    put_still_cases(writer, suite);
    if (pyr_terminal_is_levels(suite)) {
        writer->compact_used = true;
        put_machine(writer, suite);
        return; /* their table tells them apart */
    }
    put_figures(writer, suite, PYR_FIGURES_SPEED);
    put_figures(writer, suite, PYR_FIGURES_MORE);
    put_machine(writer, suite);
    struct pyr_buf cut = {0};
    bool whole = !writer->result->partial && !writer->result->interrupted;
    pyr_put_cut(&cut, suite, meta);
    if (cut.length)
        wrapf(writer, PYR_STYLE_PLAIN, "  ", "%s: %s.",
              whole ? "Cut by the time limit" : "Cut short", pyr_buf_text(&cut));
    pyr_buf_deinit(&cut);
    pyr_terminal_load_parts(&writer->paper, writer->arena, suite, writer->plus_minus);
    put_notes(writer, suite);
}

/* --- the end --------------------------------------------------------------------------------- */

/* By how much the machine itself got slower from before the run to after it; 0 when unknown. */
static double machine_change(const struct pyr_result *result) {
    double before = (double)NAN, after = (double)NAN;
    for (size_t i = 0; i < result->instrument_count; i++)
        if (result->instrument[i].metric == PYR_M_MACHINE_LOOP_BEFORE)
            before = result->instrument[i].value.value;
        else if (result->instrument[i].metric == PYR_M_MACHINE_LOOP_AFTER)
            after = result->instrument[i].value.value;
    return before > 0 && after > 0 ? after / before - 1 : 0;
}

static void put_instrument(struct writer *writer) {
    enum { MACHINE_MOVED_PERCENT = 3 }; /* a third of the usual threshold of a comparison */
    const struct pyr_result *result = writer->result;
    struct pyr_metric_result own[PYR_METRIC_COUNT];
    size_t left = pyr_calibrations_leave(result, own), count = 0;
    for (size_t i = 0; i < left; i++)
        if (own[i].metric != PYR_M_MACHINE_LOOP_BEFORE && own[i].metric != PYR_M_MACHINE_LOOP_AFTER)
            own[count++] = own[i];
    double change = 100 * machine_change(result);
    bool moved = fabs(change) > MACHINE_MOVED_PERCENT;
    if (!count && !result->calibration_count && !result->noise_floor && !moved)
        return;
    heading(writer, "Instrument", "how far our own figures can be off");
    pyr_calibrations_terminal(&writer->paper, writer->arena, result);
    if (count)
        put_metric_rows(writer, result->calibration_count ? "beside it" : "own error", own, count,
                        PYR_Q_P99);
    if (moved)
        wrapf(writer, PYR_STYLE_WARN, "  ! ",
              "a fixed loop of arithmetic took %+.1f %% after the run beside before it: the "
              "machine's own speed moved",
              change);
    if (result->noise_floor)
        wrapf(writer, PYR_STYLE_PLAIN, "  ",
              "Noise floor of this machine: %.1f %% (%s, %llu pairs); "
              "smaller differences mean nothing.",
              100 * result->noise_floor->ratio, result->noise_floor->source,
              (unsigned long long)result->noise_floor->pairs);
}

static void put_legend(struct writer *writer) {
    if (!writer->result->suite_count)
        return;
    pyr_buf_putc(writer->paper.out, '\n');
    struct pyr_buf text = {0};
    pyr_buf_puts(&text, "[a, b]: 95 % interval. ");
    if (writer->compact_used)
        pyr_buf_printf(&text,
                       "%s: the larger half of it, as a share of the value; a wider terminal shows "
                       "both ends. ",
                       writer->plus_minus);
    if (writer->open_used)
        pyr_buf_puts(&text, "?: an end that so few values cannot bound. ");
    pyr_buf_puts(&text, "A number alone is a single reading; -: not measured.");
    if (!detailed(writer))
        pyr_buf_puts(&text, " The rest: --details, and the page.");
    pyr_paper_wrap(&writer->paper, PYR_STYLE_PLAIN, "  ", pyr_buf_text(&text));
    pyr_buf_deinit(&text);
}

static void put_end(struct writer *writer, const struct pyr_report_meta *meta) {
    const struct pyr_result *result = writer->result;
    if (detailed(writer)) {
        if (result->recommendation_count)
            heading(writer, "Recommendations", NULL);
        for (size_t i = 0; i < result->recommendation_count; i++)
            pyr_paper_wrap(&writer->paper, PYR_STYLE_PLAIN, "  - ", result->recommendations[i]);
        pyr_buf_putc(writer->paper.out, '\n');
        wrapf(writer, PYR_STYLE_BOLD, "Grade     ", "%s: %s", pyr_grade_name(result->grade),
              result->grade_reason ? result->grade_reason : "no goal was set");
    }
    for (size_t i = 0; i < writer->options->file_count; i++)
        pyr_paper_wrap(&writer->paper, PYR_STYLE_BOLD, i ? "          " : "Written   ",
                       writer->options->files[i]);
    const char *command = meta->repeat_command ? meta->repeat_command : meta->command;
    if (command) {
        /* Never wrapped: it is there to be copied. */
        pyr_paper_put(&writer->paper, PYR_STYLE_BOLD, "Repeat    ");
        pyr_buf_printf(writer->paper.out, "%s\n", clean(writer, command));
    }
}

/* Whatever is known. */
static void put_details(struct writer *writer, const struct pyr_report_meta *meta) {
    const struct pyr_result *result = writer->result;
    put_settings(writer, meta);
    put_banners(writer);
    put_warnings(writer);
    put_goals(writer);
    for (size_t i = 0; i < result->suite_count; i++)
        put_suite(writer, &result->suites[i], meta);
    pyr_terminal_levels(&writer->paper, writer->arena, result, writer->plus_minus);
    put_instrument(writer);
    put_legend(writer);
}

/* A screen: a table a suite, and what is left to tell elsewhere. */
static void put_screen(struct writer *writer) {
    const struct pyr_result *result = writer->result;
    for (size_t i = 0; i < result->suite_count; i++)
        put_suite_short(writer, &result->suites[i]);
    pyr_terminal_levels(&writer->paper, writer->arena, result, writer->plus_minus);
    put_legend(writer);
}

bool pyr_report_terminal(const struct pyr_result *result, const struct pyr_report_options *options,
                         struct pyr_buf *out, struct pyr_err *err) {
    (void)err;
    unsigned width = options->width ? options->width : 80;
    struct writer writer = {
        .paper = {out, width < 60 ? 60 : width, options->color, options->ascii},
        .arena = pyr_arena_create(),
        .result = result,
        .options = options,
        .plus_minus = options->ascii ? "+-" : "\u00b1",
    };
    struct pyr_report_meta meta;
    pyr_report_meta_open(result->meta_json, &meta);
    put_target(&writer, &meta);
    pyr_answer_put(&writer.paper, writer.arena, result, &meta);
    if (options->detail == PYR_DETAIL_ALL)
        put_details(&writer, &meta);
    else if (options->detail == PYR_DETAIL_SCREEN)
        put_screen(&writer);
    put_end(&writer, &meta);
    pyr_report_meta_close(&meta);
    pyr_arena_destroy(writer.arena);
    return true;
}
