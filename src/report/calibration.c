/* SPDX-License-Identifier: MIT */
#include "report/calibration.h"

#include "report/figures.h"
#include "report/html/parts.h"
#include "report/json_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int quantiles[] = {PYR_Q_P50, PYR_Q_P99, PYR_Q_P99_9};
static const char *const quantile_keys[] = {"p50", "p99", "p99_9"};
enum { QUANTILES = sizeof quantiles / sizeof *quantiles };

static bool told(enum pyr_metric metric) {
    return pyr_metric_is(metric, PYR_USE_INSTRUMENT_ERROR) ||
           pyr_metric_is(metric, PYR_USE_INSTRUMENT_COST) || metric == PYR_M_EVENT_RATE;
}

size_t pyr_calibrations_leave(const struct pyr_result *result,
                              struct pyr_metric_result rows[PYR_METRIC_COUNT]) {
    size_t count = 0;
    for (size_t i = 0; i < result->instrument_count && count < PYR_METRIC_COUNT; i++)
        if (!result->calibration_count || !told(result->instrument[i].metric))
            rows[count++] = result->instrument[i];
    return count;
}

/* --- what an entry says ---------------------------------------------------------------------- */

static bool param(const struct pyr_case_result *one, const char *key, char *value, size_t size) {
    struct pyr_param pair;
    for (const char *at = one->plan->params; pyr_params_next(&at, &pair);) {
        if (pair.key_bytes != strlen(key) || memcmp(pair.key, key, pair.key_bytes) != 0)
            continue;
        snprintf(value, size, "%.*s", (int)pair.value_bytes, pair.value);
        return true;
    }
    return false;
}

static double param_number(const struct pyr_case_result *one, const char *key) {
    char text[64], *end;
    if (!param(one, key, text, sizeof text))
        return NAN;
    double value = strtod(text, &end);
    return end != text && !*end ? value : (double)NAN;
}

static double value_of(const struct pyr_case_result *one, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(one, metric);
    return row ? row->value.value : (double)NAN;
}

static double quantile_us(const struct pyr_metric_result *row, int quantile) {
    return row ? pyr_metric_quantile(row, quantile).value * 1e-3 : (double)NAN;
}

static bool in_process(const struct pyr_case_result *one) {
    char transport[64];
    return param(one, "transport", transport, sizeof transport) && strcmp(transport, "none") == 0;
}

/* "warm-up: not available: ..." */
static void put_missing(struct pyr_buf *buf, const struct pyr_case_result *one) {
    const char *why = one->warning_count ? one->warnings[0] : "it left no figure";
    if (*one->plan->id)
        pyr_buf_printf(buf, "%s: not available: %s", one->plan->id, why);
    else if (one->plan->concurrency)
        pyr_buf_printf(buf, "%u streams: not available: %s", one->plan->concurrency, why);
    else
        pyr_buf_printf(buf, "Own error not available: %s", why);
}

void pyr_calibration_title(struct pyr_buf *buf, const struct pyr_case_result *one) {
    char steps[32] = "";
    if (*one->plan->id)
        pyr_buf_printf(buf, "%s: ", one->plan->id);
    pyr_put_count(buf, one->plan->concurrency);
    pyr_buf_puts(buf, one->plan->concurrency == 1 ? " stream, " : " streams, ");
    double rate = value_of(one, PYR_M_EVENT_RATE);
    pyr_put_number(buf, isnan(rate) ? param_number(one, "events_per_second") : rate);
    pyr_buf_puts(buf, " token events/s");
    if (one->plan->concurrency > 1 && !in_process(one) && param(one, "steps", steps, sizeof steps))
        pyr_buf_printf(buf, ", stepping %s", steps);
}

/* "CPU 12.3 us a token event: ...", in sentences. */
static void put_costs(struct pyr_buf *buf, const struct pyr_case_result *one) {
    double cpu = value_of(one, PYR_M_CPU_PER_EVENT), failed = param_number(one, "failed");
    double coalesced = value_of(one, PYR_M_COALESCED_SHARE);
    double unmatched = param_number(one, "unmatched");
    char lacks[64], priority[32] = "";
    if (isfinite(cpu)) {
        pyr_buf_puts(buf, "CPU ");
        pyr_put_number(buf, cpu * 1e-3);
        pyr_buf_puts(buf, " \u00b5s a token event");
        if (value_of(one, PYR_M_EVENTS_PER_CORE) > 0) {
            pyr_buf_puts(buf, ": one core takes in ");
            pyr_put_count(buf, (uint64_t)value_of(one, PYR_M_EVENTS_PER_CORE));
            pyr_buf_puts(buf, " a second (computed)");
        }
        pyr_buf_putc(buf, '.');
    }
    if (isfinite(coalesced)) {
        pyr_buf_putc(buf, ' ');
        pyr_put_number(buf, 100 * coalesced);
        pyr_buf_puts(buf,
                     " % of the events came with others in one read: their stamps are bounds.");
    }
    if (in_process(one))
        pyr_buf_puts(buf, " In process a token is stamped where it is made: there is no error of "
                          "arrival, and this is the engine that costs nothing.");
    if (param(one, "priority", priority, sizeof priority) && strcmp(priority, "real-time") == 0)
        pyr_buf_puts(buf, " Requests were sent at real-time priority.");
    if (param(one, "lacks", lacks, sizeof lacks))
        pyr_buf_printf(
            buf, " Over plain HTTP/1.1: what %s costs this target's client is not in it.", lacks);
    if (failed > 0)
        pyr_buf_printf(buf, " %.0f of its %.0f requests failed.", failed,
                       param_number(one, "requests"));
    if (unmatched > 0)
        pyr_buf_printf(buf, " %.0f events have no true time.", unmatched);
}

/* --- terminal -------------------------------------------------------------------------------- */

static const char *kept(struct pyr_arena *arena, struct pyr_buf *buf) {
    const char *text = pyr_arena_strdup(arena, pyr_buf_text(buf));
    pyr_buf_deinit(buf);
    return text;
}

static const char *number_cell(struct pyr_arena *arena, double value) {
    struct pyr_buf buf = {0};
    if (isnan(value))
        pyr_buf_putc(&buf, '-');
    else
        pyr_put_number(&buf, value);
    return kept(arena, &buf);
}

static void put_sentences(const struct pyr_paper *paper, struct pyr_arena *arena,
                          struct pyr_buf *text) {
    if (text->length)
        pyr_paper_wrap(paper, PYR_STYLE_PLAIN, "  ", kept(arena, text));
    pyr_buf_deinit(text);
}

void pyr_calibration_terminal(const struct pyr_paper *paper, struct pyr_arena *arena,
                              const struct pyr_case_result *one) {
    struct pyr_buf text = {0};
    if (one->metric_count == 0) {
        put_missing(&text, one);
        put_sentences(paper, arena, &text);
        return;
    }
    pyr_calibration_title(&text, one);
    put_sentences(paper, arena, &text);
    const char *us = paper->ascii ? "us" : "\u00b5s";
    const struct pyr_column columns[QUANTILES + 2] = {{"", "", true},
                                                      {"p50", us, false},
                                                      {"p99", us, false},
                                                      {"p99.9", us, false},
                                                      {"n", "", false}};
    struct pyr_use errors[PYR_USES_MAX];
    size_t count = pyr_uses_of(PYR_USE_INSTRUMENT_ERROR, errors);
    struct pyr_cell *cells = pyr_arena_array(arena, count * (QUANTILES + 2), sizeof *cells),
                    *cell = cells;
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pyr_metric_result *row = pyr_case_metric(one, errors[i].metric);
        if (!row)
            continue;
        (cell++)->full = errors[i].label;
        for (size_t q = 0; q < QUANTILES; q++)
            (cell++)->full = number_cell(arena, quantile_us(row, quantiles[q]));
        (cell++)->full = pyr_arena_printf(arena, "%llu", (unsigned long long)row->n);
        rows++;
    }
    pyr_paper_table(paper, &(struct pyr_table){columns, cells, QUANTILES + 2, rows});
    put_costs(&text, one);
    put_sentences(paper, arena, &text);
}

void pyr_calibrations_terminal(const struct pyr_paper *paper, struct pyr_arena *arena,
                               const struct pyr_result *result) {
    for (size_t i = 0; i < result->calibration_count; i++) {
        pyr_calibration_terminal(paper, arena, &result->calibrations[i]);
        pyr_buf_putc(paper->out, '\n');
    }
    for (size_t i = 0; i < result->instrument_note_count; i++)
        pyr_paper_wrap(paper, result->instrument_alarm ? PYR_STYLE_WARN : PYR_STYLE_PLAIN,
                       result->instrument_alarm ? "  ! " : "  ", result->instrument_notes[i]);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void put_figures(json_t *object, const struct pyr_case_result *one) {
    struct pyr_use errors[PYR_USES_MAX], costs[PYR_USES_MAX];
    size_t error_count = pyr_uses_of(PYR_USE_INSTRUMENT_ERROR, errors);
    size_t cost_count = pyr_uses_of(PYR_USE_INSTRUMENT_COST, costs);
    for (size_t i = 0; i < error_count; i++) {
        const struct pyr_metric_result *row = one ? pyr_case_metric(one, errors[i].metric) : NULL;
        json_t *entry = row ? json_object() : json_null();
        for (size_t q = 0; row && q < QUANTILES; q++)
            pyr_json_put(entry, quantile_keys[q], pyr_json_number(quantile_us(row, quantiles[q])));
        if (row)
            pyr_json_put(entry, "n", pyr_json_count(row->n));
        pyr_json_put(object, errors[i].text, entry);
    }
    for (size_t i = 0; i < cost_count; i++)
        pyr_json_put(
            object, costs[i].text,
            pyr_json_number(one ? value_of(one, costs[i].metric) * costs[i].number : (double)NAN));
}

static json_t *param_json(const struct pyr_case_result *one, const char *key) {
    char text[64];
    return param(one, key, text, sizeof text) ? pyr_json_text(text) : json_null();
}

json_t *pyr_calibration_json(const struct pyr_case_result *one) {
    static const char *const counts[] = {"tokens_per_request", "requests", "failed"};
    json_t *object = json_object();
    bool there = one->metric_count > 0;
    pyr_json_put(object, "level", pyr_json_text(one->plan->id));
    pyr_json_put(object, "not_available",
                 pyr_json_text(there                ? NULL
                               : one->warning_count ? one->warnings[0]
                                                    : "it left no figure"));
    pyr_json_put(object, "streams", there ? pyr_json_count(one->plan->concurrency) : json_null());
    pyr_json_put(object, "events_per_second", pyr_json_number(value_of(one, PYR_M_EVENT_RATE)));
    pyr_json_put(object, "asked_events_per_second",
                 pyr_json_number(param_number(one, "events_per_second")));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        double count = param_number(one, counts[i]);
        pyr_json_put(object, counts[i],
                     isnan(count) ? json_null() : pyr_json_count((uint64_t)count));
    }
    pyr_json_put(object, "seconds", pyr_json_number(param_number(one, "seconds")));
    pyr_json_put(object, "steps", param_json(one, "steps"));
    pyr_json_put(object, "transport", param_json(one, "transport"));
    pyr_json_put(object, "lacks", param_json(one, "lacks"));
    pyr_json_put(object, "priority", param_json(one, "priority"));
    put_figures(object, there ? one : NULL);
    return object;
}

void pyr_calibrations_json(json_t *instrument, const struct pyr_result *result) {
    json_t *list = json_array(), *notes = json_array();
    const struct pyr_case_result *top = NULL;
    for (size_t i = 0; i < result->calibration_count; i++) {
        json_array_append_new(list, pyr_calibration_json(&result->calibrations[i]));
        if (result->calibrations[i].metric_count)
            top = &result->calibrations[i];
    }
    for (size_t i = 0; i < result->instrument_note_count; i++)
        json_array_append_new(notes, pyr_json_text(result->instrument_notes[i]));
    put_figures(instrument, top);
    pyr_json_put(instrument, "calibrations", list);
    pyr_json_put(instrument, "notes", notes);
}

/* --- HTML, Markdown -------------------------------------------------------------------------- */

static void put_html_number(struct pyr_buf *out, double value) {
    pyr_buf_puts(out, "<td>");
    if (isnan(value))
        pyr_buf_putc(out, '-');
    else
        pyr_put_number(out, value);
}

static void put_html_table(struct pyr_buf *out, const struct pyr_case_result *one) {
    pyr_buf_puts(out, PYR_HTML_TABLE("fig") "<thead><tr>" PYR_HTML_COL("\u00b5s")
                          PYR_HTML_COL("p50") PYR_HTML_COL("p99") PYR_HTML_COL("p99.9")
                              PYR_HTML_COL("n") "</tr></thead><tbody>");
    struct pyr_use errors[PYR_USES_MAX];
    size_t count = pyr_uses_of(PYR_USE_INSTRUMENT_ERROR, errors);
    for (size_t i = 0; i < count; i++) {
        const struct pyr_metric_result *row = pyr_case_metric(one, errors[i].metric);
        if (!row)
            continue;
        pyr_html_element(out, "<tr><th scope=\"row\">", errors[i].label, "");
        for (size_t q = 0; q < QUANTILES; q++)
            put_html_number(out, quantile_us(row, quantiles[q]));
        pyr_buf_printf(out, "<td>%llu</tr>", (unsigned long long)row->n);
    }
    pyr_buf_puts(out, "</tbody>" PYR_HTML_TABLE_END);
}

void pyr_calibrations_html(struct pyr_buf *out, const struct pyr_result *result) {
    for (size_t i = 0; i < result->calibration_count; i++) {
        const struct pyr_case_result *one = &result->calibrations[i];
        struct pyr_buf text = {0};
        if (one->metric_count == 0) {
            put_missing(&text, one);
            pyr_html_element(out, "<p>", pyr_buf_text(&text), "</p>");
            pyr_buf_deinit(&text);
            continue;
        }
        pyr_calibration_title(&text, one);
        pyr_html_element(out, "<h3>", pyr_buf_text(&text), "</h3>");
        pyr_buf_deinit(&text);
        put_html_table(out, one);
        put_costs(&text, one);
        pyr_html_element(out, "<p>", pyr_buf_text(&text), "</p>");
        pyr_buf_deinit(&text);
    }
    pyr_html_list(out,
                  result->instrument_alarm ? "<p>Beside what was measured, with care:</p>" : "",
                  result->instrument_notes, result->instrument_note_count);
}

void pyr_calibrations_markdown(struct pyr_buf *out, const struct pyr_result *result) {
    struct pyr_use errors[PYR_USES_MAX];
    size_t count = pyr_uses_of(PYR_USE_INSTRUMENT_ERROR, errors);
    for (size_t i = 0; i < result->calibration_count; i++) {
        const struct pyr_case_result *one = &result->calibrations[i];
        if (one->metric_count == 0) {
            put_missing(out, one);
            pyr_buf_puts(out, "\n\n");
            continue;
        }
        pyr_buf_puts(out, "Own error, ");
        pyr_calibration_title(out, one);
        pyr_buf_puts(out, "\n\n| \u00b5s | p50 | p99 | p99.9 | n |\n|---|--:|--:|--:|--:|\n");
        for (size_t k = 0; k < count; k++) {
            const struct pyr_metric_result *row = pyr_case_metric(one, errors[k].metric);
            if (!row)
                continue;
            pyr_buf_printf(out, "| %s |", errors[k].label);
            for (size_t q = 0; q < QUANTILES; q++) {
                double us = quantile_us(row, quantiles[q]);
                pyr_buf_putc(out, ' ');
                if (isnan(us))
                    pyr_buf_putc(out, '-');
                else
                    pyr_put_number(out, us);
                pyr_buf_puts(out, " |");
            }
            pyr_buf_printf(out, " %llu |\n", (unsigned long long)row->n);
        }
        pyr_buf_putc(out, '\n');
        put_costs(out, one);
        pyr_buf_puts(out, "\n\n");
    }
    for (size_t i = 0; i < result->instrument_note_count; i++)
        pyr_buf_printf(out, "- %s\n", result->instrument_notes[i]);
    if (result->instrument_note_count)
        pyr_buf_putc(out, '\n');
}
