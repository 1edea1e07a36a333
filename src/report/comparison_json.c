/* SPDX-License-Identifier: MIT */
/* docs/formats/comparison.md has the keys. */
#include "report/comparison.h"
#include "report/json_text.h"

#include <stdio.h>

static json_t *estimate_json(const struct pyr_estimate *estimate) {
    json_t *object = json_object();
    pyr_json_put(object, "value", pyr_json_number(estimate->value));
    pyr_json_put(object, "lo", pyr_json_number(estimate->lo));
    pyr_json_put(object, "hi", pyr_json_number(estimate->hi));
    if (estimate->reason)
        pyr_json_put(object, "reason", pyr_json_text(estimate->reason));
    return object;
}

static json_t *values_json(const double *values, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, pyr_json_number(values[i]));
    return list;
}

static json_t *side_json(const struct pyr_comparison_side *side) {
    json_t *object = json_object();
    pyr_json_put(object, "name", pyr_json_text(side->name));
    pyr_json_put(object, "runs", pyr_json_count(side->runs));
    pyr_json_put(object, "version", pyr_json_text(side->version));
    pyr_json_put(object, "revision", pyr_json_text(side->revision));
    pyr_json_put(object, "engine", pyr_json_text(side->engine));
    pyr_json_put(object, "timestamp", pyr_json_number(side->time_unix_s));
    pyr_json_put(object, "simulated", json_boolean(side->simulated));
    return object;
}

static json_t *measured_json(const struct pyr_estimate *estimate, const double *values,
                             size_t count) {
    json_t *object = estimate_json(estimate);
    pyr_json_put(object, "values", values_json(values, count));
    return object;
}

static const char *better_name(enum pyr_better better) {
    return better == PYR_BETTER_HIGHER  ? "higher"
           : better == PYR_BETTER_LOWER ? "lower"
                                        : "neither";
}

static json_t *metric_json(const struct pyr_compared_metric *metric) {
    const struct pyr_metric_info *info = pyr_metric_info(metric->metric);
    const struct pyr_judgement *judgement = &metric->judgement;
    json_t *object = json_object();
    pyr_json_put(object, "suite", pyr_json_text(metric->suite));
    pyr_json_put(object, "case", pyr_json_text(metric->case_id));
    pyr_json_put(object, "metric", pyr_json_text(info->name));
    pyr_json_put(object, "statistic", pyr_json_text(metric->statistic));
    pyr_json_put(object, "unit", pyr_json_text(pyr_unit_name(info->unit)));
    pyr_json_put(object, "better", pyr_json_text(better_name(info->better)));
    pyr_json_put(object, "gated", json_boolean(metric->gated));
    pyr_json_put(object, "verdict", pyr_json_text(pyr_verdict_name(judgement->verdict)));
    pyr_json_put(object, "reason", pyr_json_text(judgement->reason));
    pyr_json_put(object, "threshold", pyr_json_number(metric->threshold));
    pyr_json_put(object, "gate", pyr_json_number(judgement->gate));
    pyr_json_put(object, "worse", pyr_json_number(judgement->worse));
    pyr_json_put(object, "least_detectable", pyr_json_number(judgement->least_detectable));
    pyr_json_put(object, "p", pyr_json_number(metric->p));
    pyr_json_put(object, "spread", pyr_json_number(metric->spread));
    pyr_json_put(object, "ratio", estimate_json(&metric->ratio));
    pyr_json_put(object, "baseline",
                 measured_json(&metric->baseline, metric->baseline_values, metric->baseline_count));
    pyr_json_put(object, "current",
                 measured_json(&metric->current, metric->current_values, metric->current_count));
    if (metric->again_values)
        pyr_json_put(object, "baseline_again",
                     values_json(metric->again_values, metric->baseline_count));
    if (metric->note)
        pyr_json_put(object, "note", pyr_json_text(metric->note));
    return object;
}

static json_t *texts_json(const char *const *texts, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, pyr_json_text(texts[i]));
    return list;
}

static json_t *parts_json(const struct pyr_comparison *comparison) {
    json_t *list = json_array();
    for (size_t i = 0; i < comparison->part_count; i++) {
        const struct pyr_compared_part *part = &comparison->parts[i];
        json_t *object = json_object();
        pyr_json_put(object, "part", pyr_json_text(part->part));
        pyr_json_put(object, "baseline", pyr_json_text(part->baseline));
        pyr_json_put(object, "current", pyr_json_text(part->current));
        pyr_json_put(object, "warning", json_boolean(part->warning));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *floor_json(const struct pyr_comparison *comparison) {
    json_t *object = json_object();
    pyr_json_put(object, "ratio", pyr_json_number(comparison->noise_floor.ratio));
    pyr_json_put(object, "pairs", pyr_json_count(comparison->noise_floor.pairs));
    pyr_json_put(object, "source", pyr_json_text(comparison->noise_floor.source));
    pyr_json_put(object, "biased", json_boolean(comparison->noise_biased));
    return object;
}

static json_t *outputs_json(const struct pyr_comparison *comparison) {
    static const char *const names[] = {"unknown", "same", "differ"};
    json_t *object = json_object();
    pyr_json_put(object, "state", pyr_json_text(names[comparison->outputs]));
    pyr_json_put(object, "compared", pyr_json_count(comparison->outputs_compared));
    pyr_json_put(object, "different", pyr_json_count(comparison->outputs_different));
    return object;
}

static json_t *whole_json(const struct pyr_comparison *comparison) {
    json_t *root = json_object();
    pyr_json_put(root, "schema", pyr_json_text("pyrometer-comparison/1"));
    pyr_json_put(root, "kind", pyr_json_text(pyr_comparison_kind_name(comparison->kind)));
    pyr_json_put(root, "verdict", pyr_json_text(pyr_verdict_name(comparison->verdict)));
    pyr_json_put(root, "has_regression", json_boolean(comparison->has_regression));
    pyr_json_put(root, "summary", pyr_json_text(comparison->summary));
    pyr_json_put(root, "more", pyr_json_text(comparison->more));
    pyr_json_put(root, "threshold", pyr_json_number(comparison->threshold));
    pyr_json_put(root, "gated", pyr_json_count(comparison->gated_count));
    pyr_json_put(root, "confirmed", json_boolean(comparison->confirmed));
    pyr_json_put(root, "pairs", pyr_json_count(comparison->pairs));
    pyr_json_put(root, "pairs_asked", pyr_json_count(comparison->pairs_asked));
    pyr_json_put(root, "pairs_dropped", pyr_json_count(comparison->pairs_dropped));
    pyr_json_put(root, "block_size", pyr_json_count(comparison->block_size));
    pyr_json_put(root, "order_seed", pyr_json_count(comparison->order_seed));
    pyr_json_put(root, "baseline", side_json(&comparison->baseline));
    pyr_json_put(root, "current", side_json(&comparison->current));
    pyr_json_put(root, "noise_floor", floor_json(comparison));
    pyr_json_put(root, "environment", parts_json(comparison));
    pyr_json_put(root, "outputs", outputs_json(comparison));
    json_t *metrics = json_array();
    for (size_t i = 0; i < comparison->metric_count; i++)
        json_array_append_new(metrics, metric_json(&comparison->metrics[i]));
    pyr_json_put(root, "metrics", metrics);
    pyr_json_put(root, "only_baseline",
                 texts_json(comparison->only_baseline, comparison->only_baseline_count));
    pyr_json_put(root, "only_current",
                 texts_json(comparison->only_current, comparison->only_current_count));
    pyr_json_put(root, "warnings", texts_json(comparison->warnings, comparison->warning_count));
    return root;
}

void pyr_comparison_json(const struct pyr_comparison *comparison,
                         const struct pyr_report_options *options, struct pyr_buf *out) {
    (void)options;
    json_t *root = whole_json(comparison);
    pyr_json_pretty(out, root);
    json_decref(root);
}
