/* SPDX-License-Identifier: MIT */
#include "report/calibration.h"
#include "report/figures.h"
#include "report/formats.h"
#include "report/json_load.h"
#include "report/json_text.h"
#include "report/meta.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *texts(const char *const *list, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, pyr_json_text(list[i]));
    return array;
}

/* --- metrics --------------------------------------------------------------------------------- */

static json_t *estimate_json(const struct pyr_estimate *at) {
    json_t *object = json_object();
    pyr_json_put(object, "value", pyr_json_number(at->value));
    pyr_json_put(object, "lo", pyr_json_number(at->lo));
    pyr_json_put(object, "hi", pyr_json_number(at->hi));
    /* A null without a reason would be a question without an answer. */
    if (!isfinite(at->value) || !isfinite(at->lo) || !isfinite(at->hi))
        pyr_json_put(object, "reason", pyr_json_text(at->reason ? at->reason : "unknown"));
    return object;
}

/* A failure is a time that never came: a null whose reason says how many. */
static json_t *of_all_json(const struct pyr_of_all_asked *of_all, int quantile) {
    json_t *object = estimate_json(&of_all->quantile[quantile]);
    pyr_json_put(object, "never", json_boolean(isinf(of_all->quantile[quantile].value)));
    return object;
}

static void put_distribution(json_t *object, const struct pyr_metric_result *row) {
    pyr_json_put(object, "mean", estimate_json(&row->mean));
    pyr_json_put(object, "min", pyr_json_number(row->min));
    pyr_json_put(object, "max", pyr_json_number(row->max));
    for (int i = 0; i < PYR_Q_COUNT; i++) {
        struct pyr_estimate at = pyr_metric_quantile(row, i);
        json_t *quantile = estimate_json(&at);
        if (row->needed[i])
            pyr_json_put(quantile, "needs", pyr_json_count(row->needed[i]));
        if (row->of_all)
            pyr_json_put(quantile, "of_all_asked", of_all_json(row->of_all, i));
        pyr_json_put(object, pyr_quantile_names[i], quantile);
    }
    if (row->of_all) {
        pyr_json_put(object, "asked", pyr_json_count(row->of_all->asked));
        pyr_json_put(object, "failed", pyr_json_count(row->of_all->failed));
    }
    pyr_json_put(object, "sd", pyr_json_number(row->sd));
    pyr_json_put(object, "vif", pyr_json_number(row->vif));
    pyr_json_put(object, "n_effective", pyr_json_number(row->n_effective));
    pyr_json_put(object, "early_stopping_p99", pyr_json_number(row->early_stopping_p99));
    if (row->from_histogram)
        pyr_json_put(object, "relative_error", pyr_json_number(row->relative_error));
    if (row->overflow)
        pyr_json_put(object, "overflow", pyr_json_count(row->overflow));
    if (!row->curve_count)
        return;
    json_t *curve = json_array();
    for (size_t i = 0; i < row->curve_count; i++) {
        const struct pyr_curve_point *point = &row->curve[i];
        json_t *entry = json_array();
        json_array_append_new(entry, pyr_json_number(point->q));
        json_array_append_new(entry, pyr_json_number(point->at.value));
        json_array_append_new(entry, pyr_json_number(point->at.lo));
        json_array_append_new(entry, pyr_json_number(point->at.hi));
        json_array_append_new(curve, entry);
    }
    pyr_json_put(object, "curve", curve);
}

static json_t *metrics_json(const struct pyr_metric_result *rows, size_t count) {
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        const struct pyr_metric_info *info = pyr_metric_info(rows[i].metric);
        json_t *metric = json_object();
        pyr_json_put(metric, "unit", pyr_json_text(pyr_unit_name(info->unit)));
        pyr_json_put(metric, "n", pyr_json_count(rows[i].n));
        pyr_json_put(metric, "source",
                     pyr_json_text(rows[i].source ? rows[i].source : info->source));
        if (info->kind == PYR_KIND_SCALAR) {
            json_t *value = estimate_json(&rows[i].value);
            json_object_update(metric, value);
            json_decref(value);
        } else {
            put_distribution(metric, &rows[i]);
        }
        pyr_json_put(object, info->name, metric);
    }
    return object;
}

/* --- the flat keys of the older documents ------------------------------------------------------
 */

static double scalar_of(const struct pyr_case_result *result, enum pyr_metric metric,
                        double factor) {
    const struct pyr_metric_result *row = pyr_case_metric(result, metric);
    return row ? row->value.value * factor : (double)NAN;
}

static void put_flat_times(json_t *object, const struct pyr_case_result *result) {
    static const struct {
        const char *key;
        int quantile;
    } keys[] = {{"p50_latency_ms", PYR_Q_P50}, {"p90_latency_ms", PYR_Q_P90},
                {"p95_latency_ms", PYR_Q_P95}, {"p99_latency_ms", PYR_Q_P99},
                {"p50_ms", PYR_Q_P50},         {"p95_ms", PYR_Q_P95},
                {"p99_ms", PYR_Q_P99},         {"p999_ms", PYR_Q_P99_9}};
    const struct pyr_metric_result *latency = pyr_case_metric(result, pyr_headline_latency(result));
    const struct pyr_metric_result *ttft = pyr_case_metric(result, pyr_headline_ttft(result));
    pyr_json_put(object, "avg_latency_ms",
                 pyr_json_number(latency ? latency->mean.value / 1e6 : (double)NAN));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct pyr_estimate at = latency ? pyr_metric_quantile(latency, keys[i].quantile)
                                         : pyr_estimate_unknown("not measured");
        pyr_json_put(object, keys[i].key, pyr_json_number(at.value / 1e6));
    }
    static const int ttft_quantiles[] = {PYR_Q_P50, PYR_Q_P95};
    for (size_t i = 0; i < 2; i++) {
        struct pyr_estimate at = ttft ? pyr_metric_quantile(ttft, ttft_quantiles[i])
                                      : pyr_estimate_unknown("not measured");
        pyr_json_put(object, i ? "ttft_p95_ms" : "ttft_p50_ms", pyr_json_number(at.value / 1e6));
    }
}

static void put_flat(json_t *object, const struct pyr_case_result *result) {
    put_flat_times(object, result);
    pyr_json_put(object, "throughput_rps",
                 pyr_json_number(scalar_of(result, PYR_M_REQUEST_THROUGHPUT, 1)));
    pyr_json_put(object, "tokens_per_second",
                 pyr_json_number(scalar_of(result, PYR_M_OUTPUT_TOKEN_THROUGHPUT, 1)));
    pyr_json_put(object, "error_rate", pyr_json_number(scalar_of(result, PYR_M_ERROR_RATE, 1)));
    pyr_json_put(object, "spike_rate_percent",
                 pyr_json_number(scalar_of(result, PYR_M_SPIKE_RATE, 100)));
    double peak_mb = scalar_of(result, PYR_M_RSS_PEAK, 1e-6);
    pyr_json_put(object, "memory_usage_mb", pyr_json_number(peak_mb));
    pyr_json_put(object, "memory_peak_mb", pyr_json_number(peak_mb));
    pyr_json_put(object, "cpu_avg_percent",
                 pyr_json_number(scalar_of(result, PYR_M_CPU_UTILIZATION, 100)));
    pyr_json_put(object, "energy_consumption_joules",
                 pyr_json_number(scalar_of(result, PYR_M_ENERGY, 1)));
}

/* --- goals ----------------------------------------------------------------------------------- */

static json_t *verdict_json(enum pyr_goal_verdict verdict) {
    return verdict == PYR_GOAL_MET      ? json_true()
           : verdict == PYR_GOAL_MISSED ? json_false()
                                        : json_null();
}

/* target_scores and meets_targets of a suite, or of one of its cases. A goal is judged where it
 * was seen worst: met there, it is met in every case; missed there, nothing follows for others,
 * and their scores leave it out. */
static void put_scores(json_t *object, const struct pyr_result *result, const char *suite,
                       const char *case_id) {
    json_t *scores = json_object();
    bool missed = false, open = false;
    for (size_t i = 0; i < result->goal_count; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        if (*row->goal->suite && strcmp(row->goal->suite, suite) != 0)
            continue;
        bool here = !case_id || (row->case_id && strcmp(row->case_id, case_id) == 0);
        if (row->verdict != PYR_GOAL_MET && !here) {
            open = true;
            continue;
        }
        missed |= row->verdict == PYR_GOAL_MISSED;
        open |= row->verdict != PYR_GOAL_MET && row->verdict != PYR_GOAL_MISSED;
        char key[sizeof row->goal->label];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(row->goal->label, "=<> "), row->goal->label);
        json_t *name =
            pyr_json_text(!*key || json_object_get(scores, key) ? row->goal->label : key);
        pyr_json_put(scores, json_string_value(name), verdict_json(row->verdict));
        json_decref(name);
    }
    bool any = json_object_size(scores) > 0;
    pyr_json_put(object, "target_scores", scores);
    pyr_json_put(object, "meets_targets",
                 missed         ? json_false()
                 : open || !any ? json_null()
                                : json_true());
}

static json_t *goals_json(const struct pyr_result *result) {
    json_t *array = json_array();
    for (size_t i = 0; i < result->goal_count; i++) {
        const struct pyr_goal_result *row = &result->goals[i];
        const struct pyr_goal *goal = row->goal;
        enum pyr_metric metric = pyr_metric_find(goal->metric);
        json_t *object = json_object();
        pyr_json_put(object, "label", pyr_json_text(goal->label));
        pyr_json_put(object, "metric", pyr_json_text(goal->metric));
        pyr_json_put(object, "statistic", pyr_json_text(goal->statistic));
        pyr_json_put(object, "suite", *goal->suite ? pyr_json_text(goal->suite) : json_null());
        pyr_json_put(object, "bound", pyr_json_text(goal->at_least ? "at_least" : "at_most"));
        pyr_json_put(object, "limit", pyr_json_number(goal->limit));
        pyr_json_put(object, "unit",
                     metric < PYR_METRIC_COUNT
                         ? pyr_json_text(pyr_unit_name(pyr_metric_info(metric)->unit))
                         : json_null());
        pyr_json_put(object, "from_user", json_boolean(goal->user));
        pyr_json_put(object, "per_request", json_boolean(goal->per_request));
        pyr_json_put(object, "verdict", pyr_json_text(pyr_goal_verdict_name(row->verdict)));
        pyr_json_put(object, "seen", estimate_json(&row->seen));
        pyr_json_put(object, "case", pyr_json_text(row->case_id));
        pyr_json_put(object, "why", pyr_json_text(row->why));
        json_array_append_new(array, object);
    }
    return array;
}

/* --- cases ----------------------------------------------------------------------------------- */

static json_t *params_json(const struct pyr_case *plan) {
    json_t *object = json_object();
    struct pyr_param param;
    for (const char *at = plan->params; pyr_params_next(&at, &param);) {
        char key[sizeof plan->params], value[sizeof plan->params], *end;
        snprintf(key, sizeof key, "%.*s", (int)param.key_bytes, param.key);
        snprintf(value, sizeof value, "%.*s", (int)param.value_bytes, param.value);
        double number = strtod(value, &end);
        bool numeric = *value && !*end && isfinite(number);
        bool whole = numeric && number == floor(number) && fabs(number) < 1e15;
        json_t *name = pyr_json_text(key);
        pyr_json_put(object, json_string_value(name),
                     whole     ? json_integer((json_int_t)number)
                     : numeric ? pyr_json_number(number)
                               : pyr_json_text(value));
        json_decref(name);
    }
    return object;
}

static json_t *outcomes_json(const struct pyr_case_result *result) {
    json_t *object = json_object();
    pyr_json_put(object, "total", pyr_json_count(result->total));
    pyr_json_put(object, "ok", pyr_json_count(result->ok));
    for (int i = 0; i < PYR_OUTCOME_COUNT; i++)
        if (result->outcomes[i] && i != PYR_OUTCOME_OK)
            pyr_json_put(object, pyr_outcome_name((enum pyr_outcome)i),
                         pyr_json_count(result->outcomes[i]));
    return object;
}

/* Columns and rows, so that a thousand steps do not repeat their names a thousand times. */
static json_t *timeline_json(const struct pyr_case_result *result) {
    static const char *const columns[] = {"start_s",        "width_s",          "ok",
                                          "failed",         "output_tokens",    "latency_p50_ms",
                                          "latency_max_ms", "ttft_p50_ms",      "in_flight",
                                          "asked_rate",     "asked_concurrency"};
    json_t *object = json_object(), *rows = json_array();
    pyr_json_put(object, "columns", texts(columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < result->timeline_count; i++) {
        const struct pyr_timeline_point *at = &result->timeline[i];
        json_t *row = json_array();
        json_array_append_new(row, pyr_json_number(at->start_s));
        json_array_append_new(row, pyr_json_number(at->width_s));
        json_array_append_new(row, pyr_json_count(at->ok));
        json_array_append_new(row, pyr_json_count(at->failed));
        json_array_append_new(row, pyr_json_count(at->output_tokens));
        json_array_append_new(row, pyr_json_number(at->latency_median_ns / 1e6));
        json_array_append_new(row, pyr_json_number(at->latency_max_ns / 1e6));
        json_array_append_new(row, pyr_json_number(at->ttft_median_ns / 1e6));
        json_array_append_new(row, pyr_json_number(at->in_flight));
        json_array_append_new(row, pyr_json_number(at->asked_rate));
        json_array_append_new(row, pyr_json_number(at->asked_concurrency));
        json_array_append_new(rows, row);
    }
    pyr_json_put(object, "rows", rows);
    return object;
}

static json_t *spikes_json(const struct pyr_case_result *result) {
    json_t *array = json_array();
    for (size_t i = 0; i < result->spike_count; i++) {
        json_t *object = json_object();
        pyr_json_put(object, "at_s", pyr_json_number(result->spikes[i].at_s));
        pyr_json_put(object, "latency_ms", pyr_json_number(result->spikes[i].latency_ns / 1e6));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *window_json(const struct pyr_case_result *result) {
    static const char *const names[] = {
        [PYR_STEADY] = "steady", [PYR_NEVER_STEADY] = "never", [PYR_STEADY_UNKNOWN] = "unknown"};
    json_t *object = json_object();
    pyr_json_put(object, "whole_s", pyr_json_number(result->whole_s));
    pyr_json_put(object, "steady_s", pyr_json_number(result->steady_s));
    pyr_json_put(object, "cut_s", pyr_json_number(result->cut_s));
    pyr_json_put(object, "steadiness", pyr_json_text(names[result->steadiness]));
    pyr_json_put(object, "saturating", json_boolean(result->saturating));
    pyr_json_put(object, "ended_early", pyr_json_text(result->ended_early));
    return object;
}

static void put_load(json_t *object, const struct pyr_case *plan) {
    pyr_json_put(object, "load_model", pyr_json_text(plan->open_loop ? "open" : "closed"));
    pyr_json_put(object, "concurrency",
                 plan->concurrency ? pyr_json_count(plan->concurrency) : json_null());
    pyr_json_put(object, "rate", plan->open_loop ? pyr_json_number(plan->rate) : json_null());
    pyr_json_put(object, "arrival", pyr_json_text(plan->arrival));
    pyr_json_put(object, "prompt_class",
                 *plan->prompt_class ? pyr_json_text(plan->prompt_class) : json_null());
}

static json_t *kinds_json(const struct pyr_case_result *result) {
    json_t *object = json_object();
    for (int bit = 0; bit < PYR_KIND_COUNT; bit++)
        if (result->kinds[bit])
            pyr_json_put(object, pyr_request_kind_name(bit), pyr_json_count(result->kinds[bit]));
    return object;
}

static json_t *case_json(const struct pyr_result *whole, const struct pyr_suite_result *suite,
                         const struct pyr_case_result *result, const char *timestamp) {
    json_t *object = json_object();
    pyr_json_put(object, "id", pyr_json_text(result->plan->id));
    pyr_json_put(object, "benchmark_type", pyr_json_text(suite->name));
    pyr_json_put(object, "timestamp", *timestamp ? pyr_json_text(timestamp) : json_null());
    pyr_json_put(object, "params", params_json(result->plan));
    pyr_json_put(object, "arm", pyr_json_count(result->plan->arm));
    pyr_json_put(object, "block", pyr_json_count(result->plan->block));
    put_load(object, result->plan);
    pyr_json_put(object, "outcomes", outcomes_json(result));
    uint64_t cancelled = result->outcomes[PYR_OUTCOME_CANCELLED];
    pyr_json_put(object, "successful_requests", pyr_json_count(result->ok));
    pyr_json_put(object, "failed_requests", pyr_json_count(result->total - result->ok - cancelled));
    pyr_json_put(object, "total_duration_sec", pyr_json_number(result->whole_s));
    put_flat(object, result);
    put_scores(object, whole, suite->name, result->plan->id);
    pyr_json_put(object, "window", window_json(result));
    json_t *flags = json_object();
    pyr_json_put(flags, "short", pyr_json_count(result->flag_short));
    pyr_json_put(flags, "no_done", pyr_json_count(result->flag_no_done));
    pyr_json_put(object, "kinds", kinds_json(result));
    pyr_json_put(object, "flags", flags);
    char hash[17];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)result->outputs_hash);
    pyr_json_put(object, "outputs_hash", result->outputs_hash ? pyr_json_text(hash) : json_null());
    pyr_json_put(object, "serialises", pyr_json_text(result->serialises));
    pyr_json_put(object, "warnings", texts(result->warnings, result->warning_count));
    pyr_json_put(object, "metrics", metrics_json(result->metrics, result->metric_count));
    pyr_json_put(object, "metrics_whole", metrics_json(result->whole, result->whole_count));
    pyr_json_put(object, "phases", pyr_json_phases(result));
    if (result->lockstep.burst > 0)
        pyr_json_put(object, "lockstep", pyr_json_lockstep(result));
    if (result->plan->open_loop)
        pyr_json_put(object, "own_queue", pyr_json_own_queue(result));
    if (result->turn_count)
        pyr_json_put(object, "turns", pyr_json_turns(result));
    if (result->drift)
        pyr_json_put(object, "drift", pyr_json_drift(result));
    pyr_json_put(object, "spikes", spikes_json(result));
    pyr_json_put(object, "timeline", timeline_json(result));
    return object;
}

static json_t *suites_json(const struct pyr_result *result, const char *timestamp) {
    json_t *object = json_object();
    for (size_t i = 0; i < result->suite_count; i++) {
        const struct pyr_suite_result *suite = &result->suites[i];
        json_t *entry = json_object(), *cases = json_array();
        const struct pyr_case_result *headline = NULL;
        for (size_t j = 0; j < suite->case_count; j++) {
            json_array_append_new(cases, case_json(result, suite, &suite->cases[j], timestamp));
            if (!headline && suite->cases[j].ok)
                headline = &suite->cases[j];
        }
        pyr_json_put(entry, "headline_case", pyr_json_text(headline ? headline->plan->id : NULL));
        if (headline)
            put_flat(entry, headline);
        put_scores(entry, result, suite->name, NULL);
        pyr_json_put(entry, "cases", cases);
        json_t *name = pyr_json_text(suite->name);
        pyr_json_put(object, json_string_value(name), entry);
        json_decref(name);
    }
    return object;
}

/* --- one suite by itself --------------------------------------------------------------------- */

static void put_totals(json_t *object, const struct pyr_case_result *cases, size_t count) {
    uint64_t total = 0, ok = 0, failed = 0;
    double seconds = 0;
    for (size_t i = 0; i < count; i++) {
        total += cases[i].total;
        ok += cases[i].ok;
        failed += cases[i].total - cases[i].ok - cases[i].outcomes[PYR_OUTCOME_CANCELLED];
        seconds += cases[i].whole_s;
    }
    pyr_json_put(object, "iterations", pyr_json_count(total));
    pyr_json_put(object, "successful_requests", pyr_json_count(ok));
    pyr_json_put(object, "failed_requests", pyr_json_count(failed));
    pyr_json_put(object, "total_duration_sec", pyr_json_number(seconds));
}

void pyr_report_suite_json(const struct pyr_result *result, size_t index, struct pyr_buf *out) {
    const struct pyr_suite_result *suite = &result->suites[index];
    const struct pyr_case_result *headline = NULL;
    struct pyr_report_meta meta;
    char timestamp[32];
    pyr_report_meta_open(result->meta_json, &meta);
    pyr_report_iso_time(meta.started_unix_s, timestamp, sizeof timestamp);
    pyr_report_meta_close(&meta);
    json_t *root = json_object(), *list = json_array();
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct pyr_case_result *one = &suite->cases[i];
        json_t *entry = json_object();
        pyr_json_put(entry, "id", pyr_json_text(one->plan->id));
        pyr_json_put(entry, "concurrency", pyr_json_count(one->plan->concurrency));
        put_totals(entry, one, 1);
        pyr_json_put(entry, "duration_sec", pyr_json_number(one->whole_s));
        put_flat(entry, one);
        json_array_append_new(list, entry);
        if (!headline && one->ok)
            headline = one;
    }
    pyr_json_put(root, "benchmark_type", pyr_json_text(suite->name));
    pyr_json_put(root, "timestamp", *timestamp ? pyr_json_text(timestamp) : json_null());
    pyr_json_put(root, "simulated", json_boolean(result->simulated));
    pyr_json_put(root, "partial", pyr_json_text(result->partial));
    put_totals(root, suite->cases, suite->case_count);
    pyr_json_put(root, "headline_case", pyr_json_text(headline ? headline->plan->id : NULL));
    if (headline)
        put_flat(root, headline);
    pyr_json_put(root, "results", list);
    pyr_json_pretty(out, root);
    json_decref(root);
}

/* --- the whole ------------------------------------------------------------------------------- */

static json_t *instrument_json(const struct pyr_result *result) {
    json_t *object = json_object(), *floor = json_null();
    if (result->noise_floor) {
        floor = json_object();
        pyr_json_put(floor, "ratio", pyr_json_number(result->noise_floor->ratio));
        pyr_json_put(floor, "pairs", pyr_json_count(result->noise_floor->pairs));
        pyr_json_put(floor, "source", pyr_json_text(result->noise_floor->source));
    }
    pyr_json_put(object, "program", json_string("pyrometer"));
    pyr_json_put(object, "version", json_string(PYR_VERSION));
    pyr_json_put(object, "requests", pyr_json_count(result->requests));
    pyr_json_put(object, "chunks", pyr_json_count(result->chunks));
    pyr_json_put(object, "metrics", metrics_json(result->instrument, result->instrument_count));
    pyr_json_put(object, "noise_floor", floor);
    pyr_calibrations_json(object, result);
    return object;
}

static json_t *assessment_json(const struct pyr_result *result) {
    json_t *object = json_object();
    pyr_json_put(object, "performance_grade", pyr_json_text(pyr_grade_name(result->grade)));
    pyr_json_put(object, "grade_reason", pyr_json_text(result->grade_reason));
    pyr_json_put(object, "targets_met", pyr_json_count(result->goals_met));
    pyr_json_put(object, "targets_decided", pyr_json_count(result->goals_decided));
    pyr_json_put(object, "total_targets", pyr_json_count(result->goal_count));
    pyr_json_put(object, "targets", goals_json(result));
    pyr_json_put(object, "recommendations",
                 texts(result->recommendations, result->recommendation_count));
    return object;
}

static json_t *borrowed(json_t *value) {
    return value ? json_incref(value) : json_object();
}

bool pyr_report_json(const struct pyr_result *result, const struct pyr_report_options *options,
                     struct pyr_buf *out, struct pyr_err *err) {
    (void)options;
    (void)err;
    struct pyr_report_meta meta;
    pyr_report_meta_open(result->meta_json, &meta);
    char timestamp[32];
    pyr_report_iso_time(meta.started_unix_s, timestamp, sizeof timestamp);
    json_t *root = json_object();
    pyr_json_put(root, "schema", json_string("pyrometer/1"));
    pyr_json_put(root, "timestamp",
                 isfinite(meta.started_unix_s) ? json_real(meta.started_unix_s) : json_null());
    pyr_json_put(root, "timestamp_iso", *timestamp ? pyr_json_text(timestamp) : json_null());
    pyr_json_put(root, "command", pyr_json_text(meta.command));
    pyr_json_put(root, "repeat_command", pyr_json_text(meta.repeat_command));
    pyr_json_put(root, "target", borrowed(meta.target));
    pyr_json_put(root, "run_file", pyr_json_text(result->run_path));
    pyr_json_put(root, "partial", pyr_json_text(result->partial));
    pyr_json_put(root, "interrupted", json_boolean(result->interrupted));
    pyr_json_put(root, "simulated", json_boolean(result->simulated));
    pyr_json_put(root, "warnings", texts(result->warnings, result->warning_count));
    pyr_json_put(root, "config", borrowed(meta.config));
    pyr_json_put(root, "system_info", borrowed(meta.system_info));
    pyr_json_put(root, "instrument", instrument_json(result));
    pyr_json_put(root, "benchmarks", suites_json(result, timestamp));
    pyr_json_put(root, "stress_test", pyr_json_stress(result->stress));
    pyr_json_put(root, "overall_assessment", assessment_json(result));
    pyr_json_pretty(out, root);
    json_decref(root);
    pyr_report_meta_close(&meta);
    return true;
}
