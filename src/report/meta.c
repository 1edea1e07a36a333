/* SPDX-License-Identifier: MIT */
#include "report/meta.h"

#include <math.h>
#include <time.h>

const char *pyr_report_meta_text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

double pyr_report_meta_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static json_t *object_of(const struct pyr_report_meta *meta, const char *key) {
    json_t *value = json_object_get(meta->root, key);
    return json_is_object(value) ? value : NULL;
}

void pyr_report_meta_open(const char *meta_json, struct pyr_report_meta *meta) {
    json_t *root = meta_json ? json_loads(meta_json, 0, NULL) : NULL;
    if (!json_is_object(root)) {
        json_decref(root);
        root = json_object();
    }
    *meta = (struct pyr_report_meta){.root = root};
    meta->command = pyr_report_meta_text(root, "command");
    meta->repeat_command = pyr_report_meta_text(root, "repeat_command");
    meta->started_unix_s = pyr_report_meta_number(root, "started_unix_ns") / 1e9;
    meta->config = object_of(meta, "config");
    meta->system_info = object_of(meta, "system_info");
    meta->target = object_of(meta, "target");
    meta->name = pyr_report_meta_text(meta->target, "name");
    meta->spec = pyr_report_meta_text(meta->target, "spec");
    meta->kind = pyr_report_meta_text(meta->target, "kind");
    meta->engine = pyr_report_meta_text(meta->target, "engine");
    meta->description = pyr_report_meta_text(meta->target, "description");
    meta->note = pyr_report_meta_text(meta->target, "note");
    meta->notes = pyr_report_meta_text(meta->target, "notes");
    meta->threads = pyr_report_meta_number(meta->target, "threads");
    const json_t *tried = json_object_get(meta->config, "threads");
    if (isnan(meta->threads) && json_array_size(tried) == 1)
        meta->threads = json_number_value(json_array_get(tried, 0));
    meta->cpu_model = pyr_report_meta_text(meta->system_info, "cpu_model");
    if (!meta->cpu_model)
        meta->cpu_model = pyr_report_meta_text(json_object_get(meta->system_info, "cpu"), "model");
}

void pyr_report_meta_close(struct pyr_report_meta *meta) {
    json_decref(meta->root);
    *meta = (struct pyr_report_meta){0};
}

void pyr_report_iso_time(double unix_s, char *out, size_t size) {
    out[0] = '\0';
    if (!(fabs(unix_s) < 1e11))
        return;
    time_t whole = (time_t)floor(unix_s);
    struct tm parts;
    if (gmtime_r(&whole, &parts))
        strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
