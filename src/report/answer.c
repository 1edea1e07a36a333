/* SPDX-License-Identifier: MIT */
#include "report/answer.h"

#include "report/figures.h"
#include "report/terminal_load.h"
#include "stats/capacity.h"
#include "stats/goals.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of the run; --details has them all. */
enum { WARNINGS = 2 };

struct answer {
    struct pyr_answer *told;
    struct pyr_arena *arena;
    const struct pyr_result *result;
    const struct pyr_report_meta *meta;
};

static void put_line(const struct answer *answer, enum pyr_style style, const char *name,
                     struct pyr_buf *text) {
    struct pyr_answer *told = answer->told;
    if (text->length && told->count < PYR_ANSWER_LINES)
        told->lines[told->count++] =
            (struct pyr_answer_line){style, pyr_arena_strdup(answer->arena, name),
                                     pyr_arena_strdup(answer->arena, pyr_buf_text(text))};
    pyr_buf_deinit(text);
}

/* "49.0 [48.8, 49.2] tok/s" */
static void put_value(struct pyr_buf *text, enum pyr_unit unit, const struct pyr_estimate *at) {
    struct pyr_scale scale = pyr_scale_for(unit, at->value);
    pyr_put_interval(text, at, scale);
    /* Paper turns the sign into a "u" where it has to. */
    const char *name = strcmp(scale.unit, "us") == 0 ? "\u00b5s" : scale.unit;
    pyr_buf_printf(text, "%s%s", *name && *name != '/' ? " " : "", name);
}

/* The same of a case's metric; false where it is not known. */
static bool put_metric(struct pyr_buf *text, const char *before, const struct pyr_case_result *one,
                       enum pyr_metric metric, int statistic) {
    const struct pyr_figure figure = {metric, metric, statistic, ""};
    struct pyr_estimate at = pyr_figure_of(one, &figure);
    if (!pyr_estimate_is_known(&at))
        return false;
    pyr_buf_puts(text, before);
    put_value(text, pyr_metric_info(metric)->unit, &at);
    return true;
}

/* --- what was measured ------------------------------------------------------------------------ */

static void put_measured(const struct answer *answer) {
    const struct pyr_result *result = answer->result;
    struct pyr_buf text = {0};
    uint64_t total = 0, ok = 0, cancelled = 0;
    size_t cases = 0;
    double seconds = 0;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *one = &result->suites[i].cases[j];
            total += one->total;
            ok += one->ok;
            cancelled += one->outcomes[PYR_OUTCOME_CANCELLED];
            seconds += one->total ? one->whole_s : 0;
            cases++;
        }
    if (!cases)
        return;
    if (total) {
        pyr_put_count(&text, total);
        pyr_buf_puts(&text, total == 1 ? " request, " : " requests, ");
        if (ok + cancelled == total)
            pyr_buf_puts(&text, "all ok");
        else {
            pyr_put_count(&text, total - ok - cancelled);
            pyr_buf_puts(&text, " FAILED");
        }
        pyr_buf_puts(&text, ", in ");
    }
    pyr_buf_printf(&text, "%zu case%s", cases, cases == 1 ? "" : "s");
    if (seconds >= 120)
        pyr_buf_printf(&text, " of %.0f minutes together", seconds / 60);
    else if (seconds > 0)
        pyr_buf_printf(&text, " of %.3g s together", seconds);
    const char *preset = pyr_report_meta_text(answer->meta->config, "preset");
    if (preset)
        pyr_buf_printf(&text, "; preset %s", preset);
    char when[32];
    pyr_report_iso_time(answer->meta->started_unix_s, when, sizeof when);
    pyr_buf_printf(&text, "%s%s", *when ? "; " : "", when);
    put_line(answer, ok + cancelled == total ? PYR_STYLE_BOLD : PYR_STYLE_BAD, "Measured", &text);
}

/* --- whether it can be trusted ---------------------------------------------------------------- */

static void put_cases_that(struct pyr_buf *text, const struct pyr_result *result, const char *what,
                           bool (*holds)(const struct pyr_case_result *one)) {
    size_t count = 0;
    enum { NAMED = 3 };
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *one = &result->suites[i].cases[j];
            if (!holds(one))
                continue;
            if (count < NAMED)
                pyr_buf_printf(text, "%s%s",
                               count          ? ", "
                               : text->length ? "; "
                                              : "",
                               pyr_case_short_id(&result->suites[i], one));
            count++;
        }
    if (count > NAMED)
        pyr_buf_printf(text, " and %zu more", count - NAMED);
    if (count)
        pyr_buf_puts(text, what);
}

static bool never_steady(const struct pyr_case_result *one) {
    return one->total && one->steadiness == PYR_NEVER_STEADY && !pyr_case_is_level(one->plan);
}

static bool saturating(const struct pyr_case_result *one) {
    return one->total && one->saturating && !pyr_case_is_level(one->plan);
}

/* The median of its latency has an end that is a quarter of it away, or none. */
static bool vague(const struct pyr_case_result *one) {
    enum pyr_metric metric = pyr_headline_latency(one);
    const struct pyr_figure figure = {metric, metric, PYR_Q_P50, ""};
    struct pyr_estimate at = pyr_figure_of(one, &figure);
    return one->total && !pyr_case_is_level(one->plan) && pyr_estimate_is_known(&at) &&
           !(at.hi - at.value <= 0.25 * at.value && at.value - at.lo <= 0.25 * at.value);
}

/* "own error of TTFT p99 5.2 us", or why it is not known. */
static void put_own_error(struct pyr_buf *text, const struct pyr_result *result) {
    const struct pyr_case_result *highest = NULL;
    for (size_t i = 0; i < result->calibration_count; i++)
        if (result->calibrations[i].metric_count)
            highest = &result->calibrations[i];
    if (!highest) {
        const char *why = result->calibration_count && result->calibrations[0].warning_count
                              ? result->calibrations[0].warnings[0]
                              : NULL;
        if (why)
            pyr_buf_printf(text, "; own error not measured: %s", why);
        return;
    }
    if (!put_metric(text, "; own error of TTFT p99 ", highest, PYR_M_TTFT_ERROR, PYR_Q_P99))
        put_metric(text, "; own pacing p50 ", highest, PYR_M_PACING_LATENESS, PYR_Q_P50);
}

/* Warnings that the line of trust says itself. */
static bool is_told(const char *warning) {
    return strncmp(warning, "partial: ", 9) == 0 || strncmp(warning, "INVALID: ", 9) == 0;
}

/* Which signal ended the run; NULL: none did. */
static const char *ended_by(const struct pyr_result *result) {
    for (size_t i = 0; i < result->warning_count && result->interrupted; i++)
        if (strncmp(result->warnings[i], "partial: ended", 14) == 0)
            return result->warnings[i] + 9;
    return result->interrupted ? "ended by a signal" : NULL;
}

static void put_trust(const struct answer *answer) {
    const struct pyr_result *result = answer->result;
    struct pyr_buf text = {0}, trouble = {0};
    if (!result->suite_count && !result->partial && !result->invalid && !result->interrupted)
        return;
    enum pyr_style style = PYR_STYLE_GOOD;
    const char *partial = result->partial ? result->partial : ended_by(result);
    if (partial) {
        pyr_buf_printf(&text, "PARTIAL: %s; ", partial);
        style = PYR_STYLE_BAD;
    }
    if (result->simulated) {
        pyr_buf_puts(&text, "SIMULATED: a set law and no model, which says nothing of any engine");
        style = style == PYR_STYLE_BAD ? style : PYR_STYLE_WARN;
    } else if (result->invalid) {
        pyr_buf_printf(&text, "INVALID: %s", result->invalid);
        style = PYR_STYLE_BAD;
    } else {
        pyr_buf_puts(&text, style == PYR_STYLE_GOOD ? "valid" : "valid so far");
    }
    put_own_error(&text, result);
    if (result->noise_floor)
        pyr_buf_printf(&text, "; noise floor %.1f %%", 100 * result->noise_floor->ratio);
    put_line(answer, style, "Trust", &text);
    put_cases_that(&trouble, result, " known to no better than \u00b125 %", vague);
    if (trouble.length)
        pyr_buf_puts(&trouble, " in latency p50: a noisy machine, or too few requests");
    if (result->instrument_alarm && result->instrument_note_count)
        pyr_buf_printf(&trouble, "%s%s", trouble.length ? "; " : "", result->instrument_notes[0]);
    put_cases_that(&trouble, result, " never steady", never_steady);
    put_cases_that(&trouble, result, " saturating", saturating);
    put_line(answer, PYR_STYLE_WARN, "", &trouble);
    size_t told = 0;
    for (size_t i = 0; i < result->warning_count && told < WARNINGS; i++) {
        if (is_told(result->warnings[i]))
            continue;
        told++;
        struct pyr_buf one = {0};
        pyr_buf_puts(&one, result->warnings[i]);
        put_line(answer, PYR_STYLE_WARN, "!", &one);
    }
}

/* --- the figures ------------------------------------------------------------------------------ */

static bool of_one_user(const struct pyr_case_result *one) {
    return one->total && !one->plan->open_loop && one->plan->concurrency == 1 &&
           !pyr_case_is_level(one->plan);
}

/* The case that has the most of a metric among those that count; NULL: none knows it. */
static const struct pyr_case_result *best_of(const struct pyr_result *result,
                                             enum pyr_metric metric, int statistic, bool least,
                                             bool (*counts)(const struct pyr_case_result *one)) {
    const struct pyr_case_result *best = NULL;
    const struct pyr_figure figure = {metric, metric, statistic, ""};
    double most = 0;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *one = &result->suites[i].cases[j];
            struct pyr_estimate at = pyr_figure_of(one, &figure);
            if (!counts(one) || !pyr_estimate_is_known(&at))
                continue;
            if (!best || (least ? at.value < most : at.value > most)) {
                best = one;
                most = at.value;
            }
        }
    return best;
}

static void put_in(struct pyr_buf *text, const struct pyr_case_result *one,
                   const struct pyr_case_result *but) {
    if (one != but)
        pyr_buf_printf(text, " (%s, n %llu)", one->plan->id, (unsigned long long)one->ok);
}

static void put_one_user(const struct answer *answer) {
    const struct pyr_result *result = answer->result;
    struct pyr_buf text = {0}, ttft = {0};
    const struct pyr_case_result *prefill =
        best_of(result, PYR_M_PREFILL_RATE, PYR_Q_P50, false, of_one_user);
    const struct pyr_case_result *decode =
        best_of(result, PYR_M_DECODE_RATE, PYR_Q_P50, false, of_one_user);
    if (prefill) {
        put_metric(&text, "prefill ", prefill, PYR_M_PREFILL_RATE, PYR_Q_P50);
        put_in(&text, prefill, decode);
    }
    if (decode) {
        put_metric(&text, text.length ? ", decode " : "decode ", decode, PYR_M_DECODE_RATE,
                   PYR_Q_P50);
        put_in(&text, decode, NULL);
    }
    put_line(answer, PYR_STYLE_BOLD, "One user", &text);
    const struct pyr_case_result *fast =
        best_of(result, PYR_M_TTFT_SENT, PYR_Q_P50, true, of_one_user);
    const struct pyr_case_result *slow =
        best_of(result, PYR_M_TTFT_SENT, PYR_Q_P50, false, of_one_user);
    if (fast) {
        put_metric(&ttft, "p50 ", fast, PYR_M_TTFT_SENT, PYR_Q_P50);
        put_in(&ttft, fast, NULL);
    }
    if (slow && slow != fast) {
        put_metric(&ttft, " to ", slow, PYR_M_TTFT_SENT, PYR_Q_P50);
        put_in(&ttft, slow, NULL);
    }
    put_line(answer, PYR_STYLE_BOLD, "TTFT", &ttft);
}

static bool of_many(const struct pyr_case_result *one) {
    return one->total && (one->plan->open_loop || one->plan->concurrency > 1) &&
           !pyr_case_is_level(one->plan);
}

static void put_load(const struct answer *answer) {
    struct pyr_buf text = {0};
    const struct pyr_case_result *best =
        best_of(answer->result, PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_FIGURE_VALUE, false, of_many);
    if (!best)
        return;
    put_metric(&text, "", best, PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_FIGURE_VALUE);
    if (put_metric(&text, ", ", best, PYR_M_REQUEST_THROUGHPUT, PYR_FIGURE_VALUE)) {
        text.length -= 2; /* "/s" */
        pyr_buf_puts(&text, " requests/s");
    }
    if (best->plan->open_loop)
        pyr_buf_printf(&text, " at %g requests/s asked", best->plan->rate);
    else
        pyr_buf_printf(&text, " at %u at once", best->plan->concurrency);
    put_metric(&text, "; TTFT p50 ", best, pyr_headline_ttft(best), PYR_Q_P50);
    put_metric(&text, ", latency p50 ", best, pyr_headline_latency(best), PYR_Q_P50);
    put_in(&text, best, NULL);
    put_line(answer, PYR_STYLE_BOLD, "Most", &text);
}

/* What a search for the highest load found. */
static void put_capacity(const struct answer *answer) {
    const struct pyr_stress_result *stress = answer->result->stress;
    struct pyr_buf text = {0};
    if (!stress)
        return;
    const char *unit = stress->open_loop ? " requests/s" : " at once";
    if (isnan(stress->max_sustainable_load))
        pyr_buf_puts(&text, "no level held");
    else
        pyr_buf_printf(&text, "at least %.4g%s", stress->max_sustainable_load, unit);
    if (!isnan(stress->first_failing_load))
        pyr_buf_printf(&text, ", and not %.4g%s%s%s", stress->first_failing_load, unit,
                       stress->failed_by ? ": " : "", stress->failed_by ? stress->failed_by : "");
    put_line(answer, PYR_STYLE_BOLD, "Carries", &text);
}

/* Of a suite with a table of its own: its first column, where it is best. */
static void put_own_suites(const struct answer *answer) {
    for (size_t i = 0; i < answer->result->suite_count; i++) {
        const struct pyr_suite_result *suite = &answer->result->suites[i];
        if (!suite->column_count)
            continue;
        const struct pyr_suite_column *column = &suite->columns[0];
        const struct pyr_metric_info *info = pyr_metric_info(column->metric);
        const struct pyr_figure figure = {column->metric, column->metric, column->statistic, ""};
        const struct pyr_case_result *best = NULL;
        struct pyr_estimate most = {0};
        for (size_t j = 0; j < suite->case_count; j++) {
            struct pyr_estimate at = pyr_figure_of(&suite->cases[j], &figure);
            if (pyr_estimate_is_known(&at) &&
                (!best || (info->better == PYR_BETTER_HIGHER ? at.value > most.value
                                                             : at.value < most.value))) {
                best = &suite->cases[j];
                most = at;
            }
        }
        struct pyr_buf text = {0};
        if (best) {
            pyr_buf_printf(&text, "%s, best: ", column->header ? column->header : info->label);
            put_value(&text, info->unit, &most);
            pyr_buf_printf(&text, " (%s)", pyr_case_short_id(suite, best));
        }
        put_line(answer, PYR_STYLE_BOLD, suite->name, &text);
    }
}

static bool any_case(const struct pyr_case_result *one) {
    return one->plan != NULL;
}

static void put_memory(const struct answer *answer) {
    struct pyr_buf text = {0};
    const struct pyr_case_result *most =
        best_of(answer->result, PYR_M_RSS_PEAK, PYR_FIGURE_VALUE, false, any_case);
    if (!most)
        return;
    put_metric(&text, "peak RSS ", most, PYR_M_RSS_PEAK, PYR_FIGURE_VALUE);
    put_metric(&text, ", KV ", most, PYR_M_KV_MEMORY, PYR_FIGURE_VALUE);
    pyr_buf_printf(&text, " (%s)", most->plan->id);
    put_line(answer, PYR_STYLE_BOLD, "Memory", &text);
}

/* --- goals, and what next --------------------------------------------------------------------- */

static void put_goal(struct pyr_buf *text, const struct answer *answer,
                     const struct pyr_goal_result *row) {
    pyr_buf_puts(text, row->goal->label);
    if (row->verdict == PYR_GOAL_MISSED)
        pyr_buf_printf(text, " %s in %s", pyr_goal_saw(row->goal, &row->seen, answer->arena),
                       row->case_id);
}

static void put_goals(const struct answer *answer) {
    static const enum pyr_goal_verdict order[] = {PYR_GOAL_MISSED, PYR_GOAL_UNDECIDED,
                                                  PYR_GOAL_UNKNOWN, PYR_GOAL_MET};
    const struct pyr_result *result = answer->result;
    struct pyr_buf text = {0};
    /* A level that misses them is what a search looks for. */
    bool missed = false,
         only_levels = result->suite_count == 1 && pyr_terminal_is_levels(&result->suites[0]);
    for (size_t v = 0; v < sizeof order / sizeof *order && !only_levels; v++) {
        size_t count = 0;
        for (size_t i = 0; i < result->goal_count; i++)
            count += result->goals[i].verdict == order[v];
        if (!count)
            continue;
        missed |= order[v] == PYR_GOAL_MISSED;
        pyr_buf_printf(&text, "%s%zu %s (", text.length ? "; " : "", count,
                       pyr_goal_verdict_name(order[v]));
        size_t told = 0;
        for (size_t i = 0; i < result->goal_count; i++)
            if (result->goals[i].verdict == order[v]) {
                pyr_buf_puts(&text, told++ ? ", " : "");
                put_goal(&text, answer, &result->goals[i]);
            }
        pyr_buf_putc(&text, ')');
    }
    if (text.length && !result->simulated)
        pyr_buf_printf(&text, ": %s", pyr_grade_name(result->grade));
    put_line(answer, missed ? PYR_STYLE_BAD : PYR_STYLE_GOOD, "Goals", &text);
}

static void put_next(const struct answer *answer) {
    const struct pyr_result *result = answer->result;
    struct pyr_buf text = {0};
    uint64_t most = 0;
    const char *most_id = NULL;
    for (size_t i = 0; i < result->suite_count && !result->stress; i++) {
        const char *case_id = NULL;
        uint64_t needs = pyr_figures_p99_needs(&result->suites[i], &case_id);
        if (needs > most) {
            most = needs;
            most_id = case_id;
        }
    }
    if (result->recommendation_count)
        pyr_buf_puts(&text, result->recommendations[0]);
    if (most) {
        pyr_buf_printf(&text,
                       "%s%llu more requests in %s would bound its p99 (--requests, "
                       "--duration)",
                       text.length ? "; " : "", (unsigned long long)most, most_id);
    }
    put_line(answer, PYR_STYLE_BOLD, "Next", &text);
}

void pyr_answer_make(struct pyr_arena *arena, const struct pyr_result *result,
                     const struct pyr_report_meta *meta, struct pyr_answer *told) {
    const struct answer answer = {told, arena, result, meta};
    told->count = 0;
    put_measured(&answer);
    put_trust(&answer);
    put_one_user(&answer);
    put_load(&answer);
    put_capacity(&answer);
    put_own_suites(&answer);
    put_memory(&answer);
    put_goals(&answer);
    put_next(&answer);
}

void pyr_answer_put(const struct pyr_paper *paper, struct pyr_arena *arena,
                    const struct pyr_result *result, const struct pyr_report_meta *meta) {
    struct pyr_answer told;
    pyr_answer_make(arena, result, meta, &told);
    if (!result->suite_count)
        pyr_buf_puts(paper->out, "Nothing was measured.\n");
    for (size_t i = 0; i < told.count; i++) {
        const struct pyr_answer_line *line = &told.lines[i];
        char mark[16];
        bool warning = strcmp(line->name, "!") == 0;
        snprintf(mark, sizeof mark, "%*s ", warning ? 9 : -9, line->name);
        pyr_paper_wrap(paper, line->style, mark, line->text);
    }
}
