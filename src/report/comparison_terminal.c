/* SPDX-License-Identifier: MIT */
#include "report/comparison.h"

#include "codec/escape.h"
#include "report/figures.h"
#include "report/json_text.h"
#include "report/meta.h"
#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Shown to people: what is gated, and of what did not change a few. Where nothing is gated, all. */
enum { UNCHANGED_SHOWN = 6 };

static bool is_shown(const struct pyr_comparison *comparison,
                     const struct pyr_compared_metric *metric, size_t *unchanged) {
    if (!metric->gated)
        return comparison->gated_count == 0;
    return metric->judgement.verdict != PYR_UNCHANGED || (*unchanged)++ < UNCHANGED_SHOWN;
}

static size_t count_moved(const struct pyr_comparison *comparison) {
    size_t moved = 0;
    for (size_t i = comparison->gated_count; i < comparison->metric_count; i++)
        moved += comparison->metrics[i].judgement.verdict == PYR_REGRESSED ||
                 comparison->metrics[i].judgement.verdict == PYR_IMPROVED;
    return moved;
}

/* A rate's name has its unit. */
static const char *brief_side(struct pyr_arena *arena, const struct pyr_compared_metric *metric,
                              const char *full) {
    enum pyr_unit unit = pyr_metric_info(metric->metric)->unit;
    bool rate = unit == PYR_UNIT_TOKENS_PER_S || unit == PYR_UNIT_PER_S;
    return rate ? pyr_arena_strndup(arena, full, strcspn(full, " ")) : full;
}

/* "TTFT (from sent)" without what stands in brackets. */
static void put_brief_name(struct pyr_buf *buf, const struct pyr_compared_metric *metric) {
    const char *label = pyr_metric_info(metric->metric)->label;
    const char *bracket = strstr(label, " (");
    pyr_buf_printf(buf, "%.*s", (int)(bracket ? bracket - label : (long)strlen(label)), label);
    if (strcmp(metric->statistic, "value") != 0)
        pyr_buf_printf(buf, " %s", metric->statistic);
}

static void put_side_line(struct pyr_buf *buf, const struct pyr_comparison *comparison,
                          const char *label, const struct pyr_comparison_side *side) {
    char when[32];
    pyr_report_iso_time(side->time_unix_s, when, sizeof when);
    pyr_buf_printf(buf, "%s: %s", label, side->name);
    if (comparison->kind != PYR_COMPARED_PAIRS)
        pyr_buf_printf(buf, ", %zu run%s", side->runs, side->runs == 1 ? "" : "s");
    if (side->revision)
        pyr_buf_printf(buf, ", revision %s", side->revision);
    if (side->engine)
        pyr_buf_printf(buf, ", %s", side->engine);
    if (*when)
        pyr_buf_printf(buf, ", %s", when);
}

/* The smallest worsening that the weakest and the strongest of the gated metrics could have shown.
 */
static void put_power(struct pyr_buf *buf, const struct pyr_comparison *comparison) {
    double least = (double)INFINITY, most = 0;
    for (size_t i = 0; i < comparison->gated_count; i++) {
        double one = comparison->metrics[i].judgement.least_detectable;
        if (comparison->metrics[i].metric == PYR_M_ERROR_RATE || isnan(one))
            continue;
        least = fmin(least, one);
        most = fmax(most, one);
    }
    if (most <= 0)
        return;
    pyr_buf_printf(buf,
                   "smallest slowdown that would have been found in 8 of 10 such comparisons: "
                   "%.1f %%",
                   100 * least);
    if (most > least * 1.01)
        pyr_buf_printf(buf, " to %.1f %%, by metric", 100 * most);
}

static void put_floor(struct pyr_buf *buf, const struct pyr_comparison *comparison) {
    const struct pyr_noise_floor *floor = &comparison->noise_floor;
    if (isnan(floor->ratio))
        pyr_buf_puts(buf, "noise floor of this machine: not measured (--ab measures it)");
    else if (1.5 * floor->ratio > comparison->threshold)
        pyr_buf_printf(buf,
                       "noise floor of this machine: %.2f %% (%s); it raises the gate from %.1f %% "
                       "to as much as %.1f %%",
                       100 * floor->ratio, floor->source, 100 * comparison->threshold,
                       150 * floor->ratio);
    else
        pyr_buf_printf(buf, "noise floor of this machine: %.2f %% (%s); the gate stays at %.1f %%",
                       100 * floor->ratio, floor->source, 100 * comparison->threshold);
    if (comparison->noise_biased)
        pyr_buf_puts(buf, "; it leaned to one side");
}

/* --- terminal ------------------------------------------------------------------------------------
 */

static enum pyr_style style_of(enum pyr_verdict verdict) {
    switch (verdict) {
    case PYR_REGRESSED:
        return PYR_STYLE_BAD;
    case PYR_IMPROVED:
        return PYR_STYLE_GOOD;
    case PYR_INCONCLUSIVE:
    case PYR_INCOMPARABLE:
        return PYR_STYLE_WARN;
    case PYR_UNCHANGED:
        break;
    }
    return PYR_STYLE_PLAIN;
}

static const char *keep_clean(struct pyr_arena *arena, struct pyr_buf *buf, bool ascii) {
    struct pyr_buf clean = {0};
    pyr_text_clean(&clean, pyr_buf_text(buf), ascii);
    const char *text = pyr_arena_strdup(arena, pyr_buf_text(&clean));
    pyr_buf_deinit(&clean);
    pyr_buf_clear(buf);
    return text;
}

enum { COLUMNS = 5 };

/* Side by side and not judged, the verdict's column would say one word over and over. */
static void put_rows(const struct pyr_paper *paper, struct pyr_arena *arena,
                     const struct pyr_column *columns, const struct pyr_cell *cells, size_t rows,
                     bool without_verdict) {
    size_t shown = without_verdict ? COLUMNS - 1 : COLUMNS;
    struct pyr_cell *kept = pyr_arena_array(arena, rows * shown, sizeof *kept);
    for (size_t i = 0; i < rows; i++)
        memcpy(kept + i * shown, cells + i * COLUMNS, shown * sizeof *kept);
    const struct pyr_table table = {columns, kept, shown, rows};
    pyr_paper_table(paper, &table);
}

static void put_table(const struct pyr_paper *paper, const struct pyr_comparison *comparison) {
    static const struct pyr_column columns[COLUMNS] = {{"metric", "", true},
                                                       {"baseline", "", false},
                                                       {"current", "", false},
                                                       {"change in %", "", false},
                                                       {"verdict", "", true}};
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_cell *cells =
        pyr_arena_array(arena, comparison->metric_count * COLUMNS, sizeof *cells);
    struct pyr_buf buf = {0};
    size_t rows = 0, unchanged = 0;
    for (size_t i = 0; i < comparison->metric_count; i++) {
        const struct pyr_compared_metric *metric = &comparison->metrics[i];
        if (!is_shown(comparison, metric, &unchanged))
            continue;
        struct pyr_cell *row = &cells[rows++ * COLUMNS];
        pyr_buf_printf(&buf, "%s %s ", metric->suite, metric->case_id);
        pyr_comparison_put_name(&buf, metric);
        row[0].full = keep_clean(arena, &buf, paper->ascii);
        pyr_buf_printf(&buf, "%s ", metric->case_id);
        put_brief_name(&buf, metric);
        row[0].brief = keep_clean(arena, &buf, paper->ascii);
        pyr_comparison_put_side(&buf, metric, &metric->baseline);
        row[1].full = keep_clean(arena, &buf, paper->ascii);
        row[1].brief = brief_side(arena, metric, row[1].full);
        pyr_comparison_put_side(&buf, metric, &metric->current);
        row[2].full = keep_clean(arena, &buf, paper->ascii);
        row[2].brief = brief_side(arena, metric, row[2].full);
        pyr_comparison_put_change(&buf, metric);
        row[3].full = keep_clean(arena, &buf, paper->ascii);
        if (!isnan(metric->ratio.value) && pyr_estimate_is_bounded(&metric->ratio))
            pyr_buf_printf(&buf, "%+.*f [%+.*f, %+.*f]", pyr_comparison_digits(&metric->ratio),
                           100 * (metric->ratio.value - 1), pyr_comparison_digits(&metric->ratio),
                           100 * (metric->ratio.lo - 1), pyr_comparison_digits(&metric->ratio),
                           100 * (metric->ratio.hi - 1));
        else if (strstr(row[3].full, "[?, ?]"))
            pyr_buf_printf(&buf, "%.*s", (int)strcspn(row[3].full, " "), row[3].full);
        row[3].brief = buf.length ? keep_clean(arena, &buf, paper->ascii) : NULL;
        pyr_buf_printf(&buf, "%s%s", pyr_verdict_name(metric->judgement.verdict),
                       metric->gated ? "" : " (not gated)");
        row[4] = (struct pyr_cell){.full = keep_clean(arena, &buf, paper->ascii),
                                   .brief = pyr_verdict_name(metric->judgement.verdict),
                                   .style = style_of(metric->judgement.verdict)};
    }
    if (rows)
        put_rows(paper, arena, columns, cells, rows, comparison->verdict == PYR_INCOMPARABLE);
    if (unchanged > UNCHANGED_SHOWN) {
        pyr_buf_printf(&buf, "and %zu more unchanged", unchanged - UNCHANGED_SHOWN);
        pyr_paper_wrap(paper, PYR_STYLE_DIM, "  ", pyr_buf_text(&buf));
        pyr_buf_clear(&buf);
    }
    size_t moved = count_moved(comparison);
    if (moved && comparison->gated_count) {
        pyr_buf_printf(&buf, "%zu not gated moved beyond the threshold too (--format md shows all)",
                       moved);
        pyr_paper_wrap(paper, PYR_STYLE_DIM, "  ", pyr_buf_text(&buf));
    }
    pyr_buf_deinit(&buf);
    pyr_arena_destroy(arena);
}

static void put_list(const struct pyr_paper *paper, const char *mark, const char *what,
                     const char *const *names, size_t count) {
    enum { SHOWN = 5 };
    if (count == 0)
        return;
    struct pyr_buf buf = {0};
    pyr_buf_puts(&buf, what);
    for (size_t i = 0; i < count && i < SHOWN; i++)
        pyr_buf_printf(&buf, "%s%s", i ? ", " : " ", names[i]);
    if (count > SHOWN)
        pyr_buf_printf(&buf, " and %zu more", count - SHOWN);
    pyr_paper_wrap(paper, PYR_STYLE_DIM, mark, pyr_buf_text(&buf));
    pyr_buf_deinit(&buf);
}

static void wrap_and_clear(const struct pyr_paper *paper, enum pyr_style style, const char *mark,
                           struct pyr_buf *buf) {
    if (buf->length)
        pyr_paper_wrap(paper, style, mark, pyr_buf_text(buf));
    pyr_buf_clear(buf);
}

void pyr_comparison_terminal(const struct pyr_comparison *comparison,
                             const struct pyr_report_options *options, struct pyr_buf *out) {
    unsigned width = options->width ? options->width : 80;
    const struct pyr_paper paper = {out, width < 60 ? 60 : width, options->color, options->ascii};
    struct pyr_buf buf = {0};
    pyr_paper_wrap(&paper, style_of(comparison->verdict), "", comparison->summary);
    for (size_t i = 0; i < comparison->warning_count; i++)
        pyr_paper_wrap(&paper, PYR_STYLE_WARN, "  ! ", comparison->warnings[i]);
    for (size_t i = 0; i < comparison->part_count; i++) {
        const struct pyr_compared_part *part = &comparison->parts[i];
        if (part->warning)
            continue;
        pyr_buf_printf(&buf, "differs: %s: %s, now %s", part->part,
                       part->baseline ? part->baseline : "unknown",
                       part->current ? part->current : "unknown");
        wrap_and_clear(&paper, PYR_STYLE_WARN, "  ! ", &buf);
    }
    pyr_buf_putc(out, '\n');
    put_table(&paper, comparison);
    pyr_buf_putc(out, '\n');
    put_side_line(&buf, comparison, "baseline", &comparison->baseline);
    wrap_and_clear(&paper, PYR_STYLE_DIM, "  ", &buf);
    put_side_line(&buf, comparison, "current", &comparison->current);
    wrap_and_clear(&paper, PYR_STYLE_DIM, "  ", &buf);
    if (comparison->kind == PYR_COMPARED_PAIRS)
        pyr_buf_printf(&buf, "%zu pairs in random order (seed %llu), blocks of %llu",
                       comparison->pairs, (unsigned long long)comparison->order_seed,
                       (unsigned long long)comparison->block_size);
    if (comparison->pairs_dropped)
        pyr_buf_printf(&buf, "; %zu more dropped", comparison->pairs_dropped);
    wrap_and_clear(&paper, PYR_STYLE_DIM, "  ", &buf);
    if (comparison->verdict != PYR_INCOMPARABLE) {
        put_floor(&buf, comparison);
        wrap_and_clear(&paper, PYR_STYLE_DIM, "  ", &buf);
        put_power(&buf, comparison);
        wrap_and_clear(&paper, PYR_STYLE_DIM, "  ", &buf);
    }
    put_list(&paper, "  ", "only in the baseline:", comparison->only_baseline,
             comparison->only_baseline_count);
    put_list(&paper, "  ", "only in the current:", comparison->only_current,
             comparison->only_current_count);
    if (comparison->more)
        pyr_paper_wrap(&paper, PYR_STYLE_PLAIN, "  next: ", comparison->more);
    pyr_buf_deinit(&buf);
}
