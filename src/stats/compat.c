/* SPDX-License-Identifier: MIT */
#include "stats/compat.h"

#include "base/mem.h"
#include "estimate/sample.h"
#include "stats/compat_tools.h"
#include "stats/result.h"
#include "stats/window.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- distributions ---------------------------------------------------------------------------- */

struct weighted {
    double value, weight;
};

static const struct pyr_compat_numbers unknown = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

static int by_value(const void *a, const void *b) {
    const struct weighted *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* numpy.percentile and pandas' quantile as they come: h = q (n - 1), linear in between. Source:
 * Hyndman and Fan 1996, definition 7. */
static double linear(const struct weighted *sorted, size_t n, double q) {
    double h = q * (double)(n - 1);
    size_t low = (size_t)h;
    if (low + 1 >= n)
        return sorted[n - 1].value;
    return sorted[low].value + (sorted[low + 1].value - sorted[low].value) * (h - (double)low);
}

static double step(const struct weighted *sorted, size_t n, double q, double all) {
    double seen = 0;
    for (size_t i = 0; i < n; i++) {
        seen += sorted[i].weight;
        /* Their weights are divided before they are summed; an exact tie must not be lost to the
         * last bit. */
        if (seen / all >= q - 1e-12)
            return sorted[i].value;
    }
    return sorted[n - 1].value;
}

/* Sorts the values. Those without weight are not there. */
static struct pyr_compat_numbers summarise(const struct pyr_compat_tool *tool,
                                           struct weighted *values, size_t n) {
    struct pyr_compat_numbers out = unknown;
    double all = 0, total = 0, squares = 0;
    if (n == 0)
        return out;
    qsort(values, n, sizeof *values, by_value);
    for (size_t i = 0; i < n; i++) {
        all += values[i].weight;
        total += values[i].weight * values[i].value;
    }
    out.mean = total / all;
    for (size_t i = 0; i < n; i++)
        squares += values[i].weight * (values[i].value - out.mean) * (values[i].value - out.mean);
    if (!tool->sample_sd)
        out.sd = sqrt(squares / all);
    else if (n > 1)
        out.sd = sqrt(squares / (double)(n - 1));
    out.min = values[0].value;
    out.max = values[n - 1].value;
    double *at[] = {&out.p50, &out.p90, &out.p95, &out.p99};
    static const double levels[] = {0.5, 0.9, 0.95, 0.99};
    for (size_t k = 0; k < 4; k++)
        *at[k] =
            tool->step_percentiles ? step(values, n, levels[k], all) : linear(values, n, levels[k]);
    return out;
}

/* --- one case --------------------------------------------------------------------------------- */

/* What the chunk pass gathers for a case. */
struct gathered {
    double *gaps;
    size_t count, capacity;
    uint64_t *second_gap_ns; /* (requests) */
};

struct gathering {
    const struct pyr_collected *collected;
    struct gathered *cases;
};

static bool counts(const struct pyr_case_data *data, const struct pyr_request *request) {
    return pyr_in_span(data->measured, request);
}

static void gather_chunk(void *context, const struct pyr_chunk_seen *seen) {
    struct gathering *gathering = context;
    const struct pyr_case_data *data = &gathering->collected->cases[seen->case_index];
    const struct pyr_request *request = &data->requests[seen->request];
    struct gathered *mine = &gathering->cases[seen->case_index];
    if (seen->number == 0 || request->outcome != PYR_OUTCOME_OK || !counts(data, request))
        return;
    if (seen->number == 1)
        mine->second_gap_ns[seen->request] = seen->gap_ns;
    if (mine->count == mine->capacity) {
        mine->capacity = mine->capacity ? mine->capacity * 2 : 1024;
        mine->gaps = pyr_xrealloc(mine->gaps, mine->capacity * sizeof *mine->gaps);
    }
    mine->gaps[mine->count++] = (double)seen->gap_ns;
}

static uint64_t begin_of(const struct pyr_request *r) {
    return r->sent_ns ? r->sent_ns : r->dispatched_ns;
}

static uint64_t end_of(const struct pyr_request *r) {
    return r->closed_ns > r->last_content_ns ? r->closed_ns : r->last_content_ns;
}

static void look_at_case(const struct pyr_case_data *data, const struct gathered *gathered,
                         struct pyr_arena *arena, struct pyr_compat_view *view) {
    size_t *ok = pyr_arena_array(arena, data->count, sizeof *ok);
    *view = (struct pyr_compat_view){.data = data,
                                     .ok = ok,
                                     .gaps = gathered->gaps,
                                     .gap_count = gathered->count,
                                     .second_gap_ns = gathered->second_gap_ns};
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        if (!counts(data, r))
            continue;
        if (begin_of(r) && (view->start_ns == 0 || begin_of(r) < view->start_ns))
            view->start_ns = begin_of(r);
        if (end_of(r) > view->end_ns)
            view->end_ns = end_of(r);
        if (r->outcome == PYR_OUTCOME_OK)
            ok[view->ok_count++] = i;
        else
            view->failed++;
    }
}

static size_t fill_each(const struct pyr_compat_view *view,
                        const struct pyr_compat_formula *formula, struct weighted *values) {
    size_t n = 0;
    for (size_t k = 0; k < view->ok_count; k++) {
        double value = formula->each(view, view->ok[k]);
        double weight = formula->weight ? formula->weight(view, view->ok[k]) : 1;
        if (!isnan(value) && weight > 0)
            values[n++] = (struct weighted){value, weight};
    }
    return n;
}

static size_t fill_gaps(const struct pyr_compat_view *view, bool from_a_byte,
                        struct weighted *values) {
    size_t n = 0;
    for (size_t i = 0; i < view->gap_count; i++)
        values[n++] = (struct weighted){view->gaps[i], 1};
    for (size_t k = 0; from_a_byte && k < view->ok_count; k++) {
        const struct pyr_request *r = &view->data->requests[view->ok[k]];
        if (r->first_byte_ns && r->first_content_ns > r->first_byte_ns && r->chunks > 0)
            values[n++] = (struct weighted){(double)(r->first_content_ns - r->first_byte_ns), 1};
    }
    return n;
}

static double of_estimate(const struct pyr_estimate *estimate, double factor) {
    return estimate->value * factor;
}

static void fill_ours(const struct pyr_case_result *ours, const struct pyr_compat_formula *formula,
                      struct pyr_compat_row *row) {
    enum pyr_metric metric = ours && ours->plan->open_loop ? formula->open : formula->closed;
    row->ours = unknown;
    if (metric == PYR_METRIC_COUNT)
        return;
    row->ours_name = pyr_metric_info(metric)->name;
    const struct pyr_metric_result *seen = ours ? pyr_case_metric(ours, metric) : NULL;
    double factor = formula->ours_factor > 0 ? formula->ours_factor : 1;
    if (!seen)
        return;
    if (pyr_metric_info(metric)->kind == PYR_KIND_SCALAR) {
        row->ours.mean = of_estimate(&seen->value, factor);
        return;
    }
    row->ours.mean = of_estimate(&seen->mean, factor);
    row->ours.sd = seen->sd * factor;
    row->ours.min = seen->min * factor;
    row->ours.max = seen->max * factor;
    row->ours.p50 = of_estimate(&seen->quantile[PYR_Q_P50], factor);
    row->ours.p90 = of_estimate(&seen->quantile[PYR_Q_P90], factor);
    row->ours.p95 = of_estimate(&seen->quantile[PYR_Q_P95], factor);
    row->ours.p99 = of_estimate(&seen->quantile[PYR_Q_P99], factor);
}

static void make_row(const struct pyr_compat_tool *tool, const struct pyr_compat_formula *formula,
                     const struct pyr_compat_view *view, struct weighted *scratch,
                     struct pyr_compat_row *row) {
    *row = (struct pyr_compat_row){.name = formula->name,
                                   .definition = formula->definition,
                                   .unit = formula->unit,
                                   .scalar = formula->kind == PYR_COMPAT_WHOLE,
                                   .theirs = unknown};
    if (row->scalar) {
        row->n = view->ok_count + view->failed;
        row->theirs.mean = formula->whole(view);
        return;
    }
    size_t n = formula->kind == PYR_COMPAT_EACH
                   ? fill_each(view, formula, scratch)
                   : fill_gaps(view, formula->kind == PYR_COMPAT_GAPS_FROM_A_BYTE, scratch);
    row->n = n;
    row->theirs = summarise(tool, scratch, n);
}

static void make_case(const struct pyr_compat_tool *tool, const struct pyr_compat_view *view,
                      const struct pyr_case_result *ours, struct pyr_arena *arena,
                      struct pyr_compat_case *out) {
    struct pyr_compat_row *rows = pyr_arena_array(arena, tool->formula_count, sizeof *rows);
    struct weighted *scratch = pyr_xcalloc(view->ok_count + view->gap_count + 1, sizeof *scratch);
    for (size_t i = 0; i < tool->formula_count; i++) {
        make_row(tool, &tool->formulas[i], view, scratch, &rows[i]);
        fill_ours(ours, &tool->formulas[i], &rows[i]);
    }
    pyr_free(scratch);
    *out = (struct pyr_compat_case){
        .suite = pyr_arena_strdup(arena, view->data->plan->suite),
        .id = pyr_arena_strdup(arena, view->data->plan->id),
        .completed = view->ok_count,
        .failed = view->failed,
        .seconds = view->end_ns > view->start_ns ? (double)(view->end_ns - view->start_ns) * 1e-9
                                                 : (double)NAN,
        .rows = rows,
        .row_count = tool->formula_count,
    };
}

/* --- the run ---------------------------------------------------------------------------------- */

static const struct pyr_compat_tool *find_tool(const char *name, struct pyr_err *err) {
    char names[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < pyr_compat_tool_count; i++) {
        if (strcmp(pyr_compat_tools[i].name, name) == 0)
            return &pyr_compat_tools[i];
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 pyr_compat_tools[i].name);
    }
    pyr_fail(err, PYR_E_USAGE, "--compat %s: there is no such tool; use one of %s", name, names);
    return NULL;
}

bool pyr_compat_check(const char *tool, struct pyr_err *err) {
    return find_tool(tool, err) != NULL;
}

static const struct pyr_case_result *find_ours(const struct pyr_result *result, uint32_t index) {
    for (size_t s = 0; s < result->suite_count; s++)
        for (size_t i = 0; i < result->suites[s].case_count; i++)
            if (result->suites[s].cases[i].plan->index == index)
                return &result->suites[s].cases[i];
    return NULL;
}

static void make_cases(const struct pyr_compat_tool *tool, struct pyr_collected *collected,
                       const struct pyr_result *ours, struct pyr_arena *arena,
                       struct pyr_compat_result *result) {
    struct gathered *gathered = pyr_xcalloc(collected->case_count + 1, sizeof *gathered);
    for (size_t i = 0; i < collected->case_count; i++)
        gathered[i].second_gap_ns = pyr_arena_array(collected->arena, collected->cases[i].count,
                                                    sizeof *gathered[i].second_gap_ns);
    struct gathering gathering = {collected, gathered};
    pyr_collect_each_chunk(collected, gather_chunk, &gathering);
    struct pyr_compat_case *cases = pyr_arena_array(arena, collected->case_count, sizeof *cases);
    for (size_t i = 0; i < collected->case_count; i++) {
        struct pyr_compat_view view;
        look_at_case(&collected->cases[i], &gathered[i], collected->arena, &view);
        if (view.ok_count + view.failed > 0)
            make_case(tool, &view, find_ours(ours, (uint32_t)i), arena,
                      &cases[result->case_count++]);
        pyr_free(gathered[i].gaps);
    }
    result->cases = cases;
    pyr_free(gathered);
}

bool pyr_compat_make(const char *run_path, const char *name, struct pyr_arena *arena,
                     struct pyr_compat_result *result, struct pyr_err *err) {
    const struct pyr_compat_tool *tool = find_tool(name, err);
    if (!tool)
        return false;
    *result = (struct pyr_compat_result){tool->name, tool->title, tool->rules, NULL, 0};
    struct pyr_result *ours;
    struct pyr_collected *collected;
    if (!pyr_result_make(run_path, &ours, err))
        return false;
    bool ok = pyr_collect_open(run_path, PYR_NO_CASE, &collected, err);
    if (ok) {
        make_cases(tool, collected, ours, arena, result);
        pyr_collect_close(collected);
    }
    pyr_result_destroy(ours);
    return ok;
}
