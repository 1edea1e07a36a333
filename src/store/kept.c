/* SPDX-License-Identifier: MIT */
#include "store/kept.h"

#include "base/buf.h"
#include "base/hash.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *const pyr_kept_names[PYR_KEPT_COUNT] = {"value", "mean", "p50", "p75",
                                                    "p90",   "p95",  "p99", "p99_9"};

int pyr_kept_find(const char *name) {
    int i = 0;
    while (i < PYR_KEPT_COUNT && strcmp(pyr_kept_names[i], name) != 0)
        i++;
    return i;
}

static char *copy(struct pyr_arena *arena, const char *text) {
    return text ? pyr_arena_strdup(arena, text) : NULL;
}

static struct pyr_estimate without_reason(struct pyr_estimate estimate) {
    estimate.reason = NULL;
    return estimate;
}

static void keep_metric(struct pyr_arena *arena, const struct pyr_metric_result *from,
                        struct pyr_kept_metric *to) {
    bool scalar = pyr_metric_info(from->metric)->kind == PYR_KIND_SCALAR;
    struct pyr_estimate unknown = pyr_estimate_unknown(NULL);
    *to = (struct pyr_kept_metric){.metric = from->metric,
                                   .source = copy(arena, from->source),
                                   .n = from->n,
                                   .sd = scalar ? (double)NAN : from->sd,
                                   .min = scalar ? (double)NAN : from->min,
                                   .max = scalar ? (double)NAN : from->max};
    to->at[PYR_KEPT_VALUE] = scalar ? without_reason(from->value) : unknown;
    to->at[PYR_KEPT_MEAN] = scalar ? unknown : without_reason(from->mean);
    for (int q = 0; q < PYR_Q_COUNT; q++)
        to->at[PYR_KEPT_P50 + q] = scalar ? unknown : without_reason(from->quantile[q]);
    if (from->hist) {
        struct pyr_buf bytes = {0};
        pyr_hist_write(from->hist, &bytes);
        char *kept = pyr_arena_alloc(arena, bytes.length);
        memcpy(kept, bytes.data, bytes.length);
        to->hist = kept;
        to->hist_bytes = bytes.length;
        pyr_buf_deinit(&bytes);
    }
}

static const struct pyr_kept_metric *
keep_metrics(struct pyr_arena *arena, const struct pyr_metric_result *from, size_t count) {
    struct pyr_kept_metric *metrics = pyr_arena_array(arena, count, sizeof *metrics);
    for (size_t i = 0; i < count; i++)
        keep_metric(arena, &from[i], &metrics[i]);
    return metrics;
}

/* When it began and a few letters of what it was, so that the ids of a team's machines differ and
 * sort by time. */
static char *make_id(struct pyr_arena *arena, double time_unix_s, const char *meta_json,
                     const char *run_path) {
    uint64_t hash = PYR_FNV1A64_INIT;
    hash = pyr_fnv1a64(hash, meta_json, strlen(meta_json));
    hash = pyr_fnv1a64(hash, run_path, strlen(run_path));
    char when[32] = "undated";
    if (fabs(time_unix_s) < 1e11) {
        time_t whole = (time_t)floor(time_unix_s);
        struct tm parts;
        if (gmtime_r(&whole, &parts))
            strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &parts);
    }
    return pyr_arena_printf(arena, "%s-%06x", when, (unsigned)(hash >> 40));
}

static const char *text_at(const json_t *meta, const char *key) {
    return json_string_value(json_object_get(meta, key));
}

static void keep_meta(struct pyr_arena *arena, const char *meta_json, struct pyr_kept_run *run) {
    json_t *meta = json_loads(meta_json, 0, NULL);
    const json_t *started = json_object_get(meta, "started_unix_ns");
    run->time_unix_s = json_is_number(started) ? json_number_value(started) / 1e9 : (double)NAN;
    run->command = copy(arena, text_at(meta, "command"));
    run->version = copy(arena, text_at(meta, "version"));
    run->revision = copy(arena, text_at(meta, "revision"));
    json_decref(meta);
}

void pyr_kept_from_meta(struct pyr_arena *arena, const char *meta_json, const char *run_path,
                        struct pyr_kept_run *run) {
    run->meta_json = pyr_arena_strdup(arena, meta_json);
    run->run_path = pyr_arena_strdup(arena, run_path);
    keep_meta(arena, run->meta_json, run);
    run->id = make_id(arena, run->time_unix_s, run->meta_json, run->run_path);
}

struct pyr_kept_run *pyr_kept_from_result(struct pyr_arena *arena,
                                          const struct pyr_result *result) {
    struct pyr_kept_run *run = pyr_arena_alloc(arena, sizeof *run);
    run->origin = "pyrometer";
    pyr_kept_from_meta(arena, result->meta_json ? result->meta_json : "{}",
                       result->run_path ? result->run_path : "", run);
    run->partial = copy(arena, result->partial);
    run->simulated = result->simulated;
    run->noise_floor = pyr_estimate_unknown(NULL);
    if (result->noise_floor)
        run->noise_floor.value = result->noise_floor->ratio;
    size_t count = result->instrument_count > 0;
    for (size_t i = 0; i < result->suite_count; i++)
        count += result->suites[i].case_count;
    struct pyr_kept_case *cases = pyr_arena_array(arena, count, sizeof *cases), *next = cases;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t k = 0; k < result->suites[i].case_count; k++) {
            const struct pyr_case_result *from = &result->suites[i].cases[k];
            *next++ = (struct pyr_kept_case){
                .suite = pyr_arena_strdup(arena, from->plan->suite),
                .id = pyr_arena_strdup(arena, from->plan->id),
                .params = pyr_arena_strdup(arena, from->plan->params),
                .open_loop = from->plan->open_loop != 0,
                .total = from->total,
                .ok = from->ok,
                .outputs_hash = from->outputs_hash,
                .metrics = keep_metrics(arena, from->metrics, from->metric_count),
                .metric_count = from->metric_count};
        }
    if (result->instrument_count > 0)
        *next++ = (struct pyr_kept_case){
            .suite = "instrument",
            .id = "",
            .params = "",
            .metrics = keep_metrics(arena, result->instrument, result->instrument_count),
            .metric_count = result->instrument_count};
    run->cases = cases;
    run->case_count = count;
    return run;
}

const struct pyr_kept_case *pyr_kept_case(const struct pyr_kept_run *run, const char *suite,
                                          const char *id) {
    for (size_t i = 0; i < run->case_count; i++)
        if (strcmp(run->cases[i].id, id) == 0 && strcmp(run->cases[i].suite, suite) == 0)
            return &run->cases[i];
    return NULL;
}

const struct pyr_kept_metric *pyr_kept_metric(const struct pyr_kept_case *kept,
                                              enum pyr_metric metric) {
    for (size_t i = 0; i < kept->metric_count; i++)
        if (kept->metrics[i].metric == metric)
            return &kept->metrics[i];
    return NULL;
}
