/* SPDX-License-Identifier: MIT */
#include "suite/meta.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "sample/machine.h"
#include "stats/comparison.h"
#include "suite/bench_options.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Text from outside may be no UTF-8, which JSON cannot hold: such bytes become '?'. */
static json_t *text_or_null(const char *text) {
    if (!text)
        return json_null();
    json_t *value = json_string(text);
    if (value)
        return value;
    char plain[1024];
    size_t used = 0;
    for (; *text && used < sizeof plain - 1; text++)
        plain[used++] = (unsigned char)*text < 0x80 ? *text : '?';
    plain[used] = '\0';
    return json_string(plain);
}

static json_t *seconds(uint64_t ns) {
    return json_real((double)ns / (double)PYR_NS_PER_S);
}

static json_t *describe_length(const struct pyr_length *length) {
    if (length->kind == PYR_LENGTH_FIXED)
        return json_integer((json_int_t)length->mean);
    return json_pack("{s:f, s:f, s:i, s:i}", "mean", length->mean, "sd", length->sd, "min",
                     (int)length->min, "max", (int)length->max);
}

static json_t *describe_classes(const struct pyr_plan *plan) {
    json_t *list = json_array();
    for (size_t i = 0; i < plan->class_count; i++)
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o}", "name", text_or_null(plan->classes[i].name),
                            "prompt_tokens", describe_length(&plan->classes[i].prompt_tokens),
                            "output_tokens", describe_length(&plan->classes[i].output_tokens)));
    return list;
}

static json_t *describe_levels(const struct pyr_plan *plan) {
    json_t *list = json_array();
    for (size_t i = 0; i < plan->case_count; i++) {
        const struct pyr_plan_case *one = &plan->cases[i];
        json_int_t level = one->record.concurrency;
        size_t n = json_array_size(list);
        if (one->suite->by_load &&
            (n == 0 || json_integer_value(json_array_get(list, n - 1)) < level))
            json_array_append_new(list, json_integer(level));
    }
    return list;
}

/* A header's value may be a secret: its name is kept. The file of @FILE is no secret. */
static json_t *describe_option(const struct pyr_option *option) {
    const char *value = option->value;
    if (strcmp(option->key, "header") != 0 || !value || *value == '@')
        return text_or_null(value);
    return json_sprintf("%.*s: ***", (int)strcspn(value, ":"), value);
}

/* One given several times becomes a list. */
static json_t *describe_options(const struct pyr_bench_options *options) {
    json_t *object = json_object();
    for (size_t i = 0; i < options->target_option_count; i++) {
        const struct pyr_option *option = &options->target_options[i];
        json_t *before = json_object_get(object, option->key), *value = describe_option(option);
        if (json_is_array(before)) {
            json_array_append_new(before, value);
        } else if (before) {
            json_t *list = json_array();
            json_array_append(list, before);
            json_array_append_new(list, value);
            json_object_set_new(object, option->key, list);
        } else {
            json_object_set_new(object, option->key, value);
        }
    }
    return object;
}

static json_t *describe_goals(const struct pyr_plan *plan) {
    json_t *list = json_array();
    for (size_t i = 0; i < plan->goal_count; i++)
        json_array_append_new(list, text_or_null(plan->goals[i].label));
    return list;
}

static json_t *describe_settings(const struct pyr_bench_options *o) {
    json_t *list = json_array();
    for (size_t i = 0; i < o->setting_count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "name",
                                              text_or_null(o->settings[i].name), "value",
                                              text_or_null(o->settings[i].value), "source",
                                              text_or_null(o->settings[i].source)));
    return list;
}

static json_t *describe_threads(const struct pyr_plan *plan) {
    json_t *list = json_array();
    for (size_t i = 0; i < plan->variant_count; i++)
        json_array_append_new(list, json_integer(plan->variants[i].threads));
    return list;
}

static json_t *number_or_null(const struct pyr_option_row *row, double value, double unit) {
    return value == 0 && row->null_at_zero ? json_null() : json_real(value / unit);
}

/* The value of an option as its row says. */
static json_t *describe_setting(const struct pyr_option_row *row,
                                const struct pyr_bench_options *o) {
    const void *field = (const char *)o + row->offset;
    switch (row->kind) {
    case PYR_OPTION_FLAG:
        return json_boolean(*(const bool *)field);
    case PYR_OPTION_TEXT:
        return text_or_null(*(const char *const *)field);
    case PYR_OPTION_WHOLE:
        return *(const uint64_t *)field == 0 && row->null_at_zero
                   ? json_null()
                   : json_integer((json_int_t) * (const uint64_t *)field);
    case PYR_OPTION_DURATION:
        return number_or_null(row, (double)*(const uint64_t *)field, (double)PYR_NS_PER_S);
    case PYR_OPTION_FLOAT:
        return number_or_null(row, (double)*(const float *)field, 1);
    case PYR_OPTION_REAL:
    case PYR_OPTION_SHARE:
        return number_or_null(row, *(const double *)field, 1);
    case PYR_OPTION_CHOICE:
        return json_string(row->choices[*(const int *)field]);
    case PYR_OPTION_LIST:
    case PYR_OPTION_PAIRS:
    case PYR_OPTION_OWN:
        break;
    }
    assert(false); /* what such a row records is told by hand below */
    return json_null();
}

/* The effective configuration: what was used, wherever it came from. What the plan made of several
 * options first, then those that are recorded as they were said. */
static json_t *describe_config(const struct pyr_bench_options *o, const struct pyr_plan *plan) {
    json_t *config = json_object();
    json_object_set_new(config, "preset", text_or_null(plan->preset));
    json_object_set_new(config, "load_model", json_string(plan->arrival ? "open" : "closed"));
    json_object_set_new(config, "arrival",
                        text_or_null(plan->arrival ? plan->arrival->name : NULL));
    json_object_set_new(config, "rate",
                        plan->trace     ? json_real(plan->trace->rate)
                        : plan->arrival ? json_real(o->rate)
                                        : json_null());
    json_object_set_new(config, "concurrency", describe_levels(plan));
    json_object_set_new(config, "classes", describe_classes(plan));
    const struct pyr_plan_case *any = &plan->cases[plan->case_count - 1];
    json_object_set_new(config, "iterations", json_integer((json_int_t)any->requests));
    json_object_set_new(config, "warmup_iterations",
                        json_integer((json_int_t)any->warmup_requests));
    json_object_set_new(config, "warmup_s", seconds(any->warmup_ns));
    json_object_set_new(config, "level_time_s", seconds(any->level_time_ns));
    json_object_set_new(config, "duration_s", seconds(plan->duration_ns));
    json_object_set_new(config, "start_burst", json_boolean(o->start_burst));
    json_object_set_new(config, "threads", describe_threads(plan));
    json_object_set_new(config, "options", describe_options(o));
    json_object_set_new(config, "trace_speed",
                        o->trace ? json_real(o->trace_speed != 0 ? o->trace_speed : 1)
                                 : json_null());
    const struct pyr_option_row *row;
    for (size_t i = 0; (row = pyr_bench_option_at(i)); i++)
        if (row->meta)
            json_object_set_new(config, row->meta, describe_setting(row, o));
    json_object_set_new(config, "goals", describe_goals(plan));
    json_object_set_new(config, "settings", describe_settings(o));
    return config;
}

static json_t *count_or_null(uint64_t count) {
    return count ? json_integer((json_int_t)count) : json_null();
}

/* A digest of the file's size and of pieces all over it: another quantisation, training run or
 * conversion differs in them, and a file of many gigabytes is not read for it. */
static json_t *model_hash(const char *path) {
    enum { PIECES = 256, PIECE_BYTES = 4096 };
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
        if (file >= 0)
            close(file);
        return json_null();
    }
    uint64_t size = (uint64_t)status.st_size;
    uint64_t hash = pyr_fnv1a64(PYR_FNV1A64_INIT, &size, sizeof size);
    char bytes[PIECE_BYTES], text[32];
    for (uint64_t i = 0; i < PIECES; i++) {
        uint64_t at = size > PIECE_BYTES ? (size - PIECE_BYTES) / (PIECES - 1) * i : 0;
        ssize_t got = pread(file, bytes, sizeof bytes, (off_t)at);
        if (got > 0)
            hash = pyr_fnv1a64(hash, bytes, (size_t)got);
    }
    close(file);
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return json_string(text);
}

static json_t *describe_target(const struct pyr_bench_options *o,
                               const struct pyr_target_info *info) {
    json_t *target = json_object();
    json_object_set_new(target, "spec", text_or_null(o->target));
    json_object_set_new(target, "note", text_or_null(o->target_note));
    json_object_set_new(target, "kind", text_or_null(info->kind));
    json_object_set_new(target, "name", text_or_null(info->name));
    json_object_set_new(target, "engine", text_or_null(info->engine));
    json_object_set_new(target, "description", text_or_null(info->description));
    json_object_set_new(target, "notes", text_or_null(info->notes));
    json_object_set_new(target, "simulated", json_boolean(info->simulated));
    json_object_set_new(target, "parameters", count_or_null(info->parameter_count));
    json_object_set_new(target, "weight_bytes", count_or_null(info->weight_bytes));
    json_object_set_new(target, "bytes_per_token", count_or_null(info->bytes_per_token));
    json_object_set_new(target, "model_hash", model_hash(o->target));
    json_object_set_new(target, "vocabulary_size", count_or_null(info->vocabulary_size));
    json_object_set_new(target, "trained_context", count_or_null(info->tokens_per_sequence));
    return target;
}

/* The tables that its suites want, so that a report needs nothing but the run. */
static void describe_tables(json_t *meta, const struct pyr_plan *plan) {
    json_t *tables = json_object();
    for (size_t i = 0; i < plan->case_count; i++) {
        const struct pyr_plan_case *one = &plan->cases[i];
        if (one->suite->columns)
            json_object_set_new(tables, one->record.suite, json_string(one->suite->columns));
    }
    if (json_object_size(tables))
        json_object_set(meta, "tables", tables);
    json_decref(tables);
}

static void begin(json_t *meta, const char *command, const char *repeat, uint64_t started_unix_ns) {
    json_object_set_new(meta, "program", json_string("pyrometer"));
    json_object_set_new(meta, "version", json_string(PYR_VERSION));
    json_object_set_new(meta, "command", text_or_null(command));
    json_object_set_new(meta, "repeat_command", text_or_null(repeat ? repeat : command));
    json_object_set_new(meta, "started_unix_ns", json_integer((json_int_t)started_unix_ns));
    char iso[32];
    time_t when = (time_t)(started_unix_ns / PYR_NS_PER_S);
    struct tm utc;
    gmtime_r(&when, &utc);
    strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_object_set_new(meta, "started_iso", json_string(iso));
}

static char *finish(json_t *meta, const struct pyr_root *root) {
    json_object_set_new(meta, "system_info", pyr_machine_describe(root));
    char *text = json_dumps(meta, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    json_decref(meta);
    return text;
}

char *pyr_meta_make(const struct pyr_bench_options *options, const struct pyr_plan *plan,
                    const struct pyr_root *root, const struct pyr_target_info *target,
                    uint64_t started_unix_ns) {
    json_t *meta = json_object();
    begin(meta, options->command_line, options->repeat_line, started_unix_ns);
    json_object_set_new(meta, "target", describe_target(options, target));
    json_object_set_new(meta, "config", describe_config(options, plan));
    describe_tables(meta, plan);
    return finish(meta, root);
}

char *pyr_meta_of_pairs(const struct pyr_comparison *comparison, const char *command,
                        uint64_t started_unix_ns) {
    json_t *meta = json_object(), *target = json_object(), *config = json_object();
    char name[1024];
    snprintf(name, sizeof name, "beside %s", comparison->baseline.name);
    begin(meta, command, NULL, started_unix_ns);
    json_object_set_new(target, "kind", json_string("pairs"));
    json_object_set_new(target, "name", text_or_null(name));
    json_object_set_new(target, "spec", text_or_null(comparison->current.name));
    json_object_set_new(target, "engine", text_or_null(comparison->current.engine));
    json_object_set_new(meta, "target", target);
    json_object_set_new(config, "seed", json_integer((json_int_t)comparison->order_seed));
    json_object_set_new(meta, "config", config);
    return finish(meta, &pyr_root_live);
}
