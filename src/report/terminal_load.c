/* SPDX-License-Identifier: MIT */
#include "report/terminal_load.h"

#include "report/figures.h"
#include "stats/capacity.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where the table goes and what its texts live in. */
struct sheet {
    const struct pyr_paper *paper;
    struct pyr_arena *arena;
    const char *plus_minus;
};

static const char *unit_text(const struct sheet *sheet, struct pyr_scale scale) {
    return !sheet->paper->ascii && strcmp(scale.unit, "us") == 0 ? "\u00b5s" : scale.unit;
}

static struct pyr_cell text_cell(const char *text, enum pyr_style style) {
    return (struct pyr_cell){text ? text : "-", NULL, text ? style : PYR_STYLE_DIM};
}

static const char *kept(const struct sheet *sheet, struct pyr_buf *buf) {
    char *text = pyr_arena_strndup(sheet->arena, pyr_buf_text(buf), buf->length);
    pyr_buf_deinit(buf);
    return text;
}

static struct pyr_cell estimate_cell(const struct sheet *sheet, const struct pyr_estimate *at,
                                     struct pyr_scale scale) {
    struct pyr_buf full = {0}, brief = {0};
    if (!pyr_estimate_is_known(at))
        return text_cell(NULL, PYR_STYLE_PLAIN);
    pyr_put_interval(&full, at, scale);
    pyr_put_compact(&brief, at, scale, sheet->plus_minus);
    return (struct pyr_cell){kept(sheet, &full), kept(sheet, &brief), PYR_STYLE_PLAIN};
}

static struct pyr_cell number_cell(const struct sheet *sheet, double value,
                                   struct pyr_scale scale) {
    struct pyr_buf text = {0};
    if (isnan(value))
        return text_cell(NULL, PYR_STYLE_PLAIN);
    pyr_put_number(&text, value * scale.factor);
    return text_cell(kept(sheet, &text), PYR_STYLE_PLAIN);
}

static void put_line(const struct sheet *sheet, enum pyr_style style, const char *mark,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

static void put_line(const struct sheet *sheet, enum pyr_style style, const char *mark,
                     const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pyr_paper_wrap(sheet->paper, style, mark, text);
}

/* --- levels ---------------------------------------------------------------------------------- */

bool pyr_terminal_is_levels(const struct pyr_suite_result *suite) {
    for (size_t i = 0; i < suite->case_count; i++)
        if (!pyr_case_is_level(suite->cases[i].plan))
            return false;
    return suite->case_count > 0;
}

static const struct pyr_figure level_figures[] = {
    {PYR_M_REQUEST_THROUGHPUT, PYR_M_REQUEST_THROUGHPUT, PYR_FIGURE_VALUE, "requests"},
    {PYR_M_GOODPUT, PYR_M_GOODPUT, PYR_FIGURE_VALUE, "goodput"},
    {PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_FIGURE_VALUE, "output"},
    {PYR_M_TTFT_SENT, PYR_M_TTFT_SCHED, PYR_Q_P50, "TTFT p50"},
    {PYR_M_TTFT_SENT, PYR_M_TTFT_SCHED, PYR_Q_P95, "TTFT p95"},
    {PYR_M_LATENCY_SENT, PYR_M_LATENCY_SCHED, PYR_Q_P50, "latency p50"},
    {PYR_M_LATENCY_SENT, PYR_M_LATENCY_SCHED, PYR_Q_P95, "latency p95"},
};
enum { LEVEL_FIGURES = sizeof level_figures / sizeof *level_figures, LEVEL_FIXED = 2 };

static struct pyr_scale scale_over_levels(const struct pyr_stress_result *stress,
                                          const struct pyr_figure *figure) {
    double largest = 0;
    for (size_t i = 0; i < stress->level_count; i++) {
        struct pyr_estimate at = pyr_figure_of(stress->levels[i].pooled, figure);
        largest = fmax(largest, isnan(at.value) ? 0 : at.value);
    }
    return pyr_scale_for(pyr_metric_info(figure->closed)->unit, largest);
}

static enum pyr_style verdict_style(enum pyr_level_verdict verdict) {
    return verdict == PYR_LEVEL_PASSED   ? PYR_STYLE_GOOD
           : verdict == PYR_LEVEL_FAILED ? PYR_STYLE_BAD
                                         : PYR_STYLE_WARN;
}

static void put_level_table(const struct sheet *sheet, const struct pyr_stress_result *stress) {
    pyr_buf_putc(sheet->paper->out, '\n');
    pyr_paper_wrap(sheet->paper, PYR_STYLE_BOLD, "Levels  ",
                   stress->open_loop ? "requests offered a second (open loop, times from the "
                                       "schedule)"
                                     : "requests in flight (closed loop, times from the sending)");
    enum { COLUMNS = LEVEL_FIXED + LEVEL_FIGURES };
    struct pyr_column columns[COLUMNS] = {{stress->open_loop ? "offered/s" : "in flight", "", true},
                                          {"", "", true}};
    struct pyr_scale scales[LEVEL_FIGURES];
    struct pyr_cell *cells =
        pyr_arena_array(sheet->arena, stress->level_count * COLUMNS, sizeof *cells);
    for (size_t j = 0; j < LEVEL_FIGURES; j++) {
        scales[j] = scale_over_levels(stress, &level_figures[j]);
        columns[LEVEL_FIXED + j] =
            (struct pyr_column){level_figures[j].header, unit_text(sheet, scales[j]), false};
    }
    for (size_t i = 0; i < stress->level_count; i++) {
        const struct pyr_level *level = &stress->levels[i];
        struct pyr_cell *row = &cells[i * COLUMNS];
        const char *load = pyr_arena_printf(sheet->arena, "%g", level->load);
        if (level->pooled_tries > 1)
            load = pyr_arena_printf(sheet->arena, "%s (%zu tries)", load, level->pooled_tries);
        row[0] = text_cell(load, PYR_STYLE_PLAIN);
        row[1] = text_cell(pyr_level_verdict_name(level->verdict), verdict_style(level->verdict));
        for (size_t j = 0; j < LEVEL_FIGURES; j++) {
            struct pyr_estimate at = pyr_figure_of(level->pooled, &level_figures[j]);
            row[LEVEL_FIXED + j] = estimate_cell(sheet, &at, scales[j]);
        }
    }
    pyr_paper_table(sheet->paper,
                    &(struct pyr_table){columns, cells, COLUMNS, stress->level_count});
}

/* Why each level that did not pass did not, and what ended one early. */
static void put_level_reasons(const struct sheet *sheet, const struct pyr_stress_result *stress) {
    for (size_t i = 0; i < stress->level_count; i++) {
        const struct pyr_level *level = &stress->levels[i];
        if (level->verdict == PYR_LEVEL_PASSED)
            continue;
        const char *mark = pyr_arena_printf(sheet->arena, "  %g  ", level->load);
        const char *why = level->evidence;
        const char *again = level->tries > 1 ? ", tried more than once" : "";
        if (level->load < stress->max_sustainable_load)
            put_line(sheet, PYR_STYLE_DIM, mark,
                     "undecided alone, by %s (%.3g s%s); %g held, which is more", why,
                     level->one->whole_s, again, stress->max_sustainable_load);
        else
            put_line(sheet, verdict_style(level->verdict), mark, "%s%s (%.3g s%s)",
                     level->verdict == PYR_LEVEL_FAILED ? "" : "undecided: ", why,
                     level->one->whole_s, again);
    }
}

void pyr_terminal_levels(const struct pyr_paper *paper, struct pyr_arena *arena,
                         const struct pyr_result *result, const char *plus_minus) {
    const struct pyr_stress_result *stress = result->stress;
    struct sheet sheet = {paper, arena, plus_minus};
    struct pyr_buf text = {0};
    if (!stress)
        return;
    if (stress->level_count)
        put_level_table(&sheet, stress);
    put_level_reasons(&sheet, stress);
    const char *unit = stress->open_loop ? "requests/s" : "requests at once";
    bool passed = !isnan(stress->max_sustainable_load), failed = !isnan(stress->first_failing_load);
    if (!passed && !failed)
        pyr_buf_puts(&text, "unknown: no level could be decided; give it a longer --level-time");
    else if (!passed)
        pyr_buf_puts(&text, "none of the loads tried");
    else
        pyr_buf_printf(&text, "%g %s", stress->max_sustainable_load, unit);
    if (failed)
        pyr_buf_printf(&text, "; %g failed", stress->first_failing_load);
    if (stress->failed_by)
        pyr_buf_printf(&text, ": %s", stress->failed_by);
    bool between = false;
    for (size_t i = 0; i < stress->level_count; i++)
        between |= stress->levels[i].verdict == PYR_LEVEL_UNDECIDED &&
                   !(stress->levels[i].load < stress->max_sustainable_load) &&
                   !(stress->levels[i].load > stress->first_failing_load);
    if (between && (passed || failed))
        pyr_buf_puts(&text, "; what lies between is undecided: a longer --level-time may decide");
    pyr_buf_putc(paper->out, '\n');
    pyr_paper_wrap(paper, PYR_STYLE_BOLD, "Sustainable load  ", pyr_buf_text(&text));
    pyr_buf_deinit(&text);
}

/* --- phases ---------------------------------------------------------------------------------- */

/* The parts of a pattern; where all users started at once, that first wave beside the whole. */
static bool is_shown(const struct pyr_case_result *one, const struct pyr_phase_result *phase) {
    bool wave = one->first_wave && strcmp(one->plan->suite, "stress") != 0 &&
                (phase == one->first_wave || strcmp(phase->name, "measured") == 0);
    return phase->of_pattern || wave;
}

static void put_phases(const struct sheet *sheet, const struct pyr_case_result *one) {
    enum { COLUMNS = 8 };
    bool open = one->plan->open_loop;
    struct pyr_scale plain = {1, ""}, ms = {1e-6, "ms"};
    struct pyr_column columns[COLUMNS] = {
        {"phase", "", true},
        {"length", "s", false},
        {"asked", open ? "/s" : "users", false},
        {open ? "sent" : "achieved", open ? "/s" : "in flight", false},
        {"ok", "/s", false},
        {"failed", "", false},
        {"TTFT p50", "ms", false},
        {"latency p50", "ms", false},
    };
    struct pyr_cell *cells =
        pyr_arena_array(sheet->arena, one->phase_count * COLUMNS, sizeof *cells);
    size_t rows = 0;
    for (size_t i = 0; i < one->phase_count; i++) {
        const struct pyr_phase_result *phase = &one->phases[i];
        if (!is_shown(one, phase))
            continue;
        struct pyr_cell *row = &cells[rows++ * COLUMNS];
        double sent = (double)phase->requests / phase->seconds;
        row[0] = text_cell(phase->name, PYR_STYLE_PLAIN);
        row[1] = number_cell(sheet, phase->seconds, plain);
        row[2] = number_cell(sheet, open ? phase->asked_rate : phase->asked_concurrency, plain);
        row[3] = number_cell(sheet, open ? sent : phase->in_flight, plain);
        row[4] = number_cell(sheet, phase->rate, plain);
        row[5] = number_cell(sheet, (double)(phase->requests - phase->ok), plain);
        row[6] = number_cell(sheet, phase->ttft_p50_ns, ms);
        row[7] = number_cell(sheet, phase->latency_p50_ns, ms);
    }
    if (rows == 0)
        return;
    pyr_buf_putc(sheet->paper->out, '\n');
    pyr_paper_table(sheet->paper, &(struct pyr_table){columns, cells, COLUMNS, rows});
}

/* --- turns ----------------------------------------------------------------------------------- */

static void put_turns(const struct sheet *sheet, const struct pyr_case_result *one,
                      const char *id) {
    enum { COLUMNS = 7 };
    if (!one->turn_count)
        return;
    double largest = 0;
    for (size_t i = 0; i < one->turn_count; i++)
        largest = fmax(largest, one->turns[i].ttft_p50_ns.value);
    struct pyr_scale time = pyr_scale_for(PYR_UNIT_NS, largest), plain = {1, ""};
    const char *unit = unit_text(sheet, time);
    struct pyr_column columns[COLUMNS] = {
        {pyr_arena_printf(sheet->arena, "%s, turn", id), "", true},
        {"ok", "", false},
        {"prompt", "tok", false},
        {"output", "tok", false},
        {"TTFT p50", unit, false},
        {"TTFT p90", unit, false},
        {"latency p50", unit, false},
    };
    struct pyr_cell *cells =
        pyr_arena_array(sheet->arena, one->turn_count * COLUMNS, sizeof *cells);
    for (size_t i = 0; i < one->turn_count; i++) {
        const struct pyr_turn_result *turn = &one->turns[i];
        struct pyr_cell *row = &cells[i * COLUMNS];
        row[0] = text_cell(pyr_arena_printf(sheet->arena, "%u%s", turn->turn + 1,
                                            turn->and_later ? " and later" : ""),
                           PYR_STYLE_PLAIN);
        row[1] = text_cell(
            turn->ok == turn->requests
                ? pyr_arena_printf(sheet->arena, "%llu", (unsigned long long)turn->ok)
                : pyr_arena_printf(sheet->arena, "%llu/%llu", (unsigned long long)turn->ok,
                                   (unsigned long long)turn->requests),
            turn->ok == turn->requests ? PYR_STYLE_PLAIN : PYR_STYLE_WARN);
        row[2] = number_cell(sheet, turn->prompt_tokens, plain);
        row[3] = number_cell(sheet, turn->output_tokens, plain);
        row[4] = estimate_cell(sheet, &turn->ttft_p50_ns, time);
        row[5] = estimate_cell(sheet, &turn->ttft_p90_ns, time);
        row[6] = estimate_cell(sheet, &turn->latency_p50_ns, time);
    }
    pyr_buf_putc(sheet->paper->out, '\n');
    pyr_paper_table(sheet->paper, &(struct pyr_table){columns, cells, COLUMNS, one->turn_count});
}

/* --- drift and punctuality ------------------------------------------------------------------- */

static const char *drift_text(const struct sheet *sheet, const char *name,
                              const struct pyr_estimate *slope, double factor, const char *unit) {
    if (!pyr_estimate_is_bounded(slope))
        return pyr_arena_printf(sheet->arena, "%s unknown (%s)", name,
                                slope->reason ? slope->reason : "no interval");
    return pyr_arena_printf(sheet->arena, "%s %+.3g [%+.3g, %+.3g] %s/h: %s", name,
                            slope->value * factor, slope->lo * factor, slope->hi * factor, unit,
                            slope->lo > 0   ? "rises"
                            : slope->hi < 0 ? "falls"
                                            : "no trend");
}

static const char *memory_drift(const struct sheet *sheet, const struct pyr_estimate *slope) {
    bool large = fabs(slope->value) >= 1e10; /* a short run tells a leak far beyond its own size */
    return drift_text(sheet, "memory", slope, large ? 1e-9 : 1e-6, large ? "GB" : "MB");
}

static void put_drift(const struct sheet *sheet, const struct pyr_case_result *one) {
    const struct pyr_drift_result *drift = one->drift;
    if (!drift)
        return;
    bool rises = drift->rss_bytes_per_h.lo > 0 || drift->latency_ns_per_h.lo > 0;
    put_line(sheet, rises ? PYR_STYLE_WARN : PYR_STYLE_PLAIN, rises ? "  ! " : "  ",
             "drift over %.3g s: %s; %s; %s", drift->seconds,
             memory_drift(sheet, &drift->rss_bytes_per_h),
             drift_text(sheet, "latency", &drift->latency_ns_per_h, 1e-6, "ms"),
             drift_text(sheet, "TTFT", &drift->ttft_ns_per_h, 1e-6, "ms"));
}

static void put_time(struct pyr_buf *text, const struct sheet *sheet, double ns) {
    struct pyr_scale scale = pyr_scale_for(PYR_UNIT_NS, ns);
    pyr_put_number(text, ns * scale.factor);
    pyr_buf_printf(text, " %s", unit_text(sheet, scale));
}

/* How late requests of an open loop went out where a slot was free, and which part of the latency
 * is waiting for a slot of ours. */
static void put_punctuality(const struct sheet *sheet, const struct pyr_case_result *one,
                            const char *id) {
    const struct pyr_metric_result *late = pyr_case_metric(one, PYR_M_PACING_LATENESS);
    if (!one->plan->open_loop || !late || late->n == 0 || one->plan->simulated)
        return;
    struct pyr_buf text = {0};
    pyr_buf_printf(&text, "%s: sent after the schedule by p50 ", id);
    put_time(&text, sheet, late->quantile[PYR_Q_P50].value);
    if (!isnan(late->quantile[PYR_Q_P99].value)) {
        pyr_buf_puts(&text, ", p99 ");
        put_time(&text, sheet, late->quantile[PYR_Q_P99].value);
    }
    pyr_buf_puts(&text, ", at most ");
    put_time(&text, sheet, late->max);
    pyr_paper_wrap(sheet->paper, PYR_STYLE_PLAIN, "  ", pyr_buf_text(&text));
    pyr_buf_deinit(&text);
}

void pyr_terminal_load_parts(const struct pyr_paper *paper, struct pyr_arena *arena,
                             const struct pyr_suite_result *suite, const char *plus_minus) {
    struct sheet sheet = {paper, arena, plus_minus};
    bool levels = pyr_terminal_is_levels(suite);
    for (size_t i = 0; i < suite->case_count && !levels; i++) {
        const struct pyr_case_result *one = &suite->cases[i];
        put_phases(&sheet, one);
        put_turns(&sheet, one, pyr_case_short_id(suite, one));
        put_drift(&sheet, one);
        put_punctuality(&sheet, one, pyr_case_short_id(suite, one));
    }
}
