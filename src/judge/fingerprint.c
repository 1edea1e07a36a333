/* SPDX-License-Identifier: MIT */
#include "judge/fingerprint.h"

#include "base/hash.h"
#include "base/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* Where a part comes from in META: section, then a path. */
static const struct {
    const char *part, *section, *outer, *inner;
} parts[] = {
    {"cpu", "system_info", "cpu", "model"},
    {"cores", "system_info", "cpu", "allowed"},
    {"cpu_quota", "system_info", "cpu", "quota"},
    {"governor", "system_info", "cpu", "governor"},
    {"smt", "system_info", "cpu", "smt"},
    {"turbo", "system_info", "cpu", "turbo"},
    {"memory_limit", "system_info", "memory", "limit_bytes"},
    {"kernel", "system_info", "kernel", NULL},
    {"gpu", "system_info", "gpu_name", NULL},
    {"gpu_driver", "system_info", "gpu_driver", NULL},
    {"target", "target", "kind", NULL},
    {"model", "target", "name", NULL},
    {"model_description", "target", "description", NULL},
    {"model_parameters", "target", "parameters", NULL},
    {"model_bytes", "target", "weight_bytes", NULL},
    {"model_hash", "target", "model_hash", NULL},
};

/* Settings that do not change what is measured, are what is compared, or stand in each case. */
static const char *const config_left_out[] = {
    "goals",       "engine_dir", "output",       "format",     "runs",
    "seed",        "preset",     "duration_s",   "iterations", "warmup_iterations",
    "concurrency", "classes",    "level_time_s", "threads",    "settings",
};
/* Settings that the first versions recorded whatever they were: they stay in a fingerprint also
 * where they are at their default, so that its hash, by which a history groups its runs, stays too.
 * Every other setting is in it only where it is not at its default: a baseline that was made before
 * a setting existed was made at its default. Nothing is ever added here. */
static const char *const recorded_always[] = {
    "warmup_s",      "think_s",      "heed_retry_after", "drain_s",      "isolate",
    "shared_prefix", "cancel_share", "temperature",      "exact_output",
};
/* What a simulated target says of its law, which is what is compared. */
static const char *const law_parts[] = {"model", "model_description"};

static const char VERSION_PART[] = "pyrometer_version";

static void add(json_t *into, const char *part, const json_t *value) {
    if (!value || json_is_null(value))
        return;
    if (json_is_string(value)) {
        json_object_set(into, part, (json_t *)value);
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    json_object_set_new(into, part, json_string(text));
    pyr_free(text);
}

static bool is_in(const char *const *list, size_t count, const char *key) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], key) == 0)
            return true;
    return false;
}
#define IS_IN(list, key) is_in(list, sizeof(list) / sizeof *(list), key)

/* Zero, false and nothing are the default of every setting (suite/bench.h). */
static bool is_default(const json_t *value) {
    return !json_is_true(value) && json_number_value(value) == 0 && !json_is_string(value) &&
           json_array_size(value) == 0 && json_object_size(value) == 0;
}

static void add_config(struct pyr_arena *arena, json_t *into, const char *prefix,
                       const json_t *config) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)config, key, value) {
        const char *part = pyr_arena_printf(arena, "%s.%s", prefix, key);
        if (json_is_object(value))
            add_config(arena, into, part, value);
        else if (!IS_IN(config_left_out, key) &&
                 (!is_default(value) || IS_IN(recorded_always, key)))
            add(into, part, value);
    }
}

struct pyr_fingerprint pyr_fingerprint_make(struct pyr_arena *arena, const char *meta_json) {
    json_t *meta = meta_json ? json_loads(meta_json, 0, NULL) : NULL, *flat = json_object();
    bool simulated = json_is_true(json_object_get(json_object_get(meta, "target"), "simulated"));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (simulated && IS_IN(law_parts, parts[i].part))
            continue;
        const json_t *value =
            json_object_get(json_object_get(meta, parts[i].section), parts[i].outer);
        add(flat, parts[i].part, parts[i].inner ? json_object_get(value, parts[i].inner) : value);
    }
    add_config(arena, flat, "config", json_object_get(meta, "config"));
    struct pyr_fingerprint made;
    char *text = json_dumps(flat, JSON_COMPACT | JSON_SORT_KEYS);
    made.hash =
        pyr_arena_printf(arena, "%016" PRIx64, pyr_fnv1a64(PYR_FNV1A64_INIT, text, strlen(text)));
    pyr_free(text);
    add(flat, VERSION_PART, json_object_get(meta, "version"));
    text = json_dumps(flat, JSON_COMPACT | JSON_SORT_KEYS);
    made.json = pyr_arena_strdup(arena, text);
    pyr_free(text);
    json_decref(flat);
    json_decref(meta);
    return made;
}

static bool is_varied(const char *part, const char *const *vary, size_t count) {
    const char *dot = strchr(part, '.'), *last = strrchr(part, '.');
    for (size_t i = 0; i < count; i++)
        if (strcmp(part, vary[i]) == 0 || (dot && strcmp(dot + 1, vary[i]) == 0) ||
            (last && strcmp(last + 1, vary[i]) == 0))
            return true;
    return false;
}

static const char *text_of(struct pyr_arena *arena, const json_t *value) {
    return json_is_string(value) ? pyr_arena_strdup(arena, json_string_value(value)) : NULL;
}

/* Whether a side says nothing of a part, as its text tells: it lacks it, a setting is at its
 * default, or the machine did not let us know, for a reason that another version may word
 * otherwise. Options of a target are text, whose defaults are the target's. */
static bool is_unsaid(const char *part, const json_t *side) {
    static const char *const nothing[] = {"false", "0", "0.0", "[]"};
    static const char unknown[] = "not available";
    const char *text = json_string_value(side);
    if (!text)
        return true;
    if (strncmp(part, "config.", 7) != 0)
        return strncmp(text, unknown, strlen(unknown)) == 0;
    return strncmp(part, "config.options.", 15) != 0 && IS_IN(nothing, text);
}

static bool same(const char *part, const json_t *a, const json_t *b) {
    bool a_unsaid = is_unsaid(part, a), b_unsaid = is_unsaid(part, b);
    if (a_unsaid || b_unsaid)
        return a_unsaid && b_unsaid;
    return strcmp(json_string_value(a), json_string_value(b)) == 0;
}

void pyr_fingerprint_compare(struct pyr_arena *arena, const char *baseline_json,
                             const char *current_json, const char *const *vary, size_t vary_count,
                             struct pyr_fingerprint_difference **differences, size_t *count) {
    json_t *a = baseline_json ? json_loads(baseline_json, 0, NULL) : NULL;
    json_t *b = current_json ? json_loads(current_json, 0, NULL) : NULL;
    *count = 0;
    if (json_object_size(a) == 0 || json_object_size(b) == 0) {
        *differences = pyr_arena_array(arena, 1, sizeof **differences);
        *count = 1;
        **differences =
            (struct pyr_fingerprint_difference){.part = "environment",
                                                .baseline = json_object_size(a) ? "recorded" : NULL,
                                                .current = json_object_size(b) ? "recorded" : NULL};
        json_decref(a);
        json_decref(b);
        return;
    }
    json_t *all = json_object();
    json_object_update(all, a);
    json_object_update(all, b);
    *differences = pyr_arena_array(arena, json_object_size(all), sizeof **differences);
    const char *part;
    json_t *unused;
    json_object_foreach(all, part, unused) {
        const json_t *of_a = json_object_get(a, part), *of_b = json_object_get(b, part);
        if (same(part, of_a, of_b) || is_varied(part, vary, vary_count))
            continue;
        (*differences)[(*count)++] =
            (struct pyr_fingerprint_difference){.part = pyr_arena_strdup(arena, part),
                                                .baseline = text_of(arena, of_a),
                                                .current = text_of(arena, of_b),
                                                .warning = strcmp(part, VERSION_PART) == 0};
    }
    json_decref(all);
    json_decref(a);
    json_decref(b);
}
