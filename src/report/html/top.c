/* SPDX-License-Identifier: MIT */
#include "report/html/top.h"

#include "report/answer.h"
#include "report/figures.h"
#include "report/html/parts.h"

#include <math.h>
#include <string.h>

void pyr_html_case_name(struct pyr_buf *out, const char *open, const struct pyr_suite_result *suite,
                        const struct pyr_case_result *result, const char *close) {
    struct pyr_buf name = {0};
    pyr_put_case_name(&name, suite, result);
    pyr_html_element(out, open, pyr_buf_text(&name), close);
    pyr_buf_deinit(&name);
}

/* --- what was measured ----------------------------------------------------------------------- */

static void put_title(struct pyr_buf *out, const struct pyr_report_meta *meta) {
    const char *name = meta->name ? meta->name : meta->spec ? meta->spec : "an unknown target";
    double cores = pyr_report_meta_number(meta->system_info, "cpu_count");
    char when[32];
    struct pyr_buf title = {0};
    pyr_buf_printf(&title, "Pyrometer: %s", name);
    pyr_html_page_begin(out, pyr_buf_text(&title));
    pyr_buf_deinit(&title);
    pyr_report_iso_time(meta->started_unix_s, when, sizeof when);
    pyr_html_element(out, "<header><p class=\"dim\">Pyrometer " PYR_VERSION " ", when, "</p>");
    pyr_html_element(out, "<h1>", name, "</h1><p>");
    if (meta->engine)
        pyr_html_element(out, "", meta->engine, "");
    if (meta->kind && strcmp(meta->kind, "worker") == 0)
        pyr_buf_puts(out, " in a worker process");
    if (meta->threads > 0)
        pyr_buf_printf(out, ", %.0f thread%s", meta->threads, meta->threads == 1 ? "" : "s");
    if (cores > 0)
        pyr_buf_printf(out, ", %.0f core%s", cores, cores == 1 ? "" : "s");
    if (meta->cpu_model)
        pyr_html_element(out, " of ", meta->cpu_model, "");
    pyr_buf_puts(out, "</p>");
    if (meta->description)
        pyr_html_element(out, "<p class=\"dim\">", meta->description, "</p>");
    if (meta->note)
        pyr_html_element(out, "<p>The model was ", meta->note, ".</p>");
    if (meta->notes && *meta->notes)
        pyr_html_element(out, "<p>", meta->notes, "</p>");
    pyr_buf_puts(out, "</header>");
}

/* In the words of the terminal's first screen. */
static void put_answer(struct pyr_buf *out, const struct pyr_result *result,
                       const struct pyr_report_meta *meta) {
    static const char *const classes[] = {
        [PYR_STYLE_PLAIN] = "",    [PYR_STYLE_BOLD] = "",     [PYR_STYLE_DIM] = "",
        [PYR_STYLE_GOOD] = "good", [PYR_STYLE_WARN] = "warn", [PYR_STYLE_BAD] = "bad"};
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_answer told;
    pyr_answer_make(arena, result, meta, &told);
    pyr_buf_puts(out, told.count ? "<section aria-label=\"Answer\"><dl>" : "");
    for (size_t i = 0; i < told.count; i++) {
        pyr_buf_printf(out, "<dt class=\"%s\">", classes[told.lines[i].style]);
        pyr_html_element(out, "", told.lines[i].name, "</dt>");
        pyr_html_element(out, "<dd>", told.lines[i].text, "</dd>");
    }
    pyr_buf_puts(out, told.count ? "</dl></section>" : "");
    pyr_arena_destroy(arena);
}

/* --- can it be trusted ----------------------------------------------------------------------- */

/* Everything that deserves a warning: those of the run, and of single cases. */
static size_t count_warnings(const struct pyr_result *result) {
    size_t count = result->warning_count;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *one = &result->suites[i].cases[j];
            bool unsteady = one->total && one->steadiness == PYR_NEVER_STEADY;
            count += one->warning_count ? 1 : unsteady || one->serialises;
        }
    return count;
}

static uint64_t count_requests(const struct pyr_result *result, uint64_t *ok) {
    uint64_t total = 0;
    *ok = 0;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            total += result->suites[i].cases[j].total;
            *ok += result->suites[i].cases[j].ok;
        }
    return total;
}

/* What the instrument itself adds, where that was measured in this run. */
static void put_own_error(struct pyr_buf *out, const struct pyr_result *result) {
    bool any = false;
    for (size_t i = 0; i < result->instrument_count; i++) {
        const struct pyr_metric_result *row = &result->instrument[i];
        struct pyr_estimate at = pyr_metric_headline(row);
        if ((row->metric != PYR_M_TTFT_ERROR && row->metric != PYR_M_ITL_ERROR) ||
            !pyr_estimate_is_known(&at))
            continue;
        struct pyr_scale scale = pyr_scale_for(pyr_metric_info(row->metric)->unit, at.value);
        pyr_buf_printf(out, "%s%s ",
                       any ? ", " : "<p>Our own error here: ", pyr_metric_info(row->metric)->label);
        pyr_put_number(out, at.value * scale.factor);
        pyr_buf_printf(out, " %s", pyr_html_unit(scale.unit));
        any = true;
    }
    pyr_buf_puts(out, any ? " at the median.</p>" : "");
    if (result->noise_floor)
        pyr_buf_printf(out, "<p>Noise floor of the machine: %.1f %%.</p>",
                       100 * result->noise_floor->ratio);
}

static void put_trust(struct pyr_buf *out, const struct pyr_result *result) {
    static const char question[] = "Can it be trusted?";
    size_t warnings = count_warnings(result);
    uint64_t ok, total = count_requests(result, &ok);
    if (result->simulated)
        pyr_html_card(out, "bad", question, "Simulated",
                      "The target follows a set law and no model ran: these figures test this "
                      "program and say nothing about any engine or machine.");
    else if (result->invalid)
        pyr_html_card(out, "bad", question, "No", result->invalid);
    else if (!result->suite_count)
        pyr_html_card(out, "bad", question, "Nothing was measured", NULL);
    else if (total && !ok)
        pyr_html_card(out, "bad", question, "No", "Every request failed, so nothing was timed.");
    else if (result->partial)
        pyr_html_card(out, "bad", question, "Only a part", NULL);
    else if (warnings)
        pyr_html_card(out, "warn", question, "With care",
                      result->warning_count ? result->warnings[0]
                                            : "Some cases have warnings of their own.");
    else
        pyr_html_card(out, "good", question, "Yes",
                      "No warning: the run was whole, and its figures carry their intervals.");
    if (result->partial)
        pyr_html_element(out, "<p><b>Partial:</b> ", result->partial, "</p>");
    put_own_error(out, result);
    if (warnings)
        pyr_buf_printf(out, "<p class=\"dim\">%zu warning%s, below.</p>", warnings,
                       warnings == 1 ? "" : "s");
    pyr_buf_puts(out, "</div>");
}

/* --- what came out --------------------------------------------------------------------------- */

static const struct {
    const char *level, *sign;
} marks[] = {[PYR_GOAL_MET] = {"good", "\u2713"},
             [PYR_GOAL_MISSED] = {"bad", "\u2717"},
             [PYR_GOAL_UNDECIDED] = {"warn", "?"},
             [PYR_GOAL_UNKNOWN] = {"dim", "-"}};

static void put_load(struct pyr_buf *out, const struct pyr_stress_result *stress) {
    const char *unit = stress->open_loop ? "requests/s" : "requests at once";
    struct pyr_buf said = {0};
    if (isnan(stress->max_sustainable_load))
        pyr_buf_puts(&said, "None of the loads tried held the goals");
    else
        pyr_buf_printf(&said, "Carries %g %s", stress->max_sustainable_load, unit);
    if (!isnan(stress->first_failing_load))
        pyr_buf_printf(&said, "; %g failed", stress->first_failing_load);
    if (stress->failed_by)
        pyr_buf_printf(&said, " by %s", stress->failed_by);
    pyr_html_element(out, "<p><b>", pyr_buf_text(&said), ".</b></p>");
    pyr_buf_deinit(&said);
}

static void put_outcome(struct pyr_buf *out, const struct pyr_result *result) {
    enum { CHIPS_MAX = 12 };
    static const char *const levels[] = {[PYR_GRADE_UNGRADED] = "",
                                         [PYR_GRADE_POOR] = "bad",
                                         [PYR_GRADE_ACCEPTABLE] = "warn",
                                         [PYR_GRADE_GOOD] = "good",
                                         [PYR_GRADE_EXCELLENT] = "good"};
    pyr_html_card(out, levels[result->grade], "What came out?", pyr_grade_name(result->grade),
                  result->grade_reason ? result->grade_reason : "no goal was set");
    if (result->stress)
        put_load(out, result->stress);
    /* A search goes beyond what the goals allow: there they are what it looks for. */
    pyr_buf_puts(out, "<ul class=\"chips\">");
    for (size_t i = 0; !result->stress && i < result->goal_count && i < CHIPS_MAX; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        pyr_buf_printf(out, "<li><b class=\"%s\">%s</b> ", marks[row->verdict].level,
                       marks[row->verdict].sign);
        pyr_html_text(out, row->goal->label);
    }
    pyr_buf_puts(out, "</ul></div>");
}

static void put_warnings(struct pyr_buf *out, const struct pyr_result *result) {
    if (!result->warning_count)
        return;
    pyr_buf_puts(out, "<section class=\"warnings\"><h2>Warnings</h2>");
    pyr_html_list(out, "", result->warnings, result->warning_count);
    pyr_buf_puts(out, "</section>");
}

/* --- the figures that people ask for first --------------------------------------------------- */

/* The best value of one figure over all cases, with the case it comes from. */
struct best {
    struct pyr_estimate at;
    const struct pyr_suite_result *suite;
    const struct pyr_case_result *entry; /* NULL: none */
};

static struct best best_of(const struct pyr_result *result, const struct pyr_figure *figure,
                           bool highest) {
    struct best best = {pyr_estimate_unknown("not measured"), NULL, NULL};
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *entry = &result->suites[i].cases[j];
            struct pyr_estimate at = pyr_figure_of(entry, figure);
            if (!entry->ok || isnan(at.value))
                continue;
            if (isnan(best.at.value) ||
                (highest ? at.value > best.at.value : at.value < best.at.value))
                best = (struct best){at, &result->suites[i], entry};
        }
    return best;
}

static void put_requests(struct pyr_buf *out, const struct pyr_result *result) {
    uint64_t ok, total = count_requests(result, &ok);
    if (!total)
        return;
    bool failed = ok < total;
    pyr_buf_printf(out, "<li>requests%s<b%s>", failed ? ", not ok" : "",
                   failed ? " class=\"bad\"" : "");
    pyr_put_count(out, failed ? total - ok : total);
    pyr_buf_puts(out, failed ? "</b><span class=\"dim\">of " : "</b><span class=\"dim\">all ok");
    if (failed)
        pyr_put_count(out, total);
    pyr_buf_puts(out, "</span>");
}

static void put_tiles(struct pyr_buf *out, const struct pyr_result *result) {
    static const struct {
        struct pyr_figure figure;
        bool highest;
    } tiles[] = {
        {{PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_M_OUTPUT_TOKEN_THROUGHPUT, PYR_FIGURE_VALUE,
          "most output"},
         true},
        {{PYR_M_TTFT_SENT, PYR_M_TTFT_SCHED, PYR_Q_P50, "shortest TTFT p50"}, false},
        {{PYR_M_ITL, PYR_M_ITL, PYR_Q_P50, "shortest ITL p50"}, false},
        {{PYR_M_DECODE_RATE, PYR_M_DECODE_RATE, PYR_Q_P50, "fastest decode, one request"}, true}};
    pyr_buf_puts(out, "<ul class=\"tiles\">");
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        struct best best = best_of(result, &tiles[i].figure, tiles[i].highest);
        if (!best.entry)
            continue;
        struct pyr_scale scale =
            pyr_scale_for(pyr_metric_info(tiles[i].figure.closed)->unit, best.at.value);
        pyr_buf_printf(out, "<li>%s<b>", tiles[i].figure.header);
        pyr_put_number(out, best.at.value * scale.factor);
        pyr_buf_printf(out, " <small>%s</small></b>", pyr_html_unit(scale.unit));
        pyr_html_interval(out, &best.at, scale.factor);
        pyr_html_case_name(out, " <span class=\"dim\">in ", best.suite, best.entry, "</span>");
    }
    put_requests(out, result);
    pyr_buf_puts(out, "</ul>");
}

/* --- goals ----------------------------------------------------------------------------------- */

/* A goal as a line: where its limit lies, and the interval that was seen. Logarithmic where linear
 * would press one of them against the end. */
struct bullet {
    double low, high;
    bool log;
};
enum { BULLET_LEFT = 6, BULLET_RIGHT = 174 };

static int bullet_at(const struct bullet *bullet, double value) {
    double share =
        bullet->log ? log(fmax(value, bullet->low) / bullet->low) / log(bullet->high / bullet->low)
                    : (value - bullet->low) / (bullet->high - bullet->low);
    return (int)lround(BULLET_LEFT + fmin(fmax(share, 0), 1) * (BULLET_RIGHT - BULLET_LEFT));
}

static void put_bullet(struct pyr_buf *out, const struct pyr_goal_result *row) {
    const struct pyr_estimate *seen = &row->seen;
    double limit = row->goal->limit;
    if (!isfinite(seen->value) || !isfinite(limit) || limit < 0 || seen->value < 0)
        return;
    double lo = isfinite(seen->lo) ? seen->lo : seen->value;
    double hi = isfinite(seen->hi) ? seen->hi : seen->value;
    double least = fmin(limit, lo), most = fmax(limit, hi);
    if (most <= 0)
        return;
    struct bullet bullet = {0, most * 1.15, false};
    if (least > 0 && most / least > 5)
        bullet = (struct bullet){least / 1.6, most * 1.6, true};
    int at = bullet_at(&bullet, limit), from = bullet_at(&bullet, lo), to = bullet_at(&bullet, hi);
    int left = row->goal->at_least ? at : BULLET_LEFT;
    int right = row->goal->at_least ? BULLET_RIGHT : at;
    pyr_buf_puts(out, "<svg class=\"mini\" viewBox=\"0 0 180 24\" role=\"img\" aria-label=\"");
    pyr_html_text(out, row->why);
    pyr_buf_printf(
        out,
        "\"><path class=\"track\" d=\"M%d 12H%d\"/><path class=\"zone\" d=\"M%d "
        "12H%d\"/><path class=\"limit\" d=\"M%d 2v20\"/><g class=\"%s\"><path "
        "class=\"reach\" d=\"M%d 12H%d\"/><path class=\"seen\" d=\"M%d 12h0\"/></g></svg>",
        BULLET_LEFT, BULLET_RIGHT, left, right, at, marks[row->verdict].level, from,
        to > from ? to : from + 1, bullet_at(&bullet, seen->value));
}

static void put_goals(struct pyr_buf *out, const struct pyr_result *result) {
    if (!result->goal_count)
        return;
    if (result->stress) {
        /* A search goes beyond what they allow: held against all of it they would say nothing. */
        pyr_buf_puts(out, "<section><h2 id=\"goals\">Goals</h2><p>Each load of the search is held "
                          "against ");
        for (size_t i = 0; i < result->goal_count; i++)
            pyr_html_element(out, i ? ", <b>" : "<b>", result->goals[i].goal->label, "</b>");
        pyr_buf_puts(out, ".</p></section>");
        return;
    }
    pyr_buf_puts(out, "<section><h2 id=\"goals\">Goals</h2>" PYR_HTML_TABLE(
                          "t goals") "<thead><tr>" PYR_HTML_COL("verdict") PYR_HTML_COL("goal")
                          PYR_HTML_COL("seen, and the limit") PYR_HTML_COL("because")
                              PYR_HTML_COL("judged in") "</tr></thead><tbody>");
    for (size_t i = 0; i < result->goal_count; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        pyr_buf_printf(out, "<tr><td class=\"%s\"><b>%s</b> %s", marks[row->verdict].level,
                       marks[row->verdict].sign, pyr_goal_verdict_name(row->verdict));
        pyr_html_element(out, "<th scope=\"row\">", row->goal->label, "<td>");
        put_bullet(out, row);
        pyr_html_element(out, "<td>", row->why, "<td>");
        if (row->case_id)
            pyr_html_element(out, "", row->case_id,
                             row->goal->at_least ? " <i>the best</i>" : " <i>the worst</i>");
        else
            pyr_buf_putc(out, '-');
        pyr_buf_puts(out, "</tr>");
    }
    pyr_buf_puts(out, "</tbody>" PYR_HTML_TABLE_END "</section>");
}

static void put_contents(struct pyr_buf *out, const struct pyr_result *result) {
    pyr_buf_puts(out, "<nav aria-label=\"Contents\"><ul>");
    if (result->goal_count)
        pyr_buf_puts(out, "<li><a href=\"#goals\">Goals</a>");
    if (result->stress)
        pyr_buf_puts(out, "<li><a href=\"#load\">Sustainable load</a>");
    for (size_t i = 0; i < result->suite_count; i++) {
        pyr_buf_printf(out, "<li><a href=\"#suite%zu\">", i + 1);
        pyr_html_element(out, "", result->suites[i].name, "</a>");
    }
    if (result->suite_count)
        pyr_buf_puts(out, "<li><a href=\"#cases\">Case by case</a>");
    pyr_buf_puts(out, "<li><a href=\"#instrument\">Instrument</a>"
                      "<li><a href=\"#repeat\">Repeat</a>"
                      "<li><a href=\"#environment\">Environment</a></ul></nav>");
}

void pyr_html_top(struct pyr_buf *out, const struct pyr_result *result,
                  const struct pyr_report_meta *meta) {
    put_title(out, meta);
    put_answer(out, result, meta);
    pyr_buf_puts(out, "<section class=\"verdict\" aria-label=\"Verdict\">");
    put_trust(out, result);
    put_outcome(out, result);
    pyr_buf_puts(out, "</section>");
    put_warnings(out, result);
    put_tiles(out, result);
    put_contents(out, result);
    put_goals(out, result);
    pyr_html_list(out, "<h2>Recommendations</h2>", result->recommendations,
                  result->recommendation_count);
}
