/* SPDX-License-Identifier: MIT */
#include "report/compat.h"

#include "report/figures.h"
#include "report/json_text.h"
#include "report/text.h"

#include <math.h>
#include <string.h>

/* --- for people ------------------------------------------------------------------------------- */

struct sheet {
    struct pyr_paper paper;
    struct pyr_arena *arena;
};

static const char *kept(struct sheet *sheet, struct pyr_buf *buf) {
    const char *text = pyr_arena_strndup(sheet->arena, pyr_buf_text(buf), buf->length);
    pyr_buf_deinit(buf);
    return text;
}

static const char *number(struct sheet *sheet, double value, struct pyr_scale scale) {
    struct pyr_buf buf = {0};
    if (isnan(value))
        pyr_buf_putc(&buf, '-');
    else if (value != 0 && fabs(value * scale.factor) < 0.0995) /* their seconds */
        pyr_buf_printf(&buf, "%.3g", value * scale.factor);
    else
        pyr_put_number(&buf, value * scale.factor);
    return kept(sheet, &buf);
}

static double larger(double a, double b) {
    return isnan(a) || b > a ? b : a;
}

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), end_length = strlen(end);
    return length > end_length && strcmp(name + length - end_length, end) == 0;
}

/* One unit for both sides, so that they can be held against each other: the one in the name, where
 * the tool puts it there. */
static struct pyr_scale scale_of(const struct pyr_compat_row *row) {
    if (row->unit == PYR_UNIT_NS && ends_with(row->name, "_ms"))
        return (struct pyr_scale){1e-6, ""};
    if (row->unit == PYR_UNIT_NS && ends_with(row->name, "_s"))
        return (struct pyr_scale){1e-9, ""};
    double most = larger(larger(row->theirs.p50, row->ours.p50), NAN);
    if (isnan(most))
        most = larger(row->theirs.mean, row->ours.mean);
    return pyr_scale_for(row->unit, isnan(most) ? 0 : most);
}

enum { COLUMNS = 8 };
static const struct pyr_column columns[COLUMNS] = {{"by their definition", "", true},
                                                   {"mean", "", false},
                                                   {"p50", "", false},
                                                   {"p99", "", false},
                                                   {"ours", "", true},
                                                   {"our mean", "", false},
                                                   {"our p50", "", false},
                                                   {"our p99", "", false}};

static void fill_row(struct sheet *sheet, const struct pyr_compat_row *row,
                     struct pyr_cell cells[COLUMNS]) {
    struct pyr_scale scale = scale_of(row);
    const char *unit = scale.unit && *scale.unit ? scale.unit : "";
    const double theirs[] = {row->theirs.mean, row->theirs.p50, row->theirs.p99};
    const double ours[] = {row->ours.mean, row->ours.p50, row->ours.p99};
    cells[0].full = pyr_arena_printf(sheet->arena, "%s%s%s", row->name, *unit ? ", " : "", unit);
    cells[4].full = row->ours_name ? row->ours_name : "-";
    for (size_t k = 0; k < 3; k++) {
        bool empty = k > 0 && row->scalar;
        cells[1 + k].full = empty ? "" : number(sheet, theirs[k], scale);
        cells[5 + k].full = empty || !row->ours_name ? "" : number(sheet, ours[k], scale);
    }
}

static void put_case(struct sheet *sheet, const struct pyr_compat_case *one) {
    struct pyr_buf line = {0};
    pyr_buf_printf(&line, "%s%s%s: ", one->suite, *one->suite ? "/" : "", one->id);
    pyr_put_count(&line, one->completed);
    pyr_buf_puts(&line, " requests ok, ");
    pyr_put_count(&line, one->failed);
    pyr_buf_printf(&line, " failed, %.3g s", one->seconds);
    pyr_buf_putc(sheet->paper.out, '\n');
    pyr_paper_wrap(&sheet->paper, PYR_STYLE_BOLD, "", pyr_buf_text(&line));
    pyr_buf_deinit(&line);
    struct pyr_cell *cells = pyr_arena_array(sheet->arena, one->row_count * COLUMNS, sizeof *cells);
    for (size_t i = 0; i < one->row_count; i++)
        fill_row(sheet, &one->rows[i], cells + i * COLUMNS);
    pyr_paper_table(&sheet->paper, &(struct pyr_table){columns, cells, COLUMNS, one->row_count});
}

void pyr_report_compat_text(const struct pyr_compat_result *compat,
                            const struct pyr_report_options *options, struct pyr_buf *out) {
    unsigned width = options->width ? options->width : 80;
    struct sheet sheet = {
        .paper = {out, width < 60 ? 60 : width, options->color, options->ascii},
        .arena = pyr_arena_create(),
    };
    pyr_buf_putc(out, '\n');
    pyr_paper_wrap(&sheet.paper, PYR_STYLE_BOLD,
                   pyr_arena_printf(sheet.arena, "By %s's definitions  ", compat->title),
                   compat->rules);
    if (compat->case_count == 0)
        pyr_paper_wrap(&sheet.paper, PYR_STYLE_PLAIN, "  ", "The run holds no request.");
    for (size_t i = 0; i < compat->case_count; i++)
        put_case(&sheet, &compat->cases[i]);
    if (compat->case_count > 0) {
        pyr_buf_putc(out, '\n');
        pyr_paper_wrap(&sheet.paper, PYR_STYLE_BOLD, "", "What they mean, and why ours differs");
    }
    for (size_t i = 0; compat->case_count > 0 && i < compat->cases[0].row_count; i++) {
        const struct pyr_compat_row *row = &compat->cases[0].rows[i];
        pyr_paper_wrap(&sheet.paper, PYR_STYLE_PLAIN,
                       pyr_arena_printf(sheet.arena, "  %s: ", row->name), row->definition);
    }
    pyr_arena_destroy(sheet.arena);
}

/* --- for programs ----------------------------------------------------------------------------- */

static json_t *numbers(const struct pyr_compat_numbers *n, bool scalar) {
    json_t *out = json_object();
    if (scalar) {
        pyr_json_put(out, "value", pyr_json_number(n->mean));
        return out;
    }
    pyr_json_put(out, "mean", pyr_json_number(n->mean));
    pyr_json_put(out, "sd", pyr_json_number(n->sd));
    pyr_json_put(out, "min", pyr_json_number(n->min));
    pyr_json_put(out, "max", pyr_json_number(n->max));
    pyr_json_put(out, "p50", pyr_json_number(n->p50));
    pyr_json_put(out, "p90", pyr_json_number(n->p90));
    pyr_json_put(out, "p95", pyr_json_number(n->p95));
    pyr_json_put(out, "p99", pyr_json_number(n->p99));
    return out;
}

static json_t *case_json(const struct pyr_compat_case *one) {
    json_t *out = json_object(), *metrics = json_object();
    pyr_json_put(out, "suite", pyr_json_text(one->suite));
    pyr_json_put(out, "id", pyr_json_text(one->id));
    pyr_json_put(out, "completed", pyr_json_count(one->completed));
    pyr_json_put(out, "failed", pyr_json_count(one->failed));
    pyr_json_put(out, "seconds", pyr_json_number(one->seconds));
    for (size_t i = 0; i < one->row_count; i++) {
        const struct pyr_compat_row *row = &one->rows[i];
        json_t *entry = json_object();
        pyr_json_put(entry, "unit", pyr_json_text(pyr_unit_name(row->unit)));
        pyr_json_put(entry, "n", pyr_json_count(row->n));
        pyr_json_put(entry, "theirs", numbers(&row->theirs, row->scalar));
        pyr_json_put(entry, "ours_name", pyr_json_text(row->ours_name));
        pyr_json_put(entry, "ours",
                     row->ours_name ? numbers(&row->ours, row->scalar) : json_null());
        pyr_json_put(entry, "definition", pyr_json_text(row->definition));
        pyr_json_put(metrics, row->name, entry);
    }
    pyr_json_put(out, "metrics", metrics);
    return out;
}

void pyr_report_compat_json(const struct pyr_compat_result *compat, struct pyr_buf *out) {
    json_t *root = json_object(), *cases = json_array();
    pyr_json_put(root, "schema", pyr_json_text("pyrometer-compat/1"));
    pyr_json_put(root, "tool", pyr_json_text(compat->tool));
    pyr_json_put(root, "title", pyr_json_text(compat->title));
    pyr_json_put(root, "rules", pyr_json_text(compat->rules));
    for (size_t i = 0; i < compat->case_count; i++)
        json_array_append_new(cases, case_json(&compat->cases[i]));
    pyr_json_put(root, "cases", cases);
    pyr_json_pretty(out, root);
    json_decref(root);
}
