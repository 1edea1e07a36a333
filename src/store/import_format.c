/* SPDX-License-Identifier: MIT */
/* What the importers share. */
#include "store/import_format.h"

#include "base/mem.h"
#include "estimate/dist.h"
#include "estimate/summary.h"
#include "store/import_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pyr_kept_case *pyr_import_case(struct pyr_import *import, const char *suite,
                                      const char *id) {
    struct pyr_kept_run *run = import->run;
    struct pyr_kept_case *cases = (struct pyr_kept_case *)run->cases;
    const char *name = id;
    size_t same = 1;
    for (size_t i = 0; i < run->case_count; i++)
        same += strcmp(import->asked[i], id) == 0 && strcmp(cases[i].suite, suite) == 0;
    while (same > 1 && (name == id || pyr_kept_case(run, suite, name)))
        name = pyr_arena_printf(import->arena, "%s #%zu", id, same++);
    if (run->case_count == import->case_capacity) {
        import->case_capacity = import->case_capacity ? 2 * import->case_capacity : 16;
        struct pyr_kept_case *grown =
            pyr_arena_array(import->arena, import->case_capacity, sizeof *grown);
        if (run->case_count)
            memcpy(grown, cases, run->case_count * sizeof *grown);
        run->cases = cases = grown;
        const char **asked =
            pyr_arena_array(import->arena, import->case_capacity, sizeof(const char *));
        if (run->case_count)
            memcpy(asked, import->asked, run->case_count * sizeof *asked);
        import->asked = asked;
    }
    import->asked[run->case_count] = pyr_arena_strdup(import->arena, id);
    struct pyr_kept_case *made = &cases[run->case_count++];
    *made = (struct pyr_kept_case){.suite = pyr_arena_strdup(import->arena, suite),
                                   .id = pyr_arena_strdup(import->arena, name),
                                   .params = ""};
    return made;
}

struct pyr_kept_metric *pyr_import_metric(struct pyr_import *import, struct pyr_kept_case *kept,
                                          enum pyr_metric metric) {
    struct pyr_kept_metric *metrics = (struct pyr_kept_metric *)kept->metrics;
    for (size_t i = 0; i < kept->metric_count; i++)
        if (metrics[i].metric == metric)
            return &metrics[i];
    size_t count = kept->metric_count;
    if (count == 0 || (count >= 8 && (count & (count - 1)) == 0)) { /* full: room doubles from 8 */
        struct pyr_kept_metric *grown =
            pyr_arena_array(import->arena, count ? 2 * count : 8, sizeof *grown);
        if (count)
            memcpy(grown, metrics, count * sizeof *grown);
        kept->metrics = metrics = grown;
    }
    struct pyr_kept_metric *made = &metrics[kept->metric_count++];
    *made = (struct pyr_kept_metric){.metric = metric,
                                     .source = import->source,
                                     .sd = (double)NAN,
                                     .min = (double)NAN,
                                     .max = (double)NAN};
    for (int i = 0; i < PYR_KEPT_COUNT; i++)
        made->at[i] = pyr_estimate_unknown(NULL);
    return made;
}

/* --- what is told ------------------------------------------------------------------------------
 */

static void add_caution(struct pyr_import *import, const char *text) {
    enum { MOST_BYTES = 4096 };
    const char *so_far = import->run->cautions ? import->run->cautions : "";
    size_t length = strlen(text);
    for (const char *at = so_far; (at = strstr(at, text)); at += length)
        if ((at == so_far || at[-1] == '\n') && (at[length] == '\n' || !at[length]))
            return;
    if (strlen(so_far) + length < MOST_BYTES)
        import->run->cautions =
            pyr_arena_printf(import->arena, "%s%s%s", so_far, *so_far ? "\n" : "", text);
}

void pyr_import_caution(struct pyr_import *import, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add_caution(import, text);
}

void pyr_import_failed(struct pyr_import *import, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add_caution(import, text);
    if (!import->failure)
        import->failure = pyr_arena_strdup(import->arena, text);
}

bool pyr_import_outcomes(struct pyr_import *import, struct pyr_kept_case *kept, double ok,
                         double failed) {
    kept->ok = ok > 0 ? (uint64_t)ok : 0;
    kept->total = kept->ok + (failed > 0 ? (uint64_t)failed : 0);
    if (isnan(ok))
        return true;
    if (!isnan(failed) && kept->total > 0) {
        struct pyr_kept_metric *rate = pyr_import_metric(import, kept, PYR_M_ERROR_RATE);
        rate->n = kept->total;
        rate->at[PYR_KEPT_VALUE] = pyr_proportion(kept->total - kept->ok, kept->total, 1);
    }
    if (kept->ok > 0)
        return true;
    pyr_import_failed(import, "%s: none of %llu went well", kept->id,
                      (unsigned long long)kept->total);
    return false;
}

/* --- numbers -----------------------------------------------------------------------------------
 */

static bool is_no_number(const json_t *value) {
    const char *text = json_string_value(value);
    return text && (strcmp(text, PYR_IMPORT_NAN) == 0 || strcmp(text, PYR_IMPORT_INFINITE) == 0 ||
                    strcmp(text, PYR_IMPORT_MINUS_INFINITE) == 0);
}

bool pyr_import_number(struct pyr_import *import, const json_t *value, const char *what,
                       double *number, struct pyr_err *err) {
    *number = (double)NAN;
    if (!value || json_is_null(value))
        return true;
    if (is_no_number(value)) {
        pyr_import_failed(
            import, "'%s' is %s: its tool divided by nothing there, and it is left out", what,
            strcmp(json_string_value(value), PYR_IMPORT_NAN) == 0 ? "NaN" : "infinite");
        return true;
    }
    if (!json_is_number(value))
        return pyr_fail(err, PYR_E_INPUT, "%s: '%s' is no number; write it again with its tool",
                        import->name, what);
    *number = json_number_value(value);
    return *number >= 0 ||
           pyr_fail(
               err, PYR_E_INPUT,
               "%s: '%s' is %g, and no such figure is below zero; write it again with its tool",
               import->name, what, *number);
}

bool pyr_import_count(struct pyr_import *import, const json_t *value, const char *what,
                      double *count, struct pyr_err *err) {
    if (!pyr_import_number(import, value, what, count, err))
        return false;
    return !(*count > 0x1p53) ||
           pyr_fail(err, PYR_E_INPUT,
                    "%s: '%s' is %g, more than can be counted; write it again with its tool",
                    import->name, what, *count);
}

void pyr_import_put(struct pyr_import *import, struct pyr_kept_case *kept, enum pyr_metric metric,
                    int statistic, double value) {
    if (isnan(value))
        return;
    struct pyr_kept_metric *to = pyr_import_metric(import, kept, metric);
    if (statistic < PYR_KEPT_COUNT)
        to->at[statistic].value = value;
    else if (statistic == PYR_IMPORT_SD)
        to->sd = value;
    else if (statistic == PYR_IMPORT_MIN)
        to->min = value;
    else
        to->max = value;
}

bool pyr_import_keys(struct pyr_import *import, struct pyr_kept_case *kept, const json_t *object,
                     const struct pyr_import_key *keys, size_t key_count, uint64_t n,
                     struct pyr_err *err) {
    for (size_t i = 0; i < key_count; i++) {
        double number;
        if (!pyr_import_number(import, json_object_get(object, keys[i].key), keys[i].key, &number,
                               err))
            return false;
        if (isnan(number))
            continue;
        pyr_import_put(import, kept, keys[i].metric, keys[i].statistic, number * keys[i].scale);
        pyr_import_metric(import, kept, keys[i].metric)->n = n;
    }
    return true;
}

void pyr_import_bound_mean(struct pyr_kept_metric *metric) {
    struct pyr_estimate *mean = &metric->at[PYR_KEPT_MEAN];
    if (metric->n < 2 || isnan(metric->sd) || isnan(mean->value))
        return;
    double half =
        pyr_student_quantile(0.975, (double)(metric->n - 1)) * metric->sd / sqrt((double)metric->n);
    mean->lo = mean->value - half;
    mean->hi = mean->value + half;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool pyr_import_values(struct pyr_import *import, struct pyr_kept_case *kept,
                       enum pyr_metric metric, const json_t *values, double scale,
                       struct pyr_err *err) {
    size_t n = json_array_size(values);
    if (n == 0)
        return true;
    double *sorted = pyr_arena_array(import->arena, n, sizeof *sorted), sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (!pyr_import_number(import, json_array_get(values, i), "a measured value", &sorted[i],
                               err))
            return false;
        if (isnan(sorted[i]))
            return pyr_fail(err, PYR_E_INPUT, "%s: a measured value is null or no number",
                            import->name);
        sorted[i] *= scale;
        sum += sorted[i];
    }
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (sorted[i] - mean) * (sorted[i] - mean);
    qsort(sorted, n, sizeof *sorted, ascending);
    struct pyr_kept_metric *to = pyr_import_metric(import, kept, metric);
    to->n = n;
    to->min = sorted[0];
    to->max = sorted[n - 1];
    to->sd = n > 1 ? sqrt(squares / (double)(n - 1)) : (double)NAN;
    to->at[PYR_KEPT_MEAN].value = mean;
    to->at[PYR_KEPT_P50].value = sorted[(n + 1) / 2 - 1]; /* the order statistic ceil(n/2) */
    pyr_import_bound_mean(to);
    return true;
}

const char *pyr_import_text_of(struct pyr_import *import, const json_t *value) {
    if (json_is_string(value))
        return pyr_arena_strdup(import->arena, json_string_value(value));
    if (!json_is_number(value) && !json_is_boolean(value))
        return NULL;
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    const char *copy = pyr_arena_strdup(import->arena, text);
    pyr_free(text);
    return copy;
}

const char *pyr_import_member_text(struct pyr_import *import, const json_t *object,
                                   const char *key) {
    return pyr_import_text_of(import, json_object_get(object, key));
}

/* --- settings ----------------------------------------------------------------------------------
 */

void pyr_import_settings(struct pyr_import *import, const json_t *object, const char *const *keys,
                         size_t key_count, char between, struct pyr_buf *text) {
    for (size_t i = 0; i < key_count; i++) {
        const json_t *value = json_object_get(object, keys[i]);
        if (json_array_size(value) == 1)
            value = json_array_get(value, 0);
        const char *shown = pyr_import_text_of(import, value);
        if (!shown || !*shown)
            continue;
        if (text->length)
            pyr_buf_putc(text, between);
        pyr_buf_printf(text, "%s=%s", keys[i], shown);
    }
}

const json_t *pyr_import_search(const json_t *root, const char *key) {
    const json_t *found = json_object_get(root, key);
    if (found && !json_is_null(found) && !json_is_object(found))
        return found;
    const char *name;
    json_t *member;
    found = NULL;
    if (json_is_object(root)) {
        json_object_foreach((json_t *)root, name, member) if (!found) found =
            pyr_import_search(member, key);
    } else if (json_is_array(root)) {
        for (size_t i = 0; i < json_array_size(root) && !found; i++)
            found = pyr_import_search(json_array_get(root, i), key);
    }
    return found;
}
