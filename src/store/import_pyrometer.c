/* SPDX-License-Identifier: MIT */
/* Our own results.json (docs/formats/results.md). */
#include "base/buf.h"
#include "base/mem.h"
#include "store/import_format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char SCHEMA[] = "pyrometer/";
enum { KNOWN_SCHEMA = 1 };

static bool is_pyrometer(const json_t *root) {
    const char *schema = json_string_value(json_object_get(root, "schema"));
    return schema && strncmp(schema, SCHEMA, strlen(SCHEMA)) == 0;
}

static uint64_t count_of(const json_t *object, const char *key) {
    json_int_t count = json_integer_value(json_object_get(object, key));
    return count > 0 ? (uint64_t)count : 0;
}

static struct pyr_estimate read_estimate(const json_t *object) {
    struct pyr_estimate estimate = pyr_estimate_unknown(NULL);
    const json_t *value = json_object_get(object, "value"), *lo = json_object_get(object, "lo"),
                 *hi = json_object_get(object, "hi");
    if (json_is_number(value))
        estimate.value = json_number_value(value);
    if (json_is_number(lo))
        estimate.lo = json_number_value(lo);
    if (json_is_number(hi))
        estimate.hi = json_number_value(hi);
    return estimate;
}

static void read_metric(struct pyr_import *import, struct pyr_kept_case *kept, const char *name,
                        const json_t *object) {
    enum pyr_metric metric = pyr_metric_find(name);
    if (metric == PYR_METRIC_COUNT) /* of a version with more metrics than this one */
        return;
    struct pyr_kept_metric *to = pyr_import_metric(import, kept, metric);
    to->n = count_of(object, "n");
    const char *source = pyr_import_member_text(import, object, "source");
    to->source = source ? source : import->source;
    if (pyr_metric_info(metric)->kind == PYR_KIND_SCALAR) {
        to->at[PYR_KEPT_VALUE] = read_estimate(object);
        return;
    }
    for (int i = PYR_KEPT_MEAN; i < PYR_KEPT_COUNT; i++)
        to->at[i] = read_estimate(json_object_get(object, pyr_kept_names[i]));
    static const char *const plain[] = {"sd", "min", "max"};
    double *const targets[] = {&to->sd, &to->min, &to->max};
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_object_get(object, plain[i]);
        if (json_is_number(value))
            *targets[i] = json_number_value(value);
    }
}

static const char *read_params(struct pyr_import *import, const json_t *params) {
    struct pyr_buf text = {0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)params, key, value) {
        const char *shown = pyr_import_member_text(import, params, key);
        pyr_buf_printf(&text, "%s%s=%s", text.length ? ";" : "", key, shown ? shown : "");
    }
    const char *copy = pyr_arena_strdup(import->arena, pyr_buf_text(&text));
    pyr_buf_deinit(&text);
    return copy;
}

static void read_metrics(struct pyr_import *import, struct pyr_kept_case *kept,
                         const json_t *metrics) {
    const char *name;
    json_t *metric;
    json_object_foreach((json_t *)metrics, name, metric) read_metric(import, kept, name, metric);
}

static void read_case(struct pyr_import *import, const char *suite, const json_t *object) {
    const char *id = json_string_value(json_object_get(object, "id"));
    if (!id)
        return;
    struct pyr_kept_case *kept = pyr_import_case(import, suite, id);
    const char *load_model = json_string_value(json_object_get(object, "load_model"));
    kept->open_loop = load_model && strcmp(load_model, "open") == 0;
    const json_t *outcomes = json_object_get(object, "outcomes");
    kept->total = count_of(outcomes, "total");
    kept->ok = count_of(outcomes, "ok");
    const char *hash = json_string_value(json_object_get(object, "outputs_hash"));
    kept->outputs_hash = hash ? strtoull(hash, NULL, 16) : 0;
    kept->params = read_params(import, json_object_get(object, "params"));
    read_metrics(import, kept, json_object_get(object, "metrics"));
}

/* The members that make the fingerprint, as the run file's META block has them. */
static void read_meta(struct pyr_import *import, const json_t *root) {
    struct pyr_kept_run *run = import->run;
    const json_t *instrument = json_object_get(root, "instrument");
    json_t *meta = json_object();
    static const char *const copied[] = {"command", "config", "system_info", "target", "revision"};
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_object_set(meta, copied[i], json_object_get(root, copied[i]));
    json_object_set(meta, "version", json_object_get(instrument, "version"));
    char *text = json_dumps(meta, JSON_COMPACT);
    run->meta_json = pyr_arena_strdup(import->arena, text);
    pyr_free(text);
    json_decref(meta);
    const json_t *time = json_object_get(root, "timestamp");
    if (json_is_number(time))
        run->time_unix_s = json_number_value(time);
    run->version = pyr_import_member_text(import, instrument, "version");
    run->command = pyr_import_member_text(import, root, "command");
    run->revision = pyr_import_member_text(import, root, "revision");
    run->run_path = pyr_import_member_text(import, root, "run_file");
    run->partial = pyr_import_member_text(import, root, "partial");
    run->simulated = json_is_true(json_object_get(root, "simulated"));
    const json_t *floor = json_object_get(instrument, "noise_floor");
    const json_t *ratio = json_object_get(floor, "ratio");
    if (json_is_number(ratio))
        run->noise_floor.value = json_number_value(ratio);
}

static bool read_pyrometer(struct pyr_import *import, const json_t *root, struct pyr_err *err) {
    const char *schema = json_string_value(json_object_get(root, "schema"));
    if (strtol(schema + strlen(SCHEMA), NULL, 10) != KNOWN_SCHEMA)
        return pyr_fail(
            err, PYR_E_INPUT,
            "%s: its schema is '%.32s' and this program (%s) knows pyrometer/%d; update "
            "pyrometer, or make it again from the run file with 'pyrometer report RUN "
            "--format json'",
            import->name, schema, PYR_VERSION, KNOWN_SCHEMA);
    read_meta(import, root);
    const char *suite;
    json_t *object;
    json_object_foreach(json_object_get(root, "benchmarks"), suite, object) {
        size_t i;
        json_t *one;
        json_array_foreach(json_object_get(object, "cases"), i, one) read_case(import, suite, one);
    }
    const json_t *metrics = json_object_get(json_object_get(root, "instrument"), "metrics");
    if (json_object_size(metrics) > 0)
        read_metrics(import, pyr_import_case(import, "instrument", ""), metrics);
    return true;
}

const struct pyr_import_format pyr_import_pyrometer = {is_pyrometer, read_pyrometer};
